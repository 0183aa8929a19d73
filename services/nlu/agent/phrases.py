"""The word lists of a language, and the kind of answer that a question asks for by them. Sans-IO, save for reading the
lists once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from services.language import calendar_words, claims, clauses, data, number_words, outcome_words, script, value_words
from services.language.words import normalise
from services.nlu.outputs import ExpectedKind

FILE = "conversation"
_LAST_SENTENCE = re.compile(r"[^.!?。！？]*[.!?。！？]*\s*$")


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of one language; all lower case, without punctuation."""

    is_spaced: bool
    farewells: tuple[str, ...]  # the caller ends the call
    refusals: tuple[str, ...]  # the whole answer to an offer
    thanks: tuple[str, ...]  # the same, when nothing else is said
    fillers: tuple[str, ...]  # that change nothing
    offers: tuple[str, ...]  # "is there anything else?"
    negations: tuple[str, ...]  # of what follows: "don't"
    noes: frozenset[str]  # answers by themselves, which negate nothing right behind them
    negated_verbs: tuple[str, ...]  # between a negation and what it negates: "don't say goodbye"
    requests: tuple[str, ...]  # ask without a question mark
    asks_digits: tuple[str, ...]
    asks_spelling: tuple[str, ...]
    asks_yes_no: tuple[str, ...]

    def plain(self, text: str) -> str:
        """The words of a text in the form of the lists, one space between them where the language has spaces."""
        return (" " if self.is_spaced else "").join(normalise(text))

    def has(self, plain: str, phrases: Iterable[str]) -> bool:
        """Return whether any of the phrases is in the plain text, as whole words."""
        border = " " if self.is_spaced else ""
        return any(f"{border}{phrase}{border}" in f"{border}{plain}{border}" for phrase in phrases)


def phrases_of(language_code: str) -> Phrases:
    """The lists of a language; English where there are none."""
    language = data.known(language_code)
    return _read("en" if language == data.FALLBACK else language)


def expected_after(reply: str, *, language_code: str) -> ExpectedKind:
    """The shape of the answer to a reply's last sentence."""
    found = _LAST_SENTENCE.search(reply.rstrip())
    phrases = phrases_of(language_code)
    question = phrases.plain(found.group() if found else "")
    asks = reply.rstrip().endswith(("?", "？")) or phrases.has(question, phrases.requests)
    if phrases.has(question, phrases.asks_spelling):
        return ExpectedKind.SPELLING
    if asks and phrases.has(question, phrases.asks_digits):
        return ExpectedKind.DIGITS
    if asks and phrases.has(question, phrases.asks_yes_no):
        return ExpectedKind.YES_NO
    return ExpectedKind.ANSWER if asks else ExpectedKind.OPEN


def load_languages() -> None:
    """Read what this stage knows of every language, so that no call waits for it. Raises LanguageDataError."""
    for language in data.languages():
        _read(language)
    script.load()
    clauses.load()
    number_words.load()
    calendar_words.load()
    value_words.load()
    claims.load()
    outcome_words.load()


@data.cached
def _read(language: str) -> Phrases:
    is_spaced = script.script_of(language).is_spaced

    def listed(key: str, name: str = FILE) -> tuple[str, ...]:
        return tuple((" " if is_spaced else "").join(normalise(phrase)) for phrase in data.phrases(language, name, key))

    return Phrases(
        is_spaced=is_spaced,
        farewells=listed("farewells"),
        refusals=listed("refusals"),
        thanks=listed("thanks"),
        fillers=listed("fillers"),
        offers=listed("offers"),
        negations=listed("negations"),
        noes=frozenset(listed("refusals") + listed("yes_no", "answers")),
        negated_verbs=listed("negated_verbs"),
        requests=listed("expectation.requests"),
        asks_digits=listed("expectation.digits"),
        asks_spelling=listed("expectation.spelling"),
        asks_yes_no=listed("expectation.yes_no"),
    )
