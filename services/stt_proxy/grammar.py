"""Sentence grammar of a language: the word classes and patterns of its `sentence_ends.toml`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum, auto

from services.language import data
from services.language.words import normalise
from services.stt_proxy.patterns import PatternError, Patterns, compile_patterns

FILE = "sentence_ends"
_SENTENCE_END = re.compile(r"[.!?]\s+|[。！？]")


class Closure(Enum):
    """Closure of a sentence: whether its end is complete, by the patterns."""

    OPEN = auto()  # no sentence stops there
    UNDECIDED = auto()
    CONCLUDED = auto()  # a pattern says that no more comes


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language's patterns."""

    is_spaced: bool
    asides: tuple[tuple[str, ...], ...]  # what may stand before a sentence and changes nothing, longest first
    closed: Patterns  # what ends so is whole, even where it seems open
    open: Patterns
    concluded: Patterns  # what ends so is whole where it is not open

    def closure(self, text: str) -> Closure:
        """Return the closure of the last sentence of the text."""
        said = self._words(_last_sentence(text))
        rest = self._without_asides(said)
        if self.closed.match(rest) or self.closed.match(said):
            return Closure.CONCLUDED
        is_asked = text.rstrip().endswith(("?", "？"))
        if self.open.match(rest) and not is_asked:
            return Closure.OPEN
        is_concluded = self.concluded.match(rest) or self.concluded.match(said)
        return Closure.CONCLUDED if is_concluded else Closure.UNDECIDED

    def only_greets(self, text: str) -> bool:
        """Return whether the last sentence holds only what may stand before a sentence: a greeting, "well"."""
        said = self._words(_last_sentence(text))
        return bool(said) and not self._without_asides(said)

    def _words(self, text: str) -> tuple[str, ...]:
        words = normalise(text)
        return words if self.is_spaced else tuple("".join(words))

    def _without_asides(self, words: tuple[str, ...]) -> tuple[str, ...]:
        rest = words
        while aside := next((one for one in self.asides if rest[: len(one)] == one), None):
            rest = rest[len(aside) :]
        return rest


PATTERNS = tuple(field.name for field in fields(Grammar) if field.type is Patterns)
"""The lists of patterns that a language may have."""


def _last_sentence(text: str) -> str:
    sentences = [sentence for sentence in _SENTENCE_END.split(text) if normalise(sentence)]
    return sentences[-1] if sentences else ""


def load_grammars() -> None:
    """Read every language, so that no call waits for it."""
    for language in (*data.languages(), data.FALLBACK):
        grammar_of(language)


@data.cached
def grammar_of(language: str) -> Grammar:
    """The patterns of a language that has a phrasebook."""
    is_spaced = data.flag(language, FILE, "is_spaced")
    gap = " " if is_spaced else ""
    written = {name: data.words(language, FILE, f"classes.{name}") for name in data.table(language, FILE, "classes")}
    classes = {name: tuple(_phrases(name, written, gap, language)) for name in written}
    patterns = data.table(language, FILE, "patterns")
    if unknown := patterns.keys() - PATTERNS:
        raise data.LanguageDataError(
            f"{data.where(language, FILE)}: {min(unknown)!r} in 'patterns' is none of {', '.join(PATTERNS)}"
        )

    def phrases(name: str) -> tuple[tuple[str, ...], ...]:
        split = {tuple(one.split() if is_spaced else one) for one in classes.get(name, ())}
        return tuple(sorted(split, key=len, reverse=True))

    def compiled(name: str) -> Patterns:
        listed = data.words(language, FILE, f"patterns.{name}") if name in patterns else ()
        try:
            return compile_patterns(listed, classes, gap=gap)
        except PatternError as error:
            raise data.LanguageDataError(f"{data.where(language, FILE)}: patterns.{name}: {error}") from error

    return Grammar(
        is_spaced=is_spaced,
        asides=tuple(sorted({*phrases("aside"), *phrases("greeting")}, key=len, reverse=True)),
        closed=compiled("closed"),
        open=compiled("open"),
        concluded=compiled("concluded"),
    )


def _phrases(name: str, classes: Mapping[str, tuple[str, ...]], gap: str, language: str) -> Iterator[str]:
    """The phrases of a class; one that names another class in braces holds that one's too."""
    for phrase in classes[name]:
        if phrase.startswith("{"):
            other = phrase[1:-1]
            if other not in classes or other == name:
                raise data.LanguageDataError(
                    f"{data.where(language, FILE)}: classes.{name}: there is no other class {phrase}"
                )
            yield from _phrases(other, classes, gap, language)
        else:
            yield phrase if phrase.startswith(("-", "#")) else gap.join(normalise(phrase))
