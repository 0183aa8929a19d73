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
    words = normalise(text)
    if text.rstrip().endswith(_QUESTION) or has_phrase(words, lists.reserves):
        return False
    return len(behind_agreements(words, lists)) < len(words)


def is_all_agreement(text: str, lists: Asking, *, asked: Collection[str]) -> bool:
    """Return whether a whole turn agrees. Behind its yes stand only words with which one says yes, and `asked`: words
    of the question, said again.
    """
    words = normalise(text)
    if not opens_with_agreement(text, lists) or has_phrase(words, lists.take_backs):
        return False
    known = lists.yes_words | frozenset(asked) | {word for phrase in lists.agreements for word in phrase}
    return all(word in known for word in words)


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
