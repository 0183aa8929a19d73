"""Requests for more than one booking: several rooms, appointments, people or times. A booking is of one; the caller
must hear that before one is read back. Sans-IO.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from services.language.value import Kind
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.counting import Counting, has_any, spans_of
from services.nlu.agent.graph.naming import Found
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.whole_turn import WholeTurn

_FEWEST, _MOST = 2, 99  # of a count: what is more is a number of another kind
_LONGEST_JOINT = 4  # words of "and also a", between two things that are wanted


class SeveralWanted:
    """Finds such requests in one language."""

    def __init__(self, finder: SlotFinder, language_code: str) -> None:
        self._finder, self._language = finder, language_code
        self._counting = Counting(finder.words, language_code, ())
        self._turn = WholeTurn(finder, language_code)

    def is_in(self, text: str, now: datetime) -> bool:
        """Return whether a turn wants more than one booking. The guests of a room are none of its number."""
        several, words = self._finder.words.several, normalise(text)
        nouns = spans_of(words, several["rooms" if self._finder.lets_rooms else "appointments"])
        if self._finder.lets_rooms:
            rooms = [one for one in self._turn.read(text, now).slots.services if self._finder.is_by_night(one)]
            every_room = [one for one in self._finder.find(text, now).services if self._finder.is_by_night(one)]
            nouns += [(one.start, one.end) for one in every_room]
            if len(every_room) > 1 and rooms and self._are_joined(words, every_room):
                return True
        elif self._n_people(text, words, now) >= _FEWEST:
            return True
        return self._is_counted(text, nouns) or self._is_repeated(text, words)

    def _n_people(self, text: str, words: Words, now: datetime) -> int:
        """For how many people an appointment is wanted; a number at the end of a time is none of people."""
        last = read_values(text, self._language).values[-1:]
        is_hour = bool(self._finder.find(text, now).when.times) and any(value.kind is Kind.TIME for value in last)
        lists = self._finder.words.people
        is_of_people = has_any(words, (*lists["groups"], *lists["pairs"], *lists["many"], *lists["one"]))
        return self._counting.people(words) if is_of_people or not is_hour else 0

    def _is_counted(self, text: str, nouns: Sequence[tuple[int, int]]) -> bool:
        """Return whether a number of more than one stands right before one of the nouns, no stop being between."""
        reading = read_values(text, self._language)
        counters, starts = self._finder.words.counters, {start for start, _ in nouns}
        for value in reading.values:
            if value.kind is not Kind.NUMBER or not _FEWEST <= value.number <= _MOST:
                continue
            n_stops = sum(token.kind == "stop" for token in reading.tokens[: value.end])
            for at in range(value.end, len(reading.tokens)):
                if reading.tokens[at].kind != "stop" and at - n_stops in starts:
                    return True
                if reading.texts[at] not in counters:
                    break
        return False

    def _are_joined(self, words: Words, rooms: Sequence[Found]) -> bool:
        """Return whether two rooms of different kinds are wanted together: "a single and a double"."""
        lists = self._finder.words
        pairs = ((a, b, words[a.end : b.start]) for a, b in pairwise(sorted(rooms, key=lambda one: one.start)))
        return any(
            a.id != b.id and len(between) <= _LONGEST_JOINT and has_any(between, lists.joins)
            for a, b, between in pairs
            if not has_any(between, (*lists.choices, *lists.objections))
        )

    def _is_repeated(self, text: str, words: Words) -> bool:
        """Return whether one is wanted again and again: "every Wednesday", "weekly"."""
        several = self._finder.words.several
        if has_any(words, several["repeats"]):
            return True
        reading = read_values(text, self._language)
        weekdays = [value for value in reading.values if value.kind is Kind.WEEKDAYS]
        befores = [normalise(" ".join(reading.texts[: value.start])) for value in weekdays]
        return any(said[-len(each) :] == each for said in befores for each in several["each"])
