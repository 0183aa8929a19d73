"""Answers about services: what they cost, alone and together, how long they take, and which there are. Sans-IO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from services.language.value import Kind
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.facts import Money, Service, price_in
from services.nlu.agent.graph.asking import is_text, refers
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.finding import Finding, Findings
from services.nlu.agent.graph.kind_rules import asks_which_there_are
from services.nlu.agent.graph.mentions import are_joined
from services.nlu.agent.graph.people_answers import PeopleAnswers
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained
from services.nlu.agent.graph.strangers import wants_unknown_room

_LONGEST_LIST = 6


class ServiceAnswers:
    """Answers about one agent's services, in one language."""

    def __init__(
        self, findings: Findings, finder: SlotFinder, people: PeopleAnswers, known: Mapping[str, frozenset[str]]
    ) -> None:
        """`known`: the words of each kind's questions, beside which a name is just what it says."""
        self._findings, self._finder, self._people, self._known = findings, finder, people, known
        self._facts, self._language, self._words = findings.facts, findings.language, findings.words
        self._services_by_id = {one.id: one for one in self._facts.services}

    def price(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        """Return what services cost, and together where that is asked."""
        services, is_exact, is_foreign = self._services(part, dialogue, "price")
        if is_foreign:
            return self._price_unknown(dialogue)
        if not services and part.slots.when.has_day:
            return self._findings.unknown(dialogue)  # "do you charge more at weekends"
        if not services and part.slots.n_people and self._of_a_kind(part):
            return self._price_unknown(dialogue)  # "a room for three", where none is for three
        if not services:
            services = [one for one in self._facts.services if one.price][:_LONGEST_LIST]
        if not services:
            return self._findings.unknown(dialogue)
        texts = [self._price_of(service) for service in services]
        is_exact = is_exact or all(price_in(one, self._language) is None for one in services)
        found = self._found(texts, services, dialogue, "price", is_exact=is_exact)
        counts = self._counts(part, services)
        lacks_room = self._lacks_the_room(part, services)
        if lacks_room:
            found = self._found(texts, services, dialogue, "price", is_exact=False)
        is_choice = not is_exact and has_any(part.slots.words, self._finder.words.evidence["which"])
        can_sum = (
            not (lacks_room or is_choice) and self._counts_every_number(part) and self._knows_people(part, services)
        )
        total = self._total(services, counts) if can_sum and self._asks_for_a_sum(part, counts) else None
        if total is None:
            return found
        text = f"{found.text} {self._words.say('sum', price=self._words.money(total))}"
        return replace(found, text=text, computed=(total.amount,))

    def _price_unknown(self, dialogue: Dialogue) -> Finding:
        """Answer that the price of another thing is not known, and which are."""
        known = [self._findings.name(one.id) for one in self._facts.services if one.price][:_LONGEST_LIST]
        if not known:
            return self._findings.unknown(dialogue)
        text = self._words.say("price_of_that_unknown", services=self._words.all_of(known))
        return self._findings.not_known(text, dialogue, "price")

    def _counts(self, part: Part, services: Sequence[Service]) -> dict[str, int]:
        """Return how many of each service are asked for: of the one spoken of before too, "and for three nights?"."""
        slots = part.slots
        if slots.services:
            counts = {one.id: one.count for one in slots.services}
        elif len(services) == 1:
            n_bare = 0 if slots.n_people else slots.n_bare  # "what's the charge for three" counts no trips
            counts = {one.id: slots.periods.get(one.per, n_bare or 1) for one in services}
        else:
            return {}
        for one in services:
            is_counted = counts.get(one.id, 1) > 1 and not (slots.n_people or slots.periods.get("person"))
            if one.per == "person" and one.id in counts and not is_counted:  # a breakfast each morning
                counts[one.id] = counts[one.id] if counts[one.id] > 1 else slots.n_people or 1
                counts[one.id] *= slots.periods.get("night", slots.periods.get("day", 1))
        if len(services) == 1 and slots.n_people and not services[0].per and counts[services[0].id] == 1:
            counts[services[0].id] = slots.n_people
        return counts

    def _lacks_the_room(self, part: Part, services: Sequence[Service]) -> bool:
        """Return whether nights are asked for with something else, and no room is named: "one night with breakfast"."""
        slots = part.slots
        has_nights = has_any(slots.words, self._finder.words.periods["night"])
        is_beside = has_any(slots.words, self._finder.words.joins)  # "with", "included"
        return has_nights and is_beside and self._finder.lets_rooms and not any(one.per == "night" for one in services)

    def _knows_people(self, part: Part, services: Sequence[Service]) -> bool:
        """Return whether it is known how many of what is for one person each are meant beside other things: not where a
        double room is asked for "with breakfast".
        """
        slots = part.slots
        each = [one.id for one in services if one.per == "person"]
        if len(each) in (0, len(services)) or slots.n_people or slots.periods.get("person"):
            return True
        return all(one.count > 1 for one in slots.services if one.id in each)

    def _counts_every_number(self, part: Part) -> bool:
        """Return whether each number of the question was taken for a count: with one left out a sum would be wrong."""
        slots = part.slots
        values = read_values(part.text, self._language).values
        said = Counter(int(value.number) for value in values if value.kind is Kind.NUMBER and value.number > 1)
        counted = Counter(
            [*slots.periods.values(), slots.n_people, slots.n_bare, *(one.count for one in slots.services)]
        )
        nights = slots.periods.get("night", 1)
        counted += Counter(one.count // nights for one in slots.services if one.count > nights > 1)  # "two rooms"
        return not said - counted and not slots.when.times  # "for two" may be read as an hour

    def _asks_for_a_sum(self, part: Part, counts: Mapping[str, int]) -> bool:
        """Return whether the price of all that is named may be wanted: not where it is one thing or the other."""
        is_choice = has_any(part.slots.words, self._finder.words.choices)
        if not are_joined(part.slots.services, part.text, part.slots.words, self._finder.words):
            return False
        return sum(counts.values()) > 1 and (not is_choice or has_any(part.slots.words, self._finder.words.sums))

    def _total(self, services: Sequence[Service], counts: Mapping[str, int]) -> Money | None:
        """The prices together; None: one is not known, or they are in more than one currency."""
        prices = [(price_in(one, self._language), counts.get(one.id, 1)) for one in services]
        known = [(price, count) for price, count in prices if price is not None]
        if len(known) < len(prices) or len({price.currency for price, _ in known}) != 1:
            return None
        return Money(sum((price.amount * count for price, count in known), Decimal(0)), known[0][0].currency)

    def _price_of(self, service: Service) -> str:
        price, name = price_in(service, self._language), self._words.thing(self._findings.name(service.id))
        if price is None:
            return self._words.say("price_unknown", a_service=name)
        return self._words.say("price", a_service=name, price=self._words.rate(price, service.per))

    def duration(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        """Return how long services take."""
        services, is_exact, is_foreign = self._services(part, dialogue, "duration")
        if is_foreign or not services:
            return self._findings.not_known(self._words.say("duration_of_that_unknown"), dialogue, "duration")
        texts = [self._duration_of(service) for service in services]
        slots = part.slots
        is_exact = is_exact and all(one.count == 1 for one in slots.services)  # "three fillings, how long is that"
        is_exact = is_exact and not (slots.n_bare or slots.n_people)
        is_exact = is_exact or all(one.minutes is None for one in services)
        return self._found(texts, services, dialogue, "duration", is_exact=is_exact)

    def _duration_of(self, service: Service) -> str:
        name = self._words.thing(self._findings.name(service.id))
        if service.minutes is None:
            return self._words.say("duration_unknown", a_service=name)
        return self._words.say("duration", a_service=name, minutes=str(service.minutes))

    def offered(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        """Return whether there is such a service, or which there are."""
        services, is_exact, is_foreign = self._services(part, replace(dialogue, service=""), "offered")
        if part.slots.topics and not services and is_exact:
            return self._people.answer(part, dialogue, now)
        is_exact = is_exact and self._is_done_for(part.slots, services)
        is_exact = is_exact and not part.slots.when  # no fact says when, nor how many are left
        every = self._words.all_of(self._findings.name(one.id) for one in self._facts.services)
        if not every:
            return self._findings.unknown(dialogue)
        if services and not is_exact and not is_foreign:
            names = self._words.all_of(self._words.thing(self._findings.name(one.id)) for one in services)
            text = self._words.plain(self._words.say("offered", services=names))
            return self._found([text], services, dialogue, "offered", is_exact=False)
        if is_foreign and not asks_which_there_are(part.slots, self._finder):
            return self._findings.not_known(self._words.say("offered_unknown", services=every), dialogue, "offered")
        if not services:
            if asks_which_there_are(part.slots, self._finder):
                every = self._words.all_of(self._findings.name(one.id) for one in self._of_a_kind(part))
            return self._findings.said(self._words.say("offered_list", services=every), dialogue, "offered")
        names = self._words.all_of(self._words.thing(self._findings.name(one.id)) for one in services)
        return self._found([self._words.say("offered", services=names)], services, dialogue, "offered", is_exact=True)

    def not_offered(self, dialogue: Dialogue) -> Finding:
        """Answer that a thing is not known, and which are. Where appointments are made, ask whether one is wanted."""
        every = self._words.all_of(self._findings.name(one.id) for one in self._facts.services)
        found = self._findings.not_known(self._words.say("offered_unknown", services=every), dialogue, "offered")
        ask = "more" if self._finder.lets_rooms else "appointment"
        return replace(found, text=f"{found.text} {self._words.ask(ask)}", dialogue=replace(found.dialogue, asked=ask))

    def _of_a_kind(self, part: Part) -> list[Service]:
        """The services whose first names have the word that is asked about: both rooms of "what kinds of rooms"."""
        said = {word for word in part.slots.words if self._finder.is_shared(word)}
        names = {one.id: normalise(self._findings.name(one.id)) for one in self._facts.services}
        return [
            one
            for one in self._facts.services
            if any(word.startswith(own) for word in said for own in names[one.id] if self._finder.is_shared(own))
        ]

    def _is_done_for(self, slots: Slots, services: Sequence[Service]) -> bool:
        """Return whether somebody does all of the topics and services named: no fact says that another thing is done
        for them ("crowns for kids").
        """
        if not (slots.topics and services):
            return True
        named = {*(one.id for one in slots.topics), *(one.id for one in services)}
        return any(named <= set(person.does) for person in self._facts.people)

    def _services(self, part: Part, dialogue: Dialogue, kind: str) -> tuple[list[Service], bool, bool]:
        """The services a question is about; whether it is about just these; and whether it is about another thing."""
        found = part.slots.services
        strange = bool(unexplained(part.slots, (*found, *part.slots.people, *part.slots.topics), self._known[kind]))
        strange = strange or wants_unknown_room(part.slots, self._finder, self._known[kind])
        if found:
            return [self._services_by_id[one.id] for one in found], not strange, False
        is_of_another = is_text(dialogue.kind) or (bool(dialogue.n_unknown) and not dialogue.service)
        if strange or (is_of_another and not self.asks_for_all(part)):
            return [], not part.slots.topics and not strange, True
        return (
            ([self._services_by_id[dialogue.service]] if dialogue.service in self._services_by_id else []),
            True,
            False,
        )

    def asks_for_all(self, part: Part) -> bool:
        """Return whether every price may be wanted, and not that of the thing just asked about: "your prices"."""
        lists, words = self._finder.words, part.slots.words
        return has_any(words, lists.evidence["price_lists"]) and not refers(words, lists)

    def _found(
        self, texts: list[str], services: list[Service], dialogue: Dialogue, kind: str, *, is_exact: bool
    ) -> Finding:
        if not is_exact:
            texts = [self._words.say("only_know"), *texts]
        last = services[-1].id if len(services) == 1 else ""
        return self._findings.said(" ".join(texts), replace(dialogue, service=last or dialogue.service), kind)
