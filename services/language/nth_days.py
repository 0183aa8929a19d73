"""Weekdays that are counted within a month: "the first Monday in January", "последняя пятница декабря". Sans-IO.

The words for which of them is meant stand in `nth_before` and `nth_behind` of each language's dates.toml.
"""

import calendar
from datetime import date

from services.language.calendar_words import CalendarWords
from services.language.value import Kind, Reading, Value

_LONGEST_NTH = 4  # tokens of a phrase that says which


def nth_weekday(reading: Reading, words: CalendarWords, *, today: date, month_offset: int | None) -> date | str | None:
    """The day that is meant, in its month's next year that has it ahead; "": the month has none; None: none is counted.

    `month_offset`: months from this one, as the text says them ("next month"); else a month must be named.
    """
    month = next((int(value.number) for value in reading.values if value.kind is Kind.MONTH), None)
    if month is None and month_offset is None:
        return None
    for value in reading.values:
        nth = _nth(value, reading.texts, words) if value.kind is Kind.WEEKDAYS and len(value.days) == 1 else None
        if nth is None:
            continue
        weekday = next(iter(value.days))
        if month is None:
            n_months = today.month - 1 + (month_offset or 0)
            return _in_month(today.year + n_months // 12, n_months % 12 + 1, weekday, nth) or ""
        found = _in_month(today.year, month, weekday, nth)
        if found is None or found < today:
            found = _in_month(today.year + 1, month, weekday, nth)
        return found or ""
    return None


def _nth(value: Value, texts: tuple[str, ...], words: CalendarWords) -> int | None:
    """Which of its month's weekdays is meant, by the words right beside it."""
    for n in range(1, min(_LONGEST_NTH, value.start) + 1):
        hit = words.nth_before.at(texts, value.start - n)
        if hit is not None and hit[0] == n:
            return hit[1]
    behind = words.nth_behind.at(texts, value.end)
    return behind[1] if behind else None


def _in_month(year: int, month: int, weekday: int, nth: int) -> date | None:
    days = [week[weekday] for week in calendar.monthcalendar(year, month) if week[weekday]]
    at = nth if nth < 0 else nth - 1
    return date(year, month, days[at]) if -len(days) <= at < len(days) else None
