"""Tokens of a text, and phrases of the languages' data found in them. Sans-IO."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Generic, TypeVar

from services.language.words import is_sign

V = TypeVar("V")

_KEPT_TEXTS = 512  # of calls, whose clauses are looked at again and again
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u00b4\u0060\uff07", "'"))
_SILENT = str.maketrans(dict.fromkeys("\u00ad\u200c\u200d\u2060\ufeff"))
_STRESS = re.compile("[\u0300-\u036f]+")
_ONE_LETTER = str.maketrans({"\u0451": "\u0435"})  # Russian is written with or without the dots of yo
_TOKEN = re.compile(
    r"""(?P<clock>(?<![\d:.])\d{1,2}(?::|(?<=\d)h)[0-5]\d(?![\d:]))
      | (?P<date>(?<![\d/.-])(?:\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}(?:/\d{2,4})?)(?![\d/]))
      | (?P<figures>\d+(?:[.,]\d+)*)
      | (?P<letters>(?<!\w|\.)(?:[^\W\d_]\.){2,}|(?<=\d)(?:[^\W\d_]\.){2,})
      | (?P<joint>(?<=[^\W\d_])-(?=[^\W\d_]))
      | (?P<sign>[%$€£₫¥₽–—-])
      | (?P<stop>[.!?…。！？,;:，；：、]+)
      | (?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)
      | (?P<other>[^\W]|['_])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, figures, or a sign, folded as `words.normalise` folds."""

    text: str
    kind: str  # "word", "figures", "clock", "date", "sign", "stop"
    is_capital: bool = False  # written with a capital letter


def fold(text: str) -> str:
    """The text in one form of each letter, with its case kept."""
    plain = text.translate(_APOSTROPHES).translate(_SILENT)
    return _STRESS.sub("", unicodedata.normalize("NFKC", plain))


def folded(text: str) -> str:
    """The text in lower case, as the tokens have it."""
    return fold(text).lower().translate(_ONE_LETTER)


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, in order; each Han character is a word."""
    found: list[Token] = []
    for match in _TOKEN.finditer(fold(text)):
        kind, written = match.lastgroup or "other", match.group()
        if kind == "joint":  # "thirty-five" is two words
            continue
        if kind == "letters":  # "a.m." is two
            found += [_word(letter) for letter in written.split(".") if letter]
            continue
        if kind != "word":
            found.append(Token(written.casefold(), "word" if kind == "other" else kind))
            continue
        start = 0
        for at, character in enumerate(written):  # "在10点" and "в кафе" both come here: signs stand alone
            if is_sign(character):
                if at > start:
                    found.append(_word(written[start:at]))
                found.append(Token(character, "word"))
                start = at + 1
        if start < len(written):
            found.append(_word(written[start:]))
    return found


def _word(written: str) -> Token:
    text = unicodedata.normalize("NFKC", written.casefold()).translate(_ONE_LETTER)
    return Token(text, "word", written[:1].isupper())


class PhraseTable(Generic[V]):
    """Phrases with their meanings; the longest that begins at a token is found."""

    @cached_property
    def openings(self) -> frozenset[str]:
        """The first words of all phrases."""
        return frozenset(self._by_first)

    def __init__(self, phrases: Mapping[str, V]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], V]]] = {}
        for phrase, meaning in phrases.items():
            words = words_of(phrase)
            self._by_first.setdefault(words[0], []).append((words, meaning))
        for candidates in self._by_first.values():
            candidates.sort(key=lambda candidate: -len(candidate[0]))

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every word of the phrases."""
        return frozenset(word for found in self._by_first.values() for words, _ in found for word in words)

    def single_words(self, meanings: Collection[V]) -> frozenset[str]:
        """Phrases of one word that mean one of these."""
        found = (candidate for candidates in self._by_first.values() for candidate in candidates)
        return frozenset(words[0] for words, meaning in found if len(words) == 1 and meaning in meanings)

    def at(self, texts: tuple[str, ...], start: int) -> tuple[int, V] | None:
        """Return how many tokens the longest phrase here has, and what it means."""
        if start >= len(texts):
            return None
        for words, meaning in self._by_first.get(texts[start], ()):
            if texts[start : start + len(words)] == words:
                return len(words), meaning
        return None

    def find(self, texts: tuple[str, ...]) -> list[tuple[int, int, V]]:
        """Every phrase in a text as (start, end, meaning), none inside another."""
        found: list[tuple[int, int, V]] = []
        at = len(texts) if self.openings.isdisjoint(texts) else 0  # most texts have none
        while at < len(texts):
            if hit := self.at(texts, at):
                found.append((at, at + hit[0], hit[1]))
                at += hit[0]
            else:
                at += 1
        return found


class PhraseSet(PhraseTable[bool]):
    """Phrases without a meaning of their own."""

    def __init__(self, phrases: Iterable[str]) -> None:
        super().__init__(dict.fromkeys(phrases, True))

    def length(self, texts: tuple[str, ...], start: int) -> int:
        """Return how many tokens the longest phrase here has; 0: none begins here."""
        if start >= len(texts):
            return 0
        for words, _ in self._by_first.get(texts[start], ()):
            if texts[start : start + len(words)] == words:
                return len(words)
        return 0

    def are_in(self, texts: tuple[str, ...]) -> bool:
        return not self.openings.isdisjoint(texts) and any(self.length(texts, at) for at in range(len(texts)))


@lru_cache(maxsize=_KEPT_TEXTS)
def words_of(text: str) -> tuple[str, ...]:
    """The texts of a phrase's tokens, stops left out."""
    return tuple(token.text for token in tokens_of(text) if token.kind != "stop")
