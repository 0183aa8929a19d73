"""The agent `graph`: understand, look up, then answer, ask, confirm or hand over, and act.

Every word it says comes from the agent's file or from what the caller said; the engine is asked for nothing. The graph
is LangGraph's; what belongs to one turn rides in its context, so that checkpoints hold only strings.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from services.language.data import LanguageDataError
from services.nlu.agent.confirmation import Confirmation
from services.nlu.agent.courtesies import courtesy
from services.nlu.agent.graph.answers import Answers
from services.nlu.agent.graph.asking import TEXT_KIND, UNKNOWN, examples_of, spelling_of
from services.nlu.agent.graph.captures import captures_of
from services.nlu.agent.graph.dialogue import Dialogue, as_state, read_dialogue
from services.nlu.agent.graph.finding import Next
from services.nlu.agent.graph.house import house_of
from services.nlu.agent.graph.reading import COURTESIES, Part, Reader
from services.nlu.agent.graph.reply_nodes import ReplyNodes
from services.nlu.agent.graph.running import CallState, steps_of_graph
from services.nlu.agent.graph.seen import seen_by
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.standing import StandingBookings
from services.nlu.agent.graph.stays import Stays
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.graph.timed_wishes import LONGEST_SAID
from services.nlu.agent.graph.wished_deeds import is_owed
from services.nlu.agent.graph.wishes import CALLBACK, Wishes
from services.nlu.agent.graph.work import Work, heard_of, words_of
from services.nlu.agent.interface import Act, AgentState, AgentTurn, AwaitCommit, Call, CallTool, Remember, Say, Step
from services.nlu.agent.language import find_language
from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.agent.tools import Tool, ToolRefused
from services.nlu.agent.understanding import ExampleUnderstanding, Understanding
from services.nlu.analysis.analysis import CallDeed, DeedStanding, Known, Past
from services.nlu.engine import NluEngine, ToolSpec
from services.nlu.history import Entry
from services.nlu.inputs import Text
from services.nlu.outputs import HangUp
from services.nlu.settings import NluSettings
from services.nlu.tool_runs import key_of
from services.nlu.tools.clinic.diary import Appointment
from services.nlu.tools.clinic.package import ClinicPackage
from services.nlu.tools.clinic.whose import number_of
from services.nlu.tools.deed import DeedState
from services.nlu.tools.outbox_file import Decided
from services.nlu.tools.outcome import outcome_of, reference_of
from services.runtime.errors import StartupError

SMS = "message_sms"
"""The tool that tells callers how a deed of theirs ended."""
NO_INTENTS = COURTESIES | {UNKNOWN, "yes", "no", "name", "number", "repeat"}  # kinds that are no wish of a caller's
ACTING = ("act",)  # the nodes with side effects: a draft stops before them


class GraphAgent:
    """Serves the calls of one agent whose file has facts."""

    def __init__(
        self,
        profile: AgentProfile,
        engine: NluEngine,
        settings: NluSettings,
        *,
        clock: Callable[[], datetime] | None = None,
        understanding: Understanding | None = None,
    ) -> None:
        """`clock` gives the time in the tenant's zone; `understanding` stands in place of the examples'.

        Raises StartupError where a language of the agent has no words for questions or answers.
        """
        self._profile = profile
        self._clock = clock or (lambda: datetime.now(profile.zone))
        self._prompted = PromptAgent(profile, engine, settings)
        try:
            self._finders = {tag: SlotFinder(profile.facts, tag) for tag in profile.language_codes}
            self._clinic = self._opened_clinic(settings)
            self._house = house_of(profile, settings)
            self._bookings: Mapping[str, StandingBookings] = {}
            if self._clinic:
                self._bookings = {
                    tag: StandingBookings(profile, tag, self._finders[tag], Templates(tag)) for tag in self._finders
                }
            elif self._house:
                self._stays = {tag: Stays(profile, tag, self._finders[tag], self._house.rooms) for tag in self._finders}
                self._bookings = self._stays
            self._wishes = {
                tag: self._bookings.get(tag) or Wishes(profile, tag, self._finders[tag], Templates(tag))
                for tag in profile.language_codes
            }
            self._answers = {
                tag: Answers(profile, tag, self._finders[tag], self._wishes[tag]) for tag in profile.language_codes
            }
            self._captures = {tag: captures_of(profile, tag, self._wishes[tag]) for tag in profile.language_codes}
            self._replies = ReplyNodes(profile, self._answers, self._captures, self._wishes)
            examples = examples_of(profile)
        except (LanguageDataError, KeyError) as error:
            raise StartupError(f"agent {profile.agent_id}: kind 'graph': {error}") from error
        self._understanding = understanding or ExampleUnderstanding(
            examples, cache_dir=settings.understanding_cache_dir, own_prefix=TEXT_KIND, yielding=UNKNOWN
        )
        spellings = {
            tag: spelling_of(profile, tag, [text for kind in examples.values() for text in kind.get(tag, ())])
            for tag in profile.language_codes
        }
        self._reader = Reader(self._understanding, self._finders, spellings)
        self._saver = InMemorySaver()
        self._committed_graph = self._built().compile()
        self._draft_graph = self._built().compile(checkpointer=self._saver)

    async def load(self) -> None:
        await self._understanding.load()
        await self._prompted.load()
        if self._house:
            self._house.open()
        if self._clinic:
            self._clinic.outbox.tell_by(self._tell)
            self._clinic.start()

    async def close(self) -> None:
        await self._prompted.close()

    def tools_of(self, tenant_id: str) -> Mapping[str, Tool]:
        """Return the tools of the packages that the agent's file names."""
        clinic = self._clinic.tools(tenant_id) if self._clinic else {}
        return {**self._prompted.tools_of(tenant_id), **clinic}

    def asks_first(self, call: Call) -> bool:
        """Return whether a model answers a call: it does for a persona of the client's."""
        return bool(call.instructions)

    def unconfirmed(self, spec: ToolSpec, arguments: Mapping[str, object], given: Confirmation) -> str:
        return self._prompted.unconfirmed(spec, arguments, given)

    def _opened_clinic(self, settings: NluSettings) -> ClinicPackage | None:
        if "clinic" not in self._profile.tools or settings.data_dir is None:
            return None
        profile = self._profile
        return ClinicPackage(
            profile.facts,
            profile.agent_id,
            settings.data_dir,
            clock=self._clock,
            region=profile.region,
            kept_s=settings.deeds_kept_s,
        )

    async def known_of(self, past: Past) -> Known:
        """Return what the callers wanted, by the kinds that their sentences are of, and what they gave."""
        tag = find_language(past.language_code, self._profile.language_codes) or self._profile.language_codes[0]
        kinds: list[str] = []
        n_unanswered = 0
        for text in (entry.user_text for entry in past.history if entry.user_text):
            parts = await self._reader.read(text, tag, Dialogue(), self._clock())
            found = [part.kind for part in parts if part.kind not in NO_INTENTS and not part.doubts]
            kinds += found
            n_unanswered += all(part.kind == UNKNOWN for part in parts) and text.rstrip().endswith(("?", "？"))
        wish = read_dialogue(past.state).wish
        values = (wish.when, wish.name, self._wishes[tag].spoken(wish.phone) if wish.phone else "")
        return Known(
            intents=tuple(dict.fromkeys(kinds)),
            n_unanswered=n_unanswered,
            values=tuple(value for value in (*values, *wish.slots.values()) if value),
            deeds=(CallDeed(CALLBACK, DeedStanding.PENDING),) if wish.kind == CALLBACK and wish.is_noted else (),
            is_pending=wish.is_noted and not wish.at,
        )

    async def prepare(self, call: Call, history: Sequence[Entry], *, language_code: str, state: AgentState) -> None:
        if call.instructions:
            await self._prompted.prepare(call, history, language_code=language_code, state=state)

    async def respond(
        self, turn: AgentTurn, history: Sequence[Entry], *, committed: asyncio.Event
    ) -> AsyncGenerator[Step, None]:
        if turn.call.instructions:  # a persona of the client's: the agent's facts are not its own
            async for step in self._prompted.respond(turn, history, committed=committed):
                yield step
            return
        if reply := courtesy(self._profile, turn.input, history, language_code=turn.language_code):
            yield Say(reply.text)
            if reply.ends_call:
                yield Act(HangUp())
            return
        work = Work(
            words_of(turn),
            turn.language_code,
            self._clock(),
            dialogue := read_dialogue(turn.state),
            dialogue,
            tenant_id=turn.call.tenant_id,
            caller=number_of(turn.call.caller),
            history=history,
            heard=heard_of(turn),
            is_plain=bool(turn.objection),  # the question held more than was looked up: no bare "yes" to it
            objected=turn.objected,
            confidence=turn.input.confidence if isinstance(turn.input, Text) else None,
        )
        bookings = self._bookings.get(work.language_code)
        if bookings and is_owed(bookings.deed_of(work.dialogue.wish), work.dialogue.wish, history):
            async for step in self._carry_out(work):
                yield step
        thread = f"{turn.call.conversation}/{turn.turn_id}"
        is_draft = not committed.is_set()
        graph = self._draft_graph if is_draft else self._committed_graph
        try:
            steps = steps_of_graph(
                graph,
                {"said": work.text},
                thread=thread,
                committed=committed,
                interrupt_before=ACTING if is_draft else (),
                context=work,
            )
            async for step in _without_yes(steps, work) if is_draft else steps:
                yield step
        finally:
            if is_draft:
                await self._saver.adelete_thread(thread)
        if bookings and work.dialogue.wish.is_confirmed:
            async for step in self._of_draft(turn, work) if is_draft else self._carry_out(work):
                yield step

    async def _of_draft(self, turn: AgentTurn, work: Work) -> AsyncGenerator[Step, None]:
        """Hold a draft's yes against what was heard by its commit: the deed is done, or the question asked again."""
        bookings = self._bookings[work.language_code]
        yield AwaitCommit()
        work.history = turn.heard()
        await self._see(work, work.dialogue.wish.phone)
        if question := bookings.unheard(work.dialogue):
            work.dialogue = replace(work.dialogue.with_wish(is_confirmed=False), reply=question)
            yield Say(question + " ", looked_up=(*bookings.shown, *bookings.shown_of(work.dialogue.wish)))
        yield Remember(as_state(work.dialogue))
        if work.dialogue.wish.is_confirmed:
            async for step in self._carry_out(work):
                yield step

    async def _carry_out(self, work: Work) -> AsyncGenerator[Step, None]:
        """Do what was confirmed, and say how that went. That it is done passes the guard, which has the result."""
        bookings = self._bookings[work.language_code]
        call = CallTool(*bookings.deed_of(work.dialogue.wish))
        yield call
        work.free, work.own = await self._free(work), await self._standing(work, work.caller)
        await self._see(work, work.dialogue.wish.phone)
        state = outcome_of(call.result)
        if reference := reference_of(call.result):
            state = "promised" if await self._is_promised(work, reference) else "noted"
            work.show()
        text, question, work.dialogue = bookings.told(state, work.dialogue)
        if work.dialogue.later and not bookings.is_open(work.dialogue):
            question = await self._later(work)
        looked_up = (*bookings.shown, *bookings.shown_of(work.dialogue.wish))
        yield Say(text + " ")
        yield Say(question + " ", looked_up=looked_up)
        work.dialogue = replace(work.dialogue, reply=f"{work.said} {text} {question}".strip())
        yield Remember(as_state(work.dialogue))

    async def _later(self, work: Work) -> str:
        """Begin the second request of a turn, once the first is done, and return what is said of it."""
        later, work.dialogue = work.dialogue.later, replace(work.dialogue, later="")
        part = await self._part_of(later, work)
        await self._see(work, part.slots.digits or work.dialogue.wish.phone)
        finding = self._answers[work.language_code].answer(part, work.dialogue, work.now)
        work.dialogue = finding.dialogue
        return finding.text

    async def _part_of(self, later: str, work: Work) -> Part:
        return (await self._reader.read(later, work.language_code, Dialogue(), work.now))[0]

    async def _is_promised(self, work: Work, reference: str) -> bool:
        """Return whether the caller gets a message when a deed has ended, by the agent's own tool for messages."""
        if self._clinic is None or SMS not in self._prompted.tools_of(work.tenant_id):
            return False
        return await self._clinic.outbox.promise(reference, work.language_code)

    async def _tell(self, decided: Decided, language_code: str) -> None:
        """Send a caller how their deed ended, once whatever is killed in between: the key is made of the deed's own."""
        sms = self._prompted.tools_of(decided.tenant_id).get(SMS)
        bookings = self._bookings.get(language_code)
        if sms is None or bookings is None:
            raise ToolRefused("the agent has no tool for messages")
        arguments = json.loads(decided.arguments_json)
        text = bookings.ended(decided.tool, arguments, is_done=decided.state is DeedState.DONE)
        await sms.run({"to": arguments["phone"], "text": text}, idempotency_key=key_of(decided.key, SMS))

    async def _free(self, work: Work) -> Sequence[datetime] | None:
        return await self._clinic.free(work.tenant_id) if self._clinic else None

    async def _standing(self, work: Work, phone: str) -> Sequence[Appointment] | None:
        """The bookings that stand for a number; None: the diary cannot be read."""
        if self._house:
            return await self._house.standing(work.tenant_id, phone, since=work.now.date()) if phone else ()
        if self._clinic is None:
            return None
        return await self._clinic.standing(work.tenant_id, phone) if phone else ()

    def _built(self) -> StateGraph[CallState, Work, CallState, CallState]:
        built = StateGraph(CallState, context_schema=Work)
        built.add_node("understand", self._understand)
        built.add_node("look_up", self._look_up, destinations=tuple(step.value for step in Next))
        for step in Next:
            built.add_node(step.value, self._replies.say, destinations=("act", "look_up", END))
        built.add_node("act", self._replies.act, destinations=("look_up", END))
        built.add_edge(START, "understand")
        built.add_edge("understand", "look_up")
        return built

    async def _understand(self, state: CallState, runtime: Runtime[Work]) -> CallState:
        work = runtime.context
        work.parts = await self._reader.read(
            work.text, work.language_code, work.dialogue, work.now, confidence=work.confidence
        )
        work.free, work.own = await self._free(work), await self._standing(work, work.caller)
        if bookings := self._bookings.get(work.language_code):
            await self._see(work, "")
            work.parts = bookings.as_one(work.text, work.parts, work.dialogue, work.now)
            if not bookings.is_open(work.dialogue):
                work.parts, later = bookings.in_turn(work.parts)
                work.dialogue = replace(work.dialogue, later=later)
            elif added := bookings.added(work.dialogue.wish):
                work.dialogue = replace(work.dialogue, later=added[:LONGEST_SAID])
        work.all_parts = work.parts
        if captures := self._captures[work.language_code]:
            heard, bookings = (
                replace(work.heard, parts=work.parts, now=work.now),
                self._bookings.get(work.language_code),
            )
            await self._see(work, work.dialogue.wish.phone)
            work.taken = captures.take(heard, work.dialogue)
            if bookings and bookings.wanted_phone:  # it has come by the letter in this turn
                await self._see(work, bookings.wanted_phone)
                work.taken = captures.take(heard, work.dialogue)
        return {}

    async def _see(self, work: Work, phone: str) -> None:
        """Show the bookings of the turn's language what it sees; `phone`: the number whose appointments are found."""
        if bookings := self._bookings.get(work.language_code):
            found = await self._standing(work, phone) or ()
            stays = await self._house.booked(work.tenant_id, since=work.now.date()) if self._house else None
            parts = work.all_parts or work.parts
            seen = seen_by(
                work.free, work.history, work.text, parts, own=work.own, found=found, now=work.now, phone=phone
            )

            def show() -> None:
                bookings.see(seen)
                if self._house:
                    self._stays[work.language_code].stays = stays

            work.show = show
            show()

    async def _look_up(self, state: CallState, runtime: Runtime[Work]) -> Command[str]:
        work = runtime.context
        bookings = self._bookings.get(work.language_code)
        if work.taken:
            work.read_back = work.taken.read_back
            work.finding, work.taken, work.parts = self._replies.finding_of(work.taken, work.language_code), None, ()
        else:
            part, *rest = work.parts
            work.parts = tuple(rest)
            if bookings:
                await self._see(work, part.slots.digits or work.dialogue.wish.phone)
                work.looked_up = bookings.shown
            work.finding = self._answers[work.language_code].answer(part, work.dialogue, work.now)
        work.dialogue = work.finding.dialogue
        if bookings:
            work.looked_up += bookings.shown_of(work.dialogue.wish)
            await self._go_on_with_later(work, bookings)
        return Command(goto=work.finding.next.value)

    async def _go_on_with_later(self, work: Work, bookings: StandingBookings) -> None:
        """Take the second request of a turn up where the first has ended without a deed: it was dropped, say."""
        dialogue, finding = work.dialogue, work.finding
        is_over = not bookings.is_open(dialogue) and not dialogue.wish.is_confirmed
        if not dialogue.later or not is_over or work.parts or finding is None or finding.act:
            return
        work.parts = (await self._part_of(dialogue.later, work),)
        work.dialogue = replace(dialogue, later="", asked="")
        work.finding = replace(finding, text=finding.text.removesuffix(bookings.asks_more).strip())


async def _without_yes(steps: AsyncGenerator[Step, None], work: Work) -> AsyncGenerator[Step, None]:
    """A draft's steps; a yes in it is not remembered, since what was heard before it is known at its commit."""
    async for step in steps:
        if not (isinstance(step, Remember) and work.dialogue.wish.is_confirmed):
            yield step
