"""Guard before the voice: holds a clause against the agent's facts before it is spoken. Sans-IO.

Each amount, time, day, number and name in a clause must stand in the facts, in a tool's result, or in what the caller
said, and where it is bound to something (a price to a service, a time to a day, a person to what they do) that pair
must stand there. A deed needs a result that says so, a promise its act. Of a thing that no fact covers nothing is
claimed, neither that it is there nor that it is not; what a model writes claims no property that no fact has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from services.language.value import Reading
from services.nlu.agent.caller_names import name_spans, text_without_names, without_names
from services.nlu.agent.claim_rules import called_places, unentailed
from services.nlu.agent.clause_form import (
    ClauseForm,
    consists_of,
    form_of,
    hedged_parts,
    pieces_of,
    sentences_of,
    unit_of,
    without_stops,
)
from services.nlu.agent.deeds import broken_deed, broken_state
from services.nlu.agent.evidence import PASSED, Evidence, Verdict
from services.nlu.agent.facts import Facts
from services.nlu.agent.grounds import Grounds, read
from services.nlu.agent.language import find_language
from services.nlu.agent.value_context import ages_in, without_ages
from services.nlu.agent.value_rules import ValueRules
from services.nlu.agent.word_rules import WordRules

_MENDED_BY_MORE = ("hours", "price", "number", "free_time", "time", "day", "duration", "person", "denied")
_KEPT_REPLY_CHARS = 1000  # of what was said before a sentence: it goes on from the last of it
_OF_DEEDS = ("promise", "ability")
_OF_WORDS = ("claim", "thing", "assurance")


class Guard:
    """Checks the clauses of one agent, whatever made them."""

    def __init__(
        self,
        facts: Facts,
        *,
        languages: Iterable[str],
        texts: Mapping[str, Iterable[str]] | None = None,
        prose: Mapping[str, str] | None = None,
        can: Iterable[str] = (),
    ) -> None:
        """`texts`: by language, said as they stand. `prose`: by language, what an agent goes by that has
        no facts, or besides them. `can`:
        names of the tools and acts that the agent has.
        """
        texts, prose = texts or {}, prose or {}
        self._languages = tuple(languages)
        self._has_facts = bool(facts)
        self._can = frozenset(can)
        self._grounds = {
            code: Grounds(facts, code, texts=texts.get(code, ()), prose=prose.get(code, "")) for code in self._languages
        }

    def check(self, clause: str, *, language: str, evidence: Evidence) -> Verdict:
        """Return whether a clause may be spoken after what this turn has said so far."""
        code = find_language(language, self._languages) or self._languages[0]
        grounds = self._grounds[code]
        verdict, reply = PASSED, evidence.reply
        sentences = sentences_of(unit_of(reply, clause, code), code)
        reply = reply[-_KEPT_REPLY_CHARS:]
        for sentence in (part for each in sentences for part in hedged_parts(each, grounds)):
            verdict = self._check(sentence, code, grounds, replace(evidence, reply=reply))
            if not verdict.ok:
                return verdict
            reply = f"{reply} {sentence}"[-_KEPT_REPLY_CHARS:]
        return verdict

    def _check(self, unit: str, code: str, grounds: Grounds, evidence: Evidence) -> Verdict:
        reading = grounds.with_nights(grounds.without_names(read(unit, code)))
        reading = grounds.without_given(reading, [read(text, code) for text in evidence.caller])
        reading = without_names(reading, name_spans(reading, evidence.caller, code))
        ages = frozenset(age for text in evidence.caller for age in ages_in(read(text, code), grounds))
        reading = without_ages(reading, grounds, said=ages) if ages else reading
        if not reading.texts or _is_authored(without_stops(reading), grounds):
            return PASSED
        form = form_of(unit, reading, grounds, called=called_places(reading, grounds, evidence))
        for rule in (self._deeds, self._values, self._words, self._affirmation, self._claims):
            verdict = rule(reading, form, grounds, evidence)
            if verdict is not None:
                is_begun = verdict.rule in _MENDED_BY_MORE or (
                    verdict.rule in _OF_WORDS and _names_topic(reading, grounds)
                )
                return replace(verdict, may_mend=not form.ends_sentence and is_begun)
        return PASSED

    def _deeds(self, reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence) -> Verdict | None:
        broken = broken_deed(reading, form, grounds, evidence, self._can)
        return broken or broken_state(reading, form, grounds, evidence)

    def _values(self, reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence) -> Verdict | None:
        caller = tuple(grounds.with_nights(_said(text, grounds)) for text in evidence.caller)
        rules = ValueRules(grounds, evidence, caller=caller, has_facts=self._has_facts)
        return rules.check(reading, form)

    def _words(self, reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence) -> Verdict | None:
        return WordRules(grounds, evidence).check(reading, form)

    def _claims(self, reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence) -> Verdict | None:
        return unentailed(reading, form, grounds, evidence) if self._has_facts else None

    def _affirmation(self, reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence) -> Verdict | None:
        """A bare "yes" claims what the caller asked: it passes where that would."""
        if not form.affirms or not evidence.caller:
            return None
        asking = [_asks_yes_or_no(one, grounds) for one in sentences_of(evidence.caller[-1], grounds.language_code)]
        if not any(asking) or (not asking[-1] and _takes_note(reading, grounds, evidence)):
            return None
        asked = _said(_part_affirmed(evidence, grounds), grounds)
        ending = _ending_of(asked, grounds)  # its "không" is no zero
        asked = replace(asked, values=tuple(value for value in asked.values if value.start < ending))
        claimed = ClauseForm(is_claim_of_caller=True)
        alone = replace(evidence, caller=(), reply="", earlier=(), asked=frozenset(), is_written_by_model=False)
        for rule in (self._deeds, self._values, self._words):
            if verdict := rule(asked, claimed, grounds, alone):
                if verdict.rule in _OF_DEEDS and _takes_note(reading, grounds, evidence):
                    continue  # "Could you call me back?", "All right.": code goes on to ask for what that needs
                return Verdict(False, f"affirmed_{verdict.rule}", verdict.offending)
        denied = _denied_word(asked, grounds) if evidence.is_written_by_model else ""
        return Verdict(False, "affirmed_denied", denied) if denied else None


def _part_affirmed(evidence: Evidence, grounds: Grounds) -> str:
    """Return what a "yes" answers of what the caller said last: not what asks for more than yes or no, "and what's it
    cost for four of us?", nor, where code has made the answer, what was told before the question.
    """
    kept, is_left, has_asked = list[str](), False, False
    pieces = pieces_of(evidence.caller[-1])
    for piece in pieces if len(pieces) > 1 else ():
        form = form_of(piece, grounds.without_names(read(piece, grounds.language_code)), grounds)
        if form.asks_yes_or_no or form.is_question:
            is_left = not form.asks_yes_or_no
            if not (is_left or has_asked or evidence.is_written_by_model):
                kept = []
            has_asked = has_asked or form.asks_yes_or_no
        if not is_left:
            kept.append(piece)
    return " ".join(kept) if has_asked else evidence.caller[-1]


def _said(text: str, grounds: Grounds) -> Reading:
    """Text of a caller, without the names and ages that it gives."""
    reading = read(text_without_names(text, grounds.language_code), grounds.language_code)
    return without_ages(grounds.without_names(reading), grounds)


def _asks_yes_or_no(sentence: str, grounds: Grounds) -> bool:
    reading = grounds.without_names(read(sentence, grounds.language_code))
    return form_of(sentence, reading, grounds).asks_yes_or_no


def _ending_of(asked: Reading, grounds: Grounds) -> int:
    """Return where the words begin that make a question of a sentence ("không", "吗"); its length: there are none."""
    words = [at for at, token in enumerate(asked.tokens) if token.kind != "stop"]
    endings = grounds.words.lists["asks_endings"]
    starts = (at for n, at in enumerate(words) if endings.length(asked.texts, at) == len(words) - n)
    return next(starts, len(asked.texts))


def _denied_word(asked: Reading, grounds: Grounds) -> str:
    """Return the thing of a question that a text of the facts denies: "can we bring our dog"; empty: there is none."""
    words, texts = grounds.words, without_stops(asked)
    n_ending = max(
        (n for n in range(1, 3) if words.lists["asks_endings"].length(texts, len(texts) - n) == n), default=0
    )
    if words.lists["negations"].are_in(texts[: len(texts) - n_ending]):
        return ""  # "no pets, right?" is affirmed by yes; the ending of "được không" denies nothing
    named = (form for token in asked.tokens if token.kind == "word" for form in words.forms(token.text))
    return next((word for word in named if word not in words.frame and grounds.is_denied(word)), "")


def _names_topic(reading: Reading, grounds: Grounds) -> bool:
    """Return whether a sentence has only named what it is about yet: "As for a sauna,"."""
    texts, lists = without_stops(reading), grounds.words.lists
    start = next((at for at in range(len(texts)) if not lists["assents"].length(texts, at)), len(texts))
    return lists["about"].length(texts, start) > 0


def _takes_note(reading: Reading, grounds: Grounds, evidence: Evidence) -> bool:
    """Return whether a template takes note of what the caller told behind the question: "Is it open? I'll come then.",
    "All right.". A model's word for it may mean yes.
    """
    return not evidence.is_written_by_model and consists_of(grounds.words.lists["noted"], without_stops(reading))


def _is_authored(texts: tuple[str, ...], grounds: Grounds) -> bool:
    """Return whether the words stand so, from the beginning of a clause on, in a text that was written to be said."""
    for authored in grounds.authored:
        for start in authored.beginnings:
            if authored.texts[start : start + len(texts)] == texts:
                return True
    return False
