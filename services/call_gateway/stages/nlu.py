"""The NLU stage: one StreamingConverse stream, as commands in and events out."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from voice.nlu.v1 import nlu_pb2, nlu_pb2_grpc
from voice.type.v1 import engine_pb2

from services.call_gateway.conversation.commands import (
    AskAgent,
    CancelTurn,
    CommitTurn,
    CorrectTurn,
    ReportAction,
    ReportPlayout,
)
from services.call_gateway.conversation.events import (
    ActionAsked,
    ActionEnded,
    Event,
    Outcome,
    ReplyEnded,
    Stage,
)
from services.call_gateway.conversation.record import HeardTurn
from services.call_gateway.profile import AgentProfile
from services.call_gateway.stages.agent_profile import profile_of
from services.call_gateway.stages.facts import CallFacts
from services.call_gateway.stages.link import StageLink
from services.call_gateway.stages.nlu_messages import (
    action_of,
    clause_of,
    report_message,
    result_message,
    tool_used_of,
    turn_message,
)
from services.call_gateway.stages.outbox import Outbox
from services.call_gateway.stages.past import history_messages
from services.call_gateway.stages.shapes import cancellation, expected_of, outcome_of, timing_of
from services.call_gateway.stages.stream import StreamLimits

NluCommand = AskAgent | CommitTurn | CancelTurn | CorrectTurn | ReportPlayout | ReportAction

DRAFTS = "commit"
"""The feature of servers that take drafts."""
OUTCOMES = "action_ended"
"""The feature of servers that take the outcome of an act on the call as the input of a turn."""
OPTIONAL_KINDS = frozenset({DRAFTS, "playout_report", "transcript_correction", "call_action_result"})


class NluStage:
    """Sends the caller's turns to the NLU server and receives the replies."""

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

    def perform(self, command: NluCommand) -> None:
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
                self._link.send(nlu_pb2.StreamingConverseRequest(playout_report=report_message(command)))
            case ReportAction():
                self._link.send(nlu_pb2.StreamingConverseRequest(call_action_result=result_message(command)))

    @property
    def state(self) -> bytes:
        """The bytes that the NLU stage last gave to be handed back to it unread; empty before the first."""
        return self._state

    async def finish(self) -> None:
        """No more turns come: end the stream in good order, within the limit."""
        await self._link.finish()

    def _begin_afresh(self) -> None:
        self._is_server_leaving = False
        self._turns_under_way.clear()
        self._turns_unreported.clear()

    def _ask(self, ask: AskAgent) -> None:
        if isinstance(ask.input, ActionEnded) and self._engine is not None and OUTCOMES not in self._engine.features:
            self._on_event(ReplyEnded(ask.turn_id, Outcome.FAILED, "UNKNOWN_INPUT"))
            return
        if ask.is_draft and self._engine is not None and DRAFTS not in self._engine.features:
            self._draft_kept_back = ask
            return
        if self._is_server_leaving and not self._turns_under_way and not self._turns_unreported:
            self._begin_afresh()
            self._link.succeed(self._config(), Outbox())
        self._turns_under_way.add(ask.turn_id)
        if not ask.is_draft:
            self._turns_unreported.add(ask.turn_id)
        self._link.send(nlu_pb2.StreamingConverseRequest(user_turn=turn_message(ask)))

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
            visit_id=self._call.visit_id,
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
                self._on_event(clause_of(response.reply_text))
            case "tool_activity":
                self._on_event(tool_used_of(response.tool_activity))
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
                    ReplyEnded(
                        end.turn_id,
                        outcome_of(end),
                        end.reason,
                        end.is_retryable,
                        timing_of(end.timing),
                        end.engine,
                        tuple(withheld.rule for withheld in end.withheld),
                    )
                )
            case "going_away":
                self._is_server_leaving = True

    def _act(self, asked: nlu_pb2.CallAction) -> None:
        action = action_of(asked)
        if action is None:
            self.perform(ReportAction(asked.action_id, is_done=False, reason="UNKNOWN_ACTION"))
            return
        is_after_playout = asked.when != nlu_pb2.CallAction.WHEN_NOW
        self._on_event(ActionAsked(asked.action_id, asked.turn_id, is_after_playout, action))
