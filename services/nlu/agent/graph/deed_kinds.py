"""Rules for what sounds like a request for a deed: to book, to change, to cancel or to look up. Sans-IO.

Only words that order a deed begin one: a question about its terms, or what is only a little like a request, does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.nlu.agent.graph.asking import UNKNOWN, is_text
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.kind_rules import OF_TIMES, SAID_BY, SURE_SCORE, WEAK_SCORE, Decided
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained
from services.nlu.agent.graph.terms import asks, asks_for_terms, is_a_case, is_question
from services.nlu.agent.understanding import Guess

_WISH_OF = {"check": "find"}  # the kind of wish that a kind of sentence begins, where it has another name
_LEAST_TEXT = 0.3  # of a text that answers a case that is put


def of_deeds(decided: Decided, guesses: Sequence[Guess], slots: Slots, finder: SlotFinder, text: str) -> Decided:
    """The kind of what sounds like a request for a deed, or another: the terms of one are asked for, and answered by a
    text of the file's where one is likely; or words say that a booking is to be cancelled.
    """
    kind, doubts = decided
    if any(asks_for_terms(one, slots, finder, text) for one in (kind, *doubts[:2])):
        return next((one.kind for one in guesses if is_text(one.kind) and one.score >= WEAK_SCORE), UNKNOWN), ()
    if (doubts and kind not in SAID_BY and _puts_a_weak_case(kind, guesses, slots, finder)) or (
        kind == "book" and guesses[0].score < SURE_SCORE and _asks_how_it_is_done(slots, finder, text)
    ):
        return UNKNOWN, ()
    lists, words = finder.words, slots.words
    is_no = kind == "no" and has_any(words, lists.wants)  # "no, I want to cancel the booking", and not to make one
    is_told = kind in OF_TIMES and not is_question(text, finder, words)
    if is_told and _wants_a_moment(slots, finder):
        return "book", ()
    is_taken_for_another = is_no or is_told or (kind == "book" and not has_any(words, lists.orders["booked"]))
    if is_taken_for_another and has_any(words, lists.evidence["cancels_it"]):
        return "cancel", ()  # "снять бронь", though "снять номер" is to book one
    return decided


def _wants_a_moment(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether a day and a time are wanted, and nothing asked of them: "half past two on Wednesday, please"."""
    lists = finder.words
    openings = (
        *lists.compares["opening"],
        *lists.compares["closing"],
        *lists.clock_questions,
        *lists.evidence["house"],
    )
    is_moment = bool(slots.when.times) and slots.when.has_day and not finder.lets_rooms
    return is_moment and has_any(slots.words, lists.wants) and not has_any(slots.words, openings)


def _puts_a_weak_case(kind: str, guesses: Sequence[Guess], slots: Slots, finder: SlotFinder) -> bool:
    """Return whether a case is put that no kind is near to: "if the crown breaks within a year, is that on me"."""
    is_text_of_file = is_text(kind) and guesses[0].score >= _LEAST_TEXT
    return (
        guesses[0].score < SURE_SCORE and not (is_text_of_file or slots.when.has_day) and is_a_case(slots.words, finder)
    )


def _asks_how_it_is_done(slots: Slots, finder: SlotFinder, text: str) -> bool:
    """Return whether a question that is a little like a request has words of no request, or names several things, and
    no time: "could we squeeze into a double", "can both be done in one go".
    """
    lists = finder.words
    if slots.when or not asks(text, slots.words, finder) or has_any(slots.words, lists.wants):
        return False
    named = (*slots.services, *slots.people, *slots.topics)
    return len(slots.services) > 1 or bool(unexplained(slots, named, lists.common))


def in_open_wish(decided: Decided, guesses: Sequence[Guess], wish: str, slots: Slots, finder: SlotFinder) -> Decided:
    """The kind where a wish is open: it is left for a change, a cancellation or a look-up only by words of these, not
    by a sentence that is a little like one ("I suppose so"). `wish`: its kind; empty: none is open.
    """
    kind, _ = decided
    if not wish or kind not in SAID_BY or wish == _WISH_OF.get(kind, kind):
        return decided
    if has_any(slots.words, finder.words.evidence[SAID_BY[kind]]):
        return decided
    other = next((one for one in guesses if one.kind not in SAID_BY), None)
    return (other.kind if other and other.score >= WEAK_SCORE else UNKNOWN), ()
