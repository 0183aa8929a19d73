"""Amounts that follow from the facts: prices together, so many times one, how far two are apart. Sans-IO.

The services must be named by the clause, by what the reply said before it, or by the caller, and how many are meant
must have been said: no other sum is let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import product
from math import prod

from services.language.value import Kind, Reading
from services.nlu.agent.facts import Service
from services.nlu.agent.grounds import Grounds, read
from services.nlu.agent.opening_hours import MINUTES_IN_DAY

_MOST_SERVICES = 3  # whose prices are added
_MOST_COUNTS = 3
_LARGEST_COUNT = 31  # nights of a stay, people of a group


def amounts_from(grounds: Grounds, reading: Reading, *, reply: str, caller: Sequence[Reading]) -> frozenset[Decimal]:
    """Return what the prices of the services that are spoken of come to."""
    before = read(reply, grounds.language_code) if reply else None
    asked = caller[-1] if caller else None
    own = _named(grounds, (reading,))
    told = _named(grounds, (before, reading)) if before else own
    wanted = _named(grounds, (asked,)) if asked else []
    counts = _counts((*caller[-1:], *((before,) if before else ()), reading))
    if not own and len(wanted) > 1:
        counts -= {Decimal(len(wanted))} - _counts((*caller[-1:],))  # "the two together"
    groups = {2: "twosome", 3: "threesome", 4: "foursome"}
    texts_said = (reading.texts, *((asked.texts,) if asked else ()))
    counts |= {
        Decimal(n) for n, name in groups.items() if any(grounds.words.lists[name].are_in(one) for one in texts_said)
    }
    has = [value.number for value in asked.values if value.kind is Kind.MONEY] if asked else []
    is_rest = grounds.words.lists["left_over"].are_in(reading.texts)
    found: set[Decimal] = set()
    for services in (own, told, wanted, _together(wanted, told), *([each] for each in own)):
        prices = [price.amount for each in services if (price := grounds.price(each))]
        if not prices or len(prices) < len(services) or len(prices) > _MOST_SERVICES:
            continue
        each_of_each = {one * other for one in counts for other in counts if one < other}  # two rooms for three nights
        times = (Decimal(1), *sorted(counts)[:_MOST_COUNTS], *sorted(each_of_each)[:_MOST_COUNTS])
        if is_rest:
            found |= {amount - sum(prices, Decimal(0)) for amount in has if amount > sum(prices, Decimal(0))}
        own_counts = _counts((reading,))
        if len(prices) == 1 and len(own_counts) > 1 and services[0].per == "person":
            times = (
                Decimal(1),
                prod(own_counts, start=Decimal(1)),
            )  # two people for three days: none of the counts alone
        found |= {
            sum((n * price for n, price in zip(each, prices, strict=True)), Decimal(0))
            for each in product(times, repeat=len(prices))
            if len(prices) > 1 or each[0] > 1
        }
        lists = grounds.words.lists
        if len(prices) == 2 and any(lists[name].are_in(reading.texts) for name in ("cheaper", "dearer", "apart")):
            found.add(abs(prices[0] - prices[1]))
    return frozenset(found)


def _named(grounds: Grounds, readings: Iterable[Reading | None]) -> list[Service]:
    found = (hit[2] for one in readings if one is not None for hit in grounds.services.find(one.texts))
    return list({each.id: each for each in found}.values())


def _together(first: Sequence[Service], second: Sequence[Service]) -> list[Service]:
    return list({each.id: each for each in (*first, *second)}.values())


def _counts(readings: Iterable[Reading | None]) -> frozenset[Decimal]:
    """The small whole numbers that were said, of whatever: two nights, three people, three days."""
    values = [value for one in readings if one is not None for value in one.values]
    counts = [value.number for value in values if value.kind is Kind.NUMBER]
    counts += [value.number / MINUTES_IN_DAY for value in values if value.kind is Kind.DURATION]
    return frozenset(one for one in counts if 1 < one <= _LARGEST_COUNT and one == one.to_integral_value())
