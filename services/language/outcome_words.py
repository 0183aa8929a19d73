"""Words of outcomes: by which systems tell what has become of a deed, in every language at once: a system writes its
results in a language of its own. They come from outcomes.toml of each language.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.language import data
from services.language.script import script_of
from services.language.words import without_marks

FILE = "outcomes"
KEYS = ("done", "refused", "later", "undone")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One list of all languages, without accents: words that stand alone, and phrases found anywhere in a text."""

    words: frozenset[str]
    phrases: tuple[str, ...]

    def are_in(self, words: set[str], text: str) -> bool:
        """Return whether one of them is said. `words`: those of `text`, both in small letters without accents."""
        return not self.words.isdisjoint(words) or any(phrase in text for phrase in self.phrases)


@data.cached
def outcomes(key: str) -> Outcomes:
    """Return the words of one outcome: done, refused, later or undone. Raises LanguageDataError."""
    words: list[str] = []
    phrases: list[str] = []
    for language in data.languages():
        for text in data.phrases(language, FILE, key):
            is_word = script_of(language).is_spaced and " " not in text
            (words if is_word else phrases).append(without_marks(text.casefold()))
    return Outcomes(frozenset(words), tuple(phrases))


def load() -> None:
    """Read every language, so that no result waits for it."""
    for key in KEYS:
        outcomes(key)
