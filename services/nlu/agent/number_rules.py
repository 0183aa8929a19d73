"""Guard rules for numbers in a clause: prices of services, lengths, counts. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from services.language.value import Kind, Reading, Value
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.facts import Service
from services.nlu.agent.free_of_charge import FreeOfCharge
from services.nlu.agent.grounds import Grounds, read
from services.nlu.agent.opening_hours import MINUTES_IN_DAY
from services.nlu.agent.price_gaps import PriceGaps, broken, is_price
from services.nlu.agent.reckoning import amounts_from

_LONGEST_SMALL = 4  # letters of a word that counts nothing
_LEAST_SUM = 100  # a number from which on one without a currency may be a sum of prices
_NEIGHBOURS = 1  # tokens beside a number that must stand beside it in a text too


class NumberRules:
    """One clause's amounts and numbers against the facts and the call."""

    def __init__(self, grounds: Grounds, evidence: Evidence, caller: Sequence[Reading]) -> None:
        self._grounds, self._evidence, self._caller = grounds, evidence, caller
        self._free = FreeOfCharge(grounds, evidence)
        self._gaps = PriceGaps(grounds, caller, self._is_computed)

    def check_money(self, reading: Reading, form: ClauseForm) -> Verdict | None:  # noqa: PLR0911 - one return a reason
        prices = [value for value in reading.values if value.kind is Kind.MONEY]
        prices += [
            value for value in reading.values if value.kind is Kind.NUMBER and self._may_be_price(value, reading)
        ]
        people = self._grounds.words.lists["twosome"].find(reading.texts)
        inside = {at for start, end, _ in people for at in range(start, end)}
        prices = [value for value in prices if value.start not in inside and not self._is_count(value, reading)]
        prices.sort(key=lambda value: value.start)
        if (compared := self._compared(reading, form)) and not form.is_question:
            return None if compared[1] else broken("price", compared[0], reading)
        if not prices:
            return self._free.check(reading, form)
        services = self._grounds.services.find(reading.texts)
        if form.is_claim_of_caller and self._is_enough(prices, services, reading):
            return None
        pairings: list[list[Service | None]]
        if services:
            only = services[0][2] if len({each[2].id for each in services}) == 1 else None
            before = [self._nearest(services, price, prices, before=True) or only for price in prices]
            behind = [self._nearest(services, price, prices, before=False) or only for price in prices]
            own = [self._nearest(services, price, prices, before=True) for price in prices]
            pairings = [before, behind, [one or other for one, other in zip(own, behind, strict=True)]]
        else:
            subject = self._subject(form)
            pairings = [[subject] * len(prices)] if subject is not None else []
        if (apart := self._gaps.check(prices, services, reading)) is not None:
            return apart if not apart.ok else None
        together = self._grounds.words.lists["together"]
        is_sum = together.are_in(reading.texts) or any(together.are_in(one.texts) for one in self._caller[-1:])
        reckoned = self._reckoned(reading) if services or pairings or is_sum else frozenset()
        if self._is_of_several(prices, services, reading):
            pairings = []  # the price of one is not that of two
        for pairing in pairings or [[None] * len(prices)]:
            pairs = zip(prices, pairing, strict=True)
            if all(is_price(self._grounds, price, each) or self._is_reckoned(price, reckoned) for price, each in pairs):
                return None
        wrong = next(
            (price for price in prices if not any(is_price(self._grounds, price, each[2]) for each in services)),
            prices[0],
        )
        if all(self._is_computed(price) or self._is_in_texts(price, reading) for price in prices):
            return None
        if not self._grounds.services.find(reading.texts) and all(
            self._free.is_said(price, reading) for price in prices
        ):
            return None
        is_theirs = form.is_question or form.is_echo or form.is_ignorance
        may_echo = is_theirs and not form.is_claim_of_caller and not services
        if may_echo and all(self._said_amount(price) for price in prices):
            return None
        return broken("price", wrong, reading)

    def _compared(self, reading: Reading, form: ClauseForm) -> tuple[Value, bool] | None:
        """The amount that a clause compares with the price of the one service it names ("over 200"), and whether that
        is so; None: it compares none. An amount that the caller did not name says nothing: "a crown is over 10".
        """
        lists, texts = self._grounds.words.lists, reading.texts
        named = {each[2].id: each[2] for each in self._grounds.services.find(texts)}
        price = self._grounds.price(next(iter(named.values()))) if len(named) == 1 else None
        amounts_said = [value for value in reading.values if value.kind in (Kind.MONEY, Kind.NUMBER)]
        if price is None or len(amounts_said) != 1 or amounts_said[0].currency not in ("", price.currency):
            return None
        amount = amounts_said[0]
        if any(lists[name].are_in(texts) for name in ("cheaper", "dearer")):
            return None  # how far two prices are apart
        for name, sign in (("under", -1), ("over", 1)):
            if any(lists[name].length(texts, amount.start - n) == n for n in (1, 2, 3) if amount.start >= n):
                if not form.is_claim_of_caller and self._gaps.is_of_asked(amount):
                    return amount, True  # "một triệu rưỡi" more than the other, where the caller compares two
                is_asked = form.is_claim_of_caller or self._said_amount(amount)
                return amount, is_asked and sign * (price.amount - amount.number) > 0
        return None

    def _is_enough(
        self, prices: Sequence[Value], services: Sequence[tuple[int, int, Service]], reading: Reading
    ) -> bool:
        """Return whether one amount that the caller has covers what is named: "I have 60 dollars, is that enough?"."""
        if len(prices) != 1 or not services or not self._grounds.words.lists["enough"].are_in(reading.texts):
            return False
        named = {each[2].id: self._grounds.price(each[2]) for each in services}
        known = [price for price in named.values() if price is not None and prices[0].currency in ("", price.currency)]
        is_counted = any(value.kind is Kind.NUMBER and value.number > 1 for value in reading.values)
        is_known = len(known) == len(named) and not is_counted  # what two of one come to is not told here
        return is_known and prices[0].number >= sum(price.amount for price in known)

    def _reckoned(self, reading: Reading) -> frozenset[Decimal]:
        """Return what the prices that are spoken of come to, for as many as were said."""
        return amounts_from(self._grounds, reading, reply=self._evidence.reply, caller=self._caller)

    def _is_reckoned(self, price: Value, reckoned: frozenset[Decimal]) -> bool:
        own = {known.currency for each in self._grounds.facts.services if (known := self._grounds.price(each))}
        return price.number in reckoned and (not price.currency or price.currency in own)

    def _is_of_several(
        self, prices: Sequence[Value], services: Sequence[tuple[int, int, Service]], reading: Reading
    ) -> bool:
        """Return whether one amount is said of several things: "two fillings", "a crown and a filling together"."""
        lists = self._grounds.words.lists
        if len(prices) != 1 or not services or lists["each"].are_in(reading.texts):
            return False
        numbers = [value for value in reading.values if value.kind is Kind.NUMBER and value.number > 1]
        ends = {value.end + n for value in numbers for n in (0, lists["classifiers"].length(reading.texts, value.end))}
        beside = any(start in ends or end == value.start for value in numbers for start, end, _ in services)
        n_services = len({each[2].id for each in services})
        return beside or (lists["together"].are_in(reading.texts) and n_services > 1)

    def _is_count(self, value: Value, reading: Reading) -> bool:
        """Return whether a bare number of a clause about money is how many the caller asked for: "for three people"."""
        has_money = any(other.kind is Kind.MONEY for other in reading.values)
        lets_nights = any(each.per == "night" for each in self._grounds.facts.services)
        return value.kind is Kind.NUMBER and (has_money or lets_nights) and self._said_amount(value)

    def _is_of_address(self, value: Value, reading: Reading) -> bool:
        """Return whether a number is that of an address, in whatever form, beside a name of it: "number 25, Nguyen
        Hue".
        """
        code, own = self._grounds.language_code, set(reading.texts)
        for address in self._grounds.addresses:
            known = read(address, code)
            names = {word for word in known.texts if word.isalpha() and word not in self._grounds.words.common}
            if names & own and any(amounts(value, other) for other in known.values):
                return True
        return False

    def _counts_services(self, value: Value, reading: Reading) -> bool:
        """Return whether it is how many services the clause compares, or adds up as the caller named them: "the cheaper
        of the two", "the two together".
        """
        named = {each[2].id for each in self._grounds.services.find(reading.texts)}
        if not named and self._caller and self._grounds.words.lists["together"].are_in(reading.texts):
            named = {each[2].id for each in self._grounds.services.find(self._caller[-1].texts)}
        return value.number > 1 and value.number == len(named)

    def _may_be_price(self, value: Value, reading: Reading) -> bool:
        """A bare number beside a service and a word for price: "a filling is fifty"."""
        price = self._grounds.words.lists["price"]
        before = any(price.length(reading.texts, value.start - n) for n in (1, 2) if value.start >= n)
        before = before or price.length(reading.texts, value.end) > 0
        return before and value.number > 1 and bool(self._grounds.services.find(reading.texts))

    def _nearest(
        self, services: Sequence[tuple[int, int, Service]], price: Value, prices: Sequence[Value], *, before: bool
    ) -> Service | None:
        """The service that a price belongs to: the last before it or the first behind it, no other price between."""
        if before:
            bound = max((other.end for other in prices if other.end <= price.start), default=0)
            fitting = [each for each in services if bound <= each[0] and each[1] <= price.start]
            return fitting[-1][2] if fitting else None
        bound = min((other.start for other in prices if other.start >= price.end), default=10**6)
        fitting = [each for each in services if price.end <= each[0] and each[1] <= bound]
        return fitting[0][2] if fitting else None

    def _subject(self, form: ClauseForm) -> Service | None:
        """The service that is talked of where the clause names none; None: none, or more than one."""
        if form.is_claim_of_caller:
            return None
        reply = read(self._evidence.reply, self._grounds.language_code) if self._evidence.reply else None
        if reply and (named := self._grounds.services.find(reply.texts)):
            return named[-1][2]
        for asked in reversed(self._caller):
            named = self._grounds.services.find(asked.texts)
            if named or asked is self._caller[-1]:
                ids = {each[2].id for each in named}
                inside = {at for value in asked.values for at in range(value.start, value.end)}
                words = (word for at, word in enumerate(asked.texts) if at not in inside and word.isalpha())
                unknown = [word for word in words if not self._grounds.knows(word)]
                if len(ids) == 1 and not (unknown and self._grounds.words.is_closed_world):
                    return named[0][2]
                if named or unknown:
                    return None
        return None

    def _is_computed(self, value: Value) -> bool:
        return value.number in self._evidence.computed or self._is_in_tools(value)

    def _said_amount(self, value: Value) -> bool:
        """Return whether the caller said a number, or so many days: "a week" is seven nights."""
        said = [other for text in self._caller for other in text.values]
        days = [other.number / MINUTES_IN_DAY for other in said if other.kind is Kind.DURATION]
        return value.number in (*days, *(other.number for other in said))

    # Other numbers

    def check_numbers(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        for value in reading.values:
            if value.kind in (Kind.NUMBER, Kind.PERCENT, Kind.DURATION, Kind.DIGITS) and not self._is_number_known(
                value, reading, form
            ):
                return broken(value.kind.value, value, reading)
        return None

    def _is_number_known(  # noqa: PLR0911 - a table of what may be said
        self, value: Value, reading: Reading, form: ClauseForm
    ) -> bool:
        if self._is_in_texts(value, reading) or self._is_computed(value):
            return True
        if value.kind is Kind.DIGITS:
            return value.digits in self._grounds.phones or value.digits in self._said_digits()
        if value.kind is Kind.DURATION:
            return self._is_length(value, reading, form)
        if value.kind is Kind.NUMBER and value.number == 1 and not value.digits:
            counts = self._grounds.words.lists["counts"]
            counted = self._grounds.words.lists["counted_people"]
            is_count = value.start > 0 and counts.length(reading.texts, value.start - 1)
            return not (is_count and counted.length(reading.texts, value.end))
        is_compared = not form.is_question and self._compared(reading, form) is not None
        if value.kind is Kind.NUMBER and self._is_bare_price(value, reading, form):
            return True
        if value.kind is Kind.NUMBER and (is_compared or self._may_be_price(value, reading)):
            return True  # checked as a price
        counted = self._grounds.words.lists["counted_people"]
        if value.kind is Kind.NUMBER and value.number == len(self._grounds.facts.people):
            named = {person.id for _, _, person in self._grounds.people.find(reading.texts)}
            if counted.length(reading.texts, value.end) > 0 or len(named) == value.number:
                return True  # "two dentists"; "two, Doctor Mai and Doctor Lee"
        people = self._grounds.words.lists["twosome"].find(reading.texts)
        is_of_people = any(start <= value.start < end for start, end, _ in people)
        if not form.is_claim_of_caller and (is_of_people or self._is_count(value, reading)):
            return True
        if value.kind is Kind.NUMBER and (self._is_of_address(value, reading) or self._counts_services(value, reading)):
            return True
        may_echo = not form.is_claim_of_caller
        if may_echo and value.kind is Kind.NUMBER and self._is_bare_sum(value, reading):
            return True
        return may_echo and self._is_said_number(value, reading, form)

    def _is_bare_sum(self, value: Value, reading: Reading) -> bool:
        """Return whether a number without a currency is what prices come to: "that comes to a hundred and eighty"."""
        if self._gaps.is_told(value, self._grounds.services.find(reading.texts), reading):
            return True
        is_sum = value.number >= _LEAST_SUM or self._grounds.words.lists["together"].are_in(reading.texts)
        return is_sum and value.number in self._reckoned(reading)

    def _is_bare_price(self, value: Value, reading: Reading, form: ClauseForm) -> bool:
        """Return whether a number without a currency is the price of the one service that is named, or of one that the
        caller wants added up: "Is a cleaning still 35?", "单人间一晚两百八", "twenty plus fifty".
        """
        together = self._grounds.words.lists["together"]
        behind = reading.tokens[value.end : value.end + 1]
        if any(one.kind == "word" and len(one.text) > _LONGEST_SMALL for one in behind) and not together.length(
            reading.texts, value.end
        ):
            return False  # it counts what follows: "50 appointments"
        named = self._grounds.services.find(reading.texts)
        is_one = form.is_claim_of_caller or len({each[2].id for each in named}) == 1
        if not named and self._caller and together.are_in(reading.texts):
            named, is_one = self._grounds.services.find(self._caller[-1].texts), True
        return is_one and any(is_price(self._grounds, value, each[2]) for each in named)

    def _is_said_number(self, value: Value, reading: Reading, form: ClauseForm) -> bool:
        """Return what the caller gave by the way, as a number of people: said again, not claimed of the house."""
        is_theirs = form.is_question or form.is_echo or form.is_ignorance
        return is_theirs and self._said_amount(value)

    def _is_length(self, value: Value, reading: Reading, form: ClauseForm) -> bool:
        services = [each[2] for each in self._grounds.services.find(reading.texts)]
        subject = self._subject(form) if not services else None
        services += [subject] if subject else []
        if any(service.minutes is not None and service.minutes == value.number for service in services):
            return True
        if self._is_days_of_stay(value, form) or self._is_gap_of_lengths(value, reading):
            return True
        may_echo = (form.is_question or form.is_echo or form.is_ignorance) and not form.is_claim_of_caller
        return may_echo and self._said_amount(value)

    def _is_gap_of_lengths(self, value: Value, reading: Reading) -> bool:
        """Return whether it is by how much one of two services that are spoken of takes longer."""
        asked = self._grounds.services.find(self._caller[-1].texts) if self._caller else []
        both = {each[2].id: each[2].minutes for each in (*self._grounds.services.find(reading.texts), *asked)}
        known = [minutes for minutes in both.values() if minutes is not None]
        is_gap = len(both) == len(known) == 2 and value.number == abs(known[0] - known[1])
        return is_gap and self._grounds.words.lists["longer"].are_in(reading.texts)

    def _is_days_of_stay(self, value: Value, form: ClauseForm) -> bool:
        """Return whether so many days are the nights that the caller asked for: "breakfast for three days"."""
        lets_nights = any(each.per == "night" for each in self._grounds.facts.services)
        days, rest = divmod(value.number, MINUTES_IN_DAY)
        said = [other for text in self._caller[-1:] for other in text.values]
        is_said = any(
            (other.kind is Kind.NUMBER and other.number == days)
            or (other.kind is Kind.DURATION and other.number == value.number)
            for other in said
        )
        return lets_nights and not (rest or form.is_claim_of_caller) and is_said

    def _said_digits(self) -> str:
        return " ".join(value.digits for text in self._caller for value in text.values if value.digits)

    def _is_in_texts(self, value: Value, reading: Reading) -> bool:
        """Return whether the words of a value stand in a text that was written to be said, with a word beside them."""
        said = reading.texts[value.start : value.end]
        before = _words(reading, range(value.start))[-_NEIGHBOURS:]
        behind = _words(reading, range(value.end, len(reading.texts)))[:_NEIGHBOURS]
        runs = [run for run in ((*before, *said) if before else (), (*said, *behind) if behind else ()) if run]
        return any(
            _holds(fragment, run) for fragment in self._grounds.fragments for run in runs if len(run) > len(said)
        )

    def _is_in_tools(self, value: Value) -> bool:
        if not self._evidence.tools or (value.kind is Kind.NUMBER and value.number < 2):
            return False
        known = [read(result, self._grounds.language_code) for result in self._evidence.tools]
        return any(amounts(value, other) for text in known for other in text.values)


def amounts(value: Value, other: Value) -> bool:
    """Return whether two values are one number, of one currency where both name it."""
    is_alike = value.number == other.number and other.kind in (value.kind, Kind.NUMBER, Kind.MONEY)
    return is_alike and (not value.currency or other.currency in ("", value.currency))


def _words(reading: Reading, places: range) -> tuple[str, ...]:
    return tuple(reading.texts[at] for at in places if reading.tokens[at].kind != "stop")


def _holds(words: tuple[str, ...], run: tuple[str, ...]) -> bool:
    return any(words[at : at + len(run)] == run for at in range(len(words) - len(run) + 1))
