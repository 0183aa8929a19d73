"""Guard rules for values in a clause: days, times of their days, and (number_rules.py) numbers. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from services.language.value import Kind, Reading, Value
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.deeds import is_read_back, tells_deeds_moment
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.grounds import Grounds, read, slots_in
from services.nlu.agent.number_rules import NumberRules
from services.nlu.agent.opening_hours import DAYS_IN_WEEK
from services.nlu.agent.price_gaps import broken
from services.nlu.agent.schedule import Days, Schedule
from services.nlu.agent.schedule_claims import (
    DayClaim,
    Verb,
    days_of,
    intervals_of,
    is_now,
    parts_of,
    said_times,
)
from services.nlu.agent.time_verdicts import VERDICTS, TimeVerdicts, told_unbroken
from services.nlu.agent.value_context import bare_hours, filled, resolved_days, same

_EVERY_DAY = Days(weekdays=frozenset(range(DAYS_IN_WEEK)))
_DAY_BEGINS_MIN = 6 * 60  # an hour without its half of the day is none of the night's


class ValueRules:
    """One clause's values against the facts and the call."""

    def __init__(self, grounds: Grounds, evidence: Evidence, *, caller: Sequence[Reading], has_facts: bool) -> None:
        self._grounds, self._evidence, self._caller = grounds, evidence, caller
        self._has_facts = has_facts
        self._numbers = NumberRules(grounds, evidence, caller)
        self._schedule = Schedule(grounds, (*grounds.slots, *slots_in(evidence.tools)))

    def check(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """The first value that is not so; None: there is none."""
        if not self._has_facts:
            return self._check_prose(reading)
        numbers = self._numbers
        if not form.is_claim_of_caller:
            reading = self._without_right_verdicts(reading)
        for rule in (self._check_days, numbers.check_money, numbers.check_numbers):
            if (verdict := rule(reading, form)) is not None:
                return verdict if not self._grounds.prose else self._check_prose(reading)
        return None

    def _without_right_verdicts(self, reading: Reading) -> Reading:
        """The reading without times that the sentence rightly calls late, and without how long it is rightly open."""
        has_verdict = any(self._grounds.words.lists[name].are_in(reading.texts) for name in VERDICTS)
        if not has_verdict and not any(value.kind is Kind.DURATION for value in reading.values):
            return reading
        asked = self._context_part(self._evidence.caller[-1]) if self._evidence.caller else None
        parts = parts_of(reading, self._grounds, self._evidence)
        days = next((part.days for part in reversed(parts) if part.days), asked.days if asked else None)
        verdicts = TimeVerdicts(self._grounds, self._schedule, self._caller, asked=asked.verb if asked else None)
        is_open = any(part.verb is Verb.OPEN and not part.is_negated for part in parts)
        return verdicts.without_right(
            reading, days, lengths=self._schedule.lengths_of(days) if is_open else frozenset()
        )

    # An agent without facts: what its instructions name

    def _check_prose(self, reading: Reading) -> Verdict | None:
        code = self._grounds.language_code
        known = [read(" ".join(self._grounds.prose), code), *self._caller]
        known += [read(result, code) for result in self._evidence.tools]
        for value in reading.values:
            if value.kind in (Kind.PART, Kind.DAY) or (value.kind is Kind.NUMBER and value.number == 1):
                continue
            if not any(same(value, other) for text in known for other in text.values):
                return broken(value.kind.value, value, reading)
        return None

    # Days and times

    def _check_days(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        if broken := self._broken_always(reading, form) or told_unbroken(reading, self._grounds):
            return broken
        parts = parts_of(reading, self._grounds, self._evidence)
        before = self._context_part(self._evidence.reply) if self._evidence.reply else None
        asked = self._context_part(self._evidence.caller[-1]) if self._evidence.caller else None
        is_claimed = not form.is_question and not form.is_ignorance
        verdicts = TimeVerdicts(self._grounds, self._schedule, self._caller, asked=asked.verb if asked else None)
        for part in parts:
            whole = filled(part, before, asked)
            is_then = self._is_of_the_times_asked(part, reading, form)
            rule = self._broken_then(whole) if is_then else self._broken_part(part, whole, reading, form)
            is_first = is_claimed and not rule and verdicts.is_told_as_soonest(part, asked, reading)
            if is_first and self._evidence.now and not verdicts.is_first_free(part, self._evidence.now):
                rule = "free_time"
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

    def _is_of_the_times_asked(self, part: DayClaim, reading: Reading, form: ClauseForm) -> bool:
        """Return whether it is said of the times that the caller named: "we are closed then"."""
        is_of_hours = part.verb in (Verb.OPEN, Verb.CLOSED) and part.days is None and not part.times
        has_word = self._grounds.words.lists["then"].are_in(reading.texts)
        return is_of_hours and has_word and bool(self._caller) and not form.is_question

    def _broken_then(self, part: DayClaim) -> str:
        values = self._caller[-1].values
        times = [value for value in values if value.kind is Kind.TIME] or bare_hours(values)
        day_parts = [value.part for value in self._caller[-1].values if value.kind is Kind.PART]
        is_open = (part.verb is Verb.OPEN) is not part.is_negated
        if times:
            fits = all(self._schedule.may_be(part.days, time, is_open=is_open) for time in times)
        else:
            fits = bool(part.days or day_parts) and self._schedule.is_open(part.days, day_parts) is is_open
        return "" if fits else "hours"

    def _context_part(self, text: str) -> DayClaim | None:
        """The last days and the last verb of a text."""
        reading = self._grounds.without_names(read(text, self._grounds.language_code))
        parts = parts_of(reading, self._grounds, self._evidence)
        days = next((part.days for part in reversed(parts) if part.days), None)
        verb = next((part.verb for part in reversed(parts) if part.verb), None)
        day_parts = next((part.day_parts for part in reversed(parts) if part.day_parts), ())
        return DayClaim(days=days, verb=verb, day_parts=day_parts) if days or verb else None

    def _broken_part(  # noqa: PLR0911 - a table of what may be said
        self, own: DayClaim, part: DayClaim, reading: Reading, form: ClauseForm
    ) -> str:
        """The rule that a part breaks; empty: none. `part` is `own` with what the words before it fill in."""
        is_whole = own.has_own_verb and (form.ends_sentence or form.is_claim_of_caller)
        if own.days is None and not own.times and not is_whole:
            return ""
        if form.is_ignorance and (self._is_said(own) or (own.days is not None and own.days.is_unknown)):
            return ""
        is_so = tells_deeds_moment(own, reading, self._evidence, self._grounds.words)
        if is_so is not None or is_read_back(own, self._evidence):
            return "free_time" if is_so is False else ""
        if part.days is not None and part.days.is_unknown:
            if own.days is None and not own.times and own.verb is Verb.FREE and own.is_negated:
                return ""  # on a day that there is not nothing is free
            return "" if self._is_said(own) and (form.is_question or form.is_echo) else "date"
        verb = part.verb
        is_claimed = not form.is_question and not form.is_ignorance
        if is_claimed and (own.days or own.times) and self._grounds.staff_in(reading.texts, self._evidence.names):
            return "person_day"  # nothing is known of who is there when
        if is_claimed and self._is_of_closed_part(own, reading):
            return "hours"
        if verb in (Verb.FREE, Verb.TAKEN) and not self._is_price_free(reading, own):
            broken = self._broken_free(own, part, reading, form, is_free=(verb is Verb.FREE) is not part.is_negated)
            is_of_caller = verb is Verb.TAKEN and not own.has_own_verb  # "I'm busy on Wednesday": not said of the house
            return self._broken_plain(own, part, reading, form) if broken and is_of_caller else broken
        if verb in (Verb.OPEN, Verb.CLOSED, Verb.CLOSE):
            return self._broken_hours(own, part, reading, form)
        return self._broken_plain(own, part, reading, form)

    def _is_of_closed_part(self, own: DayClaim, reading: Reading) -> bool:
        """Return whether something is said of a part of a day in which it is closed, without a verb of the hours and
        without a negation: "on Sundays we're only there in the morning".
        """
        if own.days is None or not own.day_parts or own.times or own.has_own_verb or own.days.is_unknown:
            return False
        is_denied = self._grounds.words.lists["negations"].are_in(reading.texts)
        return not is_denied and self._schedule.is_open(own.days, own.day_parts) is False

    def _is_price_free(self, reading: Reading, own: DayClaim) -> bool:
        return own.days is None and not own.times and bool(self._grounds.services.find(reading.texts))

    def _broken_hours(  # noqa: PLR0911 - a table of what may be said
        self, own: DayClaim, part: DayClaim, reading: Reading, form: ClauseForm
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
                denied = part.is_negated and any(map(self._grounds.is_denied, reading.texts))  # "we don't take dogs"
                is_of_others = self._grounds.doable.find(reading.texts) or self._grounds.people.find(reading.texts)
                is_of_house = not (denied or is_of_others)
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
            is_asked = form.is_claim_of_caller or (part.days is not None and self._said_time(time))
            if not self._fits_hours(part, time, reading, is_open=is_open, is_asked=is_asked):
                return "hours"
        return ""

    def _fits_hours(self, part: DayClaim, time: Value, reading: Reading, *, is_open: bool, is_asked: bool) -> bool:
        """`is_asked`: whether the caller asked about that time: "are you open at five on Friday?"."""
        schedule, is_until = self._schedule, self._is_until(time, reading)
        if part.verb is Verb.CLOSE or (part.verb is Verb.CLOSED and not part.is_negated and not is_until):
            is_closed = part.verb is not None and self._is_closed_when_asked(part, time)
            return is_closed or schedule.closes_at(part.days, time)
        if not is_open:
            return part.days is not None and not schedule.is_open_at(part.days, time)
        if is_until:
            return schedule.closes_at(part.days, time)
        is_bookable = part.days is not None and bool(schedule.free(part.days, time, ()))
        return schedule.opens_at(part.days, time) or is_bookable or (is_asked and schedule.is_open_at(part.days, time))

    def _is_closed_when_asked(self, part: DayClaim, time: Value) -> bool:
        """Return whether the place is closed at a time that the caller asked about, in either half of the day."""
        minutes = time.minutes & said_times(self._caller)
        minutes = frozenset(minute for minute in minutes if minute >= _DAY_BEGINS_MIN) or minutes
        singles = [replace(time, minutes=frozenset({minute})) for minute in minutes]
        return bool(singles) and all(self._schedule.may_be(part.days, one, is_open=False) for one in singles)

    def _is_until(self, time: Value, reading: Reading) -> bool:
        until = self._grounds.words.lists["until"]
        return any(until.length(reading.texts, time.start - n) == n for n in (1, 2) if time.start >= n)

    def _broken_now(self, *, is_open: bool, form: ClauseForm) -> str:
        """Of no day, as in "we are open": said of this moment, where it is a whole sentence."""
        now, hours = self._evidence.now, self._grounds.hours
        is_whole = (form.ends_sentence or form.is_claim_of_caller) and not form.is_question
        if not is_whole or now is None or hours is None:
            return ""
        return "" if hours.is_open(now) is is_open else "hours"

    def _broken_free(self, own: DayClaim, part: DayClaim, reading: Reading, form: ClauseForm, *, is_free: bool) -> str:
        if form.is_question and not form.is_claim_of_caller and self._is_said(own):
            return ""
        if not own.times and own.days is None:
            return ""
        for time in own.times or (None,):
            if time is None and part.days is not None:
                is_whole = is_free and self._grounds.words.lists["wholly"].are_in(reading.texts)  # no day is
                found = (
                    self._schedule.has_free_on_each(part.days, own.day_parts) and not is_whole
                    if is_free
                    else bool(self._schedule.free(part.days, None, own.day_parts))
                )
            else:
                found = bool(self._schedule.free(part.days, time, ()))
            if found is not is_free:
                return "free_time"
        return ""

    def _broken_plain(  # noqa: PLR0911 - a table of what may be said
        self, own: DayClaim, part: DayClaim, reading: Reading, form: ClauseForm
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
            is_told = own.days is None and self._grounds.tells_time(time, reading, is_asked=form.is_claim_of_caller)
            is_clock = self._holds_today(own.days) and is_now(time, self._evidence)
            if is_told or is_clock or schedule.free(part.days, time, ()):
                continue
            if part.verb in (Verb.COME, None) and part.days is not None and self._is_until(time, reading):
                if not schedule.closes_at(part.days, time):
                    return "hours"
                continue
            if not (may_echo and self._is_said(own)):
                return "free_time" if own.days else "time"
        if own.times or own.days is None:
            return ""
        if own.words and (self._is_date_of_today(own.days, form) or (not part.verb and self._is_weekday_of_date(own))):
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

    def _holds_today(self, days: Days | None) -> bool:
        now = self._evidence.now
        return days is None or (
            now is not None and days in (Days(dates=(now.date(),)), Days(frozenset({now.weekday()})))
        )

    def _is_today(self, days: Days) -> bool:
        return self._evidence.now is not None and days.dates == (self._evidence.now.date(),)

    def _is_weekday_of_date(self, own: DayClaim) -> bool:
        """Return whether a date that the caller named is told with its weekday, which days_of has found to agree."""
        kinds = {value.kind for value in own.words}
        return kinds == {Kind.WEEKDAYS, Kind.DATE} and own.days is not None and self._is_said(own)

    def _is_date_of_today(self, days: Days, form: ClauseForm) -> bool:
        """Two names of one day, as in "today is Sunday", which days_of has found to agree."""
        return self._is_today(days) and form.ends_sentence and not self._is_said(DayClaim(days=days))

    # The caller's words

    def _is_said(self, part: DayClaim) -> bool:
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
            dates |= set(resolved_days(reading, self._grounds.language_code, self._evidence.now))
        weekdays |= {day.weekday() for day in dates}
        covers = all(day in dates or day.weekday() in weekdays for day in days.dates)
        return days.weekdays <= weekdays and covers and (has_unknown or not days.is_unknown)
