"""A call second by second: the gateway's news, the phone's recording and what the caller did, in one list."""

from typing import Final

from voice.call.v1 import record_pb2

from clients.phone.evidence import Evidence

_Outcome = record_pb2.TurnRecord
_INDENT: Final = " " * 23


def timeline(evidence: Evidence) -> list[str]:
    """One entry a happening, in order; seconds since the phone was answered."""
    entries = [(told.at_s, line) for told in evidence.told if (line := _news(told.event))]
    for sound in evidence.agent:
        entries += [(sound.start_s, "phone    the agent is heard"), (sound.end_s, "phone    the agent falls silent")]
    for remark in evidence.remarks:
        entries += [(remark.start_s, f"caller   {remark.name} ..."), (remark.end_s, f"caller   ... {remark.name} ends")]
    return [f"{at_s:8.2f} s  {line}" for at_s, line in sorted(entries, key=lambda entry: entry[0])]


def _news(event: record_pb2.CallEvent) -> str:
    match event.WhichOneof("event"):
        case "floor_change":
            change = event.floor_change
            turn = f", turn {change.turn_id}" if change.turn_id else ""
            return f"floor    {_floor(getattr(change, 'from'))} -> {_floor(change.to)} ({change.cause}{turn})"
        case "caller_text" | "caller_keyword":
            return _heard(event)
        case "turn":
            return _turn(event.turn)
        case "stage_trouble" | "line_trouble":
            return _trouble(event)
        case "end":
            cause = record_pb2.CallEnd.Cause.Name(event.end.cause)[6:].lower()
            return f"end      {cause}{', ' + event.end.message if event.end.message else ''}"
        case _:
            return ""


def _heard(event: record_pb2.CallEvent) -> str:
    if event.HasField("caller_keyword"):
        return f'stt      keyword: "{event.caller_keyword.phrase}"'
    return f'stt      {"settled" if event.caller_text.is_settled else "hears"}: "{event.caller_text.text}"'


def _trouble(event: record_pb2.CallEvent) -> str:
    if event.HasField("line_trouble"):
        return f"trouble  line: {event.line_trouble.cause}"
    trouble = event.stage_trouble
    return f"trouble  {trouble.stage}: {trouble.reason}, remedy: {trouble.remedy}"


def _turn(turn: record_pb2.TurnRecord) -> str:
    """Return why the caller's turn was over, what it cost, what was heard of the answer, and why it stopped."""
    who = "prompt" if turn.is_gateway_prompt else f"turn {turn.turn_id}"
    facts = [_Outcome.Outcome.Name(turn.outcome)[8:].lower()]
    if turn.end_reason:
        facts.append(f"ended by {turn.end_reason}")
    if turn.stop_reason:
        facts.append(f"agent: {turn.stop_reason}")
    if turn.drafts_made:
        used = "answered from one" if turn.is_answered_from_draft else "none used"
        facts.append(f"drafts {turn.drafts_made}, {turn.drafts_dropped} dropped, {used}")
    if turn.latency_us:
        facts.append(f"{turn.latency_us / 1000:.0f} ms")
    if turn.continues_turn_id:
        facts.append(f"goes on from turn {turn.continues_turn_id}")
    lines = [f"{who:8} {'; '.join(facts)}"]
    if turn.user_text:
        lines.append(f'{_INDENT}said:  "{turn.user_text.strip()}"')
    lines.append(f'{_INDENT}heard: "{turn.heard_text.strip()}"')
    return "\n".join(lines)


def _floor(floor: record_pb2.Floor.ValueType) -> str:
    return record_pb2.Floor.Name(floor)[6:].lower()
