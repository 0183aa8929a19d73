"""The word lists of a language, and whether a text has them. Sans-IO, save for reading the lists once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.language import data
from services.language.script import script_of
from services.language.words import normalise

FILE = "conversation"


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
        """The words of a text in the form of the lists, one space between them where the language has spaces."""
        return (" " if self.is_spaced else "").join(normalise(text))

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
    language = primary if primary in data.languages() else "en"
    is_spaced = script_of(primary).is_spaced

    def listed(key: str) -> tuple[str, ...]:
        return tuple((" " if is_spaced else "").join(normalise(phrase)) for phrase in data.words(language, FILE, key))

    return Phrases(
        is_spaced=is_spaced,
        farewells=listed("farewells"),
        refusals=listed("refusals"),
        thanks=listed("thanks"),
        fillers=listed("fillers"),
        offers=listed("offers"),
        requests=listed("expectation.requests"),
        asks_digits=listed("expectation.digits"),
        asks_spelling=listed("expectation.spelling"),
        asks_yes_no=listed("expectation.yes_no"),
    )
