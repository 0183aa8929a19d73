"""Context of a value: the days and the verb of the sentence before, the half of the day. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from services.language.dates import moment_in
from services.language.moment import Moment
from services.language.value import Kind, Reading, Value
from services.nlu.agent.facts import Topic
from services.nlu.agent.grounds import Grounds
from services.nlu.agent.number_rules import amounts
from services.nlu.agent.schedule_claims import DayClaim, Verb

_HALF_DAY_MIN = 12 * 60
_MINUTES_IN_YEAR = 365 * 24 * 60
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


def without_ages(reading: Reading, grounds: Grounds, *, said: frozenset[Decimal] | None = None) -> Reading:
    """The reading without the ages of people. `said`: only those that the caller gave, who then hears them again."""
    ages = [v for v in reading.values if _is_age(v, reading, grounds) and (said is None or _age_in(v) in said)]
    if not ages:
        return reading
    places = {at for value in ages for at in range(value.start, value.end)}
    tokens = (replace(token, kind="figures") if at in places else token for at, token in enumerate(reading.tokens))
    return replace(reading, tokens=tuple(tokens), values=tuple(v for v in reading.values if v not in ages))


def ages_in(reading: Reading, grounds: Grounds) -> Iterator[Decimal]:
    """The ages that a text gives."""
    return (_age_in(value) for value in reading.values if _is_age(value, reading, grounds))


def _age_in(value: Value) -> Decimal:
    return value.number if value.kind is Kind.NUMBER else Decimal(value.number // _MINUTES_IN_YEAR)


def _is_age(value: Value, reading: Reading, grounds: Grounds) -> bool:
    lists, texts, at = grounds.words.lists, reading.texts, value.start
    inside = any(lists["ages"].length(texts, one) for one in range(at + 1, value.end + 1))
    if value.kind is Kind.DURATION or inside:
        return value.kind in (Kind.NUMBER, Kind.DURATION) and inside
    spans = grounds.doable.find(texts)
    children = {end for _, end, each in spans if isinstance(each, Topic)}
    before = (at - n for n in range(1, 3) if at >= n and lists["aged"].length(texts, at - n) == n)
    return value.kind is Kind.NUMBER and any(one in children for one in before)


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
