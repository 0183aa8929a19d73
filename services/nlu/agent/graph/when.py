"""Wanted or asked time: a day, a time of day, or both, as they were said. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - a field is called date
from datetime import datetime, time, timedelta

from services.language.moment import Trouble
from services.nlu.agent.opening_hours import DAYS_IN_WEEK


@dataclass(frozen=True, slots=True)
class When:
    """A day, a time, or both, as they were said."""

    date: Date | None = None
    last_date: Date | None = None  # of a stretch of days: "next week"
    weekdays: tuple[int, ...] = ()  # where no date was said, nor which week
    times: tuple[time, ...] = ()  # each that may be meant, the likeliest first
    part: str = ""  # of the day: a key of calendar_words.PARTS
    trouble: Trouble | None = None  # it is no day that can be had
    relation: str = ""  # "before" or "after" the time
    day_relation: str = ""  # "sooner" or "later" than the day
    since: Date | None = None  # the day on which it was said
    holiday: Date | None = None  # an exception of the opening hours, by its name

    def __bool__(self) -> bool:
        """Tell if anything was said."""
        return bool(self.date or self.weekdays or self.times or self.part or self.trouble)

    @property
    def has_day(self) -> bool:
        return bool(self.date or self.weekdays)

    def is_on(self, moment: datetime) -> bool:
        """Return whether a moment is on the day, and at the time, where one was said."""
        if self.date:
            on_day = self.date <= moment.date() <= (self.last_date or self.date)
        else:
            on_day = not self.weekdays or moment.weekday() in self.weekdays
        return on_day and self.trouble is None and (not self.times or moment.time() in self.times)

    def first_day(self, today: Date) -> Date | None:
        """Return the first day that is meant; None: none was said."""
        if self.date or not self.weekdays:
            return self.date
        return today + timedelta(days=min((day - today.weekday()) % DAYS_IN_WEEK for day in self.weekdays))
