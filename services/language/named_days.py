"""The day that a text names, or the days from one to another. Sans-IO.

Of a day without a month or a year the next one is meant, today included. "Next Tuesday" and "thứ ba tuần sau" are those
of the next week, "this Friday" is that of this one or, where that is past, the one to come, as is a bare weekday.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from services.language.calendar_words import CalendarWords
from services.language.days_ahead import DaysAhead
from services.language.days_beside import DaysBeside
from services.language.moment import Found, Trouble
from services.language.nth_days import nth_weekday
from services.language.stretches import ends_of
from services.language.value import Kind, Reading, Value
from services.language.value_parts import numbers_in
from services.language.weeks_and_months import (
    DAYS_IN_WEEK,
    MONTHS_IN_YEAR,
    WeeksAndMonths,
    date_of,
    end_of_month,
    months_on,
)

_MOST_WEEKDAYS = 8  # that are counted ahead: "two Fridays from now"


class DayFinder:
    """Finds the day that one text names."""

    def __init__(self, reading: Reading, words: CalendarWords, language_code: str, today: date) -> None:
        self._reading, self._words, self._language_code, self._today = reading, words, language_code, today
        self.beside = DaysBeside(reading, words, language_code)
        self.ahead = DaysAhead(reading, words, language_code, today, self.beside)
        self._weeks = WeeksAndMonths(reading, words, today)
        self.is_any_week = False
        """The day that was found is a weekday, or some of them, and no week was named: it is the next."""
        self.used = range(0)
        """Tokens of days that were counted: "через три дня" names no afternoon."""

    def day(self) -> Found:  # noqa: PLR0911 - one return a way to say it
        """The day, the last day of a stretch, what is wrong."""
        texts, values = self._reading.texts, self._reading.values
        if self._words.lists["lunar_words"].are_in(texts):
            return None, None, Trouble.LUNAR
        today = self._today
        relative = self._relative_days()
        weekdays = self._weekdays()
        dated = next((v for v in values if self._is_dated(v)), None)
        ahead = self.ahead.day()
        self.used = ahead.used if ahead else range(0)
        nth = nth_weekday(self._reading, self._words, today=today, month_offset=self._weeks.offset("month_words"))
        if (
            nth is None
            and (ends := ends_of(self._reading, self._words)) is not None
            and self._weeks.offset("week_words") is None
        ):
            return self._stretch(*ends)
        if nth is not None:
            return (*nth, None) if nth else (None, None, Trouble.NO_SUCH_DATE)
        if dated is not None:
            day, last, trouble = self._dated(dated)
            shift = self.beside.days_from(dated)
            shifted = day + timedelta(days=shift) if day and shift else day
            if day and not shift and (beside := self.beside.weekday_beside(day, dated, weekdays)):
                return beside, None, None
            return self._beside_weekday((shifted, last, trouble), dated.start, dated.end, weekdays)
        if weekdays and (shift := self.beside.days_from(weekdays[0])):  # "the day after Thursday"
            day, last, trouble = self._weekday(weekdays[0])
            return (day + timedelta(days=shift), None, trouble) if day and not last else (day, last, trouble)
        if ahead is not None:
            found, used = ahead.day, ahead.used
            return self._beside_weekday(found, used.start, used.stop, weekdays) if ahead.counts_days else found
        if relative:
            start, end, days = relative[0]
            days += self.beside.counted_from(start) + self._is_day_later(start, end)
            return self._beside_weekday((today + timedelta(days=days), None, None), start, end, weekdays)
        if self._words.lists["end_of_month"].are_in(texts) and not any(v.kind is Kind.MONTH for v in values):
            return end_of_month(months_on(today.replace(day=1), self._weeks.offset("month_words") or 0)), None, None
        if self._words.lists["end_of_year"].are_in(texts):
            return today.replace(month=MONTHS_IN_YEAR, day=31), None, None
        return self._weekday(weekdays[0]) if weekdays else self._weeks.week_or_month()

    def _is_dated(self, value: Value) -> bool:
        """Return whether a value is a day of a month; not the number of a weekday: "the first Monday"."""
        if value.kind is not Kind.DATE or value.date[2] is None or value.part:
            return False
        if not any(v.kind is Kind.WEEKDAYS and v.start == value.end for v in self._reading.values):
            return True
        hits = [(at, self._words.nth_before.at(self._reading.texts, at)) for at in range(value.start, value.end)]
        return not any(hit and at + hit[0] == value.end for at, hit in hits)

    def _weekdays(self) -> list[Value]:
        """The weekdays that are named, without those that are not meant where another is: "not Friday but Monday"."""
        named = [v for v in self._reading.values if v.kind is Kind.WEEKDAYS and len(v.days) < DAYS_IN_WEEK]
        return [value for value in named if not self._is_denied(value.start)] or named

    def _relative_days(self) -> list[tuple[int, int, int]]:
        """The days named by their distance; not those that are not meant: "not tomorrow but Friday"."""
        named = self._words.relative_days.find(self._reading.texts)
        if later := [hit for hit in named if self._is_day_later(hit[0], hit[1])]:
            return later
        meant = [hit for hit in named if not self._is_denied(hit[0])]
        others = any(v.kind in (Kind.WEEKDAYS, Kind.DATE) for v in self._reading.values)
        return meant if meant or others else named

    def _is_denied(self, start: int) -> bool:
        texts, denies = self._reading.texts, self._words.lists["not_words"]
        return any(denies.length(texts, start - n) == n for n in (1, 2, 3) if start >= n)

    def _is_day_later(self, start: int, end: int) -> bool:
        """Return whether a day is meant that stands behind one that is not: "not tomorrow, the day after"."""
        texts, later = self._reading.texts, self._words.lists["day_later"]
        return self._is_denied(start) and any(later.length(texts, at) for at in range(end, len(texts)))

    def _stretch(self, first: Value, second: Value) -> Found:
        """The days from one to another; the second is the next such behind the first."""
        begins, _, trouble = self._end_of_stretch(first)
        if begins is None or trouble is not None:
            return None, None, trouble
        if second.kind is Kind.WEEKDAYS:
            return begins, begins + timedelta(days=(next(iter(second.days)) - begins.weekday()) % DAYS_IN_WEEK), None
        if second.kind is Kind.DATE and second.date[1] is None and second.date[2] is not None:
            month = begins.replace(day=1) if second.date[2] > begins.day else months_on(begins.replace(day=1), 1)
            ends = date_of(month.year, month.month, second.date[2])
            return (begins, ends, None) if ends else (None, None, Trouble.NO_SUCH_DATE)
        ends, _, trouble = self._end_of_stretch(second)
        if ends is None or trouble is not None:
            return None, None, trouble
        return (begins, ends, None) if ends > begins else (begins, None, None)

    def _end_of_stretch(self, value: Value) -> Found:
        if value.kind is Kind.DATE:
            return self._dated(value)
        if value.kind is Kind.DAY:
            return self._today + timedelta(days=int(value.number)), None, None
        return self._weekday(value)

    def _beside_weekday(self, found: Found, start: int, end: int, weekdays: Sequence[Value]) -> Found:
        """The day that is named from `start` to `end`, among the weekdays of the text. Only a weekday beside it can
        contradict it ("Tuesday the third"); one that stands apart is another day, and the later of two days counts:
        "I've an appointment tomorrow, can I come on Friday?".
        """
        day = found[0]
        if day is None or not weekdays:
            return found
        if beside := [value for value in weekdays if self.beside.are_beside(value, start, end)]:
            agrees = any(day.weekday() in value.days for value in beside)
            return found if agrees else (None, None, Trouble.CONTRADICTION)
        last = weekdays[-1]
        return self._weekday(last) if last.start >= end and day.weekday() not in last.days else found

    def _dated(self, value: Value) -> Found:
        year, month, day = value.date
        today = self._today
        if day is None:
            return None, None, None
        if year is None and self._weeks.names_next_year():
            year = today.year + 1
        if month is None and (offset := self._weeks.offset("month_words")) is not None:
            first = months_on(today.replace(day=1), offset)
            year, month = first.year, first.month
        if month is None:
            return self._day_of_month(day)
        if year is not None:
            found = date_of(year, month, day)
            trouble = None if found else Trouble.NO_SUCH_DATE
            return found, None, trouble or (Trouble.PAST if found and found < today else None)
        for candidate in (today.year, today.year + 1):
            found = date_of(candidate, month, day)
            if found is not None and found >= today:
                return found, None, None
        leap = next((d for n in range(2, 9) if (d := date_of(today.year + n, month, day))), None)
        return None, None, Trouble.TOO_FAR if leap else Trouble.NO_SUCH_DATE

    def _day_of_month(self, day: int) -> Found:
        today = self._today
        first = today.replace(day=1)
        for n in range(MONTHS_IN_YEAR):
            month = months_on(first, n)
            found = date_of(month.year, month.month, day)
            if found is not None and found >= today:
                return found, None, None
        return None, None, Trouble.NO_SUCH_DATE

    def _weekday(self, value: Value) -> Found:
        today = self._today
        monday = today - timedelta(days=today.weekday())
        offset = self._weekday_offset(value)
        self.is_any_week = offset is None
        if len(value.days) > 1:  # the weekend, the working days
            first, last = min(value.days), max(value.days)
            week = offset if offset is not None else (1 if last < today.weekday() else 0)
            begins = monday + timedelta(days=week * DAYS_IN_WEEK + first)
            return max(begins, today) if week == 0 else begins, begins + timedelta(days=last - first), None
        day = next(iter(value.days))
        if weeks := self._weeks_behind(value):
            return today + timedelta(days=(day - today.weekday()) % DAYS_IN_WEEK + weeks * DAYS_IN_WEEK), None, None
        if self._words.lists["one_after"].are_in(self._reading.texts):  # "not this Friday but the one after"
            coming = today + timedelta(days=(day - today.weekday()) % DAYS_IN_WEEK)
            return coming + timedelta(days=DAYS_IN_WEEK), None, None
        is_coming = offset == 0 and self._weeks.offset("week_words") is None  # "this Wednesday", said on a Sunday
        if self._words.length("coming_behind", self._reading.texts, value.end):  # "thứ bảy tới"; today is not to come
            return today + timedelta(days=(day - today.weekday() - 1) % DAYS_IN_WEEK + 1), None, None
        if offset is None or is_coming:
            return today + timedelta(days=(day - today.weekday()) % DAYS_IN_WEEK), None, None
        return monday + timedelta(days=offset * DAYS_IN_WEEK + day), None, None

    def _weeks_behind(self, value: Value) -> int:
        """Return how many weeks behind the coming weekday are meant: "Thursday week", "a week on Thursday"."""
        texts, before = self._reading.texts, self._words.weeks_before
        hits = [before.at(texts, value.start - n) for n in (2, 3) if value.start >= n]
        hits += [self._words.weeks_behind.at(texts, value.end)]
        n_days = next(
            (v for v in numbers_in(self._reading.tokens, {}, self._language_code).values() if v.end == value.start),
            None,
        )
        if (
            n_days is not None
            and 1 < n_days.number <= _MOST_WEEKDAYS
            and self._words.length("in_behind", texts, value.end)
        ):
            return int(n_days.number) - 1  # "two Fridays from now"
        return next((hit[1] for hit in hits if hit is not None), 0)

    def _weekday_offset(self, value: Value) -> int | None:
        """Weeks from this one, as said right beside a weekday or by the week's own name; None: not said."""
        for name, weeks in (("next", 1), ("this", 0), ("last", -1)):
            before, behind = self._words.lists[f"{name}_words"], self._words.lists[f"{name}_behind"]
            texts = self._reading.texts
            if any(before.length(texts, value.start - n) == n for n in (1, 2, 3) if value.start >= n):
                return weeks * self._weeks.times_said(before, value.start)
            if self._words.length("next_but_one", texts, value.end):
                return 2
            if behind.length(texts, value.end):
                return weeks
        return self._weeks.offset("week_words")
