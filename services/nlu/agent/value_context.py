"""Context of a value: the days and the verb of the sentence before, the half of the day. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.language.value import Kind, Value
from services.nlu.agent.number_rules import amounts
from services.nlu.agent.schedule_claims import DayClaim, Verb

_HALF_DAY_MIN = 12 * 60


def bare_hours(values: Sequence[Value]) -> list[Value]:
    """Numbers that may be hours, as times of either half of the day: "at half past eight", where a day is named."""
    minutes = [(value, int(value.number * 60)) for value in values if value.kind is Kind.NUMBER]
    return [
        replace(value, kind=Kind.TIME, minutes=frozenset({minute, (minute + _HALF_DAY_MIN) % (2 * _HALF_DAY_MIN)}))
        for value, minute in minutes
        if 60 <= minute < _HALF_DAY_MIN + 60 and minute % 30 == 0
    ]


def filled(part: DayClaim, before: DayClaim | None, asked: DayClaim | None) -> DayClaim:
    """A part with the days and the verb that the reply, then the question, gives it."""
    days, verb, is_negated = part.days, part.verb, part.is_negated
    for context in (before, asked):
        if context is not None and days is None:
            days = context.days
    if verb is None and before is not None and before.verb is Verb.OPEN and part.times:
        verb = Verb.OPEN
    if verb is None and asked is not None:
        verb = asked.verb
    return DayClaim(days, part.times, part.day_parts, verb, is_negated, part.has_own_verb, part.words)


def same(value: Value, other: Value) -> bool:
    if value.kind is Kind.TIME:
        return bool(value.minutes & other.minutes)
    if value.kind is Kind.WEEKDAYS:
        return value.days <= other.days
    if value.kind is Kind.DATE:
        return value.date == other.date
    if value.kind is Kind.DIGITS:
        return value.digits in other.digits
    return amounts(value, other)
