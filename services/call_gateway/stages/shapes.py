"""Shapes that more than one stage shares, between protobuf and the conversation's own."""

from voice.type.v1 import audio_pb2, expectation_pb2, turn_pb2

from services.audio.pcm import AudioFormat, Encoding
from services.call_gateway.conversation.events import ExpectedKind, InputExpected, Outcome, Timing, Trace

_ENCODINGS = {
    Encoding.LINEAR16: audio_pb2.AUDIO_ENCODING_LINEAR16,
    Encoding.MULAW: audio_pb2.AUDIO_ENCODING_MULAW,
    Encoding.ALAW: audio_pb2.AUDIO_ENCODING_ALAW,
}
_EXPECTED_KINDS = {
    ExpectedKind.OPEN: expectation_pb2.ExpectedInput.KIND_OPEN,
    ExpectedKind.YES_NO: expectation_pb2.ExpectedInput.KIND_YES_NO,
    ExpectedKind.DIGITS: expectation_pb2.ExpectedInput.KIND_DIGITS,
    ExpectedKind.SPELLING: expectation_pb2.ExpectedInput.KIND_SPELLING,
    ExpectedKind.ANSWER: expectation_pb2.ExpectedInput.KIND_ANSWER,
}
_KINDS_EXPECTED = {value: kind for kind, value in _EXPECTED_KINDS.items()}
_OUTCOMES = {
    turn_pb2.TurnEnd.OUTCOME_COMPLETED: Outcome.COMPLETED,
    turn_pb2.TurnEnd.OUTCOME_CANCELLED: Outcome.CANCELLED,
}


def format_message(audio_format: AudioFormat) -> audio_pb2.AudioFormat:
    """The wire form of a format."""
    return audio_pb2.AudioFormat(
        encoding=_ENCODINGS[audio_format.encoding], sample_rate_hertz=audio_format.sample_rate_hertz
    )


def timing_of(message: turn_pb2.Timing) -> Timing:
    """Return the times that a server reports."""
    return Timing(message.queue_us, message.compute_us, message.since_trigger_us)


def trace_of(message: turn_pb2.TraceContext) -> Trace:
    """The trace a message belongs to."""
    return Trace(message.traceparent, message.tracestate)


def trace_message(trace: Trace) -> turn_pb2.TraceContext | None:
    """The wire form of a trace; None when there is none."""
    if not trace.traceparent:
        return None
    return turn_pb2.TraceContext(traceparent=trace.traceparent, tracestate=trace.tracestate)


def outcome_of(message: turn_pb2.TurnEnd) -> Outcome:
    """The outcome of a turn; an unknown outcome counts as a failure."""
    return _OUTCOMES.get(message.outcome, Outcome.FAILED)


def cancellation(turn_id: int, *, only: bool) -> turn_pb2.Cancellation:
    """The wire form of a cancellation."""
    scope = turn_pb2.Cancellation.SCOPE_ONLY if only else turn_pb2.Cancellation.SCOPE_THROUGH
    return turn_pb2.Cancellation(turn_id=turn_id, scope=scope)


def expected_message(expected: InputExpected) -> expectation_pb2.ExpectedInput:
    """The wire form of an expectation."""
    return expectation_pb2.ExpectedInput(
        kind=_EXPECTED_KINDS[expected.kind], length=expected.length, phrases=expected.phrases
    )


def expected_of(turn_id: int, message: expectation_pb2.ExpectedInput) -> InputExpected:
    """The kind of answer that the agent expects after a turn."""
    kind = _KINDS_EXPECTED.get(message.kind, ExpectedKind.OPEN)
    return InputExpected(turn_id, kind, length=message.length, phrases=tuple(message.phrases))
