"""Findings: the results of the look-ups for one part of a turn, of every kind. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum

from services.nlu.agent.facts import Facts, Person, Service, Topic, names_in
from services.nlu.agent.graph.asking import UNKNOWN
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.graph.wishes import Wishes
from services.nlu.outputs import Act


class Next(Enum):
    """The node of the graph that words a finding."""

    ANSWER = "answer"
    ASK = "ask"
    CONFIRM = "confirm"
    HAND_OVER = "hand_over"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of the look-up for one part of a turn."""

    text: str
    dialogue: Dialogue
    next: Next = Next.ANSWER
    act: Act | None = None
    computed: tuple[Decimal, ...] = ()  # what was reckoned for it


class Findings:
    """Makes the findings of one agent in one language: an answer, what is not known of a kind, what nothing covers."""

    def __init__(self, facts: Facts, language_code: str, templates: Templates, wishes: Wishes) -> None:
        """`wishes` tell whether a wish is open: then nothing else is asked behind an answer."""
        self.facts, self.language, self.words, self._wishes = facts, language_code, templates, wishes
        named: tuple[Service | Topic | Person, ...] = (*facts.services, *facts.topics, *facts.people)
        self._names = {one.id: names_in(one.names, language_code)[0] for one in named}

    def name(self, thing_id: str) -> str:
        """The name that is said of a service, a topic or a person."""
        return self._names[thing_id]

    def said(self, text: str, dialogue: Dialogue, kind: str, *, ask: str = "") -> Finding:
        """An answer to a question of `kind`, with a question behind it where `ask` names one."""
        question = f" {self.words.ask(ask)}" if ask and not self._wishes.is_open(dialogue) else ""
        asked = ask if question else ""
        return Finding(text + question, replace(dialogue, kind=kind, n_unknown=0, asked=asked))

    def not_known(self, text: str, dialogue: Dialogue, kind: str) -> Finding:
        """`text` says that the facts do not have it."""
        return Finding(text, replace(dialogue, kind=kind, n_unknown=dialogue.n_unknown + 1, asked=""))

    def unknown(self, dialogue: Dialogue) -> Finding:
        """No fact covers what was asked: from the second time in a row on, with what the agent does know."""
        n_unknown = dialogue.n_unknown + 1
        if n_unknown == 1 or not self._topics():
            text = self.words.say("unknown")
        else:
            text = self.words.say("unknown_again", topics=self.words.all_of(self._topics()))
        if self._wishes.is_open(dialogue):
            return Finding(text, replace(dialogue, kind=UNKNOWN, n_unknown=n_unknown))
        if n_unknown == 1:
            text += f" {self.words.ask('more')}"
        return Finding(text, replace(dialogue, kind=UNKNOWN, n_unknown=n_unknown, asked="more"))

    def _topics(self) -> list[str]:
        facts, labels = self.facts, self.words.kinds
        known = {
            "hours": facts.hours,
            "price": any(service.price for service in facts.services),
            "address": facts.addresses,
            "who": facts.people,
            "free": facts.free_times,
        }
        return [labels[kind] for kind, has in known.items() if has]


def speaking_of(part: Part, dialogue: Dialogue, now: datetime) -> Dialogue:
    """Return what is spoken of from here on; `now` in the tenant's zone."""
    slots = part.slots
    day = slots.when.first_day(now.date())
    return replace(
        dialogue,
        service=slots.services[-1].id if slots.services else dialogue.service,
        person=slots.people[-1].id if slots.people else dialogue.person,
        topic=slots.topics[-1].id if slots.topics else dialogue.topic,
        day=day.isoformat() if day else dialogue.day,
    )
