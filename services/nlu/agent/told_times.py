"""Times that texts of the facts give for something else than the opening hours: "check-out is by noon". Sans-IO."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.language.calendar_words import calendar_words
from services.language.claims import ClaimWords
from services.language.value import Kind, Reading, Value


@dataclass(frozen=True, slots=True)
class ToldTime:
    """A time that a text gives, and the words beside it."""

    minutes: frozenset[int]  # of the day
    pairs: frozenset[tuple[str, str]]  # of neighbouring words
    way: str = ""  # "arriving" or "leaving", where the text gives it for that
    is_end: bool | None = None  # of a stretch: its end, or its beginning


class ToldTimes:
    """The times of all texts in one language."""

    def __init__(self, texts: Sequence[Reading], words: ClaimWords, language_code: str) -> None:
        self._words, self._calendar = words, calendar_words(language_code)
        self._texts = tuple(times for text in texts if (times := tuple(self._times_in(text))))

    def give(self, time: Value, reading: Reading) -> bool:
        """Return whether a text gives this time for what the clause speaks of."""
        piece = tuple(reading.texts[at] for at in _piece(time, reading))
        is_end = self._is_until(time, reading) or any(self._joins(one, time, reading) for one in reading.values)
        for times in self._texts:
            fitting = [each for each in times if each.is_end in (None, is_end)]
            minutes = _nearest(fitting, piece if _is_of(fitting, piece) else reading.texts)
            if minutes is not None and minutes & time.minutes:
                return True
        return False

    def give_way(self, time: Value, reading: Reading) -> bool:
        """Return whether a text gives this time for arriving, or as the end of leaving, and the clause says so."""
        way = self._way_of(tuple(reading.texts[at] for at in _piece(time, reading)))
        is_until = self._is_until(time, reading)
        if not way or (way == "leaving") is not is_until:
            return False
        told = (each for times in self._texts for each in times if each.is_end in (None, is_until))
        return any(each.way == way and each.minutes & time.minutes for each in told)

    def hold(self, time: Value, reading: Reading) -> bool:
        """Return whether a time that is asked about lies behind the one that a text gives for arriving, or before the
        end that it gives for leaving.
        """
        way = self._way_of(tuple(reading.texts[at] for at in _piece(time, reading)))
        told = [each.minutes for times in self._texts for each in times if way and each.way == way]
        is_leaving = way == "leaving"
        return any(_is_within(time.minutes, b, is_end=is_leaving) for minutes in told for b in minutes)

    def _is_until(self, time: Value, reading: Reading) -> bool:
        lists, texts = self._words.lists, reading.texts
        before = any(lists["until"].length(texts, time.start - n) == n for n in (1, 2) if time.start >= n)
        return before or lists["until_behind"].length(texts, time.end) > 0

    def _joins(self, first: Value, second: Value, reading: Reading) -> bool:
        """Return whether two times are the ends of one stretch."""
        length = self._calendar.length("range_words", reading.texts, first.end)
        return first.kind is Kind.TIME and length > 0 and first.end + length == second.start

    def _way_of(self, texts: tuple[str, ...]) -> str:
        """Return whether words are of arriving or of leaving; empty: of neither, or of both."""
        ways = [name for name in ("arriving", "leaving") if self._words.lists[name].are_in(texts)]
        return ways[0] if len(ways) == 1 else ""

    def _times_in(self, reading: Reading) -> Iterator[ToldTime]:
        """The times of a text, each with the words of its part of it that claim something."""
        start = 0
        times = {value.start: value for value in reading.values if value.kind is Kind.TIME}
        inside = {n for value in times.values() for n in range(value.start, value.end)}
        for at, token in enumerate(reading.tokens):
            ends = at + 1 == len(reading.tokens) or token.kind == "stop"
            stops = (n for n in range(at, len(reading.tokens)) if reading.tokens[n].kind == "stop")
            stop = next(stops, len(reading.tokens))
            is_end = any(value.end == at + 1 for value in times.values())
            has_more = (
                is_end and any(at < place < stop for place in times) and not self._begins_stretch(at, times, reading)
            )
            if not (ends or has_more):
                continue
            piece = range(start, at + 1)
            inner = [times[place] for place in piece if place in times]
            words = [reading.texts[n] for n in piece if n not in inside and reading.tokens[n].kind == "word"]
            way = self._way_of(tuple(reading.texts[n] for n in piece))
            is_stretch = len(inner) > 1
            for n, time in enumerate(inner[:2]):
                yield ToldTime(time.minutes, frozenset(pairwise(words)), way, n > 0 if is_stretch else None)
            start = at + 1

    def _begins_stretch(self, at: int, times: Mapping[int, Value], reading: Reading) -> bool:
        ends = (value for value in times.values() if value.end == at + 1)
        return any(self._joins(first, second, reading) for first in ends for second in times.values())


def _nearest(times: Sequence[ToldTime], texts: tuple[str, ...]) -> frozenset[int] | None:
    """The time of a text whose words beside it the clause has most of; None: it has none, or as many of two."""
    said = frozenset(pairwise(texts))
    shared = sorted(((len(each.pairs & said), each.minutes) for each in times), key=lambda one: -one[0])
    if not shared or not shared[0][0] or (len(shared) > 1 and shared[0][0] == shared[1][0]):
        return None
    return shared[0][1]


def _is_of(times: Sequence[ToldTime], texts: tuple[str, ...]) -> bool:
    """Return whether words have two together that a text has beside one of its times."""
    said = frozenset(pairwise(texts))
    return any(each.pairs & said for each in times)


def _piece(value: Value, reading: Reading) -> range:
    """The places between the stops around a value."""
    stops = [at for at, token in enumerate(reading.tokens) if token.kind == "stop"]
    start = max((at + 1 for at in stops if at < value.start), default=0)
    return range(start, min((at for at in stops if at >= value.end), default=len(reading.tokens)))


def _is_within(minutes: Collection[int], told: int, *, is_end: bool) -> bool:
    """Return whether a time lies before an end, or behind a beginning. Of the two halves of the day that a bare hour
    may mean, the one nearer to it counts: "at five" is no early morning beside noon.
    """
    nearest = min(abs(one - told) for one in minutes)
    return all(one <= told if is_end else one >= told for one in minutes if abs(one - told) == nearest)
