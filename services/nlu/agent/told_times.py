"""Times that texts of the facts give for something else than the opening hours: "check-out is by noon". Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.language.claims import ClaimWords
from services.language.value import Kind, Reading, Value


@dataclass(frozen=True, slots=True)
class ToldTime:
    """A time that a text gives, and the words beside it."""

    minutes: frozenset[int]  # of the day
    pairs: frozenset[tuple[str, str]]  # of neighbouring words
    way: str = ""  # "arriving" or "leaving", where the text gives it for that


class ToldTimes:
    """The times of all texts in one language."""

    def __init__(self, texts: Sequence[Reading], words: ClaimWords) -> None:
        self._words = words
        self._texts = tuple(times for text in texts if (times := tuple(self._times_in(text))))

    def give(self, time: Value, reading: Reading) -> bool:
        """Return whether a text gives this time for what the clause speaks of."""
        piece = tuple(reading.texts[at] for at in _piece(time, reading))
        nearest = (_nearest(times, piece if _is_of(times, piece) else reading.texts) for times in self._texts)
        return any(minutes is not None and minutes & time.minutes for minutes in nearest)

    def give_way(self, time: Value, reading: Reading) -> bool:
        """Return whether a text gives this time for arriving, or as the end of leaving, and the clause says so."""
        way = self._way_of(tuple(reading.texts[at] for at in _piece(time, reading)))
        until = self._words.lists["until"]
        is_until = any(until.length(reading.texts, time.start - n) == n for n in (1, 2) if time.start >= n)
        if not way or (way == "leaving") is not is_until:
            return False
        return any(each.way == way and each.minutes & time.minutes for times in self._texts for each in times)

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
            has_more = is_end and any(at < place < stop for place in times)
            if not (ends or has_more):
                continue
            piece = range(start, at + 1)
            minutes = next((times[place].minutes for place in piece if place in times), None)
            words = [reading.texts[n] for n in piece if n not in inside and reading.tokens[n].kind == "word"]
            if minutes is not None:
                way = self._way_of(tuple(reading.texts[n] for n in piece))
                yield ToldTime(minutes, frozenset(pairwise(words)), way)
            start = at + 1


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
