"""Text of one turn: a bounded buffer between the stream that sends it and the task that speaks it."""

import asyncio
import unicodedata
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum

from services.runtime.clock import Stopwatch
from services.runtime.errors import ServiceError
from services.tts.errors import ControlCharacters, EmptyText, NothingToSpeak, TextTooLong
from services.tts.sentences import Clause, ClauseGatherer, SpeechParameters

ALLOWED_CONTROLS = "\n\r\t"


class Outcome(Enum):
    """The outcome of a turn."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TextLimits:
    """Limits on texts, in code points."""

    turn_chars: int
    clause_chars: int


class TurnText:
    """Text goes in as it comes, clauses come out as soon as they are whole.

    Bounded by the length a turn's text may have. One reader, one writer, the same loop.
    """

    def __init__(self, *, start_offset: int, limits: TextLimits) -> None:
        self._gatherer = ClauseGatherer(start_offset=start_offset, max_clause_chars=limits.clause_chars)
        self._limits = limits
        self._n_chars = 0
        self._clauses: deque[Clause] = deque()
        self._changed = asyncio.Event()
        self._has_clauses = False
        self.is_whole = False
        self.stopwatch = Stopwatch()  # begins again when the first clause is whole

    @property
    def end_offset(self) -> int:
        """Code points of the turn's text, as sent."""
        return self._gatherer.end_offset

    def append(self, text: str, parameters: SpeechParameters, *, flush: bool, pause_ms: int | None = None) -> None:
        """Take a piece; `flush` says speak what is held, `pause_ms` how long to pause before it.

        Raises EmptyText, TextTooLong, ControlCharacters.
        """
        if not text:
            raise EmptyText("text.text is empty; send at least one character", field="text.text")
        self._n_chars += len(text)
        if self._n_chars > self._limits.turn_chars:
            raise TextTooLong(
                f"text.text: a turn may have {self._limits.turn_chars} characters; split it into several turns",
                field="text.text",
            )
        check_characters(text)
        self._give(self._gatherer.append(text, parameters, flush=flush, pause_ms=pause_ms))

    def end(self) -> None:
        """The text is whole."""
        self.is_whole = True
        self._give(self._gatherer.flush())

    async def clauses(self) -> AsyncIterator[Clause]:
        """Each clause as soon as it is whole, to the end of the text. Raises NothingToSpeak if there was none."""
        while True:
            while self._clauses:
                yield self._clauses.popleft()
            if self.is_whole:
                break
            self._changed.clear()
            await self._changed.wait()
        if not self._has_clauses:
            raise NothingToSpeak("text.text has no letter or digit in the whole turn; send words", field="text.text")

    def _give(self, clauses: list[Clause]) -> None:
        if clauses and not self._has_clauses:
            self._has_clauses = True
            self.stopwatch = Stopwatch()
        self._clauses.extend(clauses)
        self._changed.set()


class Turn:
    """One turn from its first text to its end."""

    def __init__(self, turn_id: int, text: TurnText) -> None:
        self.turn_id = turn_id
        self.text = text
        self.voice = ""  # what the turn's text has asked for
        self.task: asyncio.Task[None] | None = None
        self.stopped: Outcome | None = None
        self.failure: ServiceError | None = None
        self.engine = ""  # of a chain, that spoke the turn

    def cancel(self) -> None:
        """Stop speaking the turn."""
        self._stop(Outcome.CANCELLED)

    def fail(self, failure: ServiceError) -> None:
        """Stop speaking the turn: what was sent for it is wrong."""
        self.failure = failure
        self._stop(Outcome.FAILED)

    def _stop(self, outcome: Outcome) -> None:
        if self.stopped is None and self.task is not None and not self.task.done():
            self.stopped = outcome
            self.task.cancel()


def check_characters(text: str) -> None:
    """Raise ControlCharacters for control characters other than line ends and tabs."""
    for offset, character in enumerate(text):
        if unicodedata.category(character) == "Cc" and character not in ALLOWED_CONTROLS:
            raise ControlCharacters(
                f"text.text has the control character U+{ord(character):04X} at {offset}; send text only",
                field="text.text",
            )
