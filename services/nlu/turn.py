"""One turn at work: the plan's words are cut into clauses and sent, its acts wait for the commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from prometheus_client import Counter

from services.nlu.agent.acts import ACT_NAMES, WantedEar, act_name, read_act
from services.nlu.agent.agent import Agent, FixedReply, ModelReply, Plan, user_text
from services.nlu.agent.ending import agent_ends
from services.nlu.agent.expecting import expected_after
from services.nlu.agent.outcomes import kind_of
from services.nlu.clauses import Clause, ClauseCutter
from services.nlu.engine import (
    Began,
    CutShort,
    MadeBy,
    Message,
    NluEngine,
    ReplyPart,
    ReplyRequest,
    Role,
    TextMade,
    ToolWanted,
)
from services.nlu.history import ToolCall
from services.nlu.inputs import TurnInput
from services.nlu.outputs import (
    Act,
    ActionOutcome,
    CallAction,
    Expectation,
    ExpectedKind,
    HangUp,
    Output,
    ReplyText,
    SwitchLanguage,
)
from services.nlu.plain_speech import PlainSpeech
from services.runtime.clock import Stopwatch
from services.runtime.errors import TurnFailed
from services.runtime.logs import get_logger

_MAX_TOOL_ROUNDS = 4
NOT_ALLOWED = "NOT_ALLOWED"
"""Why an act was not asked for that the agent's file does not list."""

ACTS_REFUSED_TOTAL = Counter(
    "voice_acts_refused_total", "Acts on calls that a model wanted and its agent's file does not allow.", ["act"]
)

log = get_logger(__name__)


@dataclass(slots=True, eq=False)
class Turn:
    """What is known of a turn while it lives."""

    turn_id: int
    input: TurnInput
    language_code: str
    family: tuple[int, ...]  # itself, then the turns it continues
    committed: asyncio.Event
    switches_language: bool = False
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    reply: str = ""  # as sent
    is_waiting_for_commit: bool = False
    engines: list[str] = field(default_factory=list)  # of a chain, in the order they made the reply
    task: asyncio.Task[None] | None = None

    @property
    def user_text(self) -> str:
        return user_text(self.input)


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """How long a turn may take, in seconds, how much the model may say, and how few words it may begin with."""

    turn_s: float
    draft_s: float
    max_sentences: int
    first_phrase_words: int  # see ClauseCutter


class TurnRun:
    """Carries one turn out. Cancelling `run` cancels the turn; what it began to send is then whole clauses."""

    def __init__(
        self,
        turn: Turn,
        *,
        agent: Agent,
        engine: NluEngine,
        conversation: str,
        emit: Callable[[Output], Awaitable[None]],
        run_tool: Callable[[Turn, ToolWanted], Awaitable[ToolCall]],
        limits: TurnLimits,
    ) -> None:
        """`emit` sends; `run_tool` runs a tool, or finds the result of the same one."""
        self._turn, self._agent, self._engine, self._conversation = turn, agent, engine, conversation
        self._emit, self._run_tool, self._limits = emit, run_tool, limits
        self._cutter = ClauseCutter(first_phrase_words=limits.first_phrase_words)
        self._plain = PlainSpeech()
        self._acts = 0
        self._sentences = 0
        self._has_written = False
        self._expects = False
        self._goes_on_after_pause = False  # the text before an act has lost the space at its end
        self._working_since_ns: int | None = None

    async def run(self, plan: Plan) -> None:
        """Say and do what the plan says. Returns when the turn is complete: for a draft, after its commit.

        Raises TurnFailed, and TimeoutError past the limits.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.turn_s) as self._timeout:
            self._deadline = loop.time() + self._limits.turn_s
            if self._turn.switches_language and self._turn.committed.is_set():
                await self._switch_language()
            match plan:
                case FixedReply(text, ends_call):
                    await self._say_all(_fixed(text), max_sentences=None)
                case ModelReply(messages):
                    ends_call = False
                    await self._converse(messages)
                    self._check_something_is_said()
            self._rest()
            await self._wait_for_commit()
            await self._expect()
            if ends_call or (self._plain.wants_hang_up and self._says_goodbye()):
                await self._act(HangUp(), is_now=False)

    async def _converse(self, messages: tuple[Message, ...]) -> None:
        """Ask the model, run the tools it wants, ask again with their results."""
        for _ in range(_MAX_TOOL_ROUNDS):
            turn = self._turn
            request = ReplyRequest(
                conversation=self._conversation,
                turn_id=turn.turn_id,
                messages=messages,
                language_code=turn.language_code,
                is_draft=not turn.committed.is_set(),
                tools=self._agent.tools,
            )
            said_before = len(turn.reply)
            results = await self._say_all(self._engine.reply(request), max_sentences=self._limits.max_sentences)
            if not results:
                return
            said = turn.reply[said_before:].strip()
            messages += (Message(Role.AGENT, said),) if said else ()
            messages += tuple(Message(Role.TOOL, f"{call.name}: {call.result_json}") for call in results)

    async def _say_all(self, parts: AsyncGenerator[ReplyPart, None], *, max_sentences: int | None) -> list[ToolCall]:
        """Send what is written, as it is written; returns the tools that were run for it. `max_sentences`: those after
        which a model's words end; None for a text that is said as it stands.
        """
        results: list[ToolCall] = []
        asked_ns = time.monotonic_ns()
        async with aclosing(parts):
            async for part in parts:
                match part:
                    case Began():
                        self._working_since_ns = time.monotonic_ns()
                        self._turn.stopwatch.add_queue(self._working_since_ns - asked_ns)
                    case TextMade(text):
                        self._has_written = self._has_written or not text.isspace()
                        await self._send(self._cutter.push(self._plain.push(text)))
                        if max_sentences is not None and self._sentences >= max_sentences:
                            return results
                    case MadeBy(engine):
                        if self._turn.engines[-1:] != [engine]:
                            self._turn.engines.append(engine)
                    case CutShort():
                        if self._cutter.drop_rest():
                            self._plain = PlainSpeech()
                    case ToolWanted() as wanted:
                        await self._send_rest()
                        await self._wait_for_commit()
                        results += await self._do(wanted)
                        self._working_since_ns = time.monotonic_ns()
        await self._send_rest()
        return results

    def _check_something_is_said(self) -> None:
        """Fail a turn whose model wrote only what must not be spoken: the caller would hear nothing."""
        if self._has_written and not (self._turn.reply or self._acts or self._plain.wants_hang_up):
            raise TurnFailed("ENGINE_FAILED", "the model wrote nothing that can be spoken", is_retryable=True)

    async def _do(self, wanted: ToolWanted) -> list[ToolCall]:
        if wanted.name not in ACT_NAMES:
            self._rest()
            return [await self._run_tool(self._turn, wanted)]
        act = read_act(wanted.name, wanted.arguments_json)
        if isinstance(act, WantedEar):
            self._expects = True
            await self._emit(Expectation(self._turn.turn_id, act.kind, act.length, act.phrases))
        elif not await self._act(act.act, is_now=act.is_now):
            await self._say_refusal(act.act)
        return []

    async def _say_refusal(self, act: Act) -> None:
        """The caller may have been promised it, so they hear that it cannot be."""
        turn, profile = self._turn, self._agent.profile
        words = profile.outcome(kind_of(act, ActionOutcome.FAILED, NOT_ALLOWED), turn.language_code)
        self._goes_on_after_pause = True
        await self._send(self._cutter.push(words) + self._cutter.finish())
        self._goes_on_after_pause = True

    async def _send_rest(self) -> None:
        await self._send(self._cutter.push(self._plain.finish()) + self._cutter.finish())
        self._goes_on_after_pause = True

    async def _send(self, clauses: list[Clause]) -> None:
        turn = self._turn
        for clause in clauses:
            timing = None
            if not turn.reply:
                self._rest(goes_on=True)
                timing = turn.stopwatch.timing()
            text = clause.text
            if self._goes_on_after_pause and not turn.reply[-1:].isspace() and not text[0].isspace():
                text = f" {text}" if turn.reply else text
            self._goes_on_after_pause = False
            turn.reply += text
            self._sentences += clause.ends_sentence
            await self._emit(ReplyText(turn.turn_id, text, turn.language_code, timing))

    async def _expect(self) -> None:
        turn = self._turn
        kind = expected_after(turn.reply, language_code=turn.language_code)
        if kind is not ExpectedKind.OPEN and not self._expects:
            await self._emit(Expectation(turn.turn_id, kind))

    async def _switch_language(self) -> None:
        self._turn.switches_language = False
        await self._act(SwitchLanguage(self._turn.language_code), is_now=True)

    async def _act(self, act: Act, *, is_now: bool) -> bool:
        """Ask for an act. False: the agent's file does not allow it, and nothing is asked for."""
        if not self._agent.profile.may(act):
            log.warning("act_refused", action=act_name(act), agent_id=self._agent.profile.agent_id, reason=NOT_ALLOWED)
            ACTS_REFUSED_TOTAL.labels(act_name(act)).inc()
            return False
        self._acts += 1
        action_id = f"{self._turn.turn_id}.act-{self._acts}"
        await self._emit(CallAction(action_id, self._turn.turn_id, act, is_now))
        return True

    async def _wait_for_commit(self) -> None:
        """A draft has no side effects: nothing after this happens before its commit."""
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

    def _rest(self, *, goes_on: bool = False) -> None:
        """Count the work done up to now; nothing works for the turn from here on, unless it goes on."""
        now_ns = time.monotonic_ns()
        if self._working_since_ns is not None:
            self._turn.stopwatch.add_compute(now_ns - self._working_since_ns)
            self._working_since_ns = now_ns if goes_on else None


async def _fixed(text: str) -> AsyncGenerator[ReplyPart, None]:
    yield Began()
    yield TextMade(text)
