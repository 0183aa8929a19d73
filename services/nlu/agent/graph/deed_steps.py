"""Deeds of a turn: a confirmed wish is carried out, the caller hears how it went, and the next request is begun."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

from services.nlu.agent.graph.answers import Answers
from services.nlu.agent.graph.dialogue import Dialogue, as_state
from services.nlu.agent.graph.reading import Part, Reader
from services.nlu.agent.graph.records import Records
from services.nlu.agent.graph.standing import StandingBookings
from services.nlu.agent.graph.work import Work
from services.nlu.agent.interface import AgentTurn, AwaitCommit, CallTool, Remember, Say, Step
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.agent.tools import ToolRefused
from services.nlu.tool_runs import key_of
from services.nlu.tools.clinic.package import ClinicPackage
from services.nlu.tools.deed import DeedState
from services.nlu.tools.outbox_file import Decided
from services.nlu.tools.outcome import outcome_of, reference_of

SMS = "message_sms"
"""The tool that tells callers how a deed of theirs ended."""


class DeedSteps:
    """Carries out the wishes of one agent's callers."""

    def __init__(
        self,
        records: Records,
        answers: Mapping[str, Answers],
        reader: Reader,
        prompted: PromptAgent,
        clinic: ClinicPackage | None,
    ) -> None:
        """`answers` by the tags of the agent's languages."""
        self._records, self._answers, self._reader = records, answers, reader
        self._prompted, self._clinic = prompted, clinic

    async def of_draft(self, turn: AgentTurn, work: Work) -> AsyncGenerator[Step, None]:
        """Hold a draft's yes against what was heard by its commit: the deed is done, or the question asked again."""
        bookings = self._records.bookings[work.language_code]
        yield AwaitCommit()
        work.history = turn.heard()
        await self._records.see(work, work.dialogue.wish.phone)
        if question := bookings.unheard(work.dialogue):
            work.dialogue = replace(work.dialogue.with_wish(is_confirmed=False), reply=question)
            yield Say(question + " ", looked_up=(*bookings.shown, *bookings.shown_of(work.dialogue.wish)))
        yield Remember(as_state(work.dialogue))
        if work.dialogue.wish.is_confirmed:
            async for step in self.carry_out(work):
                yield step

    async def carry_out(self, work: Work) -> AsyncGenerator[Step, None]:
        """Do what was confirmed, and say how that went. That it is done passes the guard, which has the result."""
        bookings = self._records.bookings[work.language_code]
        call = CallTool(*bookings.deed_of(work.dialogue.wish))
        yield call
        work.free, work.own = await self._records.free(work), await self._records.standing(work, work.caller)
        await self._records.see(work, work.dialogue.wish.phone)
        state = outcome_of(call.result)
        if reference := reference_of(call.result):
            state = "promised" if await self._is_promised(work, reference) else "noted"
            work.show()
        text, question, work.dialogue = bookings.told(state, work.dialogue)
        if work.dialogue.later and not bookings.is_open(work.dialogue):
            question = await self._later(work)
        wish = work.dialogue.wish
        looked_up = (*bookings.shown, *bookings.shown_of(wish))
        captured = f"{wish.name}. {wish.phone}. {bookings.spoken(wish.phone)}" if wish.phone else ""
        yield Say(text + " ")
        yield Say(question + " ", looked_up=looked_up, captured=captured)
        work.dialogue = replace(work.dialogue, reply=f"{work.said} {text} {question}".strip())
        yield Remember(as_state(work.dialogue))

    async def _later(self, work: Work) -> str:
        """Begin the next request that waits, once the one before is done, and return what is said of it."""
        later, work.dialogue = work.dialogue.next_later()
        part = await self._part_of(later, work)
        await self._records.see(work, part.slots.digits or work.dialogue.wish.phone)
        finding = self._answers[work.language_code].answer(part, work.dialogue, work.now)
        work.dialogue = finding.dialogue
        return finding.text

    async def go_on_with_later(self, work: Work, bookings: StandingBookings) -> None:
        """Take the next request that waits up where the first has ended without a deed: it was dropped, say."""
        dialogue, finding = work.dialogue, work.finding
        is_over = not bookings.is_open(dialogue) and not dialogue.wish.is_confirmed
        if not dialogue.later or not is_over or work.parts or finding is None or finding.act:
            return
        later, dialogue = dialogue.next_later()
        work.parts = (await self._part_of(later, work),)
        work.dialogue = replace(dialogue, asked="")
        work.finding = replace(finding, text=finding.text.removesuffix(bookings.asks_more).strip())

    async def _part_of(self, later: str, work: Work) -> Part:
        part = (await self._reader.read(later, work.language_code, Dialogue(), work.now))[0]
        return self._records.bookings[work.language_code].as_requested(part)

    async def _is_promised(self, work: Work, reference: str) -> bool:
        """Return whether the caller gets a message when a deed has ended, by the agent's own tool for messages."""
        if self._clinic is None or SMS not in self._prompted.tools_of(work.tenant_id):
            return False
        return await self._clinic.outbox.promise(reference, work.language_code)

    async def tell(self, decided: Decided, language_code: str) -> None:
        """Send a caller how their deed ended, once whatever is killed in between: the key is made of the deed's own."""
        sms = self._prompted.tools_of(decided.tenant_id).get(SMS)
        bookings = self._records.bookings.get(language_code)
        if sms is None or bookings is None:
            raise ToolRefused("the agent has no tool for messages")
        arguments = json.loads(decided.arguments_json)
        text = bookings.ended(decided.tool, arguments, is_done=decided.state is DeedState.DONE)
        await sms.run({"to": arguments["phone"], "text": text}, idempotency_key=key_of(decided.key, SMS))
