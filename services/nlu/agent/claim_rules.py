"""The test that the facts entail a model's statement: the words of a property in it stand in the facts. Sans-IO.

Figures, names and deeds have rules of their own. What is left are claims without any of them: "the doctor is very
experienced", "you can pay later", "there is another clinic". Their words are common ones, so no list of things finds
them. Here the list is the other way round: in a statement without a figure only small words, courtesies and words of
the facts' names and texts may be spoken.
"""

from __future__ import annotations

from itertools import pairwise

from services.language.phrases import words_of
from services.language.value import Kind, Reading
from services.nlu.agent.caller_names import name_spans
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.deeds import claimed_deeds
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.facts import Service, Topic
from services.nlu.agent.grounds import Grounds, read
from services.nlu.agent.talk import talk_places

_CHECKED = frozenset({Kind.MONEY, Kind.TIME, Kind.WEEKDAYS, Kind.DATE, Kind.DURATION, Kind.DIGITS})


def unentailed(reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence) -> Verdict | None:
    """The first word of a model's statement that no fact has; None: there is none, or nothing is stated."""
    words = grounds.words
    if not (words.is_closed_world and evidence.is_written_by_model):
        return None
    if form.is_question or form.is_ignorance or form.is_echo or form.is_claim_of_caller or form.affirms:
        return None
    beside = beside_figures(reading, grounds)
    if len(beside) == len(reading.texts) or _has_checked_day(reading, grounds):
        return None  # the figures say what it is about, and they were held against the facts
    if claimed_deeds(reading.texts, words, is_question=False):
        return None  # deeds.py has let it pass: a result or an act speaks for it
    resulted = frozenset(word for result in evidence.tools for word in words_of(result))
    is_sympathy = words.lists["sympathy"].are_in(reading.texts)
    told = _caller_words(evidence) | words.lists["denied"].vocabulary if is_sympathy else frozenset()
    small = set(beside)
    small |= {at for value in reading.values for at in range(value.start, value.end)}
    small |= harmless_places(reading, grounds) | talk_places(reading, grounds, evidence)
    small |= called_places(reading, grounds, evidence) | caller_name_places(reading, grounds, evidence)
    named_services = grounds.services.find(reading.texts)
    small |= held_superlatives(reading, grounds)
    if len(named_services) == 1 and other_asked(named_services[0][2], grounds, evidence):
        for name in ("cheaper", "dearer"):  # word_rules.py has held it against the prices
            small |= {at for start, end, _ in words.lists[name].find(reading.texts) for at in range(start, end)}
    denies = words.lists["negations"].are_in(reading.texts)  # word_rules.py has looked whether it denies that
    for at, token in enumerate(reading.tokens):
        word = token.text.removesuffix("'s")
        if denies and any(map(grounds.is_denied, words.forms(word))):
            continue
        if token.kind != "word" or at in small or word in told:
            continue
        if not any(one in words.frame or one in resulted or grounds.is_stated(one) for one in words.forms(word)):
            return Verdict(False, "claim", token.text)
    return _unrelated(reading, form, grounds)


def beside_figures(reading: Reading, grounds: Grounds) -> frozenset[int]:
    """Places of the halves of a sentence, before and behind "but", that have a figure which was held to the facts."""
    texts, but = reading.texts, grounds.words.lists["but"]
    cuts = [0, *(at for at in range(1, len(texts)) if but.length(texts, at)), len(texts)]
    checked = [value for value in reading.values if value.kind in _CHECKED]
    return frozenset(
        at
        for start, end in pairwise(cuts)
        if any(start <= value.start < end for value in checked)
        for at in range(start, end)
    )


def has_checked_figure(reading: Reading) -> bool:
    """Return whether a clause has a figure that was held against the facts. Free of charge is none: it may be said of
    anything.
    """
    return any(
        value.kind in _CHECKED and not (value.kind is Kind.MONEY and not value.number) for value in reading.values
    )


def _has_checked_day(reading: Reading, grounds: Grounds) -> bool:
    """Return whether a clause says of a day that it is free or open: "the earliest is tomorrow"."""
    has_day = any(value.kind is Kind.DAY for value in reading.values)
    return has_day and any(grounds.words.time_verbs.at(reading.texts, at) for at in range(len(reading.texts)))


def called_places(reading: Reading, grounds: Grounds, evidence: Evidence) -> frozenset[int]:
    """Places of the caller's name where the caller is called by it: "Peter, go ahead", "Thank you, Dr. Reed"."""
    spans = name_spans(reading, evidence.caller, grounds.language_code)
    called = {at for span in spans if span.is_called for at in span.places}
    told = (read(text, grounds.language_code).tokens[1:] for text in evidence.caller)
    said = {token.text for tokens in told for token in tokens if token.is_capital}
    stops = {-1, len(reading.tokens), *(at for at, token in enumerate(reading.tokens) if token.kind == "stop")}
    alone = (
        at
        for at, token in enumerate(reading.tokens)
        if token.is_capital and token.text in said and {at - 1, at + 1} <= stops
    )
    return frozenset((*called, *alone))


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


def caller_name_places(reading: Reading, grounds: Grounds, evidence: Evidence) -> frozenset[int]:
    """Places of words in capitals that the caller said, at the end of a piece between stops, where a name of the caller
    may stand: behind "thank you" or "nice to meet you", also as a clause of its own. Not behind a title: "Doctor Brown"
    says who works here.
    """
    lists, texts = grounds.words.lists, reading.texts
    if not lists["name_is_asked"].are_in(texts):
        has_title = any(lists["persons"].length(texts, at) for at in range(len(texts)))
        said = (*words_of(evidence.reply), *texts)
        if has_title or not any(lists[name].are_in(said) for name in ("courtesies", "name_is_asked")):
            return frozenset()
    told, found, ends = _caller_words(evidence), set[int](), True
    for at in range(len(texts) - 1, -1, -1):
        token = reading.tokens[at]
        is_silent = token.kind == "stop" or (ends and lists["assents"].length(texts, at) == 1)  # "anh Dũng ạ"
        ends = is_silent or (ends and token.is_capital and token.text in told)
        if ends and not is_silent:
            found.add(at)
    return frozenset(found)


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
