"""Questions about the terms of a booking: what it costs to cancel one, what happens if, whether one is needed. They
begin no booking, and cancel none. Sans-IO.
"""

from __future__ import annotations

from datetime import datetime

from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.counting import has_any, spans_of
from services.nlu.agent.graph.slots import SlotFinder, Slots
from services.nlu.agent.graph.strangers import names_anything

_DEEDS = frozenset({"change", "cancel"})  # of a booking that stands
_OF_TIMES = frozenset({"hours", "free"})
_MAY_BE = frozenset({"book", "advice", "price", "offered"}) | _DEEDS | _OF_TIMES  # that such questions are taken for


def asks_for_terms(kind: str, slots: Slots, finder: SlotFinder, text: str) -> bool:
    """Return whether a sentence that is most like `kind` only asks on which terms something is done: "what happens if I
    have to cancel", "is there a fee", "can I come without an appointment". "If I can't come on Friday, can I come on
    Monday" wants something done.
    """
    terms, words = finder.words.terms, slots.words
    if kind not in _MAY_BE or not asks(text, words, finder):
        return False
    if has_any(words, terms["unbooked"]) and kind not in ("price", "hours"):
        return True
    names_deed = kind in _DEEDS or _speaks_of_a_deed(words, finder)
    asks_cost = has_any(words, terms["costs"])
    if kind in ("price", "advice"):
        return names_deed and (asks_cost or is_a_case(words, finder)) and not names_anything(slots)
    if slots.when.has_day or slots.when.times or (names_deed and asks_cost):
        return names_deed and asks_cost
    return _puts_a_case(kind, slots, finder, is_of_deed=names_deed)


def speaks_of_terms(text: str, finder: SlotFinder, now: datetime) -> bool:
    """Return whether a sentence speaks of changing or cancelling, and asks on which terms that is done: it is one
    question, whatever joins its halves.
    """
    slots = finder.find(text, now)
    return _speaks_of_a_deed(slots.words, finder) and asks_for_terms("cancel", slots, finder, text)


def _puts_a_case(kind: str, slots: Slots, finder: SlotFinder, *, is_of_deed: bool) -> bool:
    """Return whether it is asked what comes of a deed, no day being named."""
    terms, words = finder.words.terms, slots.words
    if has_any(words, terms["outcomes"]):
        return kind != "offered" and not has_any(words, finder.words.instead)
    if kind == "book":
        is_case = is_of_deed and is_a_case(words, finder)
        return not names_anything(slots) and (is_case or has_any(words, terms["costs"]))
    is_of_time = kind == "hours" and not slots.when  # "if I'm late, will you still see me"
    return (kind in _DEEDS or is_of_time) and is_a_case(words, finder)


def is_a_case(words: Words, finder: SlotFinder) -> bool:
    """Return whether words put a case: "if I have to cancel"; "if that's possible" is courtesy, and puts none."""
    terms = finder.words.terms
    polite = {place for start, end in spans_of(words, terms["courtesies"]) for place in range(start, end)}
    return any(polite.isdisjoint(range(start, end)) for start, end in spans_of(words, terms["cases"]))


def asks(text: str, words: Words, finder: SlotFinder) -> bool:
    """Return whether a sentence asks, by its mark or by a word that does nothing else."""
    return text.rstrip().endswith(("?", "？")) or has_any(words, finder.words.terms["asks"])


def is_question(text: str, finder: SlotFinder, words: Words) -> bool:
    """Return whether a sentence asks, by its mark or by its words."""
    return text.rstrip().endswith(("?", "？")) or has_any(words, finder.words.question_words)


def _speaks_of_a_deed(words: Words, finder: SlotFinder) -> bool:
    """Return whether words speak of changing or cancelling."""
    evidence = finder.words.evidence
    return has_any(words, (*evidence["changes"], *evidence["cancels"]))
