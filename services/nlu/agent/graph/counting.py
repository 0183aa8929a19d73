"""Counts in a question: of things, of nights and of people. Sans-IO."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from services.language.calendar_words import calendar_words
from services.language.script import script_of
from services.language.value import Kind, Reading, Value
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.graph.asking import Asking, Words
from services.nlu.agent.graph.naming import LONGEST_GAP, Found

_COUNTS = range(2, 21)  # of a thing whose price is asked
_PAIR = 2
_WEEK = "week"
_ONE_WEEK = "one_week"
_NIGHTS_IN_WEEK = 7


class Counting:
    """Counts in one language."""

    def __init__(
        self, asking: Asking, language_code: str, priced_by: Collection[str], named: Collection[str] = ()
    ) -> None:
        """`priced_by`: what prices are for one of, of the keys of `periods`; an empty one is a thing itself. `named`:
        words of the things' names: a number among them counts nothing, "phòng hai giường".
        """
        self._named = frozenset(named)
        self._asking, self._language = asking, language_code
        by_day = {"day", "night"} if "person" in priced_by else set()  # a breakfast each morning
        self._priced_by = tuple(sorted({period for period in priced_by if period} | by_day))

    def counted(self, text: str, services: tuple[Found, ...], taken: frozenset[int]) -> tuple[Found, ...]:
        """The services with the numbers that stand before them; `taken`: places of words that count something else."""
        reading = read_values(text, self._language)
        numbers = [value for value in reading.values if value.kind is Kind.NUMBER and value.number in _COUNTS]
        places = _without_stops(reading)
        said = normalise(text)
        numbers = [value for value in numbers if places[value.start] not in taken]
        found = ((one, self._number_of(one, said, numbers, places)) for one in services)
        return tuple(replace(one, count=number) if number else one for one, number in found)

    def _number_of(self, one: Found, said: Words, numbers: Sequence[Value], places: Mapping[int, int]) -> int:
        """Return how many of a thing are named; 0: that is not said."""
        inside = (one.start, *range(one.start + 1, one.end))  # "trám hai cái răng" has it inside
        for number in numbers:
            is_inside = places[number.start] in inside and said[places[number.start]] not in self._named
            is_before = self._counts(said, places[number.end - 1] + 1, one.start)
            is_behind = places[number.start] == one.end and said[one.end + 1 : one.end + 2] in self._counters
            if is_before or is_inside or is_behind:
                return int(number.number)
        return 0

    def periods(self, words: Words) -> tuple[dict[str, int], frozenset[int]]:
        """Return how many of what the agent's prices are for ("two nights"), and the places of those words."""
        counts: dict[str, int] = {}
        places: set[int] = set()
        for period in self._priced_by:
            for start, end in spans_of(words, self._asking.periods[period]):
                if (number := self._number_before(words, start)) and not ends_in_weekday(words[:start], self._language):
                    counts[period] = number
                    places |= {start - 1, *range(start, end)}
        if "night" in self._priced_by and "night" not in counts:
            n_weeks, of_weeks = self._weeks(words)
            counts |= {"night": n_weeks * _NIGHTS_IN_WEEK} if n_weeks else {}
            places |= of_weeks
        return counts, frozenset(places)

    def _weeks(self, words: Words) -> tuple[int, set[int]]:
        """Return how many weeks are told as a length, and the places of those words: not "in two weeks"."""
        lists, calendar = self._asking.periods, calendar_words(self._language)
        ones = [(start, end, 1) for start, end in spans_of(words, lists[_ONE_WEEK])]
        many = [
            (start - 1, end, self._number_before(words, start))
            for start, end in spans_of(words, lists[_WEEK])
            if not ends_in_weekday(
                words[:start], self._language
            )  # "thứ năm tuần này" is Thursday of this week, and no five weeks
        ]
        for start, end, number in (*many, *ones):
            is_ahead = any(calendar.length("in_before", words, start - n) == n for n in (1, 2) if start >= n)
            is_ahead = is_ahead or any(calendar.length(name, words, end) for name in ("in_behind", "ago_behind"))
            if number and not is_ahead:
                return number, set(range(start, end))
        return 0, set()

    def places(self, words: Words) -> frozenset[int]:
        """Places of the words that count what prices are for, one of it too: no time of day is said by "one night"."""
        spans = [span for period in self._priced_by for span in spans_of(words, self._asking.periods[period])]
        counted = [(start, end) for start, end in spans if start and self._is_counted(words, start)]
        return frozenset(place for start, end in counted for place in range(start - 1, end))

    def _is_counted(self, words: Words, at: int) -> bool:
        return self._number_before(words, at) > 0 or self._says_one(words[at - 1])

    def is_one(self, words: Words, period: str) -> bool:
        """Return whether words say one of what a price is for by its number: "one night"."""
        starts = [start for start, _ in spans_of(words, self._asking.periods[period])]
        return any(self._says_one(words[start - 1]) for start in starts if start)

    def _says_one(self, word: str) -> bool:
        values = read_values(word, self._language).values
        return any(value.kind is Kind.NUMBER and value.number == 1 for value in values)

    def units(self, words: Words) -> frozenset[int]:
        """Places of the words for what a price is for, which say no more than it does: "how much is that a night?"."""
        units = [phrase for period in self._priced_by for phrase in self._asking.periods[period]]
        return frozenset(place for start, end in spans_of(words, units) for place in range(start, end))

    def bare(self, text: str) -> int:
        """The one number of a text, where it may count a thing that was named before; 0: none, or several."""
        values = read_values(text, self._language).values
        numbers = [value for value in values if value.kind is Kind.NUMBER and value.number in _COUNTS]
        return int(numbers[0].number) if len(numbers) == len(values) == 1 else 0

    def counting_others(self, words: Words) -> frozenset[int]:
        """Places of numbers that count people, nights and the like: "breakfast, two people" is not two breakfasts."""
        lists = self._asking
        behind = (
            *lists.people["groups"],
            *lists.people["many"],
            *(each for ones in lists.periods.values() for each in ones),
        )
        return frozenset(start - 1 for start, _ in spans_of(words, behind) if self._number_before(words, start))

    def people(self, words: Words) -> int:
        """For how many people something is asked: "for me and my two kids", "all three of us"; 0: that is not said."""
        lists = self._asking.people
        totals = {n for start, _ in spans_of(words, lists["groups"]) if (n := self._number_before(words, start))}
        totals |= {n for phrase, n in self._asking.people_counted.items() if has_any(words, (phrase,))}
        if not totals and has_any(words, lists["pairs"]):
            totals = {_PAIR}
        if not totals:
            totals = {n for at in range(1, len(words) + 1) if (n := self._people_before(words, at))}
        if totals:
            return totals.pop() if len(totals) == 1 else 0
        if not has_any(words, lists["marks"]):
            return 0
        n_people = self._of_many(words) + self._of_one(words)
        joints = [(*one, *joint) for one in lists["self"] for joint in lists["joints"]]
        joints += [(*joint, *one) for one in lists["self"] for joint in lists["joints"]]
        n_people += has_any(words, joints) if n_people else 0
        return n_people if n_people in _COUNTS else 0

    def _people_before(self, words: Words, at: int) -> int:
        """The people that a bare number right before a place counts, where nothing counted follows it: "breakfast for
        four, what is that"; 0: it counts none.
        """
        lists, start = self._asking, at - 1
        if not any(words[start - len(one) : start] == one for one in lists.people["bare"] if start >= len(one)):
            return 0
        behind = tuple(word.split("'")[0] for word in words[at:])  # "what's" asks as "what" does
        ends = not behind or any(
            behind[: len(phrase)] == phrase
            for phrase in (*lists.joins, *lists.question_words, *lists.sums, *lists.follow_ups)
        )
        return self._number_before(words, at) if ends else 0

    def _of_many(self, words: Words) -> int:
        """The people that are counted: "my two kids"."""
        starts = {start for start, _ in spans_of(words, self._asking.people["many"])}
        return sum(self._number_before(words, start) for start in starts)

    def _of_one(self, words: Words) -> int:
        """The people that are named one by one: "my wife and my son". Not those of "two kids"."""
        lists = self._asking.people
        counted = [(start, end) for start, end in spans_of(words, lists["many"]) if self._number_before(words, start)]
        behind = {place for start, end in counted for place in (*range(start, end), end)}
        found: set[int] = set()
        for start, end in spans_of(words, lists["one"]):
            if not behind & set(range(start, end)):
                found.add(start)
                behind |= set(range(start, end))
        return len(found)

    def _number_before(self, words: Words, at: int) -> int:
        """The whole number that one word right before a place says; 0: none."""
        values = read_values(words[at - 1], self._language).values if at else ()
        number = next((value.number for value in values if value.kind is Kind.NUMBER), None)
        return int(number) if number is not None and number in _COUNTS else 0

    def _counts(self, words: Words, behind: int, start: int) -> bool:
        """Return whether a number that ends at `behind` counts what begins at `start`: next to it, or "two of the"."""
        between = words[behind:start]
        is_near = behind <= start and len(between) <= LONGEST_GAP
        return is_near and all(word in self._asking.counters for word in between)

    @property
    def _counters(self) -> frozenset[Words]:
        return frozenset((word,) for word in self._asking.counters)


def spans_of(words: Words, phrases: Sequence[Words]) -> list[tuple[int, int]]:
    """Return where any of the phrases stands in the words."""
    n_words = len(words)
    return [
        (at, at + len(phrase)) for phrase in phrases for at in range(n_words) if words[at : at + len(phrase)] == phrase
    ]


def has_any(words: Words, phrases: Sequence[Words]) -> bool:
    """Return whether any of the phrases stands in the words."""
    return any(words[at : at + len(phrase)] == phrase for phrase in phrases for at in range(len(words)))


def ends_in_weekday(words: Words, language_code: str) -> bool:
    """Return whether the last two words are a weekday, whose number counts nothing: "thứ năm", "周五"."""
    border = " " if script_of(language_code).is_spaced else ""
    reading = read_values(border.join(words[-2:]), language_code)
    return any(
        value.kind is Kind.WEEKDAYS and value.start == 0 and value.end == len(reading.tokens)
        for value in reading.values
    )


def _without_stops(reading: Reading) -> dict[int, int]:
    """The place of each token among those that are no stops."""
    places: dict[int, int] = {}
    n = 0
    for at, token in enumerate(reading.tokens):
        places[at] = n
        n += token.kind != "stop"
    return places
