"""Marks of a clause: the places of the words of the text, as sent, in its sound. Sans-IO."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from services.language.reading.spoken import Spoken
from services.tts.engine import WordEnd
from services.tts.sentences import Clause, is_speakable


@dataclass(frozen=True, slots=True)
class ClauseMark:
    """A place in one clause."""

    text_end_offset: int  # code points of the turn's text, as sent
    sample: int  # of the engine's own sound of the clause; the first after the text
    is_measured: bool


class ClauseMarks:
    """Turns an engine's places in the spoken words into places in the text as sent.

    A word that is said in other words counts when the last of them is said. The end of the last word is not among them:
    it is the clause's own, where the sound ends, whatever the engine says.
    """

    def __init__(self, clause: Clause, spoken: Spoken) -> None:
        self._clause = clause
        self._spoken = spoken
        self._waiting: deque[ClauseMark] = deque()
        self._last_offset = clause.start_offset
        self._end_of_words = clause.start_offset + last_word_end(clause.text)

    def add(self, word_ends: Iterable[WordEnd]) -> None:
        """Take measured places, in rising order."""
        for word_end in word_ends:
            self._add(word_end.text_offset, word_end.sample, is_measured=True)

    def spread(self, samples_per_char: float, *, first_sample: int = 0) -> None:
        """Guess every place from the length of what is said before it, for an engine that measures nothing.

        The first word begins at `first_sample`. Earlier guesses that were not taken are dropped.
        """
        text = self._spoken.text
        if self._waiting:
            self._waiting.clear()
            self._last_offset = self._clause.start_offset
        for offset in range(1, len(text)):
            if text[offset].isspace() and not text[offset - 1].isspace():
                self._add(offset, first_sample + round(offset * samples_per_char), is_measured=False)

    def take_until(self, sample: int) -> list[ClauseMark]:
        """Return the marks at or before `sample`, each once."""
        due = []
        while self._waiting and self._waiting[0].sample <= sample:
            due.append(self._waiting.popleft())
        return due

    def _add(self, spoken_offset: int, sample: int, *, is_measured: bool) -> None:
        offset = self._clause.start_offset + self._spoken.source_end(spoken_offset)
        first, end = self._last_offset - self._clause.start_offset, offset - self._clause.start_offset
        if offset < self._end_of_words and is_speakable(self._clause.text[first:end]):
            self._last_offset = offset
            self._waiting.append(ClauseMark(offset, sample, is_measured))


def last_word_end(text: str) -> int:
    """Code points up to the end of the last letter or digit."""
    return next((end for end in range(len(text), 0, -1) if text[end - 1].isalnum()), 0)
