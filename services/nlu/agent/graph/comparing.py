"""Answers that compare typed facts: the lowest price, the longer of two, the day with the longest hours. Sans-IO.

Whatever order or number is said here was reckoned from the facts. Where a price or a length is not known, that is
said, or the thing is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from services.language.words import normalise
from services.nlu.agent.facts import Facts, Money, Service, names_in, price_in
from services.nlu.agent.graph.asking import UNKNOWN, Asking
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.opening_hours import DAYS_IN_WEEK

_KINDS = frozenset({"price", "offered", "duration", "hours", "who", UNKNOWN, "about", "free"})
_MOST_NAMED = 6
_FEW_STRANGE = 2


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of a comparison."""

    text: str
    kind: str
    computed: tuple[Decimal, ...] = ()
    service: str = ""  # an id: the one that the answer is about


class Comparing:
    """Comparisons over one agent's facts in one language."""

    def __init__(self, facts: Facts, language_code: str, asking: Asking, templates: Templates) -> None:
        self._facts, self._language, self._asking, self._words = facts, language_code, asking, templates
        self._services = {one.id: one for one in facts.services}

    def answer(self, part: Part, strange: Callable[[str], int]) -> Compared | None:
        """The answer; None: nothing is compared, or not what the facts hold. `strange` counts the words of the part
        that no question of a kind has.
        """
        if part.kind not in _KINDS and not part.doubts:
            return None
        said = {name for name, phrases in self._asking.compares.items() if has_any(part.slots.words, phrases)}
        if not said:
            return None
        for rule in (self._people, self._hours, self._two, self._ends, self._affordable, self._extreme):
            if (found := rule(part, said, strange)) is not None:
                return found
        return None

    def _people(self, part: Part, said: set[str], strange: Callable[[str], int]) -> Compared | None:
        """Return how many people there are: those that the facts name."""
        people, slots = self._facts.people, part.slots
        if not people or slots.when or slots.services or not self._counts_staff(part) or strange("who"):
            return None  # "how many people does a family room take"
        names = self._words.all_of(self._name(one) for one in people)
        text = self._words.say("count_people", n=str(len(people)), people=names)
        return Compared(text, "who", (Decimal(len(people)),))

    def _counts_staff(self, part: Part) -> bool:
        words, compares = part.slots.words, self._asking.compares
        return any(
            words[at : at + len(many) + len(staff)] == (*many, *staff)
            for many in compares["how_many"]
            for staff in compares["staff"]
            for at in range(len(words))
        )

    # Hours

    def _hours(self, part: Part, said: set[str], strange: Callable[[str], int]) -> Compared | None:
        """The day that opens or closes first or last, or is longest."""
        hours, slots = self._facts.hours, part.slots
        orders = said & {"earliest", "latest", "longest", "shortest"}
        is_of_hours = part.kind == "hours" or said & {"opening", "closing"}
        if hours is None or not orders or not is_of_hours or slots.services or slots.people or slots.when:
            return None
        if strange("hours") >= _FEW_STRANGE or part.kind == "free":
            return None
        opened = {day: hours.weekdays[day] for day in range(DAYS_IN_WEEK) if hours.weekdays[day]}
        if not opened:
            return None
        if "longest" in orders or "shortest" in orders:
            lengths = {day: sum(one.closes_min - one.opens_min for one in spans) for day, spans in opened.items()}
            days = _extremes(lengths, largest="longest" in orders)
            key = "open_longest" if "longest" in orders else "open_shortest"
            text = self._words.say(key, on_days=self._on(days), spans=self._words.spans(opened[days[0]]))
            return Compared(text, "hours")
        if "latest" in orders or "closing" in said:
            ends = {day: spans[-1].closes_min for day, spans in opened.items()}
            days = _extremes(ends, largest="latest" in orders)
            key, at = ("closes_last" if "latest" in orders else "closes_first"), opened[days[0]][-1].closes
        else:
            begins = {day: spans[0].opens_min for day, spans in opened.items()}
            days = _extremes(begins, largest=False)
            key, at = "opens_first", opened[days[0]][0].opens
        return Compared(self._words.say(key, on_days=self._on(days), time=self._words.time(at)), "hours")

    def _on(self, days: Sequence[int]) -> str:
        return self._words.on(self._words.days(days))

    # Services

    def _two(self, part: Part, said: set[str], strange: Callable[[str], int]) -> Compared | None:
        """Two things that are named, held against each other."""
        found = [self._services[one.id] for one in part.slots.services]
        if len(found) != 2 or not said & {"cheaper", "dearer", "longer", "shorter", "difference", *_EXTREMES}:
            return None
        if part.slots.amount and has_any(part.slots.words, self._asking.sums):
            return None  # "do a crown and a filling cost more than 280 together"
        is_of_price = bool(said & {"cheaper", "dearer", "cheapest", "dearest"})  # its word names what is compared
        is_of_time = bool(said & {"longer", "shorter", "longest", "shortest"}) or part.kind == "duration"
        is_of_time = is_of_time and not is_of_price
        first, second = found
        counts = [one.count for one in part.slots.services]
        if not is_of_time and counts[0] != counts[1]:
            return self._several(found, counts)
        return self._two_lengths(first, second) if is_of_time else self._two_prices(first, second)

    def _several(self, services: Sequence[Service], counts: Sequence[int]) -> Compared:
        """Return what so many of each come to: "two singles or one double"."""
        texts: list[str] = []
        computed: list[Decimal] = []
        for service, count in zip(services, counts, strict=True):
            texts.append(self._price(service))
            price = price_in(service, self._language)
            if price is not None and count > 1:
                total = Money(price.amount * count, price.currency)
                texts.append(self._words.say("sum", price=self._words.money(total)))
                computed.append(total.amount)
        return Compared(" ".join(texts), "price", tuple(computed))

    def _two_prices(self, first: Service, second: Service) -> Compared:
        one, other = price_in(first, self._language), price_in(second, self._language)
        if one is None or other is None or one.currency != other.currency:
            return Compared(" ".join(self._price(each) for each in (first, second)), "price")
        if one.amount == other.amount:
            text = self._words.say(
                "prices_same", a=self._thing(first), b=self._thing(second), price=self._words.money(one)
            )
            return Compared(text, "price")
        if one.amount < other.amount:
            first, second, one, other = second, first, other, one
        gap = Money(one.amount - other.amount, one.currency)
        parts = {"a": self._thing(first), "b": self._thing(second)}
        rates = {"more": self._words.rate(one, first.per), "less": self._words.rate(other, second.per)}
        text = self._words.say("costs_more", **parts, **rates)
        return Compared(f"{text} {self._words.say('gap', price=self._words.money(gap))}", "price", (gap.amount,))

    def _two_lengths(self, first: Service, second: Service) -> Compared:
        if first.minutes is None or second.minutes is None:
            return Compared(" ".join(self._length(each) for each in (first, second)), "duration")
        if first.minutes < second.minutes:
            first, second = second, first
        parts = {"a": self._thing(first), "b": self._thing(second), "more": str(first.minutes)}
        key = "lengths_same" if first.minutes == second.minutes else "takes_longer"
        return Compared(self._words.say(key, **parts, less=str(second.minutes)), "duration")

    def _affordable(self, part: Part, said: set[str], strange: Callable[[str], int]) -> Compared | None:
        """Return what can be had for an amount that the caller names."""
        amount = part.slots.amount
        if (
            amount is None
            or not amount.amount
            or part.slots.services
            or not said & {"cheaper", "dearer", "at_most", "afford"}
        ):
            return None
        if strange("price") >= _FEW_STRANGE:
            return None
        is_above = "dearer" in said and not said & {"cheaper", "at_most", "afford"}
        is_within = bool(said & {"at_most", "afford"}) and "cheaper" not in said  # the amount itself is no less than it
        priced = [(price, one) for one in self._facts.services if (price := price_in(one, self._language))]
        fitting = [
            one
            for price, one in priced
            if amount.currency in ("", price.currency)
            and (
                price.amount > amount.amount
                if is_above
                else price.amount < amount.amount or (is_within and price.amount == amount.amount)
            )
        ]
        if not priced:
            return None
        if not fitting:
            return self._extreme(part, {"dearest" if is_above else "cheapest"}, strange)
        key = "above_amount" if is_above else "within_amount"
        texts = [self._words.say(key), *(self._price(one) for one in fitting[:_MOST_NAMED])]
        return Compared(" ".join(texts), "price")

    def _extreme(self, part: Part, said: set[str], strange: Callable[[str], int]) -> Compared | None:
        """The cheapest, dearest, shortest or longest of what is named, or of everything."""
        if not (orders := said & _EXTREMES) or len(part.slots.services) == 1 or part.slots.people:
            return None
        is_of_price = bool(orders & {"cheapest", "dearest"})
        named = [self._services[one.id] for one in part.slots.services] or self._of_a_kind(part)
        if not named and self._has_word_of_one(part):
            return None  # "the cheapest way to the airport" is none of everything
        if strange("price" if is_of_price else "duration") >= _FEW_STRANGE + (len(named) > 1):
            return None
        if is_of_price:
            by_night = has_any(
                part.slots.words, self._asking.periods["night"]
            )  # "the cheapest for one night" is a room
            every = [one for one in self._facts.services if not by_night or one.per == "night"]
            found = self._extreme_price(named or every, largest="dearest" in orders)
            return self._times(found, part.slots.periods) if found else None
        if part.kind not in ("duration", "offered", UNKNOWN) and not part.doubts:
            return None
        return self._extreme_length(named or self._facts.services, largest="longest" in orders)

    def _ends(self, part: Part, said: set[str], strange: Callable[[str], int]) -> Compared | None:
        """The dearest and the cheapest, held against each other."""
        if not {"cheapest", "dearest"} <= said or part.slots.services or strange("price") > _FEW_STRANGE:
            return None
        services = self._of_a_kind(part) or self._facts.services
        prices = {one.id: price for one in services if (price := price_in(one, self._language))}
        if len(prices) < 2 or len({price.currency for price in prices.values()}) > 1:
            return None
        amounts = {id_: price.amount for id_, price in prices.items()}
        first, last = (self._services[_extremes(amounts, largest=largest)[0]] for largest in (True, False))
        return self._two_prices(first, last)

    def _has_word_of_one(self, part: Part) -> bool:
        """Return whether a sentence has a word of one service's names, and names none."""
        words = {word for word in part.slots.words if word not in self._asking.common}
        return any(
            words & set(normalise(name)) for one in self._facts.services for name in names_in(one.names, self._language)
        )

    def _of_a_kind(self, part: Part) -> list[Service]:
        """The services whose names share a word with the sentence: both rooms of "the cheapest room"."""
        words = {word for word in part.slots.words if word not in self._asking.common}
        plain = words | {word.removesuffix("s") for word in words}
        found = [
            one
            for one in self._facts.services
            if any(plain & set(normalise(name)) for name in names_in(one.names, self._language))
        ]
        return found if len(found) > 1 else []

    def _times(self, found: Compared, periods: Mapping[str, int]) -> Compared:
        """A price times the nights that are asked for: "three nights in the cheapest room"."""
        service = self._services.get(found.service)
        price = price_in(service, self._language) if service else None
        count = periods.get(service.per, 1) if service else 1
        if price is None or count == 1:
            return found
        total = Money(price.amount * count, price.currency)
        text = f"{found.text} {self._words.say('sum', price=self._words.money(total))}"
        return Compared(text, found.kind, (total.amount,), found.service)

    def _extreme_price(self, services: Sequence[Service], *, largest: bool) -> Compared | None:
        prices = {one.id: price for one in services if (price := price_in(one, self._language))}
        if not prices or len({price.currency for price in prices.values()}) > 1:
            return None
        ids = _extremes({id_: price.amount for id_, price in prices.items()}, largest=largest)
        things = self._words.all_of(self._thing(self._services[id_]) for id_ in ids)
        key = "dearest" if largest else "cheapest"
        rate = self._words.rate(prices[ids[0]], self._services[ids[0]].per)
        text = self._words.say(key, items=things, price=rate)
        return Compared(text, "price", service=ids[0] if len(ids) == 1 else "")

    def _extreme_length(self, services: Sequence[Service], *, largest: bool) -> Compared | None:
        lengths = {one.id: one.minutes for one in services if one.minutes is not None}
        if not lengths:
            return None
        ids = _extremes(lengths, largest=largest)
        things = self._words.all_of(self._thing(self._services[id_]) for id_ in ids)
        key = "takes_longest" if largest else "takes_shortest"
        text = self._words.say(key, items=things, minutes=str(lengths[ids[0]]))
        return Compared(text, "duration", service=ids[0] if len(ids) == 1 else "")

    def _price(self, service: Service) -> str:
        price = price_in(service, self._language)
        if price is None:
            return self._words.say("price_unknown", a_service=self._thing(service))
        rate = self._words.rate(price, service.per)
        return self._words.say("price", a_service=self._thing(service), price=rate)

    def _length(self, service: Service) -> str:
        key = "duration_unknown" if service.minutes is None else "duration"
        return self._words.say(key, a_service=self._thing(service), minutes=str(service.minutes))

    def _thing(self, service: Service) -> str:
        return self._words.thing(self._name(service))

    def _name(self, thing: object) -> str:
        return names_in(getattr(thing, "names", {}), self._language)[0]


_EXTREMES = frozenset({"cheapest", "dearest", "longest", "shortest"})


Key = TypeVar("Key")
Ordered = TypeVar("Ordered", int, Decimal)


def _extremes(values: Mapping[Key, Ordered], *, largest: bool) -> list[Key]:
    """The keys of the largest or smallest value, in their order."""
    best = max(values.values()) if largest else min(values.values())
    return [key for key, value in values.items() if value == best]
