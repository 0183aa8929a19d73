"""Translates between the protobuf messages of the NLU stage and the conversation's commands and events."""

from voice.nlu.v1 import nlu_pb2

from services.call_gateway.conversation.commands import (
    AskAgent,
    CallerKeyed,
    CallerSaid,
    CallOpened,
    ReportAction,
    ReportPlayout,
)
from services.call_gateway.conversation.events import (
    Action,
    ActionEnded,
    HangUpCall,
    PressKeys,
    ReplyClause,
    SwitchLanguage,
    ToolState,
    ToolUsed,
    TransferCall,
)
from services.call_gateway.stages.shapes import timing_of, trace_message

_TOOL_STATES = {
    nlu_pb2.ToolActivity.PHASE_STARTED: ToolState.RUNNING,
    nlu_pb2.ToolActivity.PHASE_COMPLETED: ToolState.COMPLETED,
    nlu_pb2.ToolActivity.PHASE_FAILED: ToolState.FAILED,
}


def turn_message(ask: AskAgent) -> nlu_pb2.UserTurn:
    """The caller's turn, or a draft of it."""
    turn = nlu_pb2.UserTurn(
        turn_id=ask.turn_id,
        detected_language_code=ask.language_code,
        is_draft=ask.is_draft,
        continues_turn_id=ask.continues_turn_id,
        provisional_playout=report_message(ask.provisional_playout) if ask.provisional_playout is not None else None,
        trace_context=trace_message(ask.trace),
    )
    match ask.input:
        case CallerSaid(text, confidence):
            turn.text = text
            if confidence is not None:
                turn.confidence = confidence
        case CallOpened():
            turn.open.SetInParent()
        case CallerKeyed(digits):
            turn.dtmf = digits
        case ActionEnded(action_id, action, is_done, reason):
            turn.action_ended.action.CopyFrom(_action_message(action_id, action))
            turn.action_ended.result.CopyFrom(result_message(ReportAction(action_id, is_done, reason)))
    return turn


def _action_message(action_id: str, action: Action) -> nlu_pb2.CallAction:
    message = nlu_pb2.CallAction(action_id=action_id)
    match action:
        case HangUpCall():
            message.hang_up.SetInParent()
        case TransferCall(destination):
            message.transfer.destination = destination
        case PressKeys(digits):
            message.send_dtmf.digits = digits
        case SwitchLanguage(language_code):
            message.switch_language.language_code = language_code
    return message


def report_message(report: ReportPlayout) -> nlu_pb2.PlayoutReport:
    """The report of what the caller heard of a reply, or of the gateway's own words."""
    is_gateway = bool(report.gateway_text)
    return nlu_pb2.PlayoutReport(
        turn_id=report.turn_id,
        heard_offset=report.heard_offset,
        is_final=report.is_final,
        origin=nlu_pb2.PlayoutReport.ORIGIN_GATEWAY if is_gateway else nlu_pb2.PlayoutReport.ORIGIN_AGENT,
        text=report.gateway_text,
    )


def result_message(report: ReportAction) -> nlu_pb2.CallActionResult:
    """The result of an act on the call. Not done without a reason: it died with its turn."""
    if report.is_done:
        outcome = nlu_pb2.CallActionResult.OUTCOME_DONE
    elif report.reason:
        outcome = nlu_pb2.CallActionResult.OUTCOME_FAILED
    else:
        outcome = nlu_pb2.CallActionResult.OUTCOME_CANCELLED
    return nlu_pb2.CallActionResult(action_id=report.action_id, outcome=outcome, reason=report.reason)


def clause_of(reply: nlu_pb2.ReplyText) -> ReplyClause:
    """A clause of a reply."""
    return ReplyClause(
        reply.turn_id,
        reply.text,
        reply.language_code,
        is_interruptible=reply.is_interruptible if reply.HasField("is_interruptible") else True,
        timing=timing_of(reply.timing) if reply.HasField("timing") else None,
    )


def tool_used_of(activity: nlu_pb2.ToolActivity) -> ToolUsed:
    """News of a tool."""
    return ToolUsed(
        activity.turn_id,
        activity.tool_call_id,
        activity.name,
        _TOOL_STATES.get(activity.phase, ToolState.RUNNING),
        activity.arguments_json,
        activity.result_json,
        activity.took_us,
    )


def action_of(asked: nlu_pb2.CallAction) -> Action | None:
    """The act on the call that is asked for; None when it is of a kind not known here."""
    match asked.WhichOneof("action"):
        case "hang_up":
            return HangUpCall()
        case "transfer":
            return TransferCall(asked.transfer.destination)
        case "send_dtmf":
            return PressKeys(asked.send_dtmf.digits)
        case "switch_language":
            return SwitchLanguage(asked.switch_language.language_code)
        case _:
            return None
