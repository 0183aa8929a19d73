"""The word lists of a language, and whether a text has them. Sans-IO, save for reading the lists once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from services.language import data

_PUNCTUATION = re.compile(r"[^\w\s'-]+")
_UNSPACED = {"zh"}  # languages written without spaces


@dataclass(frozen=True, slots=True)
class Phrases:
    """What people say in one language; all lower case, without punctuation."""

    is_spaced: bool
    farewells: tuple[str, ...]  # the caller ends the call
    refusals: tuple[str, ...]  # the whole answer to an offer
    thanks: tuple[str, ...]  # the same, when nothing else is said
    fillers: tuple[str, ...]  # that change nothing
    offers: tuple[str, ...]  # "is there anything else?"
    requests: tuple[str, ...]  # ask without a question mark
    asks_digits: tuple[str, ...]
    asks_spelling: tuple[str, ...]
    asks_yes_no: tuple[str, ...]

    def plain(self, text: str) -> str:
        """Lower case, one space between words, no punctuation; as the lists are written."""
        spaced = _PUNCTUATION.sub(" ", text.lower().replace("’", "'"))
        return (" " if self.is_spaced else "").join(spaced.split())

    def has(self, plain: str, phrases: Iterable[str]) -> bool:
        """Whether any of the phrases is in the plain text, as whole words."""
        border = " " if self.is_spaced else ""
        return any(f"{border}{phrase}{border}" in f"{border}{plain}{border}" for phrase in phrases)

    def without_fillers(self, plain: str) -> str:
        """The plain text without thanks and words that change nothing."""
        border = " " if self.is_spaced else ""
        left = f"{border}{plain}{border}"
        for filler in sorted(self.fillers + self.thanks, key=len, reverse=True):
            word = f"{border}{filler}{border}"
            while word in left:
                left = left.replace(word, border)
        return left.strip()


@data.cached
def phrases_of(language_code: str) -> Phrases:
    """The lists of a language; English where there are none."""
    primary = data.primary(language_code)
    lists = data.read(primary if primary in data.languages() else "en", "conversation")
    expectation = lists["expectation"]
    return Phrases(
        is_spaced=primary not in _UNSPACED,
        farewells=tuple(lists["farewells"]),
        refusals=tuple(lists["refusals"]),
        thanks=tuple(lists["thanks"]),
        fillers=tuple(lists["fillers"]),
        offers=tuple(lists["offers"]),
        requests=tuple(expectation["requests"]),
        asks_digits=tuple(expectation["digits"]),
        asks_spelling=tuple(expectation["spelling"]),
        asks_yes_no=tuple(expectation["yes_no"]),
    )
