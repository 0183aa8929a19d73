"""Slips of the tongue: of a value that is put right in the same breath the latter counts, "for two nights, no sorry,
three". Sans-IO.

Between the two stand a stop and words of a slip alone, so that an answer ("no, sorry, Friday") and a refusal ("Tuesday
is no good, sorry, Friday") stay as they are. A script without spaces has no such rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.language.script import script_of
from services.language.value import Kind, Value
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.graph.asking import Asking

_STOPS = (",", ";", ".", "…", "—", "–", "-")
_LONGEST_VALUE = 4  # words
_MOST_BEFORE = 2  # small words before the value that is meant: "с субботы"
_MOST_UNITS = 2  # words behind the value that was wrong: "two nights"
_MOST_DIGITS = 2  # of a number; longer ones are telephone numbers and the like
_MOST_SLIPS = 4  # of a text
_DAYS = frozenset({Kind.WEEKDAYS, Kind.DAY, Kind.DATE})
_KINDS = frozenset({Kind.TIME, Kind.NUMBER, Kind.PART}) | _DAYS


class Slips:
    """Finds them in one language."""

    def __init__(self, lists: Asking, language_code: str) -> None:
        self._language, self._is_spaced = language_code, script_of(language_code).is_spaced
        self._slips = tuple(sorted((*lists.slips, *lists.corrections), key=len, reverse=True))
        units = (*(phrase for phrases in lists.periods.values() for phrase in phrases), *lists.people["groups"])
        self._units = frozenset(word for phrase in units for word in phrase)

    def put_right(self, text: str) -> str:
        """The text with what was meant in place of what was said wrongly."""
        for _ in range(_MOST_SLIPS if self._is_spaced else 0):
            mended = next(self._mended(text.split()), "")
            if not mended:
                break
            text = mended
        return text

    def _mended(self, words: Sequence[str]) -> Iterator[str]:
        plain = [" ".join(normalise(word)) for word in words]
        for at in range(1, len(words)):
            behind = self._behind_slip(plain, at) if words[at - 1].endswith(_STOPS) else at
            if behind == at:
                continue
            meant = self._first_value(words[behind:])
            wrong = self._last_value(words[:at], meant[2]) if meant else None
            if meant and wrong:
                left, unit = list(words[: wrong[0]]), list(words[wrong[1] : at])
                value, rest = list(words[behind + meant[0] : behind + meant[1]]), list(words[behind + meant[1] :])
                while unit and rest and self._plain(rest[0]) in self._units:
                    rest = rest[1:]
                if unit:
                    stop = value[-1][len(value[-1].rstrip(".,;…")) :]
                    value[-1], unit[-1] = value[-1].rstrip(".,;…"), unit[-1].rstrip(".,;…") + stop
                yield " ".join([*left, *value, *unit, *rest])

    def _behind_slip(self, plain: Sequence[str], at: int) -> int:
        """The place behind the words of a slip; the same place: there are none."""
        while length := next((len(one) for one in self._slips if tuple(plain[at : at + len(one)]) == one), 0):
            at += length
        return at

    def _first_value(self, words: Sequence[str]) -> tuple[int, int, Value] | None:
        for start in range(min(len(words), _MOST_BEFORE + 1)):
            for end in range(min(len(words), start + _LONGEST_VALUE), start, -1):
                if value := self._value(words[start:end]):
                    return start, end, value
        return None

    def _last_value(self, words: Sequence[str], meant: Value) -> tuple[int, int] | None:
        """The value at the end of some words, units behind it, that another stands in place of."""
        found: list[tuple[int, int]] = []
        for end in range(len(words), max(0, len(words) - _MOST_UNITS - 1), -1):
            if not all(self._plain(word) in self._units for word in words[end:]):
                break
            for start in range(max(0, end - _LONGEST_VALUE), end):
                value = self._value(words[start:end])
                if value and value.kind is meant.kind:
                    return start, end
                kinds = {value.kind, meant.kind} if value else {Kind.NONE}
                is_hour = value is not None and value.kind is Kind.TIME and meant.kind is Kind.NUMBER
                if kinds <= _DAYS or is_hour:
                    found.append((start, end))
        return found[-1] if found else None

    def _value(self, words: Sequence[str]) -> Value | None:
        """The one value that words say and nothing else."""
        if any(word.endswith((",", ";", "?", "!")) for word in words[:-1]):
            return None
        reading = read_values(" ".join(words), self._language)
        value = reading.values[0] if len(reading.values) == 1 else None
        n_words = sum(token.kind != "stop" for token in reading.tokens)
        is_whole = value is not None and value.kind in _KINDS and value.start == 0 and value.end == n_words
        return value if is_whole and value and len(value.digits) <= _MOST_DIGITS else None

    def _plain(self, word: str) -> str:
        return " ".join(normalise(word))
