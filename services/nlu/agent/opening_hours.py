"""Opening hours of a place: by weekday, with dates as exceptions. Sans-IO.

Times are those of the tenant's zone, without one of their own; a day ends at 24:00.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import IntEnum

DAYS_IN_WEEK = 7
MINUTES_IN_DAY = 24 * 60
_DAYS_SEARCHED = 60  # for the next open day; a place that is closed for longer has none


class Weekday(IntEnum):
    """A weekday, numbered as date.weekday() does."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


WEEKDAYS = tuple(day.name.lower() for day in Weekday)
"""The names of weekdays in files."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A stretch of one day in which the place is open, in minutes from midnight; the end is not in it."""

    opens_min: int
    closes_min: int  # 1440 is midnight at the end of the day

    @property
    def opens(self) -> time:
        return _time(self.opens_min)

    @property
    def closes(self) -> time:
        """Midnight at the end of the day is 00:00."""
        return _time(self.closes_min)

    def holds(self, minute: int) -> bool:
        return self.opens_min <= minute < self.closes_min


@dataclass(frozen=True, slots=True)
class HoursException:
    """The hours of one date, in place of its weekday's."""

    date: date
    intervals: tuple[Interval, ...]  # none: closed
    names: Mapping[str, tuple[str, ...]]  # of the holiday, by language; may be empty


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """The hours of one place."""

    weekdays: Mapping[int, tuple[Interval, ...]]  # by date.weekday(); each day is there, closed ones are empty
    exceptions: Mapping[date, HoursException] = field(default_factory=dict)
    of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The part of the house that keeps these hours ("front desk"): names by language; empty: all of it."""

    def on(self, day: date) -> tuple[Interval, ...]:
        """The hours of a date, in order; none where it is closed."""
        exception = self.exceptions.get(day)
        return exception.intervals if exception else self.weekdays[day.weekday()]

    def is_open(self, at: datetime) -> bool:
        minute = at.hour * 60 + at.minute
        return any(interval.holds(minute) for interval in self.on(at.date()))

    def next_open(self, at: datetime) -> datetime | None:
        """The first moment from `at` on at which it is open; None: none within two months."""
        if self.is_open(at):
            return at
        for opens in self._openings(at.date(), forward=True):
            if opens >= at.replace(tzinfo=None):
                return opens.replace(tzinfo=at.tzinfo)
        return None

    def around(self, at: datetime, *, after: datetime) -> tuple[datetime, ...]:
        """The last opening before a moment and the next behind it, in order; none lies before `after`."""
        before = next((opens for opens in self._openings(at.date(), forward=False) if opens < at), None)
        behind = next((opens for opens in self._openings(at.date(), forward=True) if opens >= max(at, after)), None)
        found = (before if before is not None and before >= after else None, behind)
        return tuple(opens for opens in found if opens is not None)

    def open_dates(self, first: date, *, count: int) -> tuple[date, ...]:
        """The first dates from one on, that one included, on which it is open at all."""
        days = (first + timedelta(days=n) for n in range(_DAYS_SEARCHED))
        found = (day for day in days if self.on(day))
        return tuple(day for day, _ in zip(found, range(count), strict=False))

    def _openings(self, first: date, *, forward: bool) -> Iterator[datetime]:
        for n in range(_DAYS_SEARCHED):
            day = first + timedelta(days=n if forward else -n)
            intervals = self.on(day)
            for interval in intervals if forward else reversed(intervals):
                yield datetime.combine(day, interval.opens)


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)
