"""Clause segmentation: pieces of text are joined into clauses that can be spoken at once. Sans-IO."""

import re
from dataclasses import dataclass
from enum import Enum

from services.language.clauses import is_abbreviated
from services.tts.say_as import SayAs

WORDS_BEFORE_A_COMMA = (1, 4, 6)
"""While the end of a sentence is still to come, a clause ends at a comma with so many words: the first one early, for
soon is what counts there; later ones late, since a voice reads a longer clause better. The last figure holds for the
rest."""

LONG_FIRST_CLAUSE_CHARS = 60
"""A whole sentence is read as one, for a voice reads it best; only a longer one that opens a turn is cut at a comma."""

LONGEST_MARK_CHARS = 40
"""So much of a clause's last mark and the space behind it is looked at together."""

_QUOTES = "\"'”’»)]"
_CLOSERS = re.escape(_QUOTES)
_END = re.compile(
    rf"(?P<wide>[。！？；：，]++[{_CLOSERS}」』）]*+)\s*"  # these need no space behind them
    rf"|(?P<strong>[.!?…]++[{_CLOSERS}]*+)\s+"
    rf"|(?P<weak>[,;:—–][{_CLOSERS}]*+)\s+"
    r"|(?P<line>)[ \t]*[\r\n]\s*"
)
_SPEAKABLE = re.compile(r"[^\W_]")
_LAST_WORD = re.compile(r"(\S+)$")


class Caching(Enum):
    """Caching of the sound of a text."""

    FREQUENT = "frequent"  # looked up; kept once several calls have asked for it
    KEPT = "kept"  # looked up; kept at once: a fixed text
    FORBIDDEN = "forbidden"  # neither looked up nor kept


@dataclass(frozen=True, slots=True)
class SpeechParameters:
    """Speech parameters of a clause, and whether its sound is cached."""

    language_code: str
    voice: str
    rate: float
    caching: Caching = Caching.FREQUENT
    pitch: float = 0.0  # above the voice's own, in semitones
    say_as: SayAs | None = None
    ipa: str = ""  # its sounds, in place of its words: the text is one clause


@dataclass(frozen=True, slots=True)
class Clause:
    """A run of a turn's text, as sent, that is spoken in one go. Clauses follow each other without a gap."""

    text: str
    start_offset: int  # code points from the start of the turn's text
    parameters: SpeechParameters
    pause_ms: int | None = None  # before it; None: as the clause before it asks

    @property
    def end_offset(self) -> int:
        """First code point after it."""
        return self.start_offset + len(self.text)


def is_speakable(text: str) -> bool:
    """Return whether the clause holds a letter or a digit."""
    return _SPEAKABLE.search(text) is not None


class ClauseGatherer:
    """Clause segmentation of one turn's text.

    A clause keeps its punctuation and the white space behind it, so that the clauses joined are the text as sent. What
    holds nothing to speak waits for what follows it.
    """

    def __init__(self, *, start_offset: int = 0, max_clause_chars: int = 240) -> None:
        """`start_offset`: where in the turn's text the first piece begins, in code points."""
        self._held = ""
        self._held_from = start_offset
        self._n_silent = 0  # characters held in which nothing was found to speak
        self._parameters: SpeechParameters | None = None
        self._pause_ms: int | None = None  # before the next clause
        self._max_clause_chars = max_clause_chars
        self._n_clauses = 0

    @property
    def end_offset(self) -> int:
        """Code points of the turn's text received."""
        return self._held_from + len(self._held)

    def append(
        self, text: str, parameters: SpeechParameters, *, flush: bool = False, pause_ms: int | None = None
    ) -> list[Clause]:
        """Take a piece; give the clauses it completes, with `flush` all that can be spoken. Other parameters end the
        clause before it, and so does `pause_ms`, the pause before this piece. Text whose sounds are given is not cut.
        """
        is_apart = self._parameters not in (None, parameters) or pause_ms is not None or bool(parameters.ipa)
        clauses = self.flush() if is_apart else []
        self._pause_ms = self._pause_ms if pause_ms is None else pause_ms
        self._parameters = parameters
        self._held += text
        if parameters.ipa and is_speakable(self._held):
            return [*clauses, self._take(len(self._held), parameters)]
        return clauses + (self.flush() if flush else self._cut(parameters, is_whole=False))

    def flush(self) -> list[Clause]:
        """Everything held, if there is something to speak in it."""
        return self._cut(self._parameters, is_whole=True) if self._parameters is not None else []

    def _cut(self, parameters: SpeechParameters, *, is_whole: bool) -> list[Clause]:
        clauses = []
        while (end := self._next_end(parameters.language_code, is_whole=is_whole)) is not None:
            clauses.append(self._take(end, parameters))
        return clauses

    def _take(self, length: int, parameters: SpeechParameters) -> Clause:
        clause = Clause(self._held[:length], self._held_from, parameters, self._pause_ms)
        self._pause_ms = None
        self._held = self._held[length:]
        self._held_from += length
        self._n_silent = 0
        self._n_clauses += 1
        return clause

    def _next_end(self, language_code: str, *, is_whole: bool) -> int | None:
        """Return where the next clause ends, or None while that is not known. `is_whole`: nothing follows what is
        held.
        """
        found = _SPEAKABLE.search(self._held, self._n_silent)
        if found is None:
            self._n_silent = len(self._held)
            return None
        begin = found.start()
        limit = begin + self._max_clause_chars  # what cannot be spoken costs nothing
        marks = [
            mark
            for mark in _END.finditer(self._held, begin, limit + LONGEST_MARK_CHARS)
            if mark.start() < limit and not self._is_inside(mark, language_code)
        ]
        end = next((mark.end() for mark in marks if not mark["weak"]), None)
        if end is None and is_whole and len(self._held) <= limit:
            end = len(self._held)
        if end is None or (self._n_clauses == 0 and end - begin > LONG_FIRST_CLAUSE_CHARS):
            end = next((mark.end() for mark in marks if mark["weak"]), end)
        if end is not None or len(self._held) <= limit:
            return end
        space = self._held.rfind(" ", begin, limit)
        return space + 1 if space > begin else limit

    def _is_inside(self, mark: re.Match[str], language_code: str) -> bool:
        """Return whether a mark ends no clause: a comma behind too few words, the dot of an abbreviation."""
        before = self._held[: mark.start()]
        if mark["weak"]:
            step = min(self._n_clauses, len(WORDS_BEFORE_A_COMMA) - 1)
            return len(before.split()) < WORDS_BEFORE_A_COMMA[step]
        dots = (mark["strong"] or "").rstrip(_QUOTES)
        if dots != ".":
            return False  # "Oh no..." is no abbreviation
        return _is_inside_word(before, self._held[mark.end() :], language_code) is not False


def _is_inside_word(before: str, after: str, language_code: str) -> bool | None:
    """Return whether the dot belongs to the word before it. None: what follows decides, and is not here yet."""
    found = _LAST_WORD.search(before)
    word = found[1].lstrip("(\"'“‘«") if found else ""
    if len(word) == 1 and word.isalpha() and word.isupper():
        return word != "I"  # an initial
    return is_abbreviated(word, after, language_code)
