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
from datetime import datetime, time, timedelta
from itertools import pairwise

from services.language.capture_words import has_capture
from services.language.dates import moment_in
from services.language.moment import Moment, Trouble
from services.language.phrases import PhraseSet
from services.language.value import Kind, Reading, Value
from services.language.values import read_values
from services.language.words import is_sign, normalise
from services.nlu.agent.facts import Facts, Money, names_in
from services.nlu.agent.graph.asking import Asking, Words, asking
from services.nlu.agent.graph.counting import Counting, has_any, spans_of
from services.nlu.agent.graph.mentions import may_be_hour, names_a_month, names_a_time, without_left_out
from services.nlu.agent.graph.naming import Found, as_heard, forms_in_all, forms_of, is_other_word, places_of
from services.nlu.agent.graph.sentences import phrase_pattern
from services.nlu.agent.graph.when import When

_LONGEST_HOUR = 12
_LONGEST_RELATION = 3  # words of "no later than"
_LEAST_AMOUNT = 5  # a bare number below it is no amount of money
_CLITIC = re.compile(r"['’](s|d|ll|re|ve|m)$")  # "how long's that"
_NIGHT = "night"  # that a price is for
_STAND_IN = "it"  # in place of a word that looks like a number and is none: a word without a value
_MOST_BEFORE_STAND_IN = 4  # words: "the ten o'clock one"
_MASK = "\u00b7"  # in place of a word that is a name
_LEAST_STEM = 4  # letters of a word that may have an ending
_FEWEST_DICTATED, _MOST_DICTATED = 9, 15  # digits of a number that is said in groups (ITU-T E.164)
_FEWEST_DIALLED = 7  # digits of a number in figures that is one to be dialled


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
        self._greetings = phrase_pattern(self.words.greetings, language_code)
        self._corrections = phrase_pattern(self.words.corrections, language_code)
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
        self._person_names = PhraseSet(name for each in facts.people for name in names_in(each.names, language_code))
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
        when, digits, places = self._values(self._without_stand_ins(text), now)
        when = self._corrected(when, text, now)
        if when.part and not when.times and not self._part_without_greeting(text, now):
            when = replace(when, part="")
        if holidays:
            day = min(Date.fromisoformat(found.id) for found in holidays)
        if holidays and not (
            when.date and names_a_month(text, self._language)
        ):  # else another is told by it: "Christmas Eve"
            when = When(date=day, times=when.times, part=when.part, relation=when.relation, holiday=day)
        days = {words[place] for place in places if place < len(words)} if when.has_day else set()
        named = self._named(words, self._services, common=self.words.common | days)
        services = tuple(one for one in named if one.start not in taken)
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
            amount=self._amount(text),
            value_words=places | periods | left_out | self._counting.units(words),
            is_of_address=any(pair in self._address_pairs for pair in pairwise(words)),
            is_other_holiday=not is_known and not of_hours and has_any(words, self.words.holidays),
            periods=counts,
            n_bare=0 if services or counts or when else self._counting.bare(text),
            n_people=0 if when.times else self._counting.people(words),
            is_of_hours=of_hours,
        )

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
        unique = {one.id: one for one in sorted(kept, key=lambda one: -one.start)}
        return tuple(sorted(unique.values(), key=lambda one: one.start))

    def _values(self, text: str, now: datetime) -> tuple[When, str, frozenset[int]]:
        reading = self._without_periods(self._without_people(read_values(text, self._language)))
        days: list[int] = []
        times: list[time] = []
        part, digits = "", ""
        places: set[int] = set()
        moment = moment_in(reading, self._language, now=now) or Moment()
        for value in reading.values:
            places.update(range(value.start, value.end))
            match value.kind:
                case Kind.WEEKDAYS:
                    days += sorted(value.days - set(days))
                case Kind.TIME:
                    times += [_time(minute) for minute in _by_likelihood(value.minutes)]
                    part = value.part or part
                case Kind.PART | Kind.DAY:
                    part = value.part or part
                case Kind.DIGITS:
                    digits = value.digits
                case Kind.NUMBER if len(value.digits) >= _FEWEST_DIALLED:
                    digits = value.digits
                case Kind.NUMBER if (days or moment.day) and may_be_hour(
                    value, reading, self.words, self._language, lets_rooms=self.lets_rooms
                ):
                    minute = int(value.number * 60)  # "tám rưỡi" is half past eight
                    if 60 <= minute < (_LONGEST_HOUR + 1) * 60 and minute % 30 == 0 and not times:
                        times += [_time(minute) for minute in _by_likelihood({minute, (minute + 720) % 1440})]
        digits = digits or ("" if has_capture(self._language) else _dictated(reading))  # else the captures read it
        if moment.at is not None and (moment.part or not times):
            times = [moment.at]
        when = When(
            times=tuple(times),
            part=moment.part or ("" if part == _NIGHT and (moment.day or moment.at) else part),
            trouble=moment.trouble,
            relation=self._relation(reading) if times else "",
        )
        is_weekly = bool(days) and (moment.day is None or moment.is_any_week)
        if is_weekly:
            when = replace(when, weekdays=tuple(days))
        elif moment.day:
            when = replace(when, date=moment.day, last_date=moment.last_day)
        if when.has_day:
            when = replace(when, day_relation=self._day_relation(reading), since=now.date())
        return when, digits, frozenset(places)

    def _corrected(self, when: When, text: str, now: datetime) -> When:
        """The day that was said instead of another: "Wednesday at ten, no sorry, I meant Thursday"."""
        found = list(self._corrections.finditer(text)) if when else []
        if not found:
            return when
        before = self._values(self._without_stand_ins(text[: found[0].start()]), now)[0]
        after = self._values(self._without_stand_ins(text[found[-1].end() :]), now)[0]
        if not (before.has_day and after.has_day):
            return when
        return replace(after, times=after.times or before.times, part=after.part or before.part)

    def _part_without_greeting(self, text: str, now: datetime) -> str:
        """Return the part of day that a text says beside a greeting: "good morning" is no time."""
        plain = self._greetings.sub(" ", text)
        return self._values(self._without_stand_ins(plain), now)[0].part if plain != text else "said"

    def _without_stand_ins(self, text: str) -> str:
        """The text with a mark for each word that is no number where it stands: "one" of "the Friday one"."""
        words, lists = text.split(), self.words
        plain = [" ".join(normalise(word)) for word in words]
        for at in range(2, len(words)):
            before = plain[max(0, at - _MOST_BEFORE_STAND_IN) : at - 1]
            is_last = words[at][-1:] in ".,;:!?" or at + 1 == len(words) or plain[at + 1] in lists.common
            if plain[at] in lists.stand_ins and is_last and lists.determiners.intersection(before):
                words[at] = words[at].lower().replace(plain[at], _STAND_IN)
        return " ".join(words)

    def _relation(self, reading: Reading) -> str:
        """Return what stands right before a time: "before nine", "after six"."""
        phrases = {"before": self.words.before, "after": self.words.after}
        return _related(reading, (Kind.TIME, Kind.NUMBER), phrases)

    def _day_relation(self, reading: Reading) -> str:
        """The same of a day: "sooner than Tuesday"."""
        phrases = {"sooner": self.words.sooner, "later": self.words.later}
        return _related(reading, (Kind.WEEKDAYS, Kind.DATE), phrases)

    def _amount(self, text: str) -> Money | None:
        values = read_values(text, self._language).values
        found = next((value for value in values if value.kind is Kind.MONEY), None)
        found = found or next((v for v in values if v.kind is Kind.NUMBER and v.number >= _LEAST_AMOUNT), None)
        return Money(found.number, found.currency) if found else None

    def _without_periods(self, reading: Reading) -> Reading:
        """The reading without times that are counts of what prices are for: "tomorrow, one night" is tomorrow."""
        at = [place for place, token in enumerate(reading.tokens) if token.kind != "stop"]
        taken = {at[n] for n in self._counting.places(tuple(reading.texts[place] for place in at))}
        times = (Kind.TIME, Kind.PART, Kind.NUMBER)  # a bare number beside a day may be an hour
        kept = [v for v in reading.values if v.kind not in times or not taken & set(range(v.start, v.end))]
        return replace(reading, values=tuple(kept)) if len(kept) < len(reading.values) else reading

    def _without_people(self, reading: Reading) -> Reading:
        """The reading without names of people: "Mai" is tomorrow too, in Vietnamese."""
        names = self._person_names.find(reading.texts)
        if not names:
            return reading
        taken = {at for start, end, _ in names for at in range(start, end)}
        texts = tuple(_MASK if at in taken else text for at, text in enumerate(reading.texts))
        values = tuple(value for value in reading.values if not taken & set(range(value.start, value.end)))
        return replace(reading, texts=texts, values=values)


def _related(reading: Reading, kinds: Sequence[Kind], relations: Mapping[str, Sequence[Words]]) -> str:
    """The relation whose phrase stands right before a value of one of the kinds; empty: none."""
    for value in (value for value in reading.values if value.kind in kinds):
        lead = tuple(reading.texts[max(0, value.start - _LONGEST_RELATION) : value.start])
        for relation, phrases in relations.items():
            if any(lead[-len(phrase) :] == phrase for phrase in phrases):
                return relation
    return ""


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


def _dictated(reading: Reading) -> str:
    """A telephone number whose groups are said as numbers, with nothing but stops between: "девятьсот три, двести"."""
    runs: list[list[Value]] = [[]]
    for value in (value for value in reading.values if value.kind is Kind.NUMBER and value.number == int(value.number)):
        if runs[-1] and value.start - runs[-1][-1].end > 1:
            runs.append([])
        runs[-1].append(value)
    numbers = ("".join(str(int(value.number)) for value in run) for run in runs)
    return next((number for number in numbers if _FEWEST_DICTATED <= len(number) <= _MOST_DICTATED), "")


def _has_digit(words: Words) -> bool:
    return any(word.isdecimal() for word in words)


def _by_likelihood(minutes: frozenset[int] | set[int]) -> list[int]:
    """Of two halves of the day the one a business is more likely open in first."""
    return sorted({minute % 1440 for minute in minutes}, key=lambda minute: (not 420 <= minute < 1140, minute))


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)
