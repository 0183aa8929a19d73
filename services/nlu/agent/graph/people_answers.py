"""Answers about people: who does a thing, and what a person does. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.finding import Finding, Findings
from services.nlu.agent.graph.hour_answers import HourAnswers
from services.nlu.agent.graph.naming import Found
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained

FEW_STRANGE = 2  # unknown words that make another question of "who sees children?"


class PeopleAnswers:
    """Answers about one agent's people, in one language."""

    def __init__(self, findings: Findings, finder: SlotFinder, hours: HourAnswers, known: frozenset[str]) -> None:
        """`known`: the words of questions after people."""
        self._findings, self._finder, self._hours, self._known = findings, finder, hours, known
        self._facts, self._words = findings.facts, findings.words
        self._people = {one.id: one for one in self._facts.people}
        self._service_ids = frozenset(one.id for one in self._facts.services)

    def answer(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        """Return who does what a part names, or what the person it names does."""
        slots, words = part.slots, self._words
        things = self._things(slots)
        strange = unexplained(slots, (*slots.topics, *slots.services, *slots.people), self._known)
        if not self._facts.people:
            return self._findings.unknown(dialogue)
        if slots.people and slots.when:
            return self._hours.schedule(slots.people, dialogue)
        is_of_person = dialogue.person in self._people and has_any(slots.words, self._finder.words.person_pronouns)
        if strange and not (things or slots.people or is_of_person):
            everyone = words.all_of(self._findings.name(one.id) for one in self._facts.people)
            return self._findings.not_known(words.say("who_unknown", people=everyone), dialogue, "who")
        if things:
            texts = [words.say("only_know")] if len(strange) >= FEW_STRANGE else []
            is_count = has_any(slots.words, self._finder.words.compares["how_many"])  # no question of yes or no
            asked = () if is_count else [each.id for each in slots.people]
            texts += [self.who_does(one.id, asked) for one in things]
            if len(things) == 1 and len(does := self._facts.who_does(things[0].id)) == 1:
                dialogue = replace(dialogue, person=does[0].id)
        elif slots.people:
            texts = [words.say("only_know")] if strange else []
            texts += [self._does(one.id) for one in slots.people]
        elif is_of_person:
            texts = [self._does(dialogue.person)]
        elif dialogue.service in self._service_ids:
            texts = [self.who_does(dialogue.service)]
        else:
            texts = [self._does(one.id) for one in self._facts.people]
        return self._findings.said(" ".join(texts), dialogue, "who")

    def _things(self, slots: Slots) -> tuple[Found, ...]:
        """Return what is asked about; beside a topic also others' services: "a crown, and a check-up for my son"."""
        if not slots.topics:
            return slots.services
        does = {person.id for topic in slots.topics for person in self._facts.who_does(topic.id)}
        others = [one for one in slots.services if does.isdisjoint(who.id for who in self._facts.who_does(one.id))]
        return (*slots.topics, *others)

    def who_does(self, thing_id: str, asked: Sequence[str] = ()) -> str:
        """Return who does a thing; yes or no, where one person was `asked` about."""
        does = self._facts.who_does(thing_id)
        names = self._words.all_of(self._findings.name(one.id) for one in does or self._facts.people)
        if not does:
            return self._words.say("who_unknown", people=names)
        if len(asked) != 1:
            return self._words.say("for_thing", thing=self._findings.name(thing_id), people=names)
        key = "does_yes" if asked[0] in [one.id for one in does] else "does_no"
        return self._words.say(
            key, thing=self._findings.name(thing_id), person=self._findings.name(asked[0]), people=names
        )

    def _does(self, person_id: str) -> str:
        things = self._words.all_of(self._findings.name(thing) for thing in self._people[person_id].does)
        if not things:
            return self._words.say("person_known", person=self._findings.name(person_id))
        return self._words.say("person_does", person=self._findings.name(person_id), things=things)
