"""How sentences of a language are built: the word classes and patterns in `grammars/`, and what they say of an end."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from importlib.resources import files
from typing import Any

from services.stt_proxy.patterns import Patterns, compile_patterns
from services.stt_proxy.words import normalise

_SENTENCE_END = re.compile(r"[.!?]\s+|[。！？]")


class Closure(Enum):
    """How conclusive a sentence's end is."""

    OPEN = auto()  # nobody stops there
    LOOSE = auto()  # it may be whole, and often more comes
    LIKELY = auto()  # nothing says that more comes, nor that it does not
    WHOLE = auto()  # it ends as whole sentences do
    CONCLUDED = auto()  # something says that no more comes
    CLOSED = auto()  # the same, and it outweighs any word that seems to lead on


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language's patterns."""

    is_spaced: bool
    asides: tuple[tuple[str, ...], ...]  # what may stand before a sentence and changes nothing, longest first
    greetings: tuple[tuple[str, ...], ...]  # asides that are no turn by themselves, as a rule
    closed: Patterns  # what ends so is whole, whatever the others say
    open: Patterns
    concluded: Patterns  # what ends so is whole where it is not open, and no more comes
    settled: Patterns  # what ends so is whole where it is neither open nor concluded
    loose: Patterns

    def is_only_greeting(self, text: str) -> bool:
        """Whether the caller has said hello, and at most "yes" or "well" before."""
        words = self._words(text)
        is_greeting = any(words[-len(greeting) :] == greeting for greeting in self.greetings)
        return is_greeting and not self._without_asides(words)

    def closure(self, text: str) -> Closure:
        """How conclusive the last sentence of the text is."""
        rest = self._without_asides(self._words(_last_sentence(text)))
        if self.closed.match(rest):
            return Closure.CLOSED
        is_asked = text.rstrip().endswith(("?", "？"))
        if self.open.match(rest) and not is_asked:
            return Closure.OPEN
        if self.concluded.match(rest):
            return Closure.CONCLUDED
        if self.settled.match(rest) or not rest:
            return Closure.WHOLE
        return Closure.LOOSE if self.loose.match(rest) else Closure.LIKELY

    def _words(self, text: str) -> tuple[str, ...]:
        words = normalise(text)
        return words if self.is_spaced else tuple("".join(words))

    def _without_asides(self, words: tuple[str, ...]) -> tuple[str, ...]:
        rest = words
        while aside := next((one for one in self.asides if rest[: len(one)] == one), None):
            rest = rest[len(aside) :]
        return rest


def _last_sentence(text: str) -> str:
    sentences = [sentence for sentence in _SENTENCE_END.split(text) if normalise(sentence)]
    return sentences[-1] if sentences else ""


def load_grammars() -> None:
    """Read every language, so that no call waits for it: some 100 ms in all."""
    for file in (files("services.stt_proxy") / "grammars").iterdir():
        if file.name.endswith(".toml"):
            grammar_of(file.name.removesuffix(".toml"))


@cache
def grammar_of(language: str) -> Grammar:
    """The patterns of a language that has a phrasebook."""
    file = files("services.stt_proxy") / "grammars" / f"{language}.toml"
    return _parse(tomllib.loads(file.read_text(encoding="utf-8")))


def _parse(table: dict[str, Any]) -> Grammar:
    is_spaced = bool(table["is_spaced"])
    gap = " " if is_spaced else ""
    classes = {name: tuple(_phrases(listed, table["classes"], gap)) for name, listed in table["classes"].items()}
    patterns = table["patterns"]

    def phrases(name: str) -> tuple[tuple[str, ...], ...]:
        split = {tuple(one.split() if is_spaced else one) for one in classes.get(name, ())}
        return tuple(sorted(split, key=len, reverse=True))

    def compiled(name: str) -> Patterns:
        return compile_patterns(patterns.get(name, ()), classes, gap=gap)

    return Grammar(
        is_spaced=is_spaced,
        asides=tuple(sorted({*phrases("aside"), *phrases("greeting")}, key=len, reverse=True)),
        greetings=phrases("greeting"),
        closed=compiled("closed"),
        open=compiled("open"),
        concluded=compiled("concluded"),
        settled=compiled("settled"),
        loose=compiled("loose"),
    )


def _phrases(listed: list[str], classes: dict[str, list[str]], gap: str) -> Iterator[str]:
    """The phrases of a class; one that names another class in braces holds that one's too."""
    for phrase in listed:
        if phrase.startswith("{"):
            yield from _phrases(classes[phrase[1:-1]], classes, gap)
        else:
            yield phrase if phrase.startswith(("-", "#")) else gap.join(normalise(phrase))
