"""Reads `facts:` of an agent's YAML file and checks every field of it.

    hours: {weekdays: {monday: ["08:00-12:00", "13:00-18:00"], ..., sunday: []}, exceptions: [{date, hours, names}],
            of: {en: [front desk]}}    what keeps them, where that is not the whole house
    services: [{id, names: {en: [filling]}, price: {en: {amount: 50, currency: USD}}, minutes: 30}]
    topics: [{id, names}]
    people: [{id, names, does: [ids of services and topics]}]
    addresses: [{id, spoken: {en: "..."}}]
    phones: [{id, number, names}]
    free_times: [{weekday: tuesday, time: "10:00"}, {date: 2026-12-01, time: "10:00"}]
    texts: [{id, examples: {en: ["..."]}, say: {en: "..."}}]
    currencies: {en: [USD, EUR]}    where prices of one language are in more than one

A price without languages holds in all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.nlu.agent.facts import (
    NO_FACTS,
    Address,
    Facts,
    FactText,
    FreeTime,
    Money,
    Person,
    Phone,
    Service,
    Topic,
)
from services.nlu.agent.opening_hours import MINUTES_IN_DAY, WEEKDAYS, HoursException, Interval, OpeningHours

Path = tuple[str | int, ...]

_INTERVAL = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_CURRENCY = r"^[A-Z]{3}$"
_NUMBER = r"^\+?[0-9][0-9 .()-]*$"


class AgentFileError(ValueError):
    """A field of an agent's file is wrong; `path` leads to it, and the message names it too."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{'.'.join(str(part) for part in path)}: {message}")
        self.path = path


def _interval(written: object) -> Interval:
    found = _INTERVAL.fullmatch(written.strip()) if isinstance(written, str) else None
    if found is None:
        raise ValueError(f'{written!r} is no stretch of a day: write "08:00-18:00", in quotes')
    opens_h, opens_m, closes_h, closes_m = map(int, found.groups())
    opens, closes = opens_h * 60 + opens_m, closes_h * 60 + closes_m
    if opens_m > 59 or closes_m > 59 or closes > MINUTES_IN_DAY:
        raise ValueError(f"{written!r} has a time that no day has")
    if opens >= closes:
        raise ValueError(f"{written!r} ends before it begins: hours past midnight belong to the next day")
    return Interval(opens, closes)


def _time(written: object) -> time:
    found = _TIME.fullmatch(written.strip()) if isinstance(written, str) else None
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError(f'{written!r} is no time of day: write "10:00", in quotes')
    return time(int(found[1]), int(found[2]))


def _date(written: object) -> date:
    try:
        return written if type(written) is date else date.fromisoformat(str(written))
    except ValueError:
        raise ValueError(f"{written} is no date: write 2026-12-25") from None


def _weekday(written: object) -> int:
    if written not in WEEKDAYS:
        raise ValueError(f"{written!r} is no weekday: use {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(str(written))


class _FactsModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, arbitrary_types_allowed=True)


_Interval = Annotated[Any, BeforeValidator(_interval)]
_Time = Annotated[time, BeforeValidator(_time)]
_Date = Annotated[date, BeforeValidator(_date)]
_Weekday = Annotated[int, BeforeValidator(_weekday)]
_Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
_Text = Annotated[str, Field(min_length=1)]
_Names = dict[str, Annotated[tuple[_Text, ...], Field(min_length=1)]]


class _Exception(_FactsModel):
    date: _Date
    hours: tuple[_Interval, ...]
    names: _Names = {}


class _Hours(_FactsModel):
    weekdays: dict[_Weekday, tuple[_Interval, ...]]
    exceptions: tuple[_Exception, ...] = ()
    of: _Names = {}


class _Money(_FactsModel):
    amount: Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=3)]
    currency: str = Field(pattern=_CURRENCY)


class _Named(_FactsModel):
    id: _Id


class _Service(_Named):
    names: _Names
    price: dict[str, _Money] = {}
    minutes: Annotated[int, Field(gt=0, le=MINUTES_IN_DAY, strict=True)] | None = None
    per: Literal["", "night", "day", "hour", "person", "trip"] = ""


class _Topic(_Named):
    names: _Names


class _Person(_Named):
    names: _Names
    does: tuple[_Id, ...] = ()


class _Address(_Named):
    spoken: dict[str, _Text]


class _Phone(_Named):
    number: Annotated[str, Field(pattern=_NUMBER, strict=True)]
    names: _Names = {}


class _FreeTime(_FactsModel):
    time: _Time
    weekday: _Weekday | None = None
    date: _Date | None = None


class _FactText(_Named):
    examples: _Names
    say: dict[str, _Text]


class _FactsFile(_FactsModel):
    hours: _Hours | None = None
    services: tuple[_Service, ...] = ()
    topics: tuple[_Topic, ...] = ()
    people: tuple[_Person, ...] = ()
    addresses: tuple[_Address, ...] = ()
    phones: tuple[_Phone, ...] = ()
    free_times: tuple[_FreeTime, ...] = ()
    texts: tuple[_FactText, ...] = ()
    currencies: dict[str, tuple[Annotated[str, Field(pattern=_CURRENCY)], ...]] = {}


def load_facts(mapping: object, *, languages: Sequence[str]) -> Facts:
    """The facts of a file's `facts:`; `languages` are the agent's, of which every text must have each.

    Raises AgentFileError for the first field that is wrong.
    """
    if mapping is None:
        return NO_FACTS
    try:
        read = _FactsFile.model_validate(_with_every_language(mapping, languages))
    except ValidationError as error:
        first = error.errors()[0]
        raise AgentFileError(("facts", *first["loc"]), first["msg"].removeprefix("Value error, ")) from error
    _check_ids(read)
    _check_languages(read, languages)
    _check_currencies(read)
    _check_days(read)
    return Facts(
        hours=_hours(read.hours) if read.hours else None,
        services=tuple(Service(each.id, each.names, _prices(each), each.minutes, each.per) for each in read.services),
        topics=tuple(Topic(each.id, each.names) for each in read.topics),
        people=tuple(Person(each.id, each.names, each.does) for each in read.people),
        addresses=tuple(Address(each.id, each.spoken) for each in read.addresses),
        phones=tuple(Phone(each.id, re.sub(r"[^+\d]", "", each.number), each.names) for each in read.phones),
        free_times=tuple(FreeTime(each.time, each.weekday, each.date) for each in read.free_times),
        texts=tuple(FactText(each.id, each.examples, each.say) for each in read.texts),
    )


def past_exceptions(facts: Facts, today: date) -> tuple[date, ...]:
    """Dates of exceptions that lie behind: they change nothing any more and may go from the file."""
    return tuple(sorted(day for day in facts.hours.exceptions if day < today)) if facts.hours else ()


def _with_every_language(mapping: object, languages: Sequence[str]) -> object:
    """The file with prices that have no languages set for each of them."""
    services = mapping.get("services") if isinstance(mapping, Mapping) else None
    if not isinstance(mapping, Mapping) or not isinstance(services, list):
        return mapping
    return {**mapping, "services": [_with_price_by_language(service, languages) for service in services]}


def _with_price_by_language(service: object, languages: Sequence[str]) -> object:
    price = service.get("price") if isinstance(service, Mapping) else None
    if not isinstance(service, Mapping) or not isinstance(price, Mapping) or not {"amount", "currency"} & set(price):
        return service
    return {**service, "price": dict.fromkeys(languages, price)}


def _check_ids(read: _FactsFile) -> None:
    seen: dict[str, str] = {}
    kinds: dict[str, Sequence[_Named]] = {
        "services": read.services,
        "topics": read.topics,
        "people": read.people,
        "addresses": read.addresses,
        "phones": read.phones,
        "texts": read.texts,
    }
    for kind, facts in kinds.items():
        for at, fact in enumerate(facts):
            if fact.id in seen:
                raise AgentFileError(("facts", kind, at, "id"), f"{fact.id!r} is the id of {seen[fact.id]} too")
            seen[fact.id] = f"facts.{kind}.{at}"
    known = {fact.id for fact in read.services} | {fact.id for fact in read.topics}
    for at, person in enumerate(read.people):
        for place, done in enumerate(person.does):
            if done not in known:
                message = f"{done!r} is the id of no service and no topic; there are {', '.join(sorted(known))}"
                raise AgentFileError(("facts", "people", at, "does", place), message)


def _check_languages(read: _FactsFile, languages: Sequence[str]) -> None:
    for path, texts in _texts(read):
        if missing := [code for code in languages if code not in texts]:
            raise AgentFileError(path, f"nothing for {', '.join(missing)}")
        if unknown := [code for code in texts if code not in languages]:
            raise AgentFileError((*path, unknown[0]), f"the agent has no persona that speaks {unknown[0]}")


def _texts(read: _FactsFile) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """Everything that must be there in each language, and the path to it."""
    for kind in ("services", "topics", "people"):
        for at, fact in enumerate(getattr(read, kind)):
            yield ("facts", kind, at, "names"), fact.names
    exceptions = read.hours.exceptions if read.hours else ()
    for at, service in enumerate(read.services):
        if service.price:
            yield ("facts", "services", at, "price"), service.price
    for at, phone in enumerate(read.phones):
        if phone.names:
            yield ("facts", "phones", at, "names"), phone.names
    if read.hours and read.hours.of:
        yield ("facts", "hours", "of"), read.hours.of
    for at, exception in enumerate(exceptions):
        if exception.names:
            yield ("facts", "hours", "exceptions", at, "names"), exception.names
    for at, address in enumerate(read.addresses):
        yield ("facts", "addresses", at, "spoken"), address.spoken
    for at, text in enumerate(read.texts):
        yield ("facts", "texts", at, "examples"), text.examples
        yield ("facts", "texts", at, "say"), text.say


def _check_currencies(read: _FactsFile) -> None:
    first: dict[str, str] = {}
    for at, service in enumerate(read.services):
        for code, money in service.price.items():
            allowed = read.currencies.get(code) or (first.setdefault(code, money.currency),)
            if money.currency not in allowed:
                path: Path = ("facts", "services", at, "price", code, "currency")
                others = ", ".join(allowed)
                hint = f"where both are meant, write currencies: {{{code}: [{others}, {money.currency}]}}"
                raise AgentFileError(path, f"{money.currency} where other prices in {code} are in {others}: {hint}")


def _check_days(read: _FactsFile) -> None:
    for at, free in enumerate(read.free_times):
        if (free.weekday is None) == (free.date is None):
            raise AgentFileError(("facts", "free_times", at), "name a weekday or a date, one of the two")
    if read.hours is None:
        return
    if missing := [name for day, name in enumerate(WEEKDAYS) if day not in read.hours.weekdays]:
        message = f"{', '.join(missing)} is missing: write [] for a day on which it is closed"
        raise AgentFileError(("facts", "hours", "weekdays"), message)
    for day, intervals in read.hours.weekdays.items():
        _check_order(("facts", "hours", "weekdays", WEEKDAYS[day]), intervals)
    dates = Counter(exception.date for exception in read.hours.exceptions)
    for at, exception in enumerate(read.hours.exceptions):
        path = ("facts", "hours", "exceptions", at)
        if dates[exception.date] > 1:
            raise AgentFileError((*path, "date"), f"{exception.date} stands twice")
        _check_order((*path, "hours"), exception.hours)


def _check_order(path: Path, intervals: Sequence[Interval]) -> None:
    for at, (earlier, later) in enumerate(pairwise(intervals), start=1):
        if later.opens_min < earlier.closes_min:
            raise AgentFileError((*path, at), "begins before the stretch before it ends")


def _hours(read: _Hours) -> OpeningHours:
    exceptions = {each.date: HoursException(each.date, each.hours, each.names) for each in read.exceptions}
    return OpeningHours(dict(read.weekdays), exceptions, read.of)


def _prices(service: _Service) -> dict[str, Money]:
    return {code: Money(money.amount, money.currency) for code, money in service.price.items()}
