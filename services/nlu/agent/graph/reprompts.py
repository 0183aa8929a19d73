"""Reprompts (VoiceXML 2.0, section 5.3.6): a question that brought nothing is asked in an easier form, then a person
takes over. Sans-IO.

A question is asked again without effect where the wish is as it was and the turn asked nothing that has an answer.
"""

from __future__ import annotations

from dataclasses import replace

from services.language.words import normalise
from services.nlu.agent.graph.agreement import has_phrase, opens_with_agreement
from services.nlu.agent.graph.asking import asking
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.finding import Finding, Next
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.graph.unanswered import MOST_HUMS
from services.nlu.agent.graph.wishes import WHAT_TO_CHANGE, Wishes
from services.nlu.agent.profile import AgentProfile
from services.nlu.outputs import Transfer

_MOST = 1  # reprompts; behind them a person
_MOST_REASONS = 1  # for one question that are no failed tries
_UNCOUNTED = frozenset({"", "more", "help"})  # no question that a call depends on
_READ_BACKS = frozenset({"confirm", "confirm_move"})  # in which something can be changed
_EASIER = {
    "confirm": "yes_or_no",
    "confirm_move": "yes_or_no",
    "confirm_cancel": "yes_or_no",
    "appointment": "yes_or_no",
    "name": "just_name",
    "phone": "just_number",
    "when": "just_time",
    "when_free": "just_time",
    "arrival": "just_day",
    "nights": "just_nights",
    "which_room": "just_one",
    "which_appointment": "just_one",
    "which_service": "just_one",
    WHAT_TO_CHANGE: "just_wrong",
}


class Reprompts:
    """Reprompts of one agent in one language."""

    def __init__(self, profile: AgentProfile, language_code: str, wishes: Wishes) -> None:
        self._handover, self._wishes = profile.handover, wishes
        self._words, self._lists = Templates(language_code), asking(language_code)

    def bounded(
        self, finding: Finding, before: Dialogue, said: str, *, has_effect: bool, is_hum: bool, question: str
    ) -> Finding:
        """The last finding of a turn, with its question in an easier form where it was asked before without effect.

        `before`: the dialogue at the turn's beginning; `has_effect`: the turn was answered, or named something that the
        reply takes up; `is_hum`: it was without meaning; `question`: the one of the open wish, whether the finding's
        text has it or not.
        """
        after = finding.dialogue
        key, last = self._key(after), self._key(before)
        agrees = opens_with_agreement(said, self._lists)
        is_same = key == last and _is_as_before(before, after) and key not in _UNCOUNTED and not finding.act
        if is_same and key in _READ_BACKS and not agrees and has_phrase(normalise(said), self._lists.objections):
            finding = self._what_to_change(finding, question)
        is_other = finding.dialogue.asked == WHAT_TO_CHANGE != before.asked
        n_hums = before.n_hums + 1 if is_hum else 0
        n_reasons = after.n_reasons if is_same else 0
        is_pause = 0 < n_hums <= MOST_HUMS or before.n_reasons < n_reasons <= _MOST_REASONS
        n = (before.n_reprompts + (not has_effect and not is_other and not is_pause)) if is_same else 0
        counts = replace(finding.dialogue, n_reprompts=n, n_hums=n_hums, n_reasons=n_reasons)
        finding = replace(finding, dialogue=counts)
        if n > _MOST:
            return self.to_person(self._words.say("not_taken_down"), finding.dialogue)
        if is_hum and n > before.n_reprompts:
            finding = replace(finding, text=question or finding.text)  # no more time, but an easier question
        return self._easier(finding, question) if n > before.n_reprompts else finding

    def to_person(self, text: str, dialogue: Dialogue) -> Finding:
        """Drop the wish: a person has to take it down. Where callers cannot be put through, a call back is offered."""
        words = self._words
        dropped = replace(
            dialogue, wish=Wish(), capture={}, later="", n_reprompts=0, n_hums=0, n_reasons=0, asked="more"
        )
        if self._handover:
            return Finding(f"{text} {words.say('handover')}", dropped, Next.HAND_OVER, act=Transfer(self._handover))
        if begun := self._wishes.call_back(dialogue):
            question, asked, after = begun
            return Finding(f"{text} {question}", replace(after, capture={}, asked=asked, n_reprompts=0), Next.ASK)
        return Finding(f"{text} {words.ask('more')}", dropped, Next.ASK)

    def _key(self, dialogue: Dialogue) -> str:
        """The question that a reply ends with; what to change is asked in place of the read-back."""
        asked = dialogue.asked or self._wishes.asked(dialogue)
        return self._wishes.asked(dialogue) if asked == WHAT_TO_CHANGE else asked

    def _what_to_change(self, finding: Finding, question: str) -> Finding:
        text = f"{finding.text.removesuffix(question).strip()} {self._words.ask(WHAT_TO_CHANGE)}".strip()
        return replace(finding, text=text, dialogue=replace(finding.dialogue, asked=WHAT_TO_CHANGE), next=Next.ASK)

    def _easier(self, finding: Finding, question: str) -> Finding:
        """A finding whose question is told in which words it is easily answered."""
        asked = finding.dialogue.asked or self._wishes.asked(finding.dialogue)
        if asked not in _EASIER:
            return replace(finding, text=self._words.ask("again"))
        easier = self._words.say(_EASIER[asked])
        text = finding.text
        if question and text.endswith(question):
            return replace(finding, text=f"{text.removesuffix(question)}{easier} {question}")
        is_behind = not finding.dialogue.asked  # the question of the wish follows
        return replace(finding, text=f"{text} {easier}" if is_behind else f"{easier} {text}")


def _is_as_before(before: Dialogue, after: Dialogue) -> bool:
    """Return whether the wish, and the slot that is captured, are as they were."""
    was, now = (replace(one.wish, said="", n_missed=0) for one in (before, after))
    return was == now and before.capture == after.capture
