"""Answers about people and things that are wished for and stand in no fact, or not so. Sans-IO."""

from __future__ import annotations

from services.nlu.agent.graph.asking import UNKNOWN
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.finding import Finding, Findings
from services.nlu.agent.graph.people_answers import PeopleAnswers
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.service_answers import ServiceAnswers
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.strangers import names_unknown_staff, wants_what_is_unknown

_KINDS = frozenset({"book", "free", "hours", "change", "check", "who", "price"})  # that may be of such


class StrangerAnswers:
    """Answers about what one agent's file does not name, in one language."""

    def __init__(
        self,
        findings: Findings,
        finder: SlotFinder,
        people: PeopleAnswers,
        services: ServiceAnswers,
        known: frozenset[str],
    ) -> None:
        """`known`: the words of requests of any business; none of them is a thing that is wished for."""
        self._findings, self._finder, self._known = findings, finder, known
        self._people, self._services = people, services
        self._facts, self._words = findings.facts, findings.words

    def answer(self, part: Part, dialogue: Dialogue) -> Finding | None:
        """The answer to what is asked of somebody, or wished for, that the file does not name; None: it is neither."""
        if part.kind not in _KINDS:
            return None
        if self._facts.people and names_unknown_staff(part.text, part.slots, self._finder):
            people = self._words.all_of(self._findings.name(one.id) for one in self._facts.people)
            return self._findings.not_known(self._words.say("staff_unknown", people=people), dialogue, UNKNOWN)
        if self._facts.services and wants_what_is_unknown(part.text, part.slots, self._finder, self._known):
            return self._services.not_offered(dialogue)
        return None

    def of_person_wished(self, part: Part) -> str:
        """Return what must be said of the person that a wish is for: that another does the thing, or that no fact says
        when they are there. Empty: nothing.
        """
        people, slots = part.slots.people, part.slots
        if len(people) != 1:
            return ""
        does = next((one.does for one in self._facts.people if one.id == people[0].id), ())
        if other := next((one for one in slots.services if one.id not in does), None):
            return self._people.who_does(other.id, [people[0].id])
        return self._words.say("schedule_unknown", person=self._findings.name(people[0].id)) if slots.when else ""
