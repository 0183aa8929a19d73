"""Gathers pieces of text into clauses that can be spoken at once. Sans-IO."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WORDS_BEFORE_A_COMMA = (1, 4, 6)
"""A clause ends at a comma only with so many words: the first one early, for soon is what counts there; later ones
late, since a voice reads a longer clause better. The last figure holds for all that follow."""

ABBREVIATIONS = Path(__file__).parent / "normalization" / "words"

_CLOSERS = "\"'”’»)\\]"
_END = re.compile(
    rf"(?P<wide>[。！？；：，]+[{_CLOSERS}」』）]*)\s*"  # these need no space behind them
    rf"|(?P<strong>[.!?…]+[{_CLOSERS}]*)\s+"
    rf"|(?P<weak>[,;:—–][{_CLOSERS}]*)\s+"
    r"|(?P<line>)[ \t]*[\r\n]\s*"
)
_LAST_WORD = re.compile(r"(\S+)$")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a text is to be said."""

    language_code: str
    voice: str
    rate: float


@dataclass(frozen=True, slots=True)
class Clause:
    """A run of a turn's text, as sent, that is spoken in one go. Clauses follow each other without a gap."""

    text: str
    start_offset: int  # code points from the start of the turn's text
    manner: Manner

    @property
    def end_offset(self) -> int:
        """First code point after it."""
        return self.start_offset + len(self.text)


def is_speakable(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(character.isalnum() for character in text)


class ClauseGatherer:
    """The text of one turn on its way to the voice.

    A clause keeps its punctuation and the white space behind it, so that the clauses joined are the text as sent. What
    holds nothing to speak waits for what follows it.
    """

    def __init__(self, *, start_offset: int = 0, max_clause_chars: int = 240) -> None:
        """`start_offset`: where in the turn's text the first piece begins, in code points."""
        self._held = ""
        self._held_from = start_offset
        self._manner: Manner | None = None
        self._max_clause_chars = max_clause_chars
        self._n_clauses = 0

    @property
    def end_offset(self) -> int:
        """Code points of the turn's text received."""
        return self._held_from + len(self._held)

    def append(self, text: str, manner: Manner) -> list[Clause]:
        """Take a piece; give the clauses it completes. Another manner ends the clause before it."""
        clauses = self.flush() if self._manner not in (None, manner) else []
        self._manner = manner
        self._held += text
        return clauses + self._cut(manner)

    def flush(self) -> list[Clause]:
        """Everything held, if there is something to speak in it."""
        if self._manner is None:
            return []
        clauses = self._cut(self._manner)
        if is_speakable(self._held):
            clauses.append(self._take(len(self._held), self._manner))
        return clauses

    def _cut(self, manner: Manner) -> list[Clause]:
        clauses = []
        while (end := self._next_end(manner.language_code)) is not None:
            clauses.append(self._take(end, manner))
        return clauses

    def _take(self, length: int, manner: Manner) -> Clause:
        clause = Clause(self._held[:length], self._held_from, manner)
        self._held = self._held[length:]
        self._held_from += length
        self._n_clauses += 1
        return clause

    def _next_end(self, language_code: str) -> int | None:
        limit = self._max_clause_chars
        for match in _END.finditer(self._held):
            if match.start() >= limit:
                break
            before = self._held[: match.start()]
            if is_speakable(before) and self._ends_clause(match, before, language_code):
                return match.end()
        if len(self._held) <= limit:
            return None
        space = self._held.rfind(" ", 0, limit)
        cut = space + 1 if space > 0 and is_speakable(self._held[:space]) else limit
        return cut if is_speakable(self._held[:cut]) else None

    def _ends_clause(self, match: re.Match[str], before: str, language_code: str) -> bool:
        if match["weak"]:
            step = min(self._n_clauses, len(WORDS_BEFORE_A_COMMA) - 1)
            return len(before.split()) >= WORDS_BEFORE_A_COMMA[step]
        if (match["strong"] or "").startswith("."):
            return not _is_abbreviation(before, language_code)
        return True


def _is_abbreviation(before: str, language_code: str) -> bool:
    found = _LAST_WORD.search(before)
    word = found[1].lstrip("(\"'“‘«") if found else ""
    if len(word) == 1 and word.isalpha() and word.isupper():
        return word != "I"  # an initial
    return word.lower() in unfinished_by_a_dot(language_code.lower().partition("-")[0])


@cache
def unfinished_by_a_dot(language: str) -> frozenset[str]:
    """Words of a language whose dot does not end a sentence, in lower case and without that dot."""
    path = ABBREVIATIONS / f"{language}.toml"
    if not path.exists():
        return frozenset()
    words = tomllib.loads(path.read_text(encoding="utf-8")).get("unfinished_by_a_dot", [])
    return frozenset(word.lower() for word in words)
