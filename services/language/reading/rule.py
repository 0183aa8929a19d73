"""One way of writing and the words for it."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.language.reading.spoken import Rewrite


class Rewriter(Protocol):
    """A rule that says parts of a text in other words."""

    @property
    def needs(self) -> Sequence[str]:
        """Groups of signs: a text without a sign of each of them has nothing to be said. See `may_match`."""
        ...

    def apply(self, text: str) -> Iterator[Rewrite]:
        """Every place in `text` it speaks for."""
        ...


Lists = Mapping[str, Container[str]]
"""Words that a group may have matched, by the name of the group."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern and what is said for its matches; where `say` returns None, later rules are asked.

    A match counts only when the text of each group in `lists` is one of the words of its list. `needs` tells most texts
    that cannot match without a search, see `may_match`.
    """

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]
    lists: Lists = field(default_factory=dict)
    needs: Sequence[str] = ()

    def apply(self, text: str) -> Iterator[Rewrite]:
        """Every place in `text` it speaks for."""
        for match in matches(self.pattern, text, self.lists):
            spoken = self.say(match)
            if spoken is not None and match.end() > match.start():
                yield Rewrite(match.start(), match.end(), spoken)


DIGIT = "0"
"""In `needs`: any decimal digit of any script."""


def signs_in(text: str) -> set[str]:
    """The code points of a text, and `DIGIT` where one of them is a decimal digit."""
    signs = set(text)
    if any(sign.isdecimal() for sign in signs):
        signs.add(DIGIT)
    return signs


def may_match(needs: Sequence[str], signs: set[str]) -> bool:
    """Of a text with these `signs_in` it: it has one of each group in `needs`. A fortieth of what a search takes."""
    return not any(map(signs.isdisjoint, needs))


def matches(pattern: re.Pattern[str], text: str, lists: Lists) -> Iterator[re.Match[str]]:
    """The matches of a pattern that do not overlap and whose groups are words of their lists."""
    if not lists:
        yield from pattern.finditer(text)
        return
    at = 0
    while match := pattern.search(text, at):
        at = match.end()
        for group, words in lists.items():
            found = match[group]
            if found is not None and found not in words:
                if not match[0].isalpha():  # of one word nothing is left to be found
                    at = match.start() + 1
                break
        else:
            yield match


class AnyCase(frozenset[str]):
    """Words that are found in any case."""

    def __new__(cls, words: Iterable[str]) -> "AnyCase":
        """The words in lower case."""
        return super().__new__(cls, (word.lower() for word in words))

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and frozenset.__contains__(self, word.lower())


def apart(match: re.Match[str], words: str, *, gap: str = " ") -> str:
    """The words, kept apart from a letter or digit written right beside them: "A12" is "A twelve"."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return f"{gap if is_letter_or_digit(before) else ''}{words}{gap if is_letter_or_digit(after) else ''}"


def is_letter_or_digit(character: str) -> bool:
    """A letter or a digit; no sign such as "²"."""
    return character.isalpha() or character.isdecimal()


def with_lost_dot(match: re.Match[str], words: str) -> str:
    """A dot that ended word and sentence at once still ends the sentence."""
    return f"{words}." if match[0].endswith(".") and not match.string[match.end() :].strip() else words
