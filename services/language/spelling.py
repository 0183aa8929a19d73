"""Puts right what was written in a hurry: words that are spelt almost as one that is known, and letters without their
marks ("gia bao nhieu"). Sans-IO.

It learns from sentences of the language; a word that none of them has and that is near none of theirs stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from services.language.words import normalise, without_marks

_SHORTEST = 5  # letters of a word that may be put right
_LONG = 8  # letters of one in which two may be wrong
_LEAST_UNMARKED_WORDS = 2
_LEAST_RESTORED = 0.7  # of the words, for a text that was written without marks
_PAIR_WEIGHT = 20.0  # of two words that stand beside each other in a sentence
_KEPT_PATHS = 64


class Spelling:
    """Spelling of one language's words, counted in sentences of that language."""

    def __init__(self, texts: Iterable[str], *, known: Iterable[str] = ()) -> None:
        """`known`: further words that are right as they are."""
        self._counts: dict[str, int] = {}
        self._pairs: dict[tuple[str, str], int] = {}
        for text in texts:
            words = normalise(text)
            for word in words:
                self._counts[word] = self._counts.get(word, 0) + 1
            for pair in pairwise(words):
                self._pairs[pair] = self._pairs.get(pair, 0) + 1
        self._known = frozenset(self._counts) | frozenset(known)
        self._by_plain: dict[str, list[str]] = {}
        for word in self._known:
            self._by_plain.setdefault(without_marks(word), []).append(word)
        self._has_marks = any(plain not in (words[0],) for plain, words in self._by_plain.items())
        self._by_first: dict[str, list[str]] = {}
        for word in self._counts:
            if word.isalpha() and len(word) >= _SHORTEST:
                self._by_first.setdefault(word[0], []).append(word)

    def corrected(self, text: str) -> str:
        """The words of a text, those that are nearly spelt as a known one in its spelling; else the text as it is."""
        words = normalise(text)
        right = [self._nearest(word) for word in words]
        return text if list(words) == right else " ".join(right)

    def restored(self, text: str, *, least: float = _LEAST_RESTORED) -> str:
        """The words of a text that was written without any marks, with those that fit; else the text as it is.
        `least`: the share of its words that must be the language's.
        """
        words = normalise(text)
        if not self._has_marks or len(words) < _LEAST_UNMARKED_WORDS or without_marks(text) != text:
            return text
        choices = [self._by_plain.get(word, [word]) for word in words]
        n_known = sum(word in self._by_plain for word in words)
        n_marked = sum(any(choice != word for choice in found) for word, found in zip(words, choices, strict=True))
        if n_known < least * len(words) or not n_marked:
            return text
        restored = " ".join(self._likeliest(choices))
        return restored + text[len(text.rstrip("?!.。？！")) :]

    def _likeliest(self, choices: Sequence[Sequence[str]]) -> list[str]:
        """The words that were most often seen, and seen side by side."""
        paths: list[tuple[float, list[str]]] = [(0.0, [])]
        for found in choices:
            grown = [
                (score + self._counts.get(word, 0) ** 0.5 + self._beside(path, word), [*path, word])
                for score, path in paths
                for word in found
            ]
            paths = sorted(grown, key=lambda one: -one[0])[:_KEPT_PATHS]
        return paths[0][1]

    def _beside(self, path: Sequence[str], word: str) -> float:
        n = self._pairs.get((path[-1], word), 0) if path else 0
        return _PAIR_WEIGHT * n / (n + 2.0)

    def _nearest(self, word: str) -> str:
        if word in self._known or len(word) < _SHORTEST or not word.isalpha():
            return word
        if not word.isascii():
            return word  # a letter with a mark is another letter
        most = 2 if len(word) >= _LONG else 1
        near = [
            (distance, -self._counts[other], other)
            for other in self._by_first.get(word[0], ())
            if abs(len(other) - len(word)) <= most and other.isascii()
            if (distance := _distance(word, other, most)) <= most
        ]
        return min(near)[2] if near else word


def _distance(one: str, other: str, most: int) -> int:
    """Optimal string alignment distance; `most` + 1 where it is more than that."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        older, before, row = before, row, [i]
        for j, wanted in enumerate(other, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if older and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                best = min(best, older[j - 2] + 1)
            row.append(best)
        if min(row) > most:
            return most + 1
    return row[-1]
