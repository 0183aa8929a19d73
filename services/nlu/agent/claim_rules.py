"""The test that the facts entail a model's statement: the words of a property in it stand in the facts. Sans-IO.

Figures, names and deeds have rules of their own. What is left are claims without any of them: "the doctor is very
experienced", "you can pay later", "there is another clinic". Their words are common ones, so no list of things finds
them. Here the list is the other way round: in a statement without a figure only small words, courtesies and words of
the facts' names and texts may be spoken.
"""

from __future__ import annotations

from services.language.phrases import tokens_of, words_of
from services.language.value import Kind, Reading
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.deeds import claimed_deeds
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.facts import Service, Topic
from services.nlu.agent.grounds import Grounds

_CHECKED = frozenset({Kind.MONEY, Kind.TIME, Kind.WEEKDAYS, Kind.DATE, Kind.DURATION, Kind.DIGITS})


def unentailed(reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence) -> Verdict | None:
    """The first word of a model's statement that no fact has; None: there is none, or nothing is stated."""
    words = grounds.words
    if not (words.is_closed_world and evidence.is_written_by_model):
        return None
    if form.is_question or form.is_ignorance or form.is_echo or form.is_claim_of_caller or form.affirms:
        return None
    if any(value.kind in _CHECKED for value in reading.values):
        return None  # the figures say what it is about, and they were held against the facts
    if claimed_deeds(reading.texts, words, is_question=False):
        return None  # deeds.py has let it pass: a result or an act speaks for it
    resulted = frozenset(word for result in evidence.tools for word in words_of(result))
    told = _caller_words(evidence) if words.lists["sympathy"].are_in(reading.texts) else frozenset()
    named = _caller_words(evidence) if may_name_caller(reading, grounds, evidence) else frozenset()
    small = {at for value in reading.values for at in range(value.start, value.end)}
    small |= harmless_places(reading, grounds)
    small |= _called(reading, evidence)
    named_services = grounds.services.find(reading.texts)
    small |= held_superlatives(reading, grounds)
    if len(named_services) == 1 and other_asked(named_services[0][2], grounds, evidence):
        for name in ("cheaper", "dearer"):  # word_rules.py has held it against the prices
            small |= {at for start, end, _ in words.lists[name].find(reading.texts) for at in range(start, end)}
    denies = words.lists["negations"].are_in(reading.texts)
    for at, token in enumerate(reading.tokens):
        word = token.text.removesuffix("'s")
        if denies and any(map(grounds.is_denied, words.forms(word))):
            continue
        if token.kind != "word" or at in small or word in told or (token.is_capital and word in named):
            continue
        if not any(one in words.frame or one in resulted or grounds.is_stated(one) for one in words.forms(word)):
            return Verdict(False, "claim", token.text)
    return _unrelated(reading, form, grounds)


def _called(reading: Reading, evidence: Evidence) -> set[int]:
    """Places of the caller's name where the caller is called by it, between stops: "Peter, go ahead"."""
    said = {token.text for text in evidence.caller for token in tokens_of(text)[1:] if token.is_capital}
    stops = {-1, len(reading.tokens), *(at for at, token in enumerate(reading.tokens) if token.kind == "stop")}
    return {
        at
        for at, token in enumerate(reading.tokens)
        if token.is_capital and token.text in said and {at - 1, at + 1} <= stops
    }


def harmless_places(reading: Reading, grounds: Grounds) -> frozenset[int]:
    """Places of courtesies, and of words for hours without a break where they have none."""
    lists = grounds.words.lists
    spans = [*lists["courtesies"].find(reading.texts)]
    spans += lists["unbroken"].find(reading.texts) if grounds.has_unbroken_hours else []
    return frozenset(at for start, end, _ in spans for at in range(start, end))


def held_superlatives(reading: Reading, grounds: Grounds) -> frozenset[int]:
    """Places of "the cheapest" and its like beside a service: word_rules.py holds them against the prices."""
    lists = grounds.words.lists
    if not grounds.services.find(reading.texts):
        return frozenset()
    spans = [span for name in ("cheapest", "dearest") for span in lists[name].find(reading.texts)]
    return frozenset(at for start, end, _ in spans for at in range(start, end))


def other_asked(one: Service, grounds: Grounds, evidence: Evidence) -> Service | None:
    """The other of two services that the caller asked about last; None: these were not two."""
    asked = grounds.services.find(words_of(evidence.caller[-1])) if evidence.caller else []
    others = {each[2].id: each[2] for each in asked if each[2].id != one.id}
    return next(iter(others.values())) if len(others) == 1 and len(asked) > 1 else None


def may_name_caller(reading: Reading, grounds: Grounds, evidence: Evidence) -> bool:
    """Return whether a name the caller said may stand in a clause: behind "thank you" or "nice to meet you", also as a
    clause of its own. Not behind a title: "Doctor Brown" says who works here.
    """
    lists = grounds.words.lists
    if lists["name_is_asked"].are_in(reading.texts):
        return True
    has_title = any(lists["persons"].length(reading.texts, at) for at in range(len(reading.texts)))
    said = (*words_of(evidence.reply), *reading.texts)
    return not has_title and any(lists[name].are_in(said) for name in ("courtesies", "name_is_asked"))


def _unrelated(reading: Reading, form: ClauseForm, grounds: Grounds) -> Verdict | None:
    """A service beside a topic, with no person who does both: "children may have whitening"."""
    found = [hit[2] for hit in grounds.doable.find(reading.texts)]
    services, topics = (
        [one for one in found if isinstance(one, Service)],
        [one for one in found if isinstance(one, Topic)],
    )
    if services and topics and not grounds.people.find(reading.texts) and form.ends_sentence:
        return Verdict(False, "claim", " ".join(reading.texts))
    return None


def _caller_words(evidence: Evidence) -> frozenset[str]:
    return frozenset(word for text in evidence.caller for word in words_of(text))
