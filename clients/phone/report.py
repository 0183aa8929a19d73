"""The report of a call: what was said and heard, and the parts of each answer's delay."""

from typing import Final

from voice.call.v1 import record_pb2

from clients.phone.caller import Asked
from clients.phone.recording import RATE_HERTZ

_STAGES: Final = ("endpointing", "stt", "nlu", "tts", "playout")
_SAME_END_S: Final = 1.0
_OUTCOME: Final = record_pb2.TurnRecord.Outcome


def has_gone_well(asked: list[Asked], events: list[record_pb2.CallEvent]) -> bool:
    """Every question got an answer, of the agent and not only of the gateway, and no turn stayed failed."""
    answers = [event for event in events if event.HasField("turn") and not event.turn.is_gateway_prompt]
    has_failed = any(event.end.cause == record_pb2.CallEnd.CAUSE_FAILURE for event in events if event.HasField("end"))
    is_answered = all(question.answer_s is not None for question in asked)
    return is_answered and len(answers) > len(asked) and not has_failed  # the greeting is one more


def transcript(events: list[record_pb2.CallEvent]) -> list[str]:
    """Both sides in the gateway's words, a line an utterance, with the second it became known."""
    lines = []
    began = next((event.time.ToNanoseconds() for event in events if event.HasField("began")), 0)
    for event in events:
        at_s = (event.time.ToNanoseconds() - began) / 1e9
        if event.HasField("turn"):
            turn = event.turn
            if turn.user_text:
                lines.append(f"{at_s:6.1f} s  caller   {turn.user_text}")
            if turn.heard_text:
                speaker = "gateway" if turn.is_gateway_prompt else "agent"
                broken = (
                    ""
                    if turn.outcome == _OUTCOME.OUTCOME_COMPLETED
                    else f"  [{_OUTCOME.Name(turn.outcome)[8:].lower()}]"
                )
                lines.append(f"{at_s:6.1f} s  {speaker:8} {turn.heard_text}{broken}")
        elif event.HasField("stage_trouble"):
            trouble = event.stage_trouble
            lines.append(f"{at_s:6.1f} s  ({trouble.stage}: {trouble.reason}, remedy: {trouble.remedy})")
        elif event.HasField("end"):
            cause = record_pb2.CallEnd.Cause.Name(event.end.cause)[6:].lower()
            lines.append(f"{at_s:6.1f} s  (call over: {cause}{', ' + event.end.message if event.end.message else ''})")
    return lines


def latency_table(asked: list[Asked], events: list[record_pb2.CallEvent]) -> list[str]:
    """One line a question: what the phone measured on the wire, what the gateway measured, and its parts. In ms."""
    turns = [event.turn for event in events if event.HasField("turn") and event.turn.latency_us]
    head = ["question", "wire", "gateway", *_STAGES, "unexplained", "draft"]
    rows = []
    for question in asked:
        wire = "-" if question.latency_ms is None else f"{question.latency_ms:.0f}"
        turn = _turn_of(question, turns)
        rows.append([question.name, wire, *(["-"] * (len(head) - 2) if turn is None else _gateway_columns(turn))])
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if not n else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]


def _turn_of(question: Asked, turns: list[record_pb2.TurnRecord]) -> record_pb2.TurnRecord | None:
    """The turn whose speech ended when the question did: both clocks begin with the answer."""
    near = [turn for turn in turns if abs(turn.speech_end_sample / RATE_HERTZ - question.speech_end_s) < _SAME_END_S]
    return min(near, key=lambda turn: abs(turn.speech_end_sample / RATE_HERTZ - question.speech_end_s), default=None)


def _gateway_columns(turn: record_pb2.TurnRecord) -> list[str]:
    parts = {part.stage: part.queue_us + part.compute_us + part.network_us for part in turn.stage_times}
    stages = [f"{parts[stage] / 1000:.0f}" if stage in parts else "-" for stage in _STAGES]
    drafts = f"{'yes' if turn.is_answered_from_draft else 'no'} ({turn.drafts_made})"
    return [f"{turn.latency_us / 1000:.0f}", *stages, f"{turn.unexplained_us / 1000:.0f}", drafts]
