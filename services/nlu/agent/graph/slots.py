"""The slots of a sentence: services, people and topics of the agent's, days, times and numbers. Sans-IO.

Names are found word by word: equal, of one stem ("whitened", "whitening"), or nearly the same as a recogniser writes
them; common words may stand between ("trám một cái răng"). What stands beside a name and is neither a common word nor
one that the question's examples have makes another thing of it: "gold crown", "khám mắt".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date as Date  # noqa: N812 - a field is called date
from datetime import datetime, timedelta
from itertools import pairwise

from services.language.moment import Trouble
from services.language.phrases import PhraseSet
from services.language.words import is_sign, normalise
from services.nlu.agent.facts import Facts, Money, names_in
from services.nlu.agent.graph.asking import Asking, Words, asking
from services.nlu.agent.graph.counting import Counting, has_any, spans_of
from services.nlu.agent.graph.mentions import names_a_month, names_a_time, without_left_out
from services.nlu.agent.graph.naming import Found, as_heard, forms_in_all, forms_of, is_other_word, merged, places_of
from services.nlu.agent.graph.said_values import SaidValues
from services.nlu.agent.graph.when import When

_CLITIC = re.compile(r"['’](s|d|ll|re|ve|m)$")  # "how long's that"
_NIGHT = "night"  # that a price is for
_LEAST_STEM = 4  # letters of a word that may have an ending


@dataclass(frozen=True, slots=True)
class Slots:
    """Everything a sentence names."""

    words: Words
    services: tuple[Found, ...] = ()
    people: tuple[Found, ...] = ()
    topics: tuple[Found, ...] = ()
    when: When = field(default_factory=When)
    digits: str = ""  # a number to be dialled
    amount: Money | None = None  # of money; without a currency where none was said
    value_words: frozenset[int] = frozenset()  # places of the words that are days, times and numbers
    is_of_address: bool = False  # words of an address of the agent's
    is_beside: bool = False  # the day is named by the one spoken of before: "the day after that"
    is_other_holiday: bool = False  # a holiday that is no exception of the opening hours
    periods: Mapping[str, int] = field(default_factory=dict)  # how many of what prices are for: {"night": 3}
    n_bare: int = 0  # a number of the thing spoken of before: "times three?"; 0: none
    n_people: int = 0  # for how many people something is asked; 0: that is not said
    is_of_hours: bool = False  # names that part of the house which the hours are of
    refused: tuple[When, ...] = ()  # days and times that are not wanted; see whole_turn.py
    refused_things: frozenset[str] = frozenset()  # ids of services and people that are not


class SlotFinder:
    """Finds what sentences of one language name."""

    def __init__(self, facts: Facts, language_code: str) -> None:
        self._language = self.language_code = language_code
        self.words: Asking = asking(language_code)
        self._services = [(each.id, forms_in_all(each.names, language_code)) for each in facts.services]
        self._shared_words = self._words_of_several(facts)
        self._per = {each.id: each.per for each in facts.services if each.per}
        named = frozenset(word for _, found in self._services for form in found for word in form)
        self._counting = Counting(self.words, language_code, frozenset(self._per.values()), named)
        self._heard = self._names_as_heard(facts)
        spoken = [normalise(text) for each in facts.addresses for text in each.spoken.values()]
        self._address_pairs = {
            pair
            for text in spoken
            for pair in pairwise(text)
            if not set(pair) & self.words.common and not _has_digit(pair)
        }
        self._people = [(each.id, forms_in_all(each.names, language_code)) for each in facts.people]
        person_names = PhraseSet(name for each in facts.people for name in names_in(each.names, language_code))
        self._values = SaidValues(
            self.words, language_code, self._counting, person_names, lets_rooms=_NIGHT in self._per.values()
        )
        self._topics = [(each.id, forms_of(each.names, language_code)) for each in facts.topics]
        hours = facts.hours
        self._of_hours = [("", forms_of(hours.of, language_code))] if hours and hours.of else []
        exceptions = hours.exceptions.values() if hours else ()
        self._holidays = [(each.date.isoformat(), forms_of(each.names, language_code)) for each in exceptions]

    def _words_of_several(self, facts: Facts) -> frozenset[str]:
        names = [names_in(each.names, self._language) for each in facts.services]
        by_service = [{word for name in found[:1] for word in normalise(name)} for found in names]
        every = [word for words in by_service for word in words]
        return frozenset(word for word in every if every.count(word) > 1 and word not in self.words.common)

    def _names_as_heard(self, facts: Facts) -> list[tuple[str, tuple[Words, ...]]]:
        """The services' names of several syllables as they sound without tones, where the language writes these and no
        other service's sound the same: what a recogniser mishears is most often one of them.
        """
        named = [(each.id, forms_of(each.names, self._language)) for each in facts.services]
        forms = [(service_id, [as_heard(form) for form in found]) for service_id, found in named]
        if all(form.isascii() for _, found in self._services for name in found for form in name):
            return []
        owners: dict[Words, set[str]] = {}
        for service_id, found in forms:
            for form in found:
                owners.setdefault(form, set()).add(service_id)
        return [
            (service_id, tuple(form for form in found if len(form) > 1 and owners[form] == {service_id}))
            for service_id, found in forms
        ]

    def find(self, text: str, now: datetime) -> Slots:
        """`now` in the tenant's zone: what "tomorrow" is."""
        words = normalise(text)
        holidays = self._named(words, self._holidays)
        people = self._named(words, self._people)
        taken = {place for found in people for place in range(found.start, found.end)}
        when, digits, places = self._values.read(text, now)
        if holidays:
            day = min(Date.fromisoformat(found.id) for found in holidays)
        if holidays and not (
            when.date and names_a_month(text, self._language)
        ):  # else another is told by it: "Christmas Eve"
            when = When(date=day, times=when.times, part=when.part, relation=when.relation, holiday=day)
        days = {words[place] for place in places if place < len(words)} if when.has_day else set()
        named = self._named(words, self._services, common=self.words.common | days)
        services = tuple(one for one in named if one.start not in taken and not self._is_value(one, words, places))
        if not services and self._heard:
            heard = self._named(as_heard(words), self._heard, common=frozenset())
            services = tuple(
                one
                for one in heard
                if one.start not in taken and not self.words.common.issuperset(words[one.start : one.end])
            )  # "một cái răng", any tooth, is not "cấy răng"
        taken |= {place for found in services for place in range(found.start, found.end)}
        kept = without_left_out(services, text, words, self.words)
        left_out = {place for one in services if one not in kept for place in range(one.start, one.end)}
        services = self._counting.counted(text, kept, self._counting.counting_others(words))
        if when.times and any(one.count > 1 for one in services) and not names_a_time(text, self._language):
            when = replace(when, times=())  # "two rooms tomorrow"
        counts, periods = self._counting.periods(words)
        services = tuple(replace(one, count=one.count * counts.get(self._per.get(one.id, ""), 1)) for one in services)
        if periods & places:  # "hai đêm" is two nights here, and no time of day
            when, places = replace(when, times=(), part=""), places - periods
        of_hours = bool(self._named(words, self._of_hours))
        is_known = bool(holidays) or (when.date is not None and when.date in self._exception_days)
        return Slots(
            words=words,
            services=services,
            people=people,
            topics=tuple(one for one in self._named(words, self._topics) if one.start not in taken),
            when=when,
            digits=digits,
            amount=self._values.amount(text),
            value_words=places | periods | left_out | self._counting.units(words),
            is_of_address=any(pair in self._address_pairs for pair in pairwise(words)),
            is_other_holiday=not is_known and not of_hours and has_any(words, self.words.holidays),
            periods=counts,
            n_bare=0 if services or counts or when else self._counting.bare(text),
            n_people=0 if when.times else self._counting.people(words),
            is_of_hours=of_hours,
        )

    def _is_value(self, one: Found, words: Words, places: frozenset[int]) -> bool:
        """Return whether what is only like a name is a day or a time: "завтра", tomorrow, is no "завтрак"."""
        said = words[one.start : one.end]
        forms = next(forms for service_id, forms in self._services if service_id == one.id)
        return places.issuperset(range(one.start, one.end)) and said not in forms

    def is_shared(self, word: str) -> bool:
        """Return whether several services' names have a word that is no small one, also with an ending: "rooms"."""
        return any(word == own or (len(own) >= _LEAST_STEM and word.startswith(own)) for own in self._shared_words)

    def names_a_room(self, slots: Slots) -> bool:
        """Return whether a thing is named that is let by the night."""
        return any(map(self.is_by_night, slots.services))

    def is_by_night(self, one: Found) -> bool:
        """Return whether a thing is let by the night."""
        return self._per.get(one.id) == _NIGHT

    @property
    def lets_rooms(self) -> bool:
        """Return whether things are let by the night."""
        return _NIGHT in self._per.values()

    def names_any_room(self, words: Words) -> bool:
        """Return whether words speak of a room of any kind, where rooms are let: "is there a room left?"."""
        return self.lets_rooms and any(map(self.is_shared, words))

    def is_one(self, slots: Slots, period: str) -> bool:
        """Return whether a sentence says one of what prices are for by its number: "one night"."""
        return self._counting.is_one(slots.words, period)

    def beside(self, slots: Slots, day: str, now: datetime) -> Slots:
        """The slots with "the day after that" resolved, where `day` (ISO 8601) was spoken of."""
        for phrases, step in ((self.words.day_before, -1), (self.words.day_after, 1)):
            spans = spans_of(slots.words, phrases) if day else []
            if not spans or spans[0][1] in slots.value_words:  # "the day after tomorrow"
                continue
            found = Date.fromisoformat(day) + timedelta(days=step)
            trouble = Trouble.PAST if found < now.date() else None
            places = slots.value_words | {place for start, end in spans for place in range(start, end)}
            when = replace(slots.when, date=found, last_date=None, weekdays=(), times=(), trouble=trouble)
            return replace(slots, when=when, value_words=frozenset(places), is_beside=True)
        return slots

    @property
    def has_hours_of_a_part(self) -> bool:
        """Return whether the hours are those of a part of the house, by a name."""
        return bool(self._of_hours)

    @property
    def _exception_days(self) -> set[Date]:
        return {Date.fromisoformat(day) for day, _ in self._holidays}

    def _named(
        self, words: Words, things: Sequence[tuple[str, tuple[Words, ...]]], *, common: frozenset[str] | None = None
    ) -> tuple[Found, ...]:
        """The things named, in the order of the words; of two that overlap the longer. `common`: words that may stand
        inside a name; None: the language's.
        """
        between = self.words.common if common is None else common
        found = [
            Found(thing_id, start, end)
            for thing_id, forms in things
            for form in forms
            for start, end in places_of(words, form, between)
            if not is_other_word(words, start, end, form, self.words)
        ]
        places = {place for start, end in spans_of(words, self.words.places) for place in range(start, end)}
        found = [one for one in found if not places & set(range(one.start, one.end))]
        found.sort(key=lambda one: (one.start - one.end, one.start))
        kept: list[Found] = []
        for one in found:
            if all(one.end <= other.start or one.start >= other.end for other in kept):
                kept.append(one)
        kept = merged(sorted(kept, key=lambda one: one.start), words, self.words.articles)
        unique = {one.id: one for one in reversed(kept)}
        return tuple(sorted(unique.values(), key=lambda one: one.start))


def unexplained(slots: Slots, found: Sequence[Found], known: frozenset[str]) -> frozenset[int]:
    """Places of words that are in no name found, no value and no word of `known`."""
    named = {place for one in found for place in range(one.start, one.end)}
    places = frozenset(
        place
        for place, word in enumerate(slots.words)
        if place not in named
        and place not in slots.value_words
        and not word.isdecimal()
        and not {word, _CLITIC.sub("", word)} & known
    )
    # Of a script without spaces a word has several signs: one place for each run of them.
    return frozenset(place for place in places if place - 1 not in places or not is_sign(slots.words[place]))


def _has_digit(words: Words) -> bool:
    return any(word.isdecimal() for word in words)
