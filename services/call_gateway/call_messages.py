"""Calls and their events as messages of voice.call.v1."""

from google.protobuf.timestamp_pb2 import Timestamp
from voice.call.v1 import call_pb2, record_pb2
from voice.type.v1 import audio_pb2

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding
from services.call_gateway.calls import LiveCall
from services.call_gateway.conversation.commands import (
    CallerHeard,
    FloorMoved,
    LineTroubled,
    StageTroubled,
    TurnFinished,
)
from services.call_gateway.conversation.events import Keyword, ToolState
from services.call_gateway.conversation.record import TurnOutcome, TurnRecord
from services.call_gateway.line import EndCause
from services.call_gateway.stages.shapes import format_message
from services.call_gateway.watching import CallAnalysed, CallBegan, CallNews, CallOver
from services.runtime.errors import RequestError

MAX_RATE_HERTZ = 48_000
RATES_HERTZ = frozenset({8_000, 16_000, 24_000, MAX_RATE_HERTZ})

_ENCODINGS = {
    audio_pb2.AUDIO_ENCODING_LINEAR16: Encoding.LINEAR16,
    audio_pb2.AUDIO_ENCODING_MULAW: Encoding.MULAW,
    audio_pb2.AUDIO_ENCODING_ALAW: Encoding.ALAW,
}
_FLOORS = {
    "listening": record_pb2.FLOOR_LISTENING,
    "held": record_pb2.FLOOR_HELD,
    "thinking": record_pb2.FLOOR_THINKING,
    "speaking": record_pb2.FLOOR_SPEAKING,
    "paused": record_pb2.FLOOR_PAUSED,
    "closing": record_pb2.FLOOR_CLOSING,
}
_OUTCOMES = {
    TurnOutcome.COMPLETED: record_pb2.TurnRecord.OUTCOME_COMPLETED,
    TurnOutcome.INTERRUPTED: record_pb2.TurnRecord.OUTCOME_INTERRUPTED,
    TurnOutcome.FAILED: record_pb2.TurnRecord.OUTCOME_FAILED,
    TurnOutcome.CONTINUED: record_pb2.TurnRecord.OUTCOME_CONTINUED,
}
_TOOL_STATES = {
    ToolState.RUNNING: record_pb2.ToolUse.STATE_RUNNING,
    ToolState.COMPLETED: record_pb2.ToolUse.STATE_COMPLETED,
    ToolState.FAILED: record_pb2.ToolUse.STATE_FAILED,
}
_CAUSES = {
    EndCause.CALLER: record_pb2.CallEnd.CAUSE_CALLER,
    EndCause.AGENT: record_pb2.CallEnd.CAUSE_AGENT,
    EndCause.TRANSFER: record_pb2.CallEnd.CAUSE_TRANSFER,
    EndCause.FAILURE: record_pb2.CallEnd.CAUSE_FAILURE,
    EndCause.SILENCE: record_pb2.CallEnd.CAUSE_SILENCE,
    EndCause.MAX_DURATION: record_pb2.CallEnd.CAUSE_MAX_DURATION,
    EndCause.OPERATOR: record_pb2.CallEnd.CAUSE_OPERATOR,
}


class UnknownEncoding(RequestError):
    """The gateway has no decoder for the audio format."""

    reason = "UNKNOWN_ENCODING"


class UnknownSampleRate(RequestError):
    """No stage can use the sample rate."""

    reason = "UNKNOWN_SAMPLE_RATE"


def audio_format_of(config: call_pb2.CallConfig) -> AudioFormat:
    """The format a caller asks for; the telephone's when it asks for none. Raises RequestError."""
    if not config.HasField("audio_format"):
        return TELEPHONE
    wanted = config.audio_format
    encoding = _ENCODINGS.get(wanted.encoding)
    if encoding is None:
        raise UnknownEncoding("use LINEAR16, MULAW or ALAW", field="config.audio_format.encoding")
    rates = RATES_HERTZ if encoding is Encoding.LINEAR16 else {TELEPHONE.sample_rate_hertz}
    if wanted.sample_rate_hertz not in rates:
        raise UnknownSampleRate(
            f"{wanted.sample_rate_hertz} Hz is not served: use one of {', '.join(map(str, sorted(rates)))}",
            field="config.audio_format.sample_rate_hertz",
        )
    return AudioFormat(encoding, wanted.sample_rate_hertz)


def info_of(call: LiveCall) -> call_pb2.CallInfo:
    """A call as it stands."""
    session = call.session
    return call_pb2.CallInfo(
        call_id=call.call_id,
        tenant_id=call.tenant_id,
        agent_id=session.agent_id,
        language_code=session.conversation.language_code,
        edge=session.call.edge,
        start_time=_timestamp(call.start_time_ns),
        floor=_FLOORS[session.conversation.floor.value],
        turn_id=session.conversation.turn_id,
        is_echo_suspected=session.conversation.is_echo_suspected,
        audio_format=format_message(session.call.audio_format),
    )


def event_of(call_news: CallNews) -> record_pb2.CallEvent:
    """A piece of news."""
    event = record_pb2.CallEvent(call_id=call_news.call_id, time=_timestamp(call_news.time_ns), sample=call_news.sample)
    match call_news.news:
        case CallBegan(edge, agent_id):
            event.began.CopyFrom(record_pb2.CallBegan(edge=edge, agent_id=agent_id))
        case FloorMoved(before, after, cause, turn_id):
            change = record_pb2.FloorChange(to=_FLOORS[after], cause=cause, turn_id=turn_id)
            setattr(change, "from", _FLOORS[before])
            event.floor_change.CopyFrom(change)
        case CallerHeard(utterance_id, text, is_settled):
            heard = record_pb2.CallerText(utterance_id=utterance_id, text=text, is_settled=is_settled)
            event.caller_text.CopyFrom(heard)
        case Keyword(utterance_id, phrase, _):
            keyword = record_pb2.CallerKeyword(utterance_id=utterance_id, phrase=phrase)
            event.caller_keyword.CopyFrom(keyword)
        case StageTroubled(stage, reason, remedy):
            event.stage_trouble.CopyFrom(record_pb2.StageTrouble(stage=stage.value, reason=reason, remedy=remedy))
        case LineTroubled(cause, lasted_ms):
            event.line_trouble.CopyFrom(record_pb2.LineTrouble(cause=cause.value, lasted_ms=lasted_ms))
        case TurnFinished(record):
            event.turn.CopyFrom(_record(record))
        case CallOver() as over:
            event.end.CopyFrom(end_of(over))
        case CallAnalysed(analysis) if analysis is not None:
            event.analysis.CopyFrom(analysis)
    return event


def end_of(over: CallOver) -> record_pb2.CallEnd:
    """Return why a call is over."""
    return record_pb2.CallEnd(
        cause=_CAUSES[over.cause],
        message=over.message,
        duration_ms=over.duration_ms,
        turn_count=over.turn_count,
        is_echo_suspected=over.is_echo_suspected,
    )


def _record(record: TurnRecord) -> record_pb2.TurnRecord:
    _, _, rest = record.trace.traceparent.partition("-")
    return record_pb2.TurnRecord(
        turn_id=record.turn_id,
        outcome=_OUTCOMES.get(record.outcome, record_pb2.TurnRecord.OUTCOME_UNSPECIFIED),
        user_text=record.user_text,
        heard_text=record.heard_text,
        end_reason=record.end_reason,
        stop_reason=record.stop_reason,
        drafts_made=record.drafts_made,
        drafts_dropped=record.drafts_dropped,
        is_answered_from_draft=record.is_answered_from_draft,
        speech_end_sample=record.speech_end_sample,
        latency_us=record.latency_us or 0,
        stage_times=[
            record_pb2.StageTime(
                stage=part.stage,
                queue_us=part.queue_us,
                compute_us=part.compute_us,
                network_us=part.network_us,
                engine=part.engine,
            )
            for part in record.stage_times
        ],
        unexplained_us=record.unexplained_us,
        is_gateway_prompt=record.is_gateway_prompt,
        continues_turn_id=record.continues_turn_id,
        trace_id=rest.partition("-")[0],
        nlu_engine=record.nlu_engine,
        tts_engine=record.tts_engine,
        withheld_rules=record.withheld_rules,
        tools=[
            record_pb2.ToolUse(
                tool_call_id=tool.tool_call_id,
                name=tool.name,
                state=_TOOL_STATES[tool.state],
                took_us=tool.took_us,
                arguments_json=tool.arguments_json,
                result_json=tool.result_json,
            )
            for tool in record.tools
        ],
    )


def _timestamp(nanoseconds: int) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromNanoseconds(nanoseconds)
    return timestamp
