"""Conversation of one stream: its turns, drafts and commits, and the history of what was heard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace

from services.nlu.agent.acts import act_name
from services.nlu.agent.confirmation import Confirmation
from services.nlu.agent.guarding import Guarding
from services.nlu.agent.interface import Agent, AgentTurn, Call, Step
from services.nlu.agent.language import CallLanguage
from services.nlu.agent.tools import AsksFirst, tools_of
from services.nlu.agent.waiting_words import waiting_words
from services.nlu.checks import check_input, is_clean
from services.nlu.engine import NluEngine, ToolSpec
from services.nlu.errors import BadTurnId, as_stream_error
from services.nlu.guarded_reply import GuardedReply, evidence_of
from services.nlu.history import Entry, History, ToolCall
from services.nlu.inputs import (
    CallActionResult,
    Cancellation,
    Commit,
    Config,
    Input,
    PlayoutReport,
    Text,
    TranscriptCorrection,
    UserTurn,
)
from services.nlu.outputs import ActionOutcome, CallAction, Outcome, Output, ReplyText, SwitchLanguage, TurnEnd
from services.nlu.settings import NluSettings
from services.nlu.state import AgentStates, State, read_state, write_state
from services.nlu.tool_runs import Confirm, ToolLimits, ToolRuns
from services.nlu.tool_waits import CompanyTimes
from services.nlu.turn import TurnRun
from services.nlu.turn_state import Turn, TurnLimits, TurnTools
from services.runtime.clock import Stopwatch
from services.runtime.errors import TurnFailed
from services.runtime.logs import bind_turn, get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.tracing import turn_span
from services.runtime.turns import TurnLedger

log = get_logger(__name__)


class Conversation:
    """One stream. `handle` takes what the client sends, in order; `emit` sends, and waits while the client is slow."""

    def __init__(
        self,
        config: Config,
        *,
        agent: Agent,
        call: Call,
        guarding: Guarding,
        engine: NluEngine,
        settings: NluSettings,
        metrics: StageMetrics,
        emit: Callable[[Output], Awaitable[None]],
        tasks: asyncio.TaskGroup,
    ) -> None:
        """`call` is what the agent is told of the conversation; `tasks` holds turns and tools. Raises BadState."""
        self._agent, self._call, self._engine = agent, call, engine
        self._guarding = guarding
        self._settings, self._metrics = settings, metrics
        self._emit, self._tasks = emit, tasks
        self._fails_stream = config.fails_stream_on_turn_failure
        state = read_state(config.state)
        self._language = CallLanguage(call.language_codes, state.language_code)
        self._states = AgentStates(state.agent)
        self._history = History(config.history)
        self._ledger = TurnLedger(metrics.fenced_messages_total.inc, field="user_turn.turn_id")
        self._turns: dict[int, Turn] = {}
        self._families: dict[int, tuple[int, ...]] = {}  # of turns that continue another
        self._limits = TurnLimits(
            settings.turn_limit_s,
            settings.draft_limit_s,
            settings.max_reply_sentences,
            settings.first_phrase_words,
            CompanyTimes(settings.tool_filler_ms / 1000, settings.tool_patience_ms / 1000),
        )
        self._tool_runs = ToolRuns(
            tools=tools_of(agent, guarding.profile.tools, call.tenant_id),
            key_fields=(config.tenant_id, config.visit_id or config.call_id),
            history=self._history,
            emit=emit,
            tasks=tasks,
            limits=ToolLimits(settings.tool_limit_s, settings.tool_result_chars),
        )

    async def prepare(self) -> None:
        """Read the conversation so far, so that the next turn need not wait for that."""
        await self._agent.prepare(
            self._call, self._history.entries(), language_code=self._language.current, state=self._states.last
        )

    async def handle(self, received: Input) -> None:
        """Take one message. Raises RequestError, which ends the stream."""
        match received:
            case UserTurn():
                await self._begin(received)
            case Commit(turn_id):
                await self._commit(turn_id)
            case Cancellation(turn_id, is_only):
                for live in self._ledger.cancel(turn_id, is_only=is_only):
                    await self._cancel(live)
            case PlayoutReport():
                await self._on_playout_report(received)
            case TranscriptCorrection(turn_id, text):
                if not is_clean(text, max_chars=self._settings.max_turn_text_chars):
                    log.warning("correction_ignored", turn_id=turn_id, fault="too long, or control characters")
                elif not self._history.correct(turn_id, text):
                    log.info("correction_ignored", turn_id=turn_id, fault="no such turn, or its text went into another")
            case CallActionResult(action_id, outcome, reason):
                self._note_act(action_id, outcome, reason)

    async def finish(self) -> None:
        """The client sends no more: committed turns go on to their end, an uncommitted draft is over."""
        for turn_id in filter(self._ledger.is_draft, self._ledger.live):
            await self._cancel(turn_id)

    # Turns

    async def _begin(self, received: UserTurn) -> None:
        turn_id = received.turn_id
        if turn_id < 1:
            raise BadTurnId(f"turn id {turn_id}: ids begin at 1 and grow", field="user_turn.turn_id")
        if self._ledger.drops(turn_id):
            return
        stopwatch = Stopwatch()
        for superseded in self._ledger.begin(turn_id, received.is_draft):
            await self._cancel(superseded)
        try:
            turn_input = check_input(received.input, max_text_chars=self._settings.max_turn_text_chars)
        except TurnFailed as failed:
            await self._fail(turn_id, stopwatch, failed)
            return
        language_code, switches_language = self._language.current, False
        if isinstance(turn_input, Text):
            language_code = self._language.of(turn_input.text, detected=received.language_code)
            switches_language = self._language.wants_switch(language_code)
        before = received.continues_turn_id
        turn = Turn(
            turn_id=turn_id,
            input=turn_input,
            language_code=language_code,
            family=(turn_id, *self._families.get(before, (before,) if before else ())),
            committed=asyncio.Event(),
            switches_language=switches_language,
            stopwatch=stopwatch,
        )
        asked = AgentTurn(
            call=self._call,
            turn_id=turn_id,
            input=turn_input,
            language_code=language_code,
            state=self._states.before(received.continues_turn_id or turn_id),
            heard=lambda: self._history_for(received, is_provisional=not turn.committed.is_set()),
        )
        history = self._history_for(received)
        reads = self._tool_runs.reads
        evidence = evidence_of(history, user_text=turn.user_text, clock=self._guarding.clock, reads=reads)
        turn.guarded = guarded = GuardedReply(
            self._guarding.guard, language_code, evidence, turn_id, self._guarding.profile.facts, reads
        )

        def respond(objection: str) -> AsyncGenerator[Step, None]:
            again = asked
            if objection:
                rule = guarded.withheld[-1].rule if guarded.withheld else ""
                results = self._tool_runs.results_of(turn_id)
                again = replace(asked, objection=objection, objected=rule, results=results)
            return self._agent.respond(again, history, committed=turn.committed)

        self._turns[turn_id] = turn
        if not received.is_draft:
            self._stand(turn)
        turn.task = self._tasks.create_task(self._run(turn, guarded, respond, received))

    async def _commit(self, turn_id: int) -> None:
        superseded = self._ledger.commit(turn_id)
        if superseded is None:
            return
        turn = self._turns[turn_id]
        for earlier in superseded:
            await self._cancel(earlier)
        if self._ledger.is_live(turn_id):
            self._stand(turn)
            await self._tool_runs.stand(turn_id)
            await self._engine.commit(self._call.conversation, turn_id)

    def _stand(self, turn: Turn) -> None:
        """Make the turn part of the conversation."""
        continued = turn.family[1] if len(turn.family) > 1 else 0
        self._history.stand(turn.turn_id, turn.user_text, reply=turn.reply, continues_turn_id=continued)
        if continued:
            self._families[turn.turn_id] = turn.family
        self._language.current = turn.language_code
        turn.committed.set()
        self._remember(turn)

    def _remember(self, turn: Turn) -> None:
        """Keep what the agent remembers of a turn that stands."""
        if turn.remembered is not None and turn.committed.is_set():
            self._states.stand(turn.turn_id, turn.remembered)

    def _history_for(self, received: UserTurn, *, is_provisional: bool = True) -> list[Entry]:
        """Return what the turn's prompt shows of the conversation, with the part heard by the turn's own report, or by
        those of the turns alone.
        """
        provisional = received.provisional_playout if is_provisional else None
        return self._history.entries(
            before_turn_id=received.turn_id,
            provisional=(provisional.turn_id, provisional.heard_offset) if provisional else None,
            continues_turn_id=received.continues_turn_id,
        )

    def _confirm(self, turn: Turn, received: UserTurn) -> Confirm | None:
        """Check a model's deed against what the caller has heard by then, and what the caller says in this turn."""
        agent = self._agent
        if not isinstance(agent, AsksFirst) or not agent.asks_first(self._call):
            return None
        codes = (turn.language_code, *(code for code in self._call.language_codes if code != turn.language_code))

        def confirm(spec: ToolSpec, arguments: Mapping[str, object]) -> str:
            heard = self._history_for(received, is_provisional=not turn.committed.is_set())
            given = Confirmation(turn.input, heard, codes, self._guarding.clock())
            return agent.unconfirmed(spec, arguments, given)

        return confirm

    async def _run(
        self,
        turn: Turn,
        guarded: GuardedReply,
        respond: Callable[[str], AsyncGenerator[Step, None]],
        received: UserTurn,
    ) -> None:
        bind_turn(turn.turn_id)
        confirm = self._confirm(turn, received)
        with turn_span("nlu.turn", received.trace_context):
            try:
                run = TurnRun(
                    turn,
                    emit=lambda output: self._send(turn, output),
                    tools=TurnTools(
                        run=lambda wanted: self._tool_runs.run(wanted, family=turn.family, confirm=confirm),
                        writes=self._tool_runs.writes,
                        words=waiting_words(self._guarding.profile, turn.language_code),
                        refusal=lambda wanted: self._tool_runs.refusal(wanted, confirm),
                    ),
                    remember=self._remember,
                    limits=self._limits,
                    profile=self._guarding.profile,
                    guarded=guarded,
                    honest=self._guarding.honest(turn.language_code),
                )
                await run.run(respond)
            except TurnFailed as failed:
                await self._fail(turn.turn_id, turn.stopwatch, failed)
            except TimeoutError:
                await self._time_out(turn)
            except Exception:
                log.exception("turn_broke")
                broken = TurnFailed("INTERNAL", "the server failed on this turn", is_retryable=True)
                await self._fail(turn.turn_id, turn.stopwatch, broken)
            else:
                await self._end(turn.turn_id, turn.stopwatch, Outcome.COMPLETED)

    async def _send(self, turn: Turn, output: Output) -> None:
        """Send something of a turn that lives."""
        if not self._ledger.is_live(turn.turn_id) or self._ledger.is_fenced(turn.turn_id):
            return
        if isinstance(output, ReplyText):
            self._history.add_reply(turn.turn_id, output.text)
            if output.timing:
                self._metrics.first_output_seconds.observe(output.timing.since_trigger_us / 1e6)
        if isinstance(output, CallAction):
            self._history.note_tool(turn.turn_id, ToolCall(output.action_id, act_name(output.act), "{}"))
            if isinstance(output.act, SwitchLanguage):
                self._language.switch(output.act.language_code)
        await self._emit(output)

    # Ends

    async def _time_out(self, turn: Turn) -> None:
        if turn.is_waiting_for_commit:
            await self._end(turn.turn_id, turn.stopwatch, Outcome.CANCELLED)
            return
        why = f"the reply was not whole after {self._settings.turn_limit_s:g} s"
        await self._fail(turn.turn_id, turn.stopwatch, TurnFailed("TURN_TIMEOUT", why, is_retryable=True))

    async def _cancel(self, turn_id: int) -> None:
        turn = self._turns.get(turn_id)
        if turn is not None and turn.task is not None:
            turn.task.cancel()
        await self._end(turn_id, turn.stopwatch if turn else Stopwatch(), Outcome.CANCELLED)

    async def _fail(self, turn_id: int, stopwatch: Stopwatch, failed: TurnFailed) -> None:
        log.warning("turn_failed", turn_id=turn_id, reason=failed.reason, why=failed.message)
        self._metrics.count_error(failed.reason, is_client_fault=not failed.is_retryable)
        await self._end(turn_id, stopwatch, Outcome.FAILED, failed)
        if self._fails_stream:
            raise as_stream_error(failed)

    async def _end(
        self, turn_id: int, stopwatch: Stopwatch, outcome: Outcome, failed: TurnFailed | None = None
    ) -> None:
        """Send the turn's one end, if it has not been sent."""
        turn = self._turns.pop(turn_id, None)
        self._tool_runs.drop(turn_id)
        if not self._ledger.end(turn_id, is_failed=failed is not None):
            return
        timing = stopwatch.timing()
        self._metrics.queue_seconds.observe(timing.queue_us / 1e6)
        self._metrics.compute_seconds.observe(timing.compute_us / 1e6)
        log.info("turn_ended", turn_id=turn_id, outcome=outcome.name, since_trigger_us=timing.since_trigger_us)
        await self._emit(
            TurnEnd(
                turn_id,
                outcome,
                timing,
                reason=failed.reason if failed else "",
                message=failed.message if failed else "",
                is_retryable=failed.is_retryable if failed else False,
                retry_delay_ms=failed.retry_delay_ms if failed else 0,
                state=write_state(State(self._language.current, self._states.last)),
                engine=">".join(turn.engines) if turn else "",
                withheld=tuple(turn.guarded.withheld) if turn is not None and turn.guarded is not None else (),
            )
        )

    # Reports of playout and of actions

    async def _on_playout_report(self, report: PlayoutReport) -> None:
        if report.gateway_text is None:
            self._history.on_heard(report.turn_id, report.heard_offset)
        elif is_clean(report.gateway_text, max_chars=self._settings.max_turn_text_chars):
            self._history.on_gateway_heard(report.turn_id, report.gateway_text, report.heard_offset)
        if report.is_final and not self._turns:
            await self.prepare()

    def _note_act(self, action_id: str, outcome: ActionOutcome, reason: str) -> None:
        result = {"outcome": outcome.value} | ({"reason": reason[:64]} if reason else {})
        if not self._history.note_result(action_id, json.dumps(result)):
            log.warning("act_unknown", action_id=action_id[:64])
