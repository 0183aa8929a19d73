"""The facts of an agent, as typed values: replies are made from these, and checked against them. Sans-IO.

facts_file.py reads them from the agent's YAML. Texts stand by the agent's language tags, each of which every text has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal

from services.nlu.agent.language import find_language
from services.nlu.agent.opening_hours import OpeningHours

Names = Mapping[str, tuple[str, ...]]
"""Names of a thing, by language; the first of each language is the one to say."""
Texts = Mapping[str, str]
"""A text by language."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its currency."""

    amount: Decimal
    currency: str  # ISO 4217


@dataclass(frozen=True, slots=True)
class Service:
    """A service that can be had."""

    id: str
    names: Names
    price: Mapping[str, Money] = field(default_factory=dict)  # by language; empty: not known
    minutes: int | None = None  # how long it takes
    per: str = ""  # what the price is for one of: night, day, hour, person, trip; empty: the service itself


@dataclass(frozen=True, slots=True)
class Topic:
    """A field of work that is no service by itself: children, general care."""

    id: str
    names: Names


@dataclass(frozen=True, slots=True)
class Person:
    """A person who works there."""

    id: str
    names: Names
    does: tuple[str, ...] = ()  # ids of services and topics


@dataclass(frozen=True, slots=True)
class Address:
    """The spoken address of something."""

    id: str
    spoken: Texts


@dataclass(frozen=True, slots=True)
class Phone:
    """A number to call, as it is said and as it is dialled."""

    id: str
    number: str  # digits, with + before an international one
    names: Names  # what answers there; may be empty


@dataclass(frozen=True, slots=True)
class FreeTime:
    """A time that can be booked: of a weekday, or of one date."""

    time: time
    weekday: int | None = None  # as date.weekday() counts
    date: date | None = None


@dataclass(frozen=True, slots=True)
class FactText:
    """Something said in the agent's own words."""

    id: str
    examples: Mapping[str, tuple[str, ...]]  # questions it answers, by language
    say: Texts


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything an agent knows. Ids are unique over all kinds."""

    hours: OpeningHours | None = None
    services: tuple[Service, ...] = ()
    topics: tuple[Topic, ...] = ()
    people: tuple[Person, ...] = ()
    addresses: tuple[Address, ...] = ()
    phones: tuple[Phone, ...] = ()
    free_times: tuple[FreeTime, ...] = ()
    texts: tuple[FactText, ...] = ()

    def __bool__(self) -> bool:
        """Tell if there are any."""
        return bool(self.hours or self.free_times or any(True for _ in self._with_ids()))

    def find(self, fact_id: str) -> Service | Topic | Person | Address | Phone | FactText | None:
        """The fact of an id."""
        return next((fact for fact in self._with_ids() if fact.id == fact_id), None)

    def who_does(self, fact_id: str) -> tuple[Person, ...]:
        """The people who do a service or a topic."""
        return tuple(person for person in self.people if fact_id in person.does)

    def _with_ids(self) -> Iterator[Service | Topic | Person | Address | Phone | FactText]:
        yield from self.services
        yield from self.topics
        yield from self.people
        yield from self.addresses
        yield from self.phones
        yield from self.texts


NO_FACTS = Facts()


def names_in(names: Names, language_code: str) -> tuple[str, ...]:
    """The names of something in a language; none where it has no name there."""
    tag = find_language(language_code, tuple(names))
    return names[tag] if tag else ()


def text_in(texts: Texts, language_code: str) -> str:
    """A text in a language; empty where there is none."""
    tag = find_language(language_code, tuple(texts))
    return texts[tag] if tag else ""


def price_in(service: Service, language_code: str) -> Money | None:
    """The price of a service, as it is said in a language; None: not known."""
    tag = find_language(language_code, tuple(service.price))
    return service.price[tag] if tag else None
