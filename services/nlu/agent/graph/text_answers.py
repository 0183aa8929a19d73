"""Answers that an agent's file has ready as texts. Sans-IO."""

from __future__ import annotations

from dataclasses import replace

from services.language.words import normalise
from services.nlu.agent.facts import names_in, text_in
from services.nlu.agent.graph.asking import TEXT_KIND, is_text
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.finding import Finding, Findings
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.slots import SlotFinder, unexplained

_SURE_SCORE = 0.6  # of a kind: strange words make no other question of it


class TextAnswers:
    """The texts of one agent's file, in one language."""

    def __init__(self, findings: Findings, finder: SlotFinder, times: frozenset[str]) -> None:
        """`times`: the words that questions after any time have; they tell no topic."""
        self._findings, self._finder = findings, finder
        self._times = finder.words.common | times
        self._texts = {TEXT_KIND + one.id: one for one in findings.facts.texts}

    def answer(self, part: Part, dialogue: Dialogue) -> Finding:
        """The text that a part asks for."""
        if self._lacks_topic(part):
            return self._findings.unknown(dialogue)
        found = self.tell(part.kind, dialogue)
        if not self._asks_for_another_price(part):
            return found
        return replace(found, text=f"{self._findings.words.say('only_know')} {found.text}")

    def tell(self, kind: str, dialogue: Dialogue) -> Finding:
        return self._findings.said(text_in(self._texts[kind].say, self._findings.language), dialogue, kind)

    def _asks_for_another_price(self, part: Part) -> bool:
        """Return whether a price is asked for, which none of the examples of the text asks for: that of a taxi."""
        evidence = self._finder.words.evidence
        if not has_any(part.slots.words, evidence["money"]) or has_any(part.slots.words, evidence["lengths"]):
            return False
        return not any(has_any(words, evidence["money"]) for words in self._examples(part.kind))

    def words_of(self, kind: str) -> frozenset[str]:
        """The words of the examples of a text."""
        return frozenset(word for words in self._examples(kind) for word in words)

    def is_of_the_one_before(self, part: Part, dialogue: Dialogue) -> bool:
        """Return whether a price without its thing is asked of the text told before, whose examples ask for it too: "is
        there parking? how much?".
        """
        slots, prices = part.slots, self._finder.words.price_words
        if part.kind != "price" or not is_text(dialogue.kind) or slots.services or slots.topics or slots.when:
            return False
        examples = self._examples(dialogue.kind)
        return has_any(slots.words, prices) and any(has_any(words, prices) for words in examples)

    def _examples(self, kind: str) -> list[tuple[str, ...]]:
        fact = self._texts.get(kind)
        texts = names_in(fact.examples, self._findings.language) if fact else ()
        return [normalise(text) for text in texts]

    def _lacks_topic(self, part: Part) -> bool:
        """Return whether a part that is not surely of a text has none of the words that only its examples have, and one
        that none of them has: "when can we eat" is no question after check-in, though both are after a time.
        """
        if part.score >= _SURE_SCORE or part.is_follow_up:
            return False
        own = self.words_of(part.kind)
        if any(word in own - self._times for word in part.slots.words):
            return False
        return bool(unexplained(part.slots, (), own | self._finder.words.common))
