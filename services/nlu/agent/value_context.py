"""Context of a value: the days and the verb of the sentence before, the half of the day. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from services.language.dates import Moment, moment_in
from services.language.value import Kind, Reading, Value
from services.nlu.agent.number_rules import amounts
from services.nlu.agent.schedule_claims import DayClaim, Verb

_HALF_DAY_MIN = 12 * 60
_KEPT_MOMENTS = 128  # of what callers said, which a turn's clauses are held against again and again
_MOST_DAYS = 31  # of a stretch that the caller named


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


def resolved_days(reading: Reading, language_code: str, now: datetime | None) -> Iterator[date]:
    """The days that code makes of what the caller said: "next Tuesday", "mồng ba"."""
    moment = _moment(reading, language_code, now) if now is not None else None
    if moment is None or moment.day is None or moment.trouble is not None:
        return
    last = moment.last_day or moment.day
    for n in range(min((last - moment.day).days, _MOST_DAYS) + 1):
        yield moment.day + timedelta(days=n)


@lru_cache(maxsize=_KEPT_MOMENTS)
def _moment(reading: Reading, language_code: str, now: datetime) -> Moment | None:
    return moment_in(reading, language_code, now=now)
