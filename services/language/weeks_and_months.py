"""Weeks, months and years told by their place: "next week", "tháng này", "через неделю". Sans-IO.

Weeks begin on Monday.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from services.language.calendar_words import CalendarWords
from services.language.moment import Found
from services.language.phrases import PhraseSet
from services.language.value import Kind, Reading, Value

DAYS_IN_WEEK = 7
MONTHS_IN_YEAR = 12


@dataclass(frozen=True, slots=True)
class WeeksAndMonths:
    """Finds the week or the month that a text names."""

    reading: Reading
    words: CalendarWords
    today: date

    def offset(self, unit: str) -> int | None:
        """Weeks or months from this one: "next week", "tuần sau", "через неделю"; None: none is named."""
        texts = self.reading.texts
        for at in range(len(texts)):
            length = self.words.length(unit, texts, at)
            if not length:
                continue
            for name, offset in (("next", 1), ("this", 0), ("last", -1)):
                before, behind = self.words.lists[f"{name}_words"], self.words.lists[f"{name}_behind"]
                if any(before.length(texts, at - n) == n for n in (1, 2, 3) if at >= n):
                    return offset * self.times_said(before, at)
                if self.words.length("next_but_one", texts, at + length):
                    return 2
                if behind.length(texts, at + length):
                    return offset
        return None

    def names_next_year(self) -> bool:
        texts, before, behind = self.reading.texts, self.words.lists["next_words"], self.words.lists["next_behind"]
        lengths = ((at, self.words.length("year_words", texts, at)) for at in range(len(texts)))
        return any(n and (before.length(texts, at - 1) or behind.length(texts, at + n)) for at, n in lengths)

    def week_or_month(self) -> Found:
        """The days of the week or the month that is named, as far as they are not past."""
        today = self.today
        weeks = self.offset("week_words")
        if weeks is not None:
            monday = today - timedelta(days=today.weekday()) + timedelta(days=weeks * DAYS_IN_WEEK)
            return max(monday, today) if weeks == 0 else monday, monday + timedelta(days=6), None
        months = self.offset("month_words")
        if months is not None:
            first = months_on(today.replace(day=1), months)
            if self._is_end():
                return end_of_month(first), None, None
            return max(first, today) if months == 0 else first, end_of_month(first), None
        month = next((value for value in self.reading.values if value.kind is Kind.MONTH), None)
        if month is not None:
            year = today.year + (1 if int(month.number) < today.month else 0)
            first = date(year, int(month.number), 1)
            if self._is_end(month):
                return end_of_month(first), None, None
            return max(first, today), end_of_month(first), None
        return None, None, None

    def _is_end(self, month: Value | None = None) -> bool:
        """Return whether the end of a month is meant: "the end of next month", "в конце января", "下个月底"."""
        texts, ends = self.reading.texts, self.words.lists["end_words"]
        if month is None:
            return ends.are_in(texts)
        before = any(ends.length(texts, month.start - n) == n for n in range(1, 5) if month.start >= n)
        return before or ends.length(texts, month.end) > 0

    def times_said(self, before: PhraseSet, at: int) -> int:
        """Return how often a word stands before a day: "下下周一" is of the week after next."""
        texts, n = self.reading.texts, 0
        last = next((at - k for k in (1, 2, 3) if at >= k and before.length(texts, at - k) == k), at)
        while last > n and before.length(texts, last - n - 1) and texts[last - n - 1] == texts[last]:
            n += 1
        return n + 1


def date_of(year: int, month: int, day: int) -> date | None:
    """A date of the calendar; None: there is no such date."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def months_on(first: date, months: int) -> date:
    """The first day of the month so many behind another's first day."""
    month = first.month - 1 + months
    return date(first.year + month // MONTHS_IN_YEAR, month % MONTHS_IN_YEAR + 1, 1)


def end_of_month(day: date) -> date:
    """The last day of a day's month."""
    return months_on(day.replace(day=1), 1) - timedelta(days=1)
