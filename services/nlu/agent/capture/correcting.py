"""A part of what was read back is put right: "no, four two at the end", "the second letter is D", "not five but nine".

Sans-IO. What a caller says is held against the value that was read back; what comes out is each value it may mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.language.capture_words import Words
from services.language.dictation import Dictation, Kind, Sign, starts_with

_MOST_COUNTED = 6  # of "the last six"
_LEAST_RIGHT = 0.5  # of the signs, where a piece is said without its place


@dataclass(frozen=True, slots=True)
class _Place:
    """A place that was named: signs, or a group of them."""

    start: int  # of the tokens that name it
    end: int
    position: int
    is_group: bool = False


class Corrections:
    """Reads corrections of one kind of value in one language."""

    def __init__(self, dictation: Dictation, *, with_letters: bool, with_digits: bool = True) -> None:
        self._dictation, self._with_letters, self._with_digits = dictation, with_letters, with_digits

    def of(self, text: str, value: str, groups: Sequence[str]) -> tuple[str, ...]:
        """What the value may be after a correction, the likeliest first; empty: the text names no part of it."""
        signs = self._dictation.signs(text, with_letters=self._with_letters)
        tokens = _tokens(signs)
        found = [*self._replaced(signs, tokens, value), *self._at_place(signs, tokens, value, groups)]
        return tuple(dict.fromkeys(one for one in found if one))

    def aligned(self, new: str, value: str) -> tuple[str, ...]:
        """The value with a piece put where most of it stands already; empty: it fits several places, or none."""
        if not new or len(new) >= len(value):
            return ()
        scores = {
            at: sum(one == other for one, other in zip(new, value[at : at + len(new)], strict=True))
            for at in range(len(value) - len(new) + 1)
        }
        most = max(scores.values())
        best = [at for at, score in scores.items() if score == most]
        if len(best) != 1 or most < _LEAST_RIGHT * len(new):
            return ()
        return (value[: best[0]] + new + value[best[0] + len(new) :],)

    # "not five but nine"

    def _replaced(self, signs: Sequence[Sign], tokens: Words, value: str) -> Iterator[str]:
        words = self._dictation.words
        for pairs, is_wrong_first in ((words.right_first, False), (words.wrong_first, True)):
            for opening, between in pairs:
                opens = self._find(tokens, opening) if opening else 0
                if opens is None:
                    continue
                middle = self._find(tokens, between, start=opens + len(opening) + (1 if not opening else 0))
                if middle is None:
                    continue
                left = self._text(signs, opens + len(opening), middle)
                right = self._text(signs, middle + len(between), len(tokens))
                wrong, new = (left, right) if is_wrong_first else (right, left)
                if wrong and new and value.lower().count(wrong.lower()) == 1:
                    at = value.lower().index(wrong.lower())
                    yield value[:at] + _cased(new, value[at]) + value[at + len(wrong) :]

    # "the last two are four two"

    def _at_place(self, signs: Sequence[Sign], tokens: Words, value: str, groups: Sequence[str]) -> Iterator[str]:
        place = self._place(tokens)
        if place is None:
            return
        copula = self._copula(tokens, place.end)
        if copula is not None:
            new = self._text(signs, copula[1], len(tokens))
            count = self._count(signs, place, until=copula[0])
        elif new := self._text(signs, self._after_copula(tokens, place.start), place.start):
            count = 0
        else:
            new, count = self._text(signs, place.end, len(tokens)), 0
        if not new:
            return
        if place.is_group:
            yield from self._in_group(new, place.position, groups)
            return
        places = [at for at, sign in enumerate(value) if not sign.isspace()]
        n = min(count or len(new), len(places))
        if place.position == -1:
            first = len(places) - n
        elif place.position < 0:
            first = len(places) + place.position
        else:
            first = place.position - 1
        if not 0 <= first < len(places):
            return
        at, last = places[first], places[min(first + n, len(places)) - 1]
        yield value[:at] + _cased(new, value[at]) + value[last + 1 :]

    def _in_group(self, new: str, position: int, groups: Sequence[str]) -> Iterator[str]:
        at = position - 1 if position > 0 else len(groups) + position
        if 0 <= at < len(groups):
            yield "".join([*groups[:at], new, *groups[at + 1 :]])

    def _place(self, tokens: Words) -> _Place | None:
        lists = self._dictation.words.lists
        for at in range(len(tokens)):
            for words, position in self._dictation.words.positions:
                end = at + len(words)
                if tokens[at:end] != words:
                    continue
                before = any(tokens[at - len(unit) : at] == unit for unit in lists["group_units"] if at >= len(unit))
                is_group = before or bool(starts_with(tokens, end, lists["group_units"]))
                return _Place(at, end, position, is_group)
        return None

    def _copula(self, tokens: Words, start: int) -> tuple[int, int] | None:
        copulas = self._dictation.words.lists["copulas"]
        for at in range(start, len(tokens)):
            if length := starts_with(tokens, at, copulas):
                return at, at + length
        return None

    def _after_copula(self, tokens: Words, end: int) -> int:
        lists = self._dictation.words.lists
        start, at = 0, 0
        while at < end:
            length = starts_with(tokens, at, (*lists["leads"], *lists["copulas"]))
            start = at + length if length and at + length < end else start
            at += length or 1
        return start

    def _count(self, signs: Sequence[Sign], place: _Place, *, until: int) -> int:
        """How many are meant: "the last two digits", "hai số cuối"."""
        lists = self._dictation.words.lists
        units = (*lists["units"], *lists["group_units"])
        tokens = _tokens(signs)
        for sign in signs:
            if sign.kind is not Kind.DIGIT or not sign.text.isdecimal() or not 1 <= int(sign.text) <= _MOST_COUNTED:
                continue
            if sign.start == place.end and sign.end <= until:
                return int(sign.text)
            if sign.end <= place.start and (
                sign.end == place.start or starts_with(tokens, sign.end, units) == place.start - sign.end
            ):
                return int(sign.text)
        return 0

    def _text(self, signs: Sequence[Sign], start: int, end: int) -> str:
        """What is dictated between two tokens."""
        kinds = {Kind.LETTER} if self._with_letters else set()
        kinds |= {Kind.DIGIT} if self._with_digits else set()
        return "".join(sign.text for sign in signs if sign.kind in kinds and start <= sign.start and sign.end <= end)

    def _find(self, tokens: Words, phrase: Words, *, start: int = 0) -> int | None:
        found = (at for at in range(start, len(tokens) - len(phrase) + 1) if tokens[at : at + len(phrase)] == phrase)
        return next(found, None)


def _tokens(signs: Sequence[Sign]) -> Words:
    """The tokens that signs were read from; those of one that is no word stand for themselves alone."""
    return tuple(token for sign in signs for token in sign.tokens)


def _cased(new: str, like: str) -> str:
    return new.upper() if like.isupper() else new
