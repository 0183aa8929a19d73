"""A moment that was said: a day, a stretch of days, a time. Sans-IO."""

from dataclasses import dataclass
from datetime import date, time
from enum import Enum


class Trouble(Enum):
    """The reason why an expression names no possible moment."""

    NO_SUCH_DATE = "no_such_date"  # 30 February
    PAST = "past"
    LUNAR = "lunar"  # a date of the lunar calendar, which is not reckoned here
    CONTRADICTION = "contradiction"  # "Tuesday the 5th", and the 5th is a Saturday
    TOO_FAR = "too_far"


Found = tuple[date | None, date | None, Trouble | None]
"""A day that is named, the last day of a stretch, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or time that was said, resolved. `day` None: a time alone; `at` None: a day alone."""

    day: date | None = None
    last_day: date | None = None  # of a stretch of days: "next week"
    at: time | None = None
    part: str = ""  # of the day, a key of calendar_words.PARTS
    trouble: Trouble | None = None
    is_any_week: bool = False  # a weekday, or some of them, and no week: `day` is the next

    @property
    def iso(self) -> str:
        """ISO 8601: a date, a date with a time, a time alone, or two dates with a stroke between; "": nothing."""
        if self.day is None:
            return self.at.strftime("%H:%M") if self.at else ""
        if self.at is not None:
            return f"{self.day.isoformat()}T{self.at:%H:%M}"
        return f"{self.day.isoformat()}/{self.last_day.isoformat()}" if self.last_day else self.day.isoformat()
