"""Verdicts on a time that the caller asked about, held against the hours: "so two would be too late". Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from services.language.value import Kind, Reading, Value
from services.nlu.agent.evidence import Verdict
from services.nlu.agent.grounds import Grounds
from services.nlu.agent.schedule import Days, Schedule
from services.nlu.agent.schedule_claims import DayClaim, Verb, said_times
from services.nlu.agent.value_context import bare_hours

_DAY_BEGINS_MIN = 6 * 60  # an hour without its half of the day is none of the night's
VERDICTS = ("too_late", "too_early", "suits")  # lists of claims.toml


class TimeVerdicts:
    """Statements of one sentence on the times that the caller asked about."""

    def __init__(self, grounds: Grounds, schedule: Schedule, caller: Sequence[Reading], *, asked: Verb | None) -> None:
        """`asked`: what the caller's question says of the times."""
        self._grounds, self._schedule, self._caller, self._asked = grounds, schedule, caller, asked
        last = caller[-1].values if caller else ()
        self._said = said_times(caller[-1:]) | frozenset(m for hour in bare_hours(last) for m in hour.minutes)

    def without_right(self, reading: Reading, days: Days | None, *, lengths: frozenset[int]) -> Reading:
        """The reading without the times of which the sentence says what the hours bear out. `days`: those asked for;
        `lengths`: for how many minutes these are open, where the sentence says that they are.
        """
        right = {value.start for value in self._hours_in(reading) if self._is_right(value, reading, days)}
        right |= {value.start for value in reading.values if value.kind is Kind.DURATION and value.number in lengths}
        return replace(reading, values=tuple(value for value in reading.values if value.start not in right))

    def is_told_as_soonest(self, own: DayClaim, asked: DayClaim | None, reading: Reading) -> bool:
        """Return whether a day is told as the first that is free of all, not behind another, or on a day that was asked
        about.
        """
        lists = self._grounds.words.lists
        is_of_hours = own.verb in (Verb.OPEN, Verb.CLOSED, Verb.CLOSE)
        is_first = own.days is not None and not (own.is_negated or is_of_hours)
        is_first = is_first and lists["soonest"].are_in(reading.texts)
        if not is_first or (asked is not None and asked.days is not None):
            return False
        return not any(lists["bounded"].are_in(each.texts) for each in (reading, *self._caller[-1:]))

    def is_first_free(self, own: DayClaim, now: datetime) -> bool:
        """Return whether no time before it is free; where none is known, nothing is held against it."""
        first = self._schedule.first_free(now)
        if first is None or own.days is None:
            return True
        return own.days.holds(first) and (not own.times or any(first.minute in time.minutes for time in own.times))

    def _hours_in(self, reading: Reading) -> Iterator[Value]:
        for value in reading.values:
            hour = value if value.kind is Kind.TIME else next(iter(bare_hours([value])), None)
            if hour is not None and hour.minutes & self._said:
                yield replace(hour, minutes=hour.minutes & self._said)

    def _is_right(self, value: Value, reading: Reading, days: Days | None) -> bool:
        """Return whether the verdict behind a time is so, in a half of the day that the time may mean."""
        verdict = self._verdict_behind(value, reading)
        minutes = {minute for minute in value.minutes if minute >= _DAY_BEGINS_MIN} or value.minutes
        others = tuple(self._others(value, reading))
        return bool(verdict) and any(self._is_so(verdict, minute, others, days) for minute in minutes)

    def _is_so(self, verdict: str, minute: int, others: Sequence[int], days: Days | None) -> bool:
        """`others`: times that the sentence has named before."""
        hours = self._schedule.hours_of(days)
        spans = [each for day in hours for each in day]
        if not spans:
            return False
        if verdict == "suits":
            is_open = all(any(each.holds(minute) for each in day) for day in hours)
            return is_open and self._asked in (Verb.OPEN, Verb.CLOSE)
        if verdict == "too_late":
            return all(minute >= each.closes_min for each in spans) or any(other < minute for other in others)
        return all(minute < each.opens_min for each in spans) or any(other > minute for other in others)

    def _verdict_behind(self, value: Value, reading: Reading) -> str:
        """The list of a verdict behind a time in its piece of the sentence; empty: there is none, or it is denied."""
        lists = self._grounds.words.lists
        for at in range(value.end, len(reading.texts)):
            if reading.tokens[at].kind == "stop" or lists["negations"].length(reading.texts, at):
                return ""
            if found := [name for name in VERDICTS if lists[name].length(reading.texts, at)]:
                return found[0]
        return ""

    def _others(self, value: Value, reading: Reading) -> Iterator[int]:
        """The times before it, by day: each is held against the facts by the other rules."""
        for other in reading.values:
            if other.kind is Kind.TIME and other.start < value.start:
                by_day = [minute for minute in other.minutes if minute >= _DAY_BEGINS_MIN]
                yield max(by_day, default=max(other.minutes))


def told_unbroken(reading: Reading, grounds: Grounds) -> Verdict | None:
    """Hours that are said to have no break, and have one."""
    found = grounds.words.lists["unbroken"].find(reading.texts)
    if not found or grounds.has_unbroken_hours:
        return None
    start, end, _ = found[0]
    return Verdict(False, "hours", " ".join(reading.texts[start:end]))
