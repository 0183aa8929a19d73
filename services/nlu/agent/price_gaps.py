"""Guard rules for how far two prices are apart. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import combinations

from services.language.value import Reading, Value
from services.nlu.agent.evidence import PASSED, Verdict
from services.nlu.agent.facts import Service
from services.nlu.agent.grounds import Grounds

Named = Sequence[tuple[int, int, Service]]
"""Services with the places of their names."""


class PriceGaps:
    """One clause's differences of prices against the facts and what the caller compared."""

    def __init__(self, grounds: Grounds, caller: Sequence[Reading], is_computed: Callable[[Value], bool]) -> None:
        self._grounds, self._caller, self._is_computed = grounds, caller, is_computed

    def check(self, prices: Sequence[Value], services: Named, reading: Reading) -> Verdict | None:
        """The amount that is no difference though it is said to be; that all of them are what was asked for; None: of
        neither kind.
        """
        broken_one = self._broken_difference(prices, services, reading) or self._broken_gap(prices, services, reading)
        if broken_one is None and all(self._is_asked_gap(price, services, reading) for price in prices):
            return PASSED
        return broken_one

    def _broken_gap(self, prices: Sequence[Value], services: Named, reading: Reading) -> Verdict | None:
        """An amount by which something is said to be cheaper that is a price of it, and no difference."""
        for gap in (price for price in prices if self._is_gap(price, reading)):
            is_own = any(is_price(self._grounds, gap, each[2]) for each in services)
            if is_own and gap.number not in self._gaps(services) and not self._is_computed(gap):
                return broken("price", gap, reading)
        return None

    def _is_gap(self, price: Value, reading: Reading) -> bool:
        """Return whether an amount is how far two prices are apart: "20 dollars cheaper", "cheaper by 20 dollars"."""
        lists, texts = self._grounds.words.lists, reading.texts
        found = [span for name in ("cheaper", "dearer") for span in lists[name].find(texts)]
        ends = {end + lists["apart_by"].length(texts, end) for _, end, _ in found}
        return price.start in ends or any(start == price.end for start, _, _ in found)

    def _is_asked_gap(self, price: Value, services: Named, reading: Reading) -> bool:
        """Return whether an amount is by how much the one of two services costs more that the caller compared:
        "whitening does, by 70 dollars".
        """
        lists, asked = self._grounds.words.lists, self._caller[-1].texts if self._caller else ()
        by = self._is_gap(price, reading) or any(
            lists["apart_by"].length(reading.texts, price.start - n) == n for n in (1, 2) if price.start >= n
        )
        compares = any(lists[name].are_in(asked) for name in ("asks_cheaper", "asks_dearer", "apart"))
        return by and compares and price.number in self._gaps(services)

    def is_told(self, amount: Value, services: Named, reading: Reading) -> bool:
        """Return whether a number is by how much one of the services costs more: "дороже на тысячу семьсот"."""
        return self._is_gap(amount, reading) and amount.number in self._gaps(services)

    def is_of_asked(self, amount: Value) -> bool:
        """Return whether an amount is how far the prices of the services are apart that the caller named together."""
        asked = self._grounds.services.find(self._caller[-1].texts) if self._caller else []
        return len({each[2].id for each in asked}) > 1 and amount.number in self._gaps(asked)

    def _gaps(self, services: Named) -> frozenset[Decimal]:
        """Return the differences between the prices of the services that the clause and the caller name."""
        asked = self._grounds.services.find(self._caller[-1].texts) if self._caller else []
        both = {each[2].id: each[2] for each in (*services, *asked)}
        if len(both) == 1:  # "the double costs 20 more": than what is let by the same unit
            one = next(iter(both.values()))
            both |= {each.id: each for each in self._grounds.facts.services if each.per and each.per == one.per}
        named = {each.id: self._grounds.price(each) for each in both.values()}
        known = [price.amount for price in named.values() if price is not None]
        return frozenset(abs(one - other) for one, other in combinations(known, 2))

    def _broken_difference(self, prices: Sequence[Value], services: Named, reading: Reading) -> Verdict | None:
        """One amount beside two services that are compared: what they differ by, or the price of the first."""
        first = services[0][2] if services else None
        is_of_two = len(services) == 2 and services[0][2].id != services[1][2].id
        if not is_of_two or len(prices) != 1 or not self._grounds.words.lists["apart"].are_in(reading.texts):
            return None
        known = [price.amount for each in services if (price := self._grounds.price(each[2]))]
        is_difference = len(known) == len(services) and prices[0].number == abs(known[0] - known[1])
        if is_difference or is_price(self._grounds, prices[0], first):
            return None
        return broken("price", prices[0], reading)


def is_price(grounds: Grounds, value: Value, service: Service | None) -> bool:
    """Return whether an amount is the price of a service."""
    price = grounds.price(service) if service else None
    if price is None:
        return False
    return price.amount == value.number and value.currency in ("", price.currency)


def broken(rule: str, value: Value, reading: Reading) -> Verdict:
    """The verdict on a value that is not so."""
    return Verdict(False, rule, reading.words(value))
