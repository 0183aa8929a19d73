"""Dates and times as callers say them, made into ISO dates by code: "next Tuesday afternoon", "mồng ba", "下周二".

Sans-IO: the clock comes in as `now`, with the tenant's zone. Words stand in each language's dates.toml;
named_days.py has the rules for days.
"""

from dataclasses import replace
from datetime import datetime, time, timedelta

from services.language.calendar_words import PARTS, calendar_words
from services.language.moment import Moment, Trouble
from services.language.named_days import DayFinder
from services.language.value import Kind, Reading, Value
from services.language.values import read_values
from services.language.weeks_and_months import DAYS_IN_WEEK

MINUTES_IN_DAY = 24 * 60
_OFFICE_BEGINS_MIN, _OFFICE_ENDS_MIN = 7 * 60, 19 * 60  # of a time whose half of the day is not said
_NIGHT = "night"  # a part of the day, and the first half of many a word
_LONGEST_DAYS = 2 * 366  # ahead; what lies further was misheard


def read_moment(text: str, language_code: str, *, now: datetime) -> Moment | None:
    """The day and the time that a text names; None: none. `now` is aware of the tenant's zone."""
    return moment_in(read_values(text, language_code), language_code, now=now)


def moment_in(reading: Reading, language_code: str, *, now: datetime) -> Moment | None:
    """Do as `read_moment`, for a text that has been read."""
    return _MomentFinder(reading, language_code, now).moment()


class _MomentFinder:
    """Finds the moment that one text names."""

    def __init__(self, reading: Reading, language_code: str, now: datetime) -> None:
        self._reading, self._words, self._now = reading, calendar_words(language_code), now
        self._days = DayFinder(reading, self._words, language_code, now.date())

    def moment(self) -> Moment | None:
        day, last, trouble = self._days.day()
        times = [value for value in self._reading.values if value.kind is Kind.TIME and not self._is_used(value)]
        time_value = times[0] if times else None
        part = self._part()
        after = self._after()
        if after is not None:
            return Moment(day=after.date(), at=after.time().replace(second=0, microsecond=0, tzinfo=None))
        if day is None and trouble is None and time_value is None and not part:
            return None
        if trouble is not None:
            return Moment(trouble=trouble)
        minute = self._minute(time_value, part) if time_value else None
        if day is None and (minute is not None or part in ("evening", "noon", "afternoon", "morning")):
            return Moment(at=None if minute is None else _clock(minute), part=part)
        at = None if minute is None else _clock(minute)
        return self._checked(Moment(day, last, at, part, is_any_week=self._days.is_any_week), minute)

    def _checked(self, moment: Moment, minute: int | None) -> Moment:
        """Refuse what lies behind, and what lies too far ahead."""
        if moment.day is None:
            return moment
        if minute is not None and minute >= MINUTES_IN_DAY:
            moment = replace(moment, day=moment.day + timedelta(days=1))
        today = self._now.date()
        last = moment.last_day or moment.day or today
        if last < today:
            return Moment(trouble=Trouble.PAST)
        if moment.day == today and moment.at is not None and moment.at <= self._now.time().replace(tzinfo=None):
            if moment.is_any_week:
                return replace(moment, day=today + timedelta(days=DAYS_IN_WEEK))
            return Moment(trouble=Trouble.PAST)
        if moment.day is not None and (moment.day - today).days > _LONGEST_DAYS:
            return Moment(trouble=Trouble.TOO_FAR)
        return moment

    def _part(self) -> str:
        for value in self._reading.values:
            is_part = value.part and value.kind in (Kind.PART, Kind.TIME) and not self._is_used(value)
            if is_part and not self._names_a_thing(value):
                return value.part
        texts = self._reading.texts
        for at in range(len(texts)):  # "tonight", "sáng nay", "明晚" name a day and a part of it
            day = self._words.relative_days.at(texts, at)
            if day is not None:
                inner = self._words.day_parts.at(texts[: at + day[0]], at)
                last = self._words.day_parts.at(texts[: at + day[0]], at + day[0] - 1)
                if inner or last:
                    return (inner or last or (0, ""))[1]
        return ""

    def _names_a_thing(self, value: Value) -> bool:
        """Return whether a word for the night stands apart from the day and the time that are said: "a night guard on
        Wednesday at three".
        """
        if value.kind is not Kind.PART or value.part != _NIGHT:
            return False
        moments = [v for v in self._reading.values if v.kind in (Kind.TIME, Kind.DATE, Kind.DAY, Kind.WEEKDAYS)]
        return bool(moments) and not any(self._days.beside.are_beside(one, value.start, value.end) for one in moments)

    def _minute(self, value: Value, part: str) -> int:
        """The minute of the day that is meant: in the part of the day that is said, else in the hours people keep."""
        candidates = sorted(value.minutes)
        if part in PARTS:
            begin, end = PARTS[part][0] * 60, PARTS[part][1] * 60
            fitting = [m for m in candidates if begin <= m < end] or [
                m + MINUTES_IN_DAY for m in candidates if begin <= m + MINUTES_IN_DAY < end
            ]
            if fitting:
                return fitting[0]
        by_day = [minute for minute in candidates if _OFFICE_BEGINS_MIN <= minute < _OFFICE_ENDS_MIN]
        return (by_day or candidates)[0]

    def _after(self) -> datetime | None:
        """So many hours or minutes from now: "in two hours", "30 phút nữa"."""
        for value in self._reading.values:
            if (
                value.kind is Kind.DURATION
                and 0 < value.number < MINUTES_IN_DAY
                and self._days.ahead.is_ahead(value.start, value.end)
            ):
                return self._now + timedelta(minutes=float(value.number))
        return None

    def _is_used(self, value: Value) -> bool:
        return value.start in self._days.used or value.end - 1 in self._days.used


def _clock(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)
