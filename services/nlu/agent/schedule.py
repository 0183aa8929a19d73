"""Opening hours and free times, asked whether what a clause says of days and times is so. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.language.calendar_words import PARTS
from services.language.value import Value
from services.nlu.agent.grounds import BookableTime, Grounds
from services.nlu.agent.opening_hours import DAYS_IN_WEEK, MINUTES_IN_DAY, Interval

_SEARCHED_DAYS = 15
_DAY_BEGINS_MIN = 6 * 60  # an hour without its half of the day is none of the night's


@dataclass(frozen=True, slots=True)
class Days:
    """Weekdays of any week, or single dates; `is_unknown`: a date that could not be read."""

    weekdays: frozenset[int] = frozenset()
    dates: tuple[date, ...] = ()
    is_unknown: bool = False

    def holds(self, slot: BookableTime) -> bool:
        return slot.weekday in self.weekdays or any(_is_on(slot, day) for day in self.dates)


class Schedule:
    """Hours and free times, asked whether a part of a clause is so."""

    def __init__(self, grounds: Grounds, slots: Sequence[BookableTime]) -> None:
        self._grounds, self._hours, self._slots = grounds, grounds.hours, tuple(slots)

    def hours_of(self, days: Days | None) -> list[tuple[Interval, ...]]:
        """The hours of each day; of those of most weekdays, where no day is named."""
        if self._hours is None:
            return []
        if days is None:
            most = [self._hours.weekdays[day] for day in range(DAYS_IN_WEEK)]
            return [max(most, key=most.count)]
        named = [self._hours.weekdays[day] for day in sorted(days.weekdays)]
        return named + [self._hours.on(day) for day in days.dates]

    def lengths_of(self, days: Days | None) -> frozenset[int]:
        """For how many minutes it is open on each day; empty: not equally long on all of them."""
        lengths = {sum(each.closes_min - each.opens_min for each in day) for day in self.hours_of(days)}
        return frozenset(lengths) if len(lengths) == 1 else frozenset()

    def is_open(self, days: Days | None, day_parts: Sequence[str]) -> bool | None:
        """Return whether it is open on each day, in that part of it; None: on some."""
        states = {any(_overlaps(interval, day_parts) for interval in hours) for hours in self.hours_of(days)}
        return states.pop() if len(states) == 1 else None

    def is_always_open(self) -> bool:
        """Return whether it never closes."""
        hours = self.hours_of(Days(weekdays=frozenset(range(DAYS_IN_WEEK))))
        whole = (Interval(0, MINUTES_IN_DAY),)
        return bool(hours) and all(tuple(day) == whole for day in hours)

    def has_hours(self, days: Days | None, first: Value, last: Value) -> bool:
        """Return whether each day has exactly this stretch."""
        hours = self.hours_of(days)
        return bool(hours) and all(
            any(
                each.opens_min in first.minutes
                and each.closes_min % MINUTES_IN_DAY in {m % MINUTES_IN_DAY for m in last.minutes}
                for each in day
            )
            for day in hours
        )

    def is_within(self, days: Days | None, first: Value, last: Value) -> bool:
        """Return whether a stretch lies in the hours of each day."""
        hours = self.hours_of(days)
        return bool(hours) and all(
            any(each.opens_min <= a < b <= each.closes_min for each in day for a in first.minutes for b in last.minutes)
            for day in hours
        )

    def is_outside(self, days: Days | None, first: Value, last: Value) -> bool:
        """Return whether a stretch lies between the hours of each day."""
        hours = self.hours_of(days)
        return bool(hours) and all(
            any(
                a < b and a >= _DAY_BEGINS_MIN and all(b <= each.opens_min or a >= each.closes_min for each in day)
                for a in first.minutes
                for b in last.minutes
            )
            for day in hours
        )

    def opens_at(self, days: Days | None, time: Value) -> bool:
        hours = self.hours_of(days)
        return bool(hours) and all(bool(day) and any(each.opens_min in time.minutes for each in day) for day in hours)

    def closes_at(self, days: Days | None, time: Value) -> bool:
        hours = self.hours_of(days)
        minutes = {minute % MINUTES_IN_DAY for minute in time.minutes}
        return bool(hours) and all(
            bool(day) and any(each.closes_min % MINUTES_IN_DAY in minutes for each in day) for day in hours
        )

    def is_open_at(self, days: Days | None, time: Value) -> bool:
        hours = self.hours_of(days)
        return bool(hours) and all(any(each.holds(minute) for each in day for minute in time.minutes) for day in hours)

    def may_be(self, days: Days | None, time: Value, *, is_open: bool) -> bool:
        """Return whether it is open, or closed, on each day at a moment that the time may mean."""
        hours = self.hours_of(days)
        return bool(hours) and all(
            any(any(each.holds(minute) for each in day) is is_open for minute in time.minutes) for day in hours
        )

    def free(self, days: Days | None, time: Value | None, day_parts: Sequence[str]) -> list[BookableTime]:
        """The free times there."""
        return [
            slot
            for slot in self._slots
            if (days is None or (days.holds(slot) and not self._is_closed_on(days, slot)))
            and (time is None or slot.minute in time.minutes)
            and (time is not None or _is_in(slot.minute, day_parts))
        ]

    def first_free(self, now: datetime) -> BookableTime | None:
        """The first free time from now on, with its date; None: there is none in two weeks."""
        for n in range(_SEARCHED_DAYS):
            day = now.date() + timedelta(days=n)
            minutes = sorted(slot.minute for slot in self.free(Days(dates=(day,)), None, ()))
            begins = now.hour * 60 + now.minute if not n else -1
            if (minute := next((one for one in minutes if one > begins), None)) is not None:
                return BookableTime(day.weekday(), minute, day)
        return None

    def _is_closed_on(self, days: Days, slot: BookableTime) -> bool:
        """Return whether the free time of a weekday falls, on the dates that are meant, on days that are closed."""
        if slot.date is not None or days.weekdays or self._hours is None:
            return False
        return not any(_is_on(slot, day) and self._hours.on(day) for day in days.dates)

    def has_free_on_each(self, days: Days, day_parts: Sequence[str]) -> bool:
        singles = [Days(weekdays=frozenset({day})) for day in days.weekdays]
        singles += [Days(dates=(day,)) for day in days.dates]
        return bool(singles) and all(self.free(day, None, day_parts) for day in singles)


def _is_on(slot: BookableTime, day: date) -> bool:
    return slot.date == day if slot.date else slot.weekday == day.weekday()


def _is_in(minute: int, day_parts: Sequence[str]) -> bool:
    return not day_parts or any(PARTS[part][0] * 60 <= minute < PARTS[part][1] * 60 for part in day_parts)


def _overlaps(interval: Interval, day_parts: Sequence[str]) -> bool:
    if not day_parts:
        return True
    return any(
        min(interval.closes_min, PARTS[part][1] * 60) - max(interval.opens_min, PARTS[part][0] * 60) > 60
        for part in day_parts
    )
