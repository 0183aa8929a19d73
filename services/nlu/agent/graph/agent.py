"""The agent `graph`: understand, look up, then answer, ask, confirm or hand over, and act.

Every word it says comes from the agent's file or from what the caller said; the engine is asked for nothing. The graph
is LangGraph's; what belongs to one turn rides in its context, so that checkpoints hold only strings.
"""

from __future__ import annotations

import asyncio
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
from services.nlu.agent.graph.deed_steps import DeedSteps
from services.nlu.agent.graph.dialogue import Dialogue, read_dialogue
from services.nlu.agent.graph.finding import Next
from services.nlu.agent.graph.house import house_of
from services.nlu.agent.graph.reading import COURTESIES, Reader
from services.nlu.agent.graph.records import Records
from services.nlu.agent.graph.reply_nodes import ReplyNodes
from services.nlu.agent.graph.running import CallState, steps_of_graph
from services.nlu.agent.graph.self_repair import repaired, repaired_name
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.graph.timed_wishes import LONGEST_SAID
from services.nlu.agent.graph.wished_deeds import is_owed
from services.nlu.agent.graph.wishes import CALLBACK, SLOT_KEY, Wishes
from services.nlu.agent.graph.work import Work, heard_of, words_of
from services.nlu.agent.interface import Act, AgentState, AgentTurn, Call, Remember, Say, Step
from services.nlu.agent.language import find_language
from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.agent.tools import Tool
from services.nlu.agent.understanding import ExampleUnderstanding, Understanding
from services.nlu.analysis.analysis import CallDeed, DeedStanding, Known, Past
from services.nlu.engine import NluEngine, ToolSpec
from services.nlu.history import Entry
from services.nlu.inputs import Text
from services.nlu.outputs import HangUp
from services.nlu.settings import NluSettings
from services.nlu.tools.clinic.package import ClinicPackage
from services.nlu.tools.clinic.whose import number_of
from services.runtime.errors import StartupError

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
            self._records = Records(profile, self._finders, self._clinic, self._house)
            bookings = self._records.bookings
            self._wishes = {
                tag: bookings.get(tag) or Wishes(profile, tag, self._finders[tag], Templates(tag))
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
        self._deeds = DeedSteps(self._records, self._answers, self._reader, self._prompted, self._clinic)
        self._saver = InMemorySaver()
        self._committed_graph = self._built().compile()
        self._draft_graph = self._built().compile(checkpointer=self._saver)

    async def load(self) -> None:
        await self._understanding.load()
        await self._prompted.load()
        if self._house:
            self._house.open()
        if self._clinic:
            self._clinic.outbox.tell_by(self._deeds.tell)
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
        dialogue, bookings = read_dialogue(turn.state), self._records.bookings.get(turn.language_code)
        is_taken_back = bookings is not None and bookings.takes_back(words_of(turn), dialogue, self._clock())
        reply = courtesy(self._profile, turn.input, history, language_code=turn.language_code)
        if reply and not is_taken_back:  # "no, I changed my mind" behind a deed is no goodbye
            yield Say(reply.text)
            if reply.ends_call:
                yield Act(HangUp())
            return
        work = Work(
            words_of(turn),
            turn.language_code,
            self._clock(),
            dialogue,
            dialogue,
            tenant_id=turn.call.tenant_id,
            caller=number_of(turn.call.caller),
            history=history,
            heard=heard_of(turn),
            is_plain=bool(turn.objection),  # the question held more than was looked up: no bare "yes" to it
            objected=turn.objected,
            confidence=turn.input.confidence if isinstance(turn.input, Text) else None,
        )
        if bookings and is_owed(bookings.deed_of(work.dialogue.wish), work.dialogue.wish, history):
            async for step in self._deeds.carry_out(work):
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
            async for step in self._deeds.of_draft(turn, work) if is_draft else self._deeds.carry_out(work):
                yield step

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
        asked = self._wishes[work.language_code].asked(work.dialogue)
        lists = self._finders[work.language_code].words
        if asked == "name" and not work.heard.is_keys:
            work.text = repaired_name(work.text, work.language_code, lists)
            work.heard = replace(work.heard, text=work.text)
        elif asked != "phone" and not asked.startswith(SLOT_KEY):  # these are captured sign by sign
            work.text = repaired(work.text, work.language_code, lists)
        work.parts = await self._reader.read(
            work.text, work.language_code, work.dialogue, work.now, confidence=work.confidence
        )
        work.free, work.own = await self._records.free(work), await self._records.standing(work, work.caller)
        if bookings := self._records.bookings.get(work.language_code):
            await self._records.see(work, "")
            work.parts = bookings.as_one(work.text, work.parts, work.dialogue, work.now)
            if not bookings.is_open(work.dialogue):
                work.parts, later = bookings.in_turn(work.parts)
                work.dialogue = replace(work.dialogue, later="").with_later(*later)
            elif added := bookings.added(work.dialogue.wish):
                work.dialogue = work.dialogue.with_later(added[:LONGEST_SAID])
        work.all_parts = work.parts
        if captures := self._captures[work.language_code]:
            heard, bookings = (
                replace(work.heard, parts=work.parts, now=work.now),
                self._records.bookings.get(work.language_code),
            )
            await self._records.see(work, work.dialogue.wish.phone)
            work.taken = captures.take(heard, work.dialogue)
            if bookings and bookings.wanted_phone:  # it has come by the letter in this turn
                await self._records.see(work, bookings.wanted_phone)
                work.taken = captures.take(heard, work.dialogue)
        return {}

    async def _look_up(self, state: CallState, runtime: Runtime[Work]) -> Command[str]:
        work = runtime.context
        bookings = self._records.bookings.get(work.language_code)
        if work.taken:
            work.read_back = work.taken.read_back
            work.finding, work.taken, work.parts = self._replies.finding_of(work.taken, work.language_code), None, ()
        else:
            part, *rest = work.parts
            work.parts = tuple(rest)
            if bookings:
                await self._records.see(work, part.slots.digits or work.dialogue.wish.phone)
                work.looked_up = bookings.shown
            work.finding = self._answers[work.language_code].answer(part, work.dialogue, work.now)
        work.dialogue = work.finding.dialogue
        if bookings:
            work.looked_up += bookings.shown_of(work.dialogue.wish)
            await self._deeds.go_on_with_later(work, bookings)
        return Command(goto=work.finding.next.value)


async def _without_yes(steps: AsyncGenerator[Step, None], work: Work) -> AsyncGenerator[Step, None]:
    """A draft's steps; a yes in it is not remembered, since what was heard before it is known at its commit."""
    async for step in steps:
        if not (isinstance(step, Remember) and work.dialogue.wish.is_confirmed):
            yield step
