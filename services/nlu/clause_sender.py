"""Sender of a turn's clauses. Each passes the guard; from a promise on they wait until its act is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.language.words import normalise
from services.nlu.agent.deeds import Tense
from services.nlu.agent.evidence import Verdict
from services.nlu.clauses import Clause
from services.nlu.guarded_reply import GuardedReply
from services.nlu.outputs import (
    Output,
    ReplyText,
)
from services.nlu.turn_state import Turn

PROMISE = Tense.PROMISED.value  # the guard's rule of a clause that its act, asked for behind it, makes true


class Withheld(Exception):
    """A clause may not be spoken: the reply ends before it."""

    def __init__(self, clause: str, verdict: Verdict) -> None:
        super().__init__(verdict.rule)
        self.clause, self.verdict = clause, verdict


class ClauseSender:
    """The clauses of one turn on their way to the client, through the guard."""

    def __init__(
        self,
        turn: Turn,
        guarded: GuardedReply,
        *,
        emit: Callable[[Output], Awaitable[None]],
        on_first_clause: Callable[[], None],
    ) -> None:
        """`emit` sends. `on_first_clause` is called before the first clause's timing is read."""
        self._turn, self._guarded, self._emit, self._on_first_clause = turn, guarded, emit, on_first_clause
        self._held: list[str] = []  # clauses from a promise on, until its act is asked for
        self._unclear = ""  # the beginning of a sentence that is right or wrong by what follows
        self._spoken: set[tuple[str, ...]] = set()  # clauses; a second reply leaves them out
        self.is_second_reply = False  # the agent has been asked once more
        self.goes_on_after_pause = False  # the text before an act has lost the space at its end

    def begin_second_reply(self) -> None:
        """Drop what is not sent of the first reply, and leave out of the second what was sent."""
        self.is_second_reply = self.goes_on_after_pause = True
        self.drop_unsent()

    def drop_unsent(self) -> None:
        """Drop the clauses that wait."""
        self._held.clear()
        self._unclear = ""

    async def send(self, clauses: list[Clause]) -> None:
        """Send clauses that may be spoken; from a promise on they wait until its act is asked for. Raises Withheld."""
        for clause in clauses:
            if self._held or (self.is_second_reply and self._is_said(clause.text)):
                self._held += [clause.text] if self._held else []
                continue
            text, self._unclear = self._unclear + clause.text, ""
            verdict = self._guarded.check(text, reply=self._turn.reply)
            if verdict.rule == PROMISE:
                self._held.append(text)
            elif verdict.ok:
                await self.emit_clause(text)
            elif verdict.may_mend:
                self._unclear = text
            else:
                raise Withheld(text, verdict)

    async def release(self, *, is_whole: bool = False) -> None:
        """Send the clauses that waited, once the act of their promise is asked for. Raises Withheld: the reply ends
        without it.
        """
        if self._unclear:
            text, self._unclear = self._unclear, ""
            verdict = self._guarded.check(text, reply=self._turn.reply)
            raise Withheld(text, verdict)
        while self._held:
            verdict = self._guarded.check(self._held[0], reply=self._turn.reply)
            if verdict.rule == PROMISE and not is_whole:
                return
            if not verdict.ok:
                raise Withheld(self._held[0], verdict)
            await self.emit_clause(self._held.pop(0))

    def drop_promise(self) -> None:
        """Drop the promise of an act that is refused: the refusal is said in its place."""
        for text in self._held:
            verdict = self._guarded.check(text, reply=self._turn.reply)
            if not verdict.ok:
                self._guarded.withhold(text, verdict)
        self._held.clear()

    def _is_said(self, text: str) -> bool:
        """Return whether the first reply said the clause already: a second reply begins with "Sure," again."""
        return bool(normalise(text)) and normalise(text) in self._spoken

    async def emit_clause(self, text: str) -> None:
        turn, timing = self._turn, None
        if not turn.reply:
            self._on_first_clause()
            timing = turn.stopwatch.timing()
        if self.goes_on_after_pause and not turn.reply[-1:].isspace() and not text[0].isspace():
            text = f" {text}" if turn.reply else text
        self.goes_on_after_pause = False
        turn.reply += text
        if not self.is_second_reply:
            self._spoken.add(normalise(text))
        await self._emit(ReplyText(turn.turn_id, text, turn.language_code, timing))
