"""Turn of the agent: its words are cut into clauses and sent, its acts wait for the commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from prometheus_client import Counter

from services.nlu.agent.acts import act_name
from services.nlu.agent.ending import agent_ends
from services.nlu.agent.interface import Act, AwaitCommit, CallTool, CallTools, Expect, Remember, Say, Step
from services.nlu.agent.outcomes import kind_of
from services.nlu.agent.phrases import expected_after
from services.nlu.agent.profile import AgentProfile
from services.nlu.clause_sender import ClauseSender, Withheld
from services.nlu.clauses import ClauseCutter
from services.nlu.engine import Began, CutShort, MadeBy, ToolWanted
from services.nlu.guarded_reply import GuardedReply, behind_opening
from services.nlu.history import ToolCall
from services.nlu.markup import THOUGHT_END
from services.nlu.outputs import Act as CallAct
from services.nlu.outputs import (
    ActionOutcome,
    CallAction,
    Expectation,
    ExpectedKind,
    HangUp,
    Output,
    SwitchLanguage,
)
from services.nlu.plain_speech import PlainSpeech, after_thought
from services.nlu.tool_waits import in_company
from services.nlu.tools.outcome import is_pending
from services.nlu.turn_state import Turn, TurnLimits, TurnTools
from services.runtime.errors import TurnFailed
from services.runtime.logs import get_logger

NOT_ALLOWED = "NOT_ALLOWED"
"""The reason why an act was not asked for that the agent's file does not list."""

ACTS_REFUSED_TOTAL = Counter(
    "voice_acts_refused_total", "Acts on calls that a model wanted and its agent's file does not allow.", ["act"]
)

log = get_logger(__name__)


class TurnRun:
    """Execution of one turn. Cancelling `run` cancels the turn; only whole clauses have been sent then."""

    def __init__(
        self,
        turn: Turn,
        *,
        emit: Callable[[Output], Awaitable[None]],
        tools: TurnTools,
        remember: Callable[[Turn], None],
        limits: TurnLimits,
        profile: AgentProfile,
        guarded: GuardedReply,
        honest: str,
    ) -> None:
        """`emit` sends; `remember` is told when the agent
        has said what it remembers. `guarded` checks every clause; `honest` is said where the agent twice says what
        nothing speaks for.
        """
        self._turn, self._emit, self._tools, self._remember = turn, emit, tools, remember
        self._limits, self._profile, self._guarded, self._honest = limits, profile, guarded, honest
        self._sender = ClauseSender(turn, guarded, emit=emit, on_first_clause=self._rest_and_go_on)
        self._done: list[CallAct] = []
        self._cutter = ClauseCutter(first_phrase_words=limits.first_phrase_words)
        self._plain = PlainSpeech()
        self._acts = 0
        self._sentences = 0  # written by a model
        self._has_written = False
        self._expects = False
        self._asked_ns = 0
        self._working_since_ns: int | None = None

    async def run(self, respond: Callable[[str], AsyncGenerator[Step, None]]) -> None:
        """Carry out the agent's steps. Returns when the turn is complete: for a draft, after its commit.

        `respond` asks the agent, with an objection or none. Raises TurnFailed, and TimeoutError past the limits.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.turn_s) as self._timeout:
            self._deadline = loop.time() + self._limits.turn_s
            if self._turn.switches_language and self._turn.committed.is_set():
                await self._switch_language()
            await self._reply(respond)
            self._check_something_is_said()
            self._rest()
            await self._wait_for_commit()
            await self._expect()
            if self._plain.wants_hang_up and self._says_goodbye():
                await self._act(HangUp(), is_now=False)

    async def _reply(self, respond: Callable[[str], AsyncGenerator[Step, None]]) -> None:
        """Take the agent's steps. Where a clause may not be spoken the agent is asked once more, with the objection;
        then the persona's honest sentence is said.
        """
        try:
            await self._take_all(respond(""))
        except Withheld as first:
            self._begin_afresh(first)
            try:
                await self._take_all(
                    respond(self._guarded.objection(first.clause, first.verdict, said=self._turn.reply))
                )
            except Withheld as second:
                self._begin_afresh(second)
                await self._sender.emit_clause(behind_opening(self._guarded.honest(self._honest), self._turn.reply))

    async def _take_all(self, steps: AsyncGenerator[Step, None]) -> None:
        self._work_begins()
        async with aclosing(steps):
            async for step in steps:
                await self._take(step)
        await self._send_rest()
        await self._sender.release(is_whole=True)

    def _begin_afresh(self, withheld: Withheld) -> None:
        self._guarded.withhold(withheld.clause, withheld.verdict)
        self._sender.begin_second_reply()
        self._sentences = 0
        self._cutter = ClauseCutter(first_phrase_words=self._limits.first_phrase_words)
        self._plain = PlainSpeech()

    async def _take(self, step: Step) -> None:
        match step:
            case Began():
                now_ns = time.monotonic_ns()
                self._turn.stopwatch.add_queue(now_ns - self._asked_ns)
                self._working_since_ns = now_ns
            case Say():
                await self._say(step)
            case CutShort():
                if self._cutter.drop_rest():
                    self._plain = PlainSpeech()
            case MadeBy(engine):
                if self._turn.engines[-1:] != [engine]:
                    self._turn.engines.append(engine)
            case Remember(state):
                self._turn.remembered = state
                self._remember(self._turn)
            case CallTool():
                await self._call_tools((step,))
            case CallTools(calls):
                await self._call_tools(calls)
            case _:  # what has an effect outside the reply
                if isinstance(step, Act):
                    self._ask(step.act)
                await self._send_rest()
                await self._sender.release()
                await self._wait_for_commit()
                await self._do(step)
                self._work_begins()

    async def _say(self, say: Say) -> None:
        """Send the clauses that are whole by now. A model's reply ends after the sentences it may say."""
        if say.is_written_by_model and self._sentences >= self._limits.max_sentences:
            say.is_enough = True
            return
        self._guarded.on_author(is_written_by_model=say.may_claim_anything)
        self._guarded.reckon(say.computed)
        self._guarded.capture(say.captured)
        self._guarded.look_up(say.looked_up)
        self._has_written = self._has_written or not say.text.isspace()
        clauses = self._cutter.push(self._speech_in(self._plain.push(say.text)))
        await self._sender.send(clauses)
        if say.is_written_by_model:
            self._sentences += sum(clause.ends_sentence for clause in clauses)
            say.is_enough = self._sentences >= self._limits.max_sentences
            if say.is_enough:
                self._plain.finish()
                self._cutter = ClauseCutter(first_phrase_words=self._limits.first_phrase_words)

    def _speech_in(self, speakable: str) -> str:
        """Return what is speech of what has become speakable. Where a thought without a beginning ends, what of it is
        not sent yet is dropped.
        """
        if THOUGHT_END in speakable:
            self._cutter = ClauseCutter(first_phrase_words=self._limits.first_phrase_words)
            self._sender.drop_unsent()
            self._sentences = 0
        return after_thought(speakable)

    def _check_something_is_said(self) -> None:
        """Fail a turn whose model wrote only what must not be spoken: the caller would hear nothing."""
        if self._has_written and not (self._turn.reply or self._acts or self._plain.wants_hang_up):
            raise TurnFailed("ENGINE_FAILED", "the model wrote nothing that can be spoken", is_retryable=True)

    async def _call_tools(self, calls: tuple[CallTool, ...]) -> None:
        """Run tools that only read, then at the commit those that write; those of a kind at the same time."""
        for call in calls:
            if not self._tools.refusal(ToolWanted(call.name, call.arguments_json)):
                self._guarded.ask(call.name)
        await self._send_rest()
        await self._sender.release()
        reading = [call for call in calls if not self._tools.writes(call.name)]
        await self._run_tools(reading)
        if len(reading) < len(calls):
            await self._wait_for_commit()
            await self._run_tools([call for call in calls if call not in reading])
        self._work_begins()

    async def _run_tools(self, calls: list[CallTool]) -> None:
        """Run tools. Their time does not count as the reply's: each tool has its own limit."""
        if not calls:
            return
        self._rest()
        began_s = asyncio.get_running_loop().time()
        self._timeout.reschedule(None)
        results = await in_company(
            self._results_of(calls), say=self._keep_company, committed=self._turn.committed, times=self._limits.company
        )
        self._deadline += asyncio.get_running_loop().time() - began_s
        self._timeout.reschedule(self._deadline)
        for call, result in zip(calls, results, strict=True):
            call.result = result
            self._guarded.note(result)
            if is_pending(result):
                self._guarded.put_down()

    async def _results_of(self, calls: list[CallTool]) -> list[ToolCall]:
        return await asyncio.gather(*(self._tools.run(ToolWanted(call.name, call.arguments_json)) for call in calls))

    async def _keep_company(self, n_said: int) -> None:
        self._sender.goes_on_after_pause = True
        await self._sender.emit_clause(self._tools.words.phrase(n_said, reply=self._turn.reply))
        self._sender.goes_on_after_pause = True

    def _ask(self, act: CallAct) -> None:
        """Take a request for a tool or an act as evidence of its promise, unless the agent's file does not allow it."""
        if self._profile.may(act):
            self._guarded.ask(act_name(act))

    async def _do(self, step: Act | Expect | AwaitCommit) -> None:
        match step:
            case AwaitCommit():
                pass
            case Act(act, is_now):
                if not (self._sender.is_second_reply and act in self._done):
                    self._done.append(act)
                    if not await self._act(act, is_now=is_now):
                        self._sender.drop_promise()
                        await self._say_refusal(act)
            case Expect(kind, length, phrases):
                self._expects = True
                await self._emit(Expectation(self._turn.turn_id, kind, length, phrases))

    async def _say_refusal(self, act: CallAct) -> None:
        """Say that an act is refused, since it may have been promised to the caller."""
        words = self._profile.outcome(kind_of(act, ActionOutcome.FAILED, NOT_ALLOWED), self._turn.language_code)
        self._sender.goes_on_after_pause = True
        for clause in self._cutter.push(words) + self._cutter.finish():
            await self._sender.emit_clause(clause.text)
        self._sender.goes_on_after_pause = True

    async def _send_rest(self) -> None:
        await self._sender.send(self._cutter.push(self._speech_in(self._plain.finish())) + self._cutter.finish())
        self._sender.goes_on_after_pause = True

    async def _expect(self) -> None:
        turn = self._turn
        kind = expected_after(turn.reply, language_code=turn.language_code)
        if kind is not ExpectedKind.OPEN and not self._expects:
            await self._emit(Expectation(turn.turn_id, kind))

    async def _switch_language(self) -> None:
        self._turn.switches_language = False
        await self._act(SwitchLanguage(self._turn.language_code), is_now=True)

    async def _act(self, act: CallAct, *, is_now: bool) -> bool:
        """Ask for an act. False: the agent's file does not allow it, and nothing is asked for."""
        if not self._profile.may(act):
            log.warning("act_refused", action=act_name(act), agent_id=self._profile.agent_id, reason=NOT_ALLOWED)
            ACTS_REFUSED_TOTAL.labels(act_name(act)).inc()
            return False
        self._acts += 1
        action_id = f"{self._turn.turn_id}.act-{self._acts}"
        await self._emit(CallAction(action_id, self._turn.turn_id, act, is_now))
        return True

    async def _wait_for_commit(self) -> None:
        """Wait for the commit of a draft, which has no side effects before it."""
        turn = self._turn
        if not turn.committed.is_set():
            self._rest()
            loop = asyncio.get_running_loop()
            left_s = self._deadline - loop.time()
            turn.is_waiting_for_commit = True
            self._timeout.reschedule(loop.time() + self._limits.draft_s)
            await turn.committed.wait()
            turn.is_waiting_for_commit = False
            self._deadline = loop.time() + left_s
            self._timeout.reschedule(self._deadline)
        if turn.switches_language:
            await self._switch_language()

    def _says_goodbye(self) -> bool:
        return agent_ends(self._turn.reply, language_code=self._turn.language_code)

    def _work_begins(self) -> None:
        """Begin to count computing time; an engine that begins later counts as queueing until then."""
        self._asked_ns = self._working_since_ns = time.monotonic_ns()

    def _rest_and_go_on(self) -> None:
        self._rest(goes_on=True)

    def _rest(self, *, goes_on: bool = False) -> None:
        """Stop counting computing time until the work goes on."""
        now_ns = time.monotonic_ns()
        if self._working_since_ns is not None:
            self._turn.stopwatch.add_compute(now_ns - self._working_since_ns)
            self._working_since_ns = now_ns if goes_on else None
