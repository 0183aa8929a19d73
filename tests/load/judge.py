"""Judges an agent's replies: right, wrong or false, by the figures and deeds that they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from services.language.value import Kind, Value
from services.language.values import read_values
from services.nlu.agent.facts import names_in
from services.nlu.agent.profile import AgentProfile
from tests.load.dialogue_files import Expected

DEEDS = ("booked", "cancelled", "changed", "transferred", "promise")
_VALUE = re.compile(r"(?P<time>\d{2}:\d{2})|(?P<amount>[\d.]+) (?P<unit>[A-Z]{3}|min)")


class Judge:
    """Judges replies of one agent in one language."""

    def __init__(self, profile: AgentProfile, language: str, phrases: dict[str, list[str]], now: datetime) -> None:
        self._language, self._phrases = language, phrases
        self._known = set(_known_figures(profile, language)) | set(_now_figures(now))

    def outcome(self, reply: str, turn: Expected, said: str) -> str:
        """Right, wrong or false; `said` is everything the caller has said."""
        asked_for = {_figure_of(found) for wanted in (*turn.all, *turn.any) if (found := _VALUE.fullmatch(wanted))}
        is_false = any(not (set(one) & asked_for) for one in self._false_figures(reply, said))
        if any(self._has(reply, name) for name in turn.never) or is_false:
            return "false"
        if any(self._has(reply, deed) for deed in DEEDS if deed in self._phrases):
            return "false"
        has_all = all(self._has(reply, wanted) for wanted in turn.all)
        has_any = not turn.any or any(self._has(reply, wanted) for wanted in turn.any)
        return "right" if reply and has_all and has_any else "wrong"

    def _has(self, reply: str, wanted: str) -> bool:
        plain = reply.lower()
        if wanted in self._phrases:
            return any(re.search(pattern, plain) for pattern in self._phrases[wanted])
        if found := _VALUE.fullmatch(wanted):
            return _figure_of(found) in {figure for one in _figures(reply, self._language) for figure in one}
        return wanted.lower() in plain

    def _false_figures(self, reply: str, said: str) -> list[list[str]]:
        """Figures of a reply that neither facts nor caller support, each as all that it may be."""
        caller = {figure for one in _figures(said, self._language) for figure in one}
        return [one for one in _figures(reply, self._language) if not (set(one) & (self._known | caller))]


def _figure_of(found: re.Match[str]) -> str:
    if found["time"]:
        hour, minute = map(int, found["time"].split(":"))
        return f"time {hour * 60 + minute}"
    unit = found["unit"]
    amount = Decimal(found["amount"])
    return f"minutes {amount.normalize()}" if unit == "min" else f"{unit} {amount.normalize()}"


def _figures(text: str, language: str) -> list[list[str]]:
    """The figures of a text, each as all that it may be."""
    found = []
    values = read_values(text, language).values
    for value in values:
        match value.kind:
            case Kind.MONEY:
                found.append([f"{value.currency} {value.number.normalize()}"])
            case Kind.TIME:
                found.append([f"time {minute}" for minute in sorted(value.minutes)])
            case Kind.DURATION:
                found.append([f"minutes {value.number.normalize()}"])
            case Kind.DIGITS:
                found.append([f"digits {value.digits}"])
            case Kind.PERCENT:
                found.append([f"percent {value.number.normalize()}"])
            case Kind.DATE if value.date[2] and not _has_its_weekday(value, values):
                found.append([f"date {value.date[1]}-{value.date[2]}"])
    return found


def _has_its_weekday(date_said: Value, values: Sequence[Value]) -> bool:
    """Return whether a date stands beside its true weekday of this year or the next: then it was computed."""
    year, month, day = date_said.date
    if month is None or day is None:
        return False
    near = [
        v
        for v in values
        if v.kind is Kind.WEEKDAYS and min(abs(v.end - date_said.start), abs(date_said.end - v.start)) <= 2
    ]
    years = [year] if year else [datetime.now().year, datetime.now().year + 1]
    for each in years:
        try:
            weekday = date(each, month, day).weekday()
        except ValueError:
            continue
        if any(v.days == {weekday} for v in near):
            return True
    return False


def _known_figures(profile: AgentProfile, language: str) -> Iterator[str]:
    facts = profile.facts
    for service in facts.services:
        if money := service.price.get(language):
            yield f"{money.currency} {money.amount.normalize()}"
        if service.minutes:
            yield f"minutes {Decimal(service.minutes).normalize()}"
    yield from _reckoned(profile, language)
    intervals = [one for each in facts.hours.weekdays.values() for one in each] if facts.hours else []
    exceptions = list(facts.hours.exceptions.values()) if facts.hours else []
    for interval in (*intervals, *(one for each in exceptions for one in each.intervals)):
        yield from (f"time {interval.opens_min}", f"time {interval.closes_min}")
    for exception in exceptions:
        yield f"date {exception.date.month}-{exception.date.day}"
        for name in names_in(exception.names, language):
            yield from (figure for one in _figures(name, language) for figure in one)
    for free in facts.free_times:
        yield f"time {free.time.hour * 60 + free.time.minute}"
    authored = [*(text.say[language] for text in facts.texts), *(each.spoken[language] for each in facts.addresses)]
    persona = profile.personas[language]
    for text in (*authored, persona.greeting, persona.farewell):
        yield from (figure for one in _figures(text, language) for figure in one)


def _reckoned(profile: AgentProfile, language: str) -> Iterator[str]:
    """Yield what prices come to together, and how far they are apart."""
    prices = [price for service in profile.facts.services if (price := service.price.get(language))]
    for one in prices:
        for other in prices:
            for amount in (one.amount + other.amount, 2 * one.amount + other.amount, abs(one.amount - other.amount)):
                yield f"{one.currency} {amount.normalize()}"


def _now_figures(now: datetime) -> Iterator[str]:
    for minute in (-1, 0, 1, 2, 3):
        yield f"time {(now.hour * 60 + now.minute + minute) % 1440}"
    yield f"date {now.month}-{now.day}"
