"""Rules for a mention: a number beside a day may be an hour, a named thing may be left out. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence

from services.language.calendar_words import calendar_words
from services.language.phrases import tokens_of
from services.language.value import Kind, Reading, Value
from services.language.values import read_values
from services.nlu.agent.graph.asking import Asking, Words
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.naming import Found

_LONGEST_OPENING = 2  # words of "vào lúc"
_DAYS = (Kind.WEEKDAYS, Kind.DATE, Kind.DAY, Kind.PART)


def may_be_hour(
    number: Value, reading: Reading, asking: Asking, language_code: str, *, lets_rooms: bool = False
) -> bool:
    """Return whether a number beside a day may be an hour: not one that counts ("one slot on Friday") or stands for a
    thing ("is one free"), nor the guests of a room ("for two on Friday").
    """
    texts, start, end = reading.texts, number.start, number.end
    if lets_rooms and any(texts[start - len(one) : start] == one for one in asking.people["bare"]):
        return False
    calendar = calendar_words(language_code)
    for n in range(1, min(start, _LONGEST_OPENING) + 1):
        if calendar.length("time_openings", texts, start - n) == n:
            return True
    is_behind_day = any(value.end == start and value.kind in _DAYS for value in reading.values)
    if not is_behind_day and asking.stand_ins.intersection(texts[start:end]):
        return False
    is_last = end >= len(texts) or reading.tokens[end].kind == "stop"
    if is_last or number.number % 1 or any(value.start == end for value in reading.values):
        return True
    return calendar.length("after_times", texts, end) > 0


def names_a_month(text: str, language_code: str) -> bool:
    """Return whether the first date of a text is said with its month, or is a day of every year by its name."""
    dates = [value.date for value in read_values(text, language_code).values if value.kind is Kind.DATE]
    return bool(dates) and dates[0][1] is not None


def names_a_time(text: str, language_code: str) -> bool:
    """Return whether a time is said, and no bare number only."""
    return any(value.kind is Kind.TIME for value in read_values(text, language_code).values)


def without_left_out(found: tuple[Found, ...], text: str, words: Words, asking: Asking) -> tuple[Found, ...]:
    """The things named without those that are named as no part of the question: "a double without breakfast"."""
    behind_stops = _places_behind_stops(text, words)
    return tuple(one for one in found if not _is_left_out(one, words, asking, behind_stops, is_alone=len(found) == 1))


def _is_left_out(one: Found, words: Words, asking: Asking, behind_stops: frozenset[int], *, is_alone: bool) -> bool:
    behind = words[one.end :]
    if not is_alone and any(behind[: len(phrase)] == phrase for phrase in asking.left_out_behind):
        return True
    start = next((place for place in range(one.start, 0, -1) if place in behind_stops), 0)
    before = words[start : one.start]
    while before and before[-1] in asking.articles:
        before = before[:-1]
    if _ends_in(before, asking.left_out):
        return True
    return not is_alone and not has_any(before, asking.left_out_unless) and _ends_in(before, asking.left_out_beside)


def are_joined(found: Sequence[Found], text: str, words: Words, asking: Asking) -> bool:
    """Return whether things that are named stand together: a joining word or a stop is between the first and last."""
    if len(found) < 2 or has_any(words, asking.sums):
        return True
    first, last = found[0].end, found[-1].start
    is_listed = any(first <= place <= last for place in _places_behind_stops(text, words))
    is_listed = is_listed and all(word in asking.common or word.isdecimal() for word in words[first:last])
    return is_listed or has_any(words[first:last], asking.joins)


def _ends_in(words: Words, phrases: Sequence[Words]) -> bool:
    return any(words[-len(phrase) :] == phrase for phrase in phrases)


def _places_behind_stops(text: str, words: Words) -> frozenset[int]:
    """The places of words that a stop stands before; none where the text is not cut into these words."""
    places: list[int] = []
    n_words = 0
    for token in tokens_of(text):
        if token.kind == "stop":
            places.append(n_words)
        elif n_words < len(words) and token.text == words[n_words]:
            n_words += 1
        else:
            return frozenset()
    return frozenset(places)
