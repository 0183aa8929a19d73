"""Stretches of days by their two ends: "from the tenth to the twelfth", "заезд пятого, выезд восьмого". Sans-IO."""

from itertools import pairwise

from services.language.calendar_words import CalendarWords
from services.language.value import Kind, Reading, Value

_MOST_BETWEEN = 6  # tokens between the two days of a stay: "and we are leaving on"
_LONGEST_PHRASE = 3  # tokens
_DAYS = (Kind.DAY, Kind.DATE, Kind.WEEKDAYS)


def ends_of(reading: Reading, words: CalendarWords) -> tuple[Value, Value] | None:
    """The first day and the last of a stretch, as they are named; None: the text names none.

    Two days are one where a word of ranges stands between them, or beside the second a word for leaving.
    """
    days = [value for value in reading.values if _is_day(value)]
    for first, second in pairwise(days):
        if _is_range(first, second, reading, words) or _is_stay(first, second, reading, words):
            return first, second
    return None


def _is_day(value: Value) -> bool:
    if value.kind is Kind.DATE:
        return value.date[2] is not None and not value.part
    return value.kind is Kind.DAY or (value.kind is Kind.WEEKDAYS and len(value.days) == 1)


def _is_range(first: Value, second: Value, reading: Reading, words: CalendarWords) -> bool:
    texts = reading.texts
    openings = words.lists["range_openings"]
    is_between = any(openings.length(texts, first.start - n) == n for n in (1, 2) if first.start >= n)
    if words.joins_only(texts, first.end) and not is_between:
        return False
    length = words.length("range_words", texts, first.end)
    return length > 0 and first.end + length == second.start


def _is_stay(first: Value, second: Value, reading: Reading, words: CalendarWords) -> bool:
    if not 0 <= second.start - first.end <= _MOST_BETWEEN:
        return False
    leaves = words.lists["leaving_words"]
    between = range(first.end, second.start)
    return any(leaves.length(reading.texts, at) for at in between) or leaves.length(reading.texts, second.end) > 0
