"""Objection: what an agent is told about a clause of its own that was not spoken. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from services.nlu.agent.evidence import Verdict
from services.nlu.agent.facts import Facts, Names, Service, Topic, names_in, price_in, text_in
from services.nlu.agent.opening_hours import WEEKDAYS

_REASONS = {
    "price": "no such price of that is known",
    "hours": "the opening hours are otherwise",
    "free_time": "that time is not known to be free",
    "time": "no such time is known",
    "day": "nothing is known of that day",
    "date": "nothing is known of that date",
    "person_day": "it is not known who works on which day",
    "name": "no person of that name is known",
    "person": "that person is not known to do that",
    "thing": "nothing is known of that",
    "denied": "that is not so",
    "deed": "nothing shows that it was done",
    "promise": "nothing was asked for that would do that",
    "ability": "you have no means to do that",
    "human": "you are no human being",
}
_OTHER = "nothing speaks for that"


def objection_to(clause: str, verdict: Verdict, *, said: str, facts: str) -> str:
    """The objection for the agent: the words, what is wrong with them, what was spoken before them, what is known."""
    reason = _REASONS.get(verdict.rule.removeprefix("affirmed_"), _OTHER)
    spoken = f" The caller has heard {said.strip()!r}; go on from there." if said.strip() else ""
    objection = f"{clause.strip()!r} was not spoken, because of {verdict.offending!r}: {reason}. Say what is known."
    return f"{objection}{spoken}\n{facts}".strip()


def known_facts(facts: Facts, language_code: str) -> str:
    """The facts in lines for a model, in the words of a language."""
    return "\n".join(_lines(facts, language_code))


def _lines(facts: Facts, code: str) -> Iterator[str]:
    if facts.hours is not None:
        for day, intervals in sorted(facts.hours.weekdays.items()):
            stretches = ", ".join(f"{each.opens:%H:%M}-{each.closes:%H:%M}" for each in intervals)
            yield f"{WEEKDAYS[day]}: {stretches or 'closed'}"
        for exception in facts.hours.exceptions.values():
            stretches = ", ".join(f"{each.opens:%H:%M}-{each.closes:%H:%M}" for each in exception.intervals)
            yield f"{exception.date} {_first(exception.names, code)}: {stretches or 'closed'}"
    for service in facts.services:
        price = price_in(service, code)
        cost = f"{price.amount:f} {price.currency}" if price else "price not known"
        yield f"{_first(service.names, code)}: {cost}" + (f", {service.minutes} min" if service.minutes else "")
    for person in facts.people:
        done = [_first(fact.names, code) for fact in map(facts.find, person.does) if isinstance(fact, Service | Topic)]
        yield f"{_first(person.names, code)}: {', '.join(done)}"
    for address in facts.addresses:
        yield text_in(address.spoken, code)
    for free in facts.free_times:
        day_name = free.date.isoformat() if free.date else WEEKDAYS[free.weekday or 0]
        yield f"free: {day_name} {free.time:%H:%M}"
    for text in facts.texts:
        yield text_in(text.say, code)


def _first(names: Names, code: str) -> str:
    return next(iter(names_in(names, code)), "")
