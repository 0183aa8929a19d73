"""A move by so much: "back a day", "an hour earlier", "lùi lại một tuần". Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from services.language.value import Kind
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.counting import has_any, spans_of

_UNITS = {"hours": timedelta(hours=1), "days": timedelta(days=1), "weeks": timedelta(weeks=1)}
_MOST = 8  # units


def shift_in(text: str, lists: Mapping[str, Sequence[Words]], language_code: str) -> timedelta | None:
    """The shift of a time that a text asks for, later being positive; None: it asks for none."""
    words = normalise(text)
    is_later, is_earlier = has_any(words, lists["later"]), has_any(words, lists["earlier"])
    if is_later == is_earlier:
        return None
    for unit, length in _UNITS.items():
        for start, _ in spans_of(words, lists[unit]):
            if count := _count(words[:start], lists["one"], language_code):
                return length * (count if is_later else -count)
    return None


def _count(before: Words, ones: Sequence[Words], language_code: str) -> int:
    """The number of units that the words give at their end; 0: they do not end in a number."""
    if any(before[-len(one) :] == one for one in ones):
        return 1
    values = read_values(" ".join(before[-1:]), language_code).values if before else ()
    numbers = [int(value.number) for value in values if value.kind is Kind.NUMBER]
    return numbers[0] if len(numbers) == 1 and numbers[0] <= _MOST else 0
