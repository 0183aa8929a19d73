"""Agreement of a caller to what was read back, by the words of a language. Sans-IO.

This module alone decides it, for `graph` and for the tools that a model calls.
"""

from __future__ import annotations

from collections.abc import Collection

from services.language.claims import claim_words
from services.language.words import normalise
from services.nlu.agent.graph.asking import Asking, Words

_QUESTION = ("?", "？")


def opens_with_agreement(text: str, lists: Asking) -> bool:
    """Return whether an answer begins by agreeing, and neither holds back nor asks: "yes, book it"."""
    words = _without_hums(normalise(text), lists)
    return not _holds_back(text, lists) and len(behind_agreements(words, lists)) < len(words)


def _holds_back(text: str, lists: Asking) -> bool:
    return text.rstrip().endswith(_QUESTION) or has_phrase(normalise(text), lists.reserves)


def is_all_agreement(text: str, lists: Asking, *, asked: Collection[str], deeds: Collection[str]) -> bool:
    """Return whether a whole turn agrees to a question after `deeds`. Behind its yes stand only phrases with which one
    says yes or orders that deed, and `asked`: words of the question, said again. An order to do another deed is no yes.
    """
    words = _without_hums(normalise(text), lists)
    own = [phrase for deed in deeds for phrase in lists.orders.get(deed, ())]
    is_order = any(_is_order(words, phrase, lists) for phrase in own) and not _holds_back(text, lists)  # "book it"
    if not (is_order or opens_with_agreement(text, lists)) or has_phrase(words, lists.take_backs):
        return False
    others = [phrase for phrases in lists.orders.values() for phrase in phrases if phrase not in own]
    if has_phrase(words, others) and not has_phrase(words, own):
        return False
    phrases = sorted({*lists.agreements, *lists.yes, *lists.beside_yes, *own}, key=len, reverse=True)
    while words:
        known = next((phrase for phrase in phrases if words[: len(phrase)] == phrase), ())
        if not known and words[0] not in asked:
            return False
        words = words[len(known) or 1 :]
    return True


def _without_hums(words: Words, lists: Asking) -> Words:
    """The words behind the hums that they begin with, "mm, yes"; where there is nothing else, all: "mhm" is a yes."""
    rest = words
    while hum := next((one for one in lists.hums if rest[: len(one)] == one), ()):
        rest = rest[len(hum) :]
    return rest or words


def _is_order(words: Words, phrase: Words, lists: Asking) -> bool:
    """Return whether words begin with an order; with "already" behind it, it tells of what is done: "đặt rồi"."""
    rest = words[len(phrase) :]
    return words[: len(phrase)] == phrase and not any(rest[: len(one)] == one for one in lists.done_already)


def own_deeds(tool: str, language_code: str) -> set[str]:
    """The deeds that a tool's name speaks of."""
    return {
        deed for deed, acts in claim_words(language_code).acts.items() if any(part in tool.lower() for part in acts)
    }


def deed_words(tool: str, language_code: str) -> frozenset[str]:
    """Words in which a caller says what a tool is to do: "yes, book it"."""
    return claim_words(language_code).verbs.single_words(own_deeds(tool, language_code))


def behind_agreements(words: Words, lists: Asking) -> Words:
    """Return what is left of words without the agreements that they begin with."""
    while lead := next((phrase for phrase in lists.agreements if phrase and words[: len(phrase)] == phrase), ()):
        words = words[len(lead) :]
    return words


def has_phrase(words: Words, phrases: Collection[Words]) -> bool:
    """Return whether one of the phrases stands among the words."""
    return any(words[at : at + len(phrase)] == phrase for phrase in phrases if phrase for at in range(len(words)))
