"""Answers about people and things that are wished for and stand in no fact, or not so. Sans-IO."""

from __future__ import annotations

from collections import Counter

from services.language.words import normalise
from services.nlu.agent.facts import names_in
from services.nlu.agent.graph.asking import UNKNOWN
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.finding import Finding, Findings
from services.nlu.agent.graph.people_answers import PeopleAnswers
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.service_answers import ServiceAnswers
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.strangers import (
    asks_whether_there_is,
    begins_with_unknown,
    names_unknown_staff,
    wants_unknown_room,
    wants_what_is_unknown,
)

_KINDS = frozenset({"book", "free", "hours", "change", "check", "who", "price"})  # that may be of such
_TO_BE_HAD = frozenset({"book", "free"})  # kinds of questions whether there is one: a yes would be untrue


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
        """`known`: the words of requests of any business; none of them is a thing that is wished for, nor is a word by
        which the agent's own texts are asked for more than once ("toothache").
        """
        own = (text for fact in findings.facts.texts for text in names_in(fact.examples, finder.language_code))
        counted = Counter(word for text in own for word in set(normalise(text)))
        self._findings, self._finder = findings, finder
        self._known = known.union(word for word, count in counted.items() if count > 1)
        self._people, self._services = people, services
        self._facts, self._words = findings.facts, findings.words

    def answer(self, part: Part, dialogue: Dialogue) -> Finding | None:
        """The answer to what is asked of somebody, or wished for, that the file does not name; None: it is neither."""
        if part.kind not in _KINDS:
            return None
        if self._facts.people and names_unknown_staff(part.text, part.slots, self._finder):
            people = self._words.all_of(self._findings.name(one.id) for one in self._facts.people)
            return self._findings.not_known(self._words.say("staff_unknown", people=people), dialogue, UNKNOWN)
        if self._facts.services and self._is_of_unknown_thing(part):
            return self._services.not_offered(dialogue)
        return None

    def _is_of_unknown_thing(self, part: Part) -> bool:
        slots, finder, known = part.slots, self._finder, self._known
        if wants_what_is_unknown(part.text, slots, finder, known):
            return True
        if part.kind in _TO_BE_HAD and begins_with_unknown(part.text, slots, finder, known):
            return True
        is_of_one = not (slots.services or slots.topics or slots.people)
        if part.kind not in _TO_BE_HAD or not is_of_one:
            return False
        known = known.union(*finder.words.wanted["heads"])
        return wants_unknown_room(slots, finder, known) or asks_whether_there_is(slots, finder, known)

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
