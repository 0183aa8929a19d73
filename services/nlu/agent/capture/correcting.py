"""A part of what was read back is put right: "no, four two at the end", "the second letter is D", "not five but nine".

Sans-IO. What a caller says is held against the value that was read back; what comes out is each value it may mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.language.capture_words import Words, plain_letter
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

    def __init__(
        self, dictation: Dictation, *, with_letters: bool, with_digits: bool = True, is_plain: bool = True
    ) -> None:
        """`is_plain`: letters have no marks, as those of codes and addresses."""
        self._dictation, self._with_letters, self._with_digits = dictation, with_letters, with_digits
        self._is_plain = is_plain

    def names_place(self, text: str) -> bool:
        """Return whether a text names a place of signs: "ends in two"."""
        return self._place(_tokens(self._dictation.signs(text))) is not None

    def of(self, text: str, value: str, groups: Sequence[str]) -> tuple[str, ...]:
        """Return what the value may be after a correction, the likeliest first; empty: the text names no part of it."""
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
                left = self._text(signs, self._run_start(signs, opens + len(opening), middle), middle)
                right = self._text(signs, middle + len(between), len(tokens))
                wrong, new = (left, right) if is_wrong_first else (right, left)
                if not wrong or not new:
                    continue
                if value.lower().count(wrong.lower()) == 1:
                    at = value.lower().index(wrong.lower())
                    yield value[:at] + _cased(new, value[at]) + value[at + len(wrong) :]
                if len(new) != len(wrong):
                    yield from self.aligned(new, value)
        yield from self._refused_first(signs, tokens, value)

    def _refused_first(self, signs: Sequence[Sign], tokens: Words, value: str) -> Iterator[str]:
        """The value where the right signs stand behind a stop: "not six seven zero, six seven one"."""
        stops = [sign.start for sign in signs if sign.kind is Kind.STOP]
        for opening in {opening for opening, _ in self._dictation.words.wrong_first if opening}:
            opens = self._find(tokens, opening)
            stop = next((at for at in stops if opens is not None and at > opens + len(opening)), None)
            if opens is None or stop is None:
                continue
            wrong, new = self._text(signs, opens + len(opening), stop), self._text(signs, stop, len(tokens))
            if wrong and len(new) == len(wrong) and value.lower().endswith(wrong.lower()):
                yield value[: -len(wrong)] + _cased(new, value[-len(wrong)])

    def _run_start(self, signs: Sequence[Sign], start: int, end: int) -> int:
        """Start of the signs that stand together before a token: in "one digit's wrong, it's 765" those of 765."""
        run = end
        for sign in reversed([sign for sign in signs if start <= sign.start and sign.end <= end]):
            if self._is_wanted(sign):
                run = sign.start
            elif run < end and sign.kind is not Kind.STOP:
                return run
        return start

    # "the last two are four two"

    def _at_place(self, signs: Sequence[Sign], tokens: Words, value: str, groups: Sequence[str]) -> Iterator[str]:
        place = self._place(tokens)
        if place is None:
            return
        copula, end = self._copula(tokens, place.end), self._refused_from(tokens, place.end)
        if copula is not None and copula[1] <= end:
            new = self._text(signs, copula[1], end)
            count = self._count(signs, place, until=copula[0])
        elif new := self._text(signs, first := self._after_copula(tokens, place.start), place.start):
            new, count = self._text(signs, first, min(self._refused_from(tokens, first), place.start)), 0
        else:  # "the last two digits four two"
            count, start = self._counted(signs, tokens, place.end)
            new = self._text(signs, start, end)
        if not new:
            return
        if place.is_group:
            yield from self._in_group(new, place.position, groups)
            return
        for one in dict.fromkeys((self._without_soft(signs, new), new)):
            yield from self._put(one, value, place.position, count)

    def _put(self, new: str, value: str, position: int, count: int) -> Iterator[str]:
        """The value with signs at a place; `count` of those that stand there go, or as many as come."""
        places = [at for at, sign in enumerate(value) if not sign.isspace()]
        n = min(count or len(new), len(places))
        if position == -1:
            first = len(places) - n
        elif position < 0:
            first = len(places) + position
        else:
            first = position - 1
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

    def _refused_from(self, tokens: Words, start: int) -> int:
        """The place where words begin that refuse what stands behind them: "ends in four, not five"; the end: none."""
        betweens = [between for _, between in self._dictation.words.right_first]
        return next((at for at in range(start, len(tokens)) if starts_with(tokens, at, betweens)), len(tokens))

    def _counted(self, signs: Sequence[Sign], tokens: Words, at: int) -> tuple[int, int]:
        """The number of signs that stands right behind a place, with a word for them, and where that ends; 0: none."""
        lists = self._dictation.words.lists
        sign = next((sign for sign in signs if sign.start == at and sign.kind is Kind.DIGIT), None)
        n_units = starts_with(tokens, sign.end, lists["units"]) if sign else 0
        is_count = sign is not None and sign.text.isdecimal() and 1 <= int(sign.text) <= _MOST_COUNTED
        return (int(sign.text), sign.end + n_units) if sign and is_count and n_units else (0, at)

    def _count(self, signs: Sequence[Sign], place: _Place, *, until: int) -> int:
        """Return how many are meant: "the last two digits", "hai số cuối"."""
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
        """Return what is dictated between two tokens; of what is put right in there the last."""
        tokens = _tokens(signs)
        begun = next((sign.end for sign in signs if sign.start >= start and self._is_wanted(sign)), end)
        for at in range(begun, end):
            if length := starts_with(tokens, at, self._dictation.words.lists["repairs"]):
                start = at + length
        said = "".join(sign.text for sign in signs if self._is_wanted(sign) and start <= sign.start and sign.end <= end)
        return "".join(map(plain_letter, said)) if self._is_plain else said

    def _is_wanted(self, sign: Sign) -> bool:
        return (sign.kind is Kind.LETTER and self._with_letters) or (sign.kind is Kind.DIGIT and self._with_digits)

    def _without_soft(self, signs: Sequence[Sign], new: str) -> str:
        """Signs without a first one that may be a word: "the last is a nine"."""
        first = next((sign for sign in signs if self._is_wanted(sign) and new.startswith(sign.text)), None)
        return new[len(first.text) :] if first and first.is_soft and len(first.text) < len(new) else new

    def _find(self, tokens: Words, phrase: Words, *, start: int = 0) -> int | None:
        found = (at for at in range(start, len(tokens) - len(phrase) + 1) if tokens[at : at + len(phrase)] == phrase)
        return next(found, None)


def _tokens(signs: Sequence[Sign]) -> Words:
    """The tokens that signs were read from; those of one that is no word stand for themselves alone."""
    return tuple(token for sign in signs for token in sign.tokens)


def _cased(new: str, like: str) -> str:
    return new.upper() if like.isupper() else new
