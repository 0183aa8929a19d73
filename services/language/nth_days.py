"""Weekdays that are counted within a month: "the first Monday in January", "последняя пятница декабря". Sans-IO.

The words for which of them is meant stand in `nth_before` and `nth_behind` of each language's dates.toml.
"""

import calendar
from datetime import date, timedelta

from services.language.calendar_words import CalendarWords
from services.language.value import Kind, Reading, Value

_MONTHS = 12  # of a year
_WEEKEND = 2  # days
_LONGEST_NTH = 4  # tokens of a phrase that says which


def nth_weekday(
    reading: Reading, words: CalendarWords, *, today: date, month_offset: int | None
) -> tuple[date, date | None] | tuple[()] | None:
    """The day that is meant, in its month's next year that has it ahead, and the last day of a weekend that is counted.

    Empty: the month has none; None: none is counted. `month_offset`: months from this one, as the text says them ("next
    month"); else a month must be named, or "the month", which is the next one where this one's is past.
    """
    month = next((int(value.number) for value in reading.values if value.kind is Kind.MONTH), None)
    is_the_month = month is None and month_offset is None and words.lists["the_month"].are_in(reading.texts)
    if month is None and month_offset is None and not is_the_month:
        return None
    for value in reading.values:
        nth = _nth(value, reading.texts, words) if value.kind is Kind.WEEKDAYS and len(value.days) <= _WEEKEND else None
        if nth is None:
            continue
        first, n_more = min(value.days), len(value.days) - 1
        found = _in_month_or_next(today, month, month_offset or 0, first, nth, may_be_next=is_the_month)
        if found is None:
            return ()
        return found, found + timedelta(days=n_more) if n_more else None
    return None


def _in_month_or_next(
    today: date, month: int | None, offset: int, weekday: int, nth: int, *, may_be_next: bool
) -> date | None:
    if month is None:
        n_months = today.month - 1 + offset
        found = _in_month(today.year + n_months // _MONTHS, n_months % _MONTHS + 1, weekday, nth)
        if may_be_next and (found is None or found < today):
            n_months += 1
            found = _in_month(today.year + n_months // _MONTHS, n_months % _MONTHS + 1, weekday, nth)
        return found
    found = _in_month(today.year, month, weekday, nth)
    return found if found is not None and found >= today else _in_month(today.year + 1, month, weekday, nth)


def _nth(value: Value, texts: tuple[str, ...], words: CalendarWords) -> int | None:
    """Return which of its month's weekdays is meant, by the words right beside it."""
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
