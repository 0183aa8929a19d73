"""The agent: one StreamingConverse stream, as commands in and events out."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from voice.nlu.v1 import nlu_pb2, nlu_pb2_grpc
from voice.type.v1 import engine_pb2

from services.call_gateway.conversation.commands import (
    AskAgent,
    CallerKeyed,
    CallerSaid,
    CallerSilent,
    CallOpened,
    CancelTurn,
    CommitTurn,
    CorrectTurn,
    ReportAction,
    ReportPlayout,
)
from services.call_gateway.conversation.events import (
    Action,
    ActionAsked,
    Event,
    HangUpCall,
    PressKeys,
    ReplyClause,
    ReplyEnded,
    Stage,
    SwitchLanguage,
    ToolUsed,
    TransferCall,
)
from services.call_gateway.conversation.history import HeardTurn
from services.call_gateway.conversation.profile import AgentProfile
from services.call_gateway.stages.agent_profile import profile_of
from services.call_gateway.stages.facts import CallFacts
from services.call_gateway.stages.link import StageLink
from services.call_gateway.stages.outbox import Outbox
from services.call_gateway.stages.past import history_messages
from services.call_gateway.stages.shapes import cancellation, expected_of, outcome_of, timing_of, trace_message
from services.call_gateway.stages.stream import StreamLimits

AgentCommand = AskAgent | CommitTurn | CancelTurn | CorrectTurn | ReportPlayout | ReportAction

DRAFTS = "commit"
"""The feature without which a server takes no drafts."""
OPTIONAL_KINDS = frozenset({DRAFTS, "playout_report", "transcript_correction", "call_action_result"})

_PHASES = {
    nlu_pb2.ToolActivity.PHASE_STARTED: "started",
    nlu_pb2.ToolActivity.PHASE_COMPLETED: "completed",
    nlu_pb2.ToolActivity.PHASE_FAILED: "failed",
}


class NluStage:
    """Sends the caller's turns to the NLU server and hears the replies."""

    def __init__(
        self,
        stub: "nlu_pb2_grpc.NluServiceAsyncStub",
        call: CallFacts,
        *,
        past: Callable[[], Iterable[HeardTurn]],
        tasks: asyncio.TaskGroup,
        on_event: Callable[[Event], None],
        on_profile: Callable[[AgentProfile], None],
        limits: StreamLimits,
    ) -> None:
        """`past` gives the conversation so far, for a fresh stream in mid-call."""
        self._call = call
        self._past = past
        self._on_event = on_event
        self._on_profile = on_profile
        self._state = b""  # the server's own, handed back to the next stream
        self._engine: engine_pb2.EngineInfo | None = None
        self._turns_under_way: set[int] = set()
        self._turns_unreported: set[int] = set()
        self._draft_kept_back: AskAgent | None = None  # the server takes no drafts: asked when it is committed
        self._is_server_leaving = False
        self._link: StageLink[nlu_pb2.StreamingConverseRequest, nlu_pb2.StreamingConverseResponse] = StageLink(
            Stage.NLU,
            tasks=tasks,
            open_call=stub.StreamingConverse,
            optional_kinds=OPTIONAL_KINDS,
            on_engine=self._on_engine,
            on_response=self._on_response,
            on_event=on_event,
            limits=limits,
        )

    def open(self) -> None:
        """Open a stream, or give the present one up for a fresh one, which is told the conversation so far."""
        self._begin_afresh()
        self._link.open(self._config(), Outbox())

    def perform(self, command: AgentCommand) -> None:
        """Carry out one of the conversation's commands."""
        match command:
            case AskAgent():
                self._ask(command)
            case CommitTurn(turn_id):
                self._commit(turn_id)
            case CancelTurn(turn_id, only):
                self._cancel(turn_id, only=only)
            case CorrectTurn(turn_id, text):
                correction = nlu_pb2.TranscriptCorrection(turn_id=turn_id, text=text)
                self._link.send(nlu_pb2.StreamingConverseRequest(transcript_correction=correction))
            case ReportPlayout():
                if command.is_final:
                    self._turns_unreported.discard(command.turn_id)
                self._link.send(nlu_pb2.StreamingConverseRequest(playout_report=_report(command)))
            case ReportAction():
                self._link.send(nlu_pb2.StreamingConverseRequest(call_action_result=_action_result(command)))

    async def finish(self) -> None:
        """No more turns come: end the stream in good order, within the limit."""
        await self._link.finish()

    def _begin_afresh(self) -> None:
        self._is_server_leaving = False
        self._turns_under_way.clear()
        self._turns_unreported.clear()

    def _ask(self, ask: AskAgent) -> None:
        if ask.is_draft and self._engine is not None and DRAFTS not in self._engine.features:
            self._draft_kept_back = ask
            return
        if self._is_server_leaving and not self._turns_under_way and not self._turns_unreported:
            self._begin_afresh()
            self._link.succeed(self._config(), Outbox())
        self._turns_under_way.add(ask.turn_id)
        if not ask.is_draft:
            self._turns_unreported.add(ask.turn_id)
        self._link.send(nlu_pb2.StreamingConverseRequest(user_turn=_user_turn(ask)))

    def _commit(self, turn_id: int) -> None:
        if self._draft_kept_back is not None and self._draft_kept_back.turn_id == turn_id:
            draft, self._draft_kept_back = self._draft_kept_back, None
            self._ask(replace(draft, is_draft=False, provisional_playout=None))
            return
        self._turns_unreported.add(turn_id)
        self._link.send(nlu_pb2.StreamingConverseRequest(commit=nlu_pb2.Commit(turn_id=turn_id)))

    def _cancel(self, turn_id: int, *, only: bool) -> None:
        draft = self._draft_kept_back
        if draft is not None and (draft.turn_id == turn_id or (not only and draft.turn_id < turn_id)):
            self._draft_kept_back = None
        self._link.send_to_all(nlu_pb2.StreamingConverseRequest(cancellation=cancellation(turn_id, only=only)))

    def _config(self) -> nlu_pb2.StreamingConverseRequest:
        limit = self._engine.limits.max_history_bytes if self._engine is not None else 0
        config = nlu_pb2.ConversationConfig(
            call_id=self._call.call_id,
            tenant_id=self._call.tenant_id,
            agent_id=self._call.agent_id,
            language_codes=self._call.language_codes,
            history=history_messages(self._past(), max_bytes=limit, state_bytes=len(self._state)),
            state=self._state,
            caller=self._call.caller,
        )
        return nlu_pb2.StreamingConverseRequest(config=config)

    def _on_engine(self, response: nlu_pb2.StreamingConverseResponse) -> Iterable[str]:
        self._engine = response.engine.engine
        self._on_profile(profile_of(response.engine.agent))
        return self._engine.features

    def _on_response(self, response: nlu_pb2.StreamingConverseResponse) -> None:
        match response.WhichOneof("response"):
            case "reply_text":
                self._on_event(_clause(response.reply_text))
            case "tool_activity":
                self._on_event(_tool_used(response.tool_activity))
            case "call_action":
                self._act(response.call_action)
            case "expectation":
                expectation = response.expectation
                self._on_event(expected_of(expectation.turn_id, expectation.expected_input))
            case "turn_end":
                end = response.turn_end
                self._turns_under_way.discard(end.turn_id)
                self._state = end.state or self._state
                self._on_event(
                    ReplyEnded(end.turn_id, outcome_of(end), end.reason, end.is_retryable, timing_of(end.timing))
                )
            case "going_away":
                self._is_server_leaving = True

    def _act(self, asked: nlu_pb2.CallAction) -> None:
        action = _action(asked)
        if action is None:
            self.perform(ReportAction(asked.action_id, is_done=False, reason="UNKNOWN_ACTION"))
            return
        is_after_playout = asked.when != nlu_pb2.CallAction.WHEN_NOW
        self._on_event(ActionAsked(asked.action_id, asked.turn_id, is_after_playout, action))


def _user_turn(ask: AskAgent) -> nlu_pb2.UserTurn:
    turn = nlu_pb2.UserTurn(
        turn_id=ask.turn_id,
        detected_language_code=ask.language_code,
        is_draft=ask.is_draft,
        continues_turn_id=ask.continues_turn_id,
        provisional_playout=_report(ask.provisional_playout) if ask.provisional_playout is not None else None,
        trace_context=trace_message(ask.trace),
    )
    match ask.input:
        case CallerSaid(text):
            turn.text = text
        case CallOpened():
            turn.open.SetInParent()
        case CallerKeyed(digits):
            turn.dtmf = digits
        case CallerSilent(duration_ms, count):
            turn.silence.CopyFrom(nlu_pb2.Silence(duration_ms=duration_ms, count=count))
    return turn


def _report(report: ReportPlayout) -> nlu_pb2.PlayoutReport:
    is_gateway = bool(report.gateway_text)
    return nlu_pb2.PlayoutReport(
        turn_id=report.turn_id,
        heard_offset=report.heard_offset,
        is_final=report.is_final,
        origin=nlu_pb2.PlayoutReport.ORIGIN_GATEWAY if is_gateway else nlu_pb2.PlayoutReport.ORIGIN_AGENT,
        text=report.gateway_text,
    )


def _action_result(report: ReportAction) -> nlu_pb2.CallActionResult:
    if report.is_done:
        outcome = nlu_pb2.CallActionResult.OUTCOME_DONE
    elif report.reason:
        outcome = nlu_pb2.CallActionResult.OUTCOME_FAILED
    else:
        outcome = nlu_pb2.CallActionResult.OUTCOME_CANCELLED
    return nlu_pb2.CallActionResult(action_id=report.action_id, outcome=outcome, reason=report.reason)


def _clause(reply: nlu_pb2.ReplyText) -> ReplyClause:
    return ReplyClause(
        reply.turn_id,
        reply.text,
        reply.language_code,
        is_interruptible=reply.is_interruptible if reply.HasField("is_interruptible") else True,
        timing=timing_of(reply.timing) if reply.HasField("timing") else None,
    )


def _tool_used(activity: nlu_pb2.ToolActivity) -> ToolUsed:
    return ToolUsed(
        activity.turn_id,
        activity.tool_call_id,
        activity.name,
        _PHASES.get(activity.phase, "started"),
        activity.arguments_json,
        activity.result_json,
    )


def _action(asked: nlu_pb2.CallAction) -> Action | None:
    match asked.WhichOneof("action"):
        case "hang_up":
            return HangUpCall()
        case "transfer":
            return TransferCall(asked.transfer.destination)
        case "send_dtmf":
            return PressKeys(asked.send_dtmf.digits)
        case "switch_language":
            return SwitchLanguage(asked.switch_language.language_code)
        case _:  # a kind this gateway does not know yet
            return None
