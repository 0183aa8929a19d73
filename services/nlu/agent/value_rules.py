"""Whether the values in a clause are so: prices of their services, times of their days, other numbers. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache

from services.language.dates import Moment, moment_in
from services.language.value import Kind, Reading, Value
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.facts import Service
from services.nlu.agent.grounds import Grounds, read, slots_in
from services.nlu.agent.opening_hours import DAYS_IN_WEEK
from services.nlu.agent.schedule_claims import (
    Days,
    Part,
    Schedule,
    Verb,
    days_of,
    intervals_of,
    is_now,
    parts_of,
    said_times,
)

_EVERY_DAY = Days(weekdays=frozenset(range(DAYS_IN_WEEK)))
_KEPT_MOMENTS = 128  # of what callers said, which a turn's clauses are held against again and again
_MOST_DAYS = 31  # of a stretch that the caller named
_NEIGHBOURS = 1  # tokens beside a number that must stand beside it in a text too


class ValueRules:
    """One clause's values against the facts and the call."""

    def __init__(self, grounds: Grounds, evidence: Evidence, *, caller: Sequence[Reading], has_facts: bool) -> None:
        self._grounds, self._evidence, self._caller = grounds, evidence, caller
        self._has_facts = has_facts
        self._schedule = Schedule(grounds, (*grounds.slots, *slots_in(evidence.tools)))

    def check(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """The first value that is not so; None: there is none."""
        if not self._has_facts:
            return self._check_prose(reading)
        for rule in (self._check_days, self._check_money, self._check_numbers):
            if (verdict := rule(reading, form)) is not None:
                return verdict if not self._grounds.prose else self._check_prose(reading)
        return None

    # An agent without facts: what its instructions name

    def _check_prose(self, reading: Reading) -> Verdict | None:
        code = self._grounds.language_code
        known = [read(" ".join(self._grounds.prose), code), *self._caller]
        known += [read(result, code) for result in self._evidence.tools]
        for value in reading.values:
            if value.kind in (Kind.PART, Kind.DAY) or (value.kind is Kind.NUMBER and value.number == 1):
                continue
            if not any(_same(value, other) for text in known for other in text.values):
                return _broken(value.kind.value, value, reading)
        return None

    # Days and times

    def _check_days(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        if broken := self._broken_always(reading, form):
            return broken
        parts = parts_of(reading, self._grounds, self._evidence)
        before = self._context_part(self._evidence.reply) if self._evidence.reply else None
        asked = self._context_part(self._evidence.caller[-1]) if self._evidence.caller else None
        for part in parts:
            whole = _filled(part, before, asked)
            if self._is_of_the_times_asked(part, reading, form):
                rule = self._broken_then(whole)
            else:
                rule = self._broken_part(part, whole, reading, form)
            if rule:
                offending = reading.words(part.words[0]) if part.words else " ".join(reading.texts)
                if len(part.words) > 1:
                    offending = " ".join(reading.texts[part.words[0].start : part.words[-1].end])
                return Verdict(False, rule, offending)
        return None

    def _broken_always(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """Of every hour or of every day: "come at any time", "open every morning"."""
        lists, texts = self._grounds.words.lists, reading.texts
        if form.is_ignorance or (form.is_question and not form.is_claim_of_caller):
            return None
        for at in range(len(texts)):
            if (length := lists["any_time"].length(texts, at)) and not self._schedule.is_always_open():
                return Verdict(False, "hours", " ".join(texts[at : at + length]))
        if any(value.kind in (Kind.WEEKDAYS, Kind.DAY, Kind.DATE) for value in reading.values):
            return None
        for value in reading.values:
            is_each = value.start > 0 and lists["each"].length(texts, value.start - 1) > 0
            if value.kind is Kind.PART and is_each and not self._schedule.is_open(_EVERY_DAY, (value.part,)):
                return Verdict(False, "hours", " ".join(texts[value.start - 1 : value.end]))
        return None

    def _is_of_the_times_asked(self, part: Part, reading: Reading, form: ClauseForm) -> bool:
        """Whether it is said of the times that the caller named: "we are closed then"."""
        is_of_hours = part.verb in (Verb.OPEN, Verb.CLOSED) and part.days is None and not part.times
        has_word = self._grounds.words.lists["then"].are_in(reading.texts)
        return is_of_hours and has_word and bool(self._caller) and not form.is_question

    def _broken_then(self, part: Part) -> str:
        times = [value for value in self._caller[-1].values if value.kind is Kind.TIME]
        day_parts = [value.part for value in self._caller[-1].values if value.kind is Kind.PART]
        is_open = (part.verb is Verb.OPEN) is not part.is_negated
        if times:
            fits = all(self._schedule.may_be(part.days, time, is_open=is_open) for time in times)
        else:
            fits = bool(part.days or day_parts) and self._schedule.is_open(part.days, day_parts) is is_open
        return "" if fits else "hours"

    def _context_part(self, text: str) -> Part | None:
        """The last days and the last verb of a text."""
        reading = self._grounds.without_names(read(text, self._grounds.language_code))
        parts = parts_of(reading, self._grounds, self._evidence)
        days = next((part.days for part in reversed(parts) if part.days), None)
        verb = next((part.verb for part in reversed(parts) if part.verb), None)
        day_parts = next((part.day_parts for part in reversed(parts) if part.day_parts), ())
        return Part(days=days, verb=verb, day_parts=day_parts) if days or verb else None

    def _broken_part(  # noqa: PLR0911 - a table of what may be said
        self, own: Part, part: Part, reading: Reading, form: ClauseForm
    ) -> str:
        """The rule that a part breaks; empty: none. `part` is `own` with what the words before it fill in."""
        if own.days is None and not own.times and not (own.has_own_verb and form.ends_sentence):
            return ""
        if form.is_ignorance and (self._is_said(own) or (own.days is not None and own.days.is_unknown)):
            return ""
        if part.days is not None and part.days.is_unknown:
            return "" if self._is_said(own) and (form.is_question or form.is_echo) else "date"
        verb = part.verb
        is_claimed = not form.is_question and not form.is_ignorance
        if is_claimed and (own.days or own.times) and self._grounds.people.find(reading.texts):
            return "person_day"  # nothing is known of who is there when
        if verb in (Verb.FREE, Verb.TAKEN) and not self._is_price_free(reading, own):
            return self._broken_free(own, part, form, is_free=(verb is Verb.FREE) is not part.is_negated)
        if verb in (Verb.OPEN, Verb.CLOSED, Verb.CLOSE):
            return self._broken_hours(own, part, reading, form)
        return self._broken_plain(own, part, reading, form)

    def _is_price_free(self, reading: Reading, own: Part) -> bool:
        return own.days is None and not own.times and bool(self._grounds.services.find(reading.texts))

    def _broken_hours(  # noqa: PLR0911 - a table of what may be said
        self, own: Part, part: Part, reading: Reading, form: ClauseForm
    ) -> str:
        schedule = self._schedule
        stretches, alone = intervals_of(own, reading, self._grounds)
        is_open = (part.verb is Verb.OPEN) is not part.is_negated
        if not own.times:
            if part.verb is Verb.CLOSE:
                return ""  # "we close on Sunday" is not said of one day, and a time follows elsewhere
            if own.days is None and not own.has_own_verb:
                return ""
            if part.days is None:
                is_of_house = not self._grounds.doable.find(reading.texts) and not self._grounds.people.find(
                    reading.texts
                )
                return self._broken_now(is_open=is_open, form=form) if is_of_house else ""
            if form.is_question and not form.is_claim_of_caller and self._is_said(own):
                return ""
            return "" if schedule.is_open(part.days, own.day_parts or ()) is is_open else "hours"
        for first, last in stretches:
            if part.verb is Verb.CLOSED or not is_open:
                fits = schedule.is_outside(part.days, first, last)
            else:
                fits = schedule.has_hours(part.days, first, last)
            if not fits:
                return "hours"
        for time in alone:
            if not self._fits_hours(part, time, reading, is_open=is_open):
                return "hours"
        return ""

    def _fits_hours(self, part: Part, time: Value, reading: Reading, *, is_open: bool) -> bool:
        schedule, is_until = self._schedule, self._is_until(time, reading)
        if part.verb is Verb.CLOSE or (part.verb is Verb.CLOSED and not part.is_negated and not is_until):
            return schedule.closes_at(part.days, time)
        if not is_open:
            return part.days is not None and not schedule.is_open_at(part.days, time)
        if is_until:
            return schedule.closes_at(part.days, time)
        is_asked = part.days is not None and self._said_time(time)  # "are you open at five on Friday?"
        is_bookable = part.days is not None and bool(schedule.free(part.days, time, ()))
        return schedule.opens_at(part.days, time) or is_bookable or (is_asked and schedule.is_open_at(part.days, time))

    def _is_until(self, time: Value, reading: Reading) -> bool:
        until = self._grounds.words.lists["until"]
        return any(until.length(reading.texts, time.start - n) == n for n in (1, 2) if time.start >= n)

    def _broken_now(self, *, is_open: bool, form: ClauseForm) -> str:
        """Of no day, as in "we are open": said of this moment, where it is a whole sentence."""
        now, hours = self._evidence.now, self._grounds.hours
        if not form.ends_sentence or form.is_question or now is None or hours is None:
            return ""
        return "" if hours.is_open(now) is is_open else "hours"

    def _broken_free(self, own: Part, part: Part, form: ClauseForm, *, is_free: bool) -> str:
        stretches_or_times = own.times
        if form.is_question and not form.is_claim_of_caller and self._is_said(own):
            return ""
        if not stretches_or_times and own.days is None:
            return ""
        for time in stretches_or_times or (None,):
            if time is None and part.days is not None:
                found = (
                    self._schedule.has_free_on_each(part.days, own.day_parts)
                    if is_free
                    else bool(self._schedule.free(part.days, None, own.day_parts))
                )
            else:
                found = bool(self._schedule.free(part.days, time, ()))
            if found is not is_free:
                return "free_time"
        return ""

    def _broken_plain(  # noqa: PLR0911 - a table of what may be said
        self, own: Part, part: Part, reading: Reading, form: ClauseForm
    ) -> str:
        """Days and times of which nothing is said: hours where they are a stretch, else a time that is free."""
        schedule = self._schedule
        stretches, alone = intervals_of(own, reading, self._grounds)
        may_echo = (form.is_question or form.is_echo) and not form.is_claim_of_caller
        for first, last in stretches:
            fits = schedule.has_hours(part.days, first, last)
            fits = fits or (part.verb is Verb.COME and schedule.is_within(part.days, first, last))
            if not fits and not (may_echo and self._said_time(first) and self._said_time(last)):
                return "hours"
        for time in alone:
            if is_now(time, self._evidence) or schedule.free(part.days, time, ()):
                continue
            if part.verb in (Verb.COME, None) and part.days is not None and self._is_until(time, reading):
                if not schedule.closes_at(part.days, time):
                    return "hours"
                continue
            if not (may_echo and self._is_said(own)):
                return "free_time" if own.days else "time"
        if own.times or own.days is None:
            return ""
        if own.words and self._is_date_of_today(own.days, form):
            return ""
        if schedule.has_free_on_each(own.days, own.day_parts) or (may_echo and self._is_said(own)):
            return ""
        is_relative = bool(own.days.dates) and not own.days.weekdays
        if form.is_question and not form.is_claim_of_caller:
            opens = schedule.is_open(own.days, own.day_parts)
            return "" if opens is True or (is_relative and self._is_today(own.days)) else "day"
        if part.verb is Verb.COME or is_relative or self._is_said(own):
            return "" if schedule.is_open(own.days, own.day_parts) is True else "day"
        return "day"

    def _is_today(self, days: Days) -> bool:
        return self._evidence.now is not None and days.dates == (self._evidence.now.date(),)

    def _is_date_of_today(self, days: Days, form: ClauseForm) -> bool:
        """Two names of one day, as in "today is Sunday", which days_of has found to agree."""
        return self._is_today(days) and form.ends_sentence and not self._is_said(Part(days=days))

    # What the caller said

    def _is_said(self, part: Part) -> bool:
        return all(self._said_time(time) for time in part.times) and (part.days is None or self._said_days(part.days))

    def _said_time(self, time: Value) -> bool:
        return bool(time.minutes & said_times(self._caller))

    def _said_days(self, days: Days) -> bool:
        weekdays: set[int] = set()
        dates: set[date] = set()
        has_unknown = False
        for reading in self._caller:
            for value in reading.values:
                said = days_of(value, reading, self._grounds, self._evidence)
                if said is not None:
                    weekdays |= said.weekdays
                    dates |= set(said.dates)
                    has_unknown |= said.is_unknown
            dates |= set(self._resolved(reading))
        weekdays |= {day.weekday() for day in dates}
        covers = all(day in dates or day.weekday() in weekdays for day in days.dates)
        return days.weekdays <= weekdays and covers and (has_unknown or not days.is_unknown)

    def _resolved(self, reading: Reading) -> Iterator[date]:
        """The days that code makes of what the caller said: "next Tuesday", "mồng ba"."""
        now = self._evidence.now
        moment = _moment(reading, self._grounds.language_code, now) if now is not None else None
        if moment is None or moment.day is None or moment.trouble is not None:
            return
        last = moment.last_day or moment.day
        for n in range(min((last - moment.day).days, _MOST_DAYS) + 1):
            yield moment.day + timedelta(days=n)

    # Money

    def _check_money(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        prices = [value for value in reading.values if value.kind is Kind.MONEY]
        prices += [
            value for value in reading.values if value.kind is Kind.NUMBER and self._may_be_price(value, reading)
        ]
        prices.sort(key=lambda value: value.start)
        if not prices:
            return self._check_given_away(reading, form)
        services = self._grounds.services.find(reading.texts)
        pairings: list[list[Service | None]]
        if services:
            before = [self._nearest(services, price, prices, before=True) for price in prices]
            behind = [self._nearest(services, price, prices, before=False) for price in prices]
            pairings = [before, behind]
        else:
            subject = self._subject(form)
            pairings = [[subject] * len(prices)] if subject is not None else []
        for pairing in pairings:
            if all(self._is_price(price, service) for price, service in zip(prices, pairing, strict=True)):
                return None
        wrong = next(
            (price for price in prices if not any(self._is_price(price, each[2]) for each in services)), prices[0]
        )
        if all(self._is_computed(price) or self._is_in_texts(price, reading) for price in prices):
            return None
        if not self._grounds.services.find(reading.texts) and all(
            self._is_free_text(price, reading) for price in prices
        ):
            return None
        may_echo = (form.is_question or form.is_echo) and not form.is_claim_of_caller and not services
        if may_echo and all(self._said_amount(price) for price in prices):
            return None
        return _broken("price", wrong, reading)

    def _is_free_text(self, price: Value, reading: Reading) -> bool:
        """Free of charge by a text of the facts that names the same thing."""
        said = reading.texts[price.start : price.end]
        others = set(reading.texts) - self._grounds.words.common - set(said)
        return price.number == 0 and any(_holds(text, said) and others & set(text) for text in self._grounds.fragments)

    def _may_be_price(self, value: Value, reading: Reading) -> bool:
        """A bare number beside a service and a word for price: "a filling is fifty"."""
        price = self._grounds.words.lists["price"]
        before = any(price.length(reading.texts, value.start - n) for n in (1, 2) if value.start >= n)
        before = before or price.length(reading.texts, value.end) > 0
        return before and value.number > 1 and bool(self._grounds.services.find(reading.texts))

    def _check_given_away(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """Free of charge, where no time is named: "the check-up is free"."""
        lists = self._grounds.words.lists
        found = [at for at in range(len(reading.texts)) if lists["free_word"].length(reading.texts, at)]
        is_asked = form.is_question and not form.is_claim_of_caller
        if not found or is_asked or not (form.ends_sentence or form.is_claim_of_caller):
            return None
        kinds = (Kind.TIME, Kind.WEEKDAYS, Kind.DAY, Kind.DATE, Kind.PART)
        has_time = any(value.kind in kinds for value in reading.values)
        if has_time or lists["free_nouns"].are_in(reading.texts) or self._is_known_free(reading):
            return None
        return Verdict(False, "price", reading.texts[found[0]])

    def _is_known_free(self, reading: Reading) -> bool:
        """Whether a text of the facts calls free what the clause does: it has a word of the text beside."""
        words = [word for word in reading.texts if len(word) > 3 and word not in self._grounds.words.common]
        for fragment in self._grounds.fragments:
            if self._grounds.words.lists["free_word"].are_in(fragment):
                named = [word for word in fragment if len(word) > 3 and word not in self._grounds.words.common]
                if any(word[:4] == other[:4] for word in words for other in named):
                    return True
        return False

    def _nearest(
        self, services: Sequence[tuple[int, int, Service]], price: Value, prices: Sequence[Value], *, before: bool
    ) -> Service | None:
        """The service that a price belongs to: the last before it or the first behind it, no other price between."""
        if before:
            bound = max((other.end for other in prices if other.end <= price.start), default=0)
            fitting = [each for each in services if bound <= each[0] and each[1] <= price.start]
            return fitting[-1][2] if fitting else None
        bound = min((other.start for other in prices if other.start >= price.end), default=10**6)
        fitting = [each for each in services if price.end <= each[0] and each[1] <= bound]
        return fitting[0][2] if fitting else None

    def _subject(self, form: ClauseForm) -> Service | None:
        """The service that is talked of where the clause names none; None: none, or more than one."""
        if form.is_claim_of_caller:
            return None
        reply = read(self._evidence.reply, self._grounds.language_code) if self._evidence.reply else None
        if reply and (named := self._grounds.services.find(reply.texts)):
            return named[-1][2]
        for asked in reversed(self._caller):
            named = self._grounds.services.find(asked.texts)
            if named or asked is self._caller[-1]:
                ids = {each[2].id for each in named}
                unknown = [word for word in asked.texts if not self._grounds.knows(word) and word.isalpha()]
                if len(ids) == 1 and not (unknown and self._grounds.words.is_closed_world):
                    return named[0][2]
                if named or unknown:
                    return None
        return None

    def _is_price(self, value: Value, service: Service | None) -> bool:
        price = self._grounds.price(service) if service else None
        if price is None:
            return False
        return price.amount == value.number and value.currency in ("", price.currency)

    def _is_computed(self, value: Value) -> bool:
        return value.number in self._evidence.computed or self._is_in_tools(value)

    def _said_amount(self, value: Value) -> bool:
        return any(other.number == value.number for text in self._caller for other in text.values)

    # Other numbers

    def _check_numbers(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        for value in reading.values:
            if value.kind in (Kind.NUMBER, Kind.PERCENT, Kind.DURATION, Kind.DIGITS) and not self._is_number_known(
                value, reading, form
            ):
                return _broken(value.kind.value, value, reading)
        return None

    def _is_number_known(  # noqa: PLR0911 - a table of what may be said
        self, value: Value, reading: Reading, form: ClauseForm
    ) -> bool:
        if self._is_in_texts(value, reading) or self._is_computed(value):
            return True
        if value.kind is Kind.DIGITS:
            return value.digits in self._grounds.phones or value.digits in self._said_digits()
        if value.kind is Kind.DURATION:
            return self._is_length(value, reading, form)
        if value.kind is Kind.NUMBER and value.number == 1 and not value.digits:
            counts = self._grounds.words.lists["counts"]
            counted = self._grounds.words.lists["counted_people"]
            is_count = value.start > 0 and counts.length(reading.texts, value.start - 1)
            return not (is_count and counted.length(reading.texts, value.end))
        if value.kind is Kind.NUMBER and self._may_be_price(value, reading):
            return True  # checked as a price
        counted = self._grounds.words.lists["counted_people"]
        if value.kind is Kind.NUMBER and value.number == len(self._grounds.facts.people):
            return counted.length(reading.texts, value.end) > 0  # "two dentists"
        may_echo = not form.is_claim_of_caller
        return may_echo and self._is_said_number(value, reading, form)

    def _is_said_number(self, value: Value, reading: Reading, form: ClauseForm) -> bool:
        """What the caller gave by the way, as a number of people: said again, not claimed of the house."""
        is_theirs = form.is_question or form.is_echo or form.is_ignorance
        return is_theirs and self._said_amount(value)

    def _is_length(self, value: Value, reading: Reading, form: ClauseForm) -> bool:
        services = [each[2] for each in self._grounds.services.find(reading.texts)]
        subject = self._subject(form) if not services else None
        services += [subject] if subject else []
        if any(service.minutes is not None and service.minutes == value.number for service in services):
            return True
        may_echo = (form.is_question or form.is_echo or form.is_ignorance) and not form.is_claim_of_caller
        return may_echo and self._said_amount(value)

    def _said_digits(self) -> str:
        return " ".join(value.digits for text in self._caller for value in text.values if value.digits)

    def _is_in_texts(self, value: Value, reading: Reading) -> bool:
        """Whether the words of a value stand in a text that was written to be said, with a word beside them."""
        said = reading.texts[value.start : value.end]
        before = _words(reading, range(value.start))[-_NEIGHBOURS:]
        behind = _words(reading, range(value.end, len(reading.texts)))[:_NEIGHBOURS]
        runs = [run for run in ((*before, *said) if before else (), (*said, *behind) if behind else ()) if run]
        return any(
            _holds(fragment, run) for fragment in self._grounds.fragments for run in runs if len(run) > len(said)
        )

    def _is_in_tools(self, value: Value) -> bool:
        if not self._evidence.tools or (value.kind is Kind.NUMBER and value.number < 2):
            return False
        known = [read(result, self._grounds.language_code) for result in self._evidence.tools]
        return any(_amounts(value, other) for text in known for other in text.values)


@lru_cache(maxsize=_KEPT_MOMENTS)
def _moment(reading: Reading, language_code: str, now: datetime) -> Moment | None:
    return moment_in(reading, language_code, now=now)


def _filled(part: Part, before: Part | None, asked: Part | None) -> Part:
    """A part with the days and the verb that the reply, then the question, gives it."""
    days, verb, is_negated = part.days, part.verb, part.is_negated
    for context in (before, asked):
        if context is not None and days is None:
            days = context.days
    if verb is None and before is not None and before.verb is Verb.OPEN and part.times:
        verb = Verb.OPEN
    if verb is None and asked is not None:
        verb = asked.verb
    return Part(days, part.times, part.day_parts, verb, is_negated, part.has_own_verb, part.words)


def _same(value: Value, other: Value) -> bool:
    if value.kind is Kind.TIME:
        return bool(value.minutes & other.minutes)
    if value.kind is Kind.WEEKDAYS:
        return value.days <= other.days
    if value.kind is Kind.DATE:
        return value.date == other.date
    if value.kind is Kind.DIGITS:
        return value.digits in other.digits
    return _amounts(value, other)


def _amounts(value: Value, other: Value) -> bool:
    is_alike = value.number == other.number and other.kind in (value.kind, Kind.NUMBER, Kind.MONEY)
    return is_alike and (not value.currency or other.currency in ("", value.currency))


def _words(reading: Reading, places: range) -> tuple[str, ...]:
    return tuple(reading.texts[at] for at in places if reading.tokens[at].kind != "stop")


def _holds(words: tuple[str, ...], run: tuple[str, ...]) -> bool:
    return any(words[at : at + len(run)] == run for at in range(len(words) - len(run) + 1))


def _broken(rule: str, value: Value, reading: Reading) -> Verdict:
    return Verdict(False, rule, reading.words(value))
