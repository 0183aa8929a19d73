"""Patterns of word classes, as the `sentence_ends.toml` of a language writes them, matched at a sentence's end.

    word          that word
    {class}       one phrase of that class; in a class `-ing` is every word that ends so, `#` every numeral
    x?  x+        once or not at all; once or more
    ...           any words, or none
    {~class}      one word at which no phrase of the class begins
    {~class}...   any such words, or none
    ^             first in a pattern: nothing stands before, courtesies and the like aside
    &             first in a pattern: a clause begins here, after nothing or after a word of the class `clause`

Words are looked up, and no regular expression is compiled: those of English took 125 ms.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

LONGEST_TEXT_WORDS = 40  # of a longer one the end is looked at: the time a pattern takes stays bounded
_SYMBOL = re.compile(
    r"\{(?P<avoided>~)?(?P<name>\w+)\}(?P<times>\?|\+|\.\.\.)?|(?P<word>[^{}~?+^&]+)(?P<word_times>[?+])?"
)


class PatternError(ValueError):
    """A pattern that names no class or does not compile."""


@dataclass(frozen=True, slots=True)
class _Class:
    """The phrases of a class."""

    phrases: frozenset[tuple[str, ...]]
    lengths: tuple[int, ...]  # of its phrases, in words
    last_words: frozenset[str]
    endings: tuple[str, ...]  # "-ing"
    has_numerals: bool

    def length_at(self, words: Sequence[str], end: int) -> list[int]:
        """Return the lengths in words of the phrases of the class that end before the word `end`."""
        found = [
            length for length in self.lengths if length <= end and tuple(words[end - length : end]) in self.phrases
        ]
        if end and 1 not in found and self._has(words[end - 1]):
            found.append(1)
        return found

    def _has(self, word: str) -> bool:
        is_ending = any(word.endswith(ending) and word != ending for ending in self.endings)
        return is_ending or (self.has_numerals and word.isdecimal())


class _Kind(Enum):
    ONE = auto()  # a phrase of the class
    MAYBE = auto()
    SOME = auto()  # one or more
    WORD_OUTSIDE = auto()  # a word at which no phrase of the class begins
    WORDS_OUTSIDE = auto()  # any number of those
    ANYTHING = auto()
    START = auto()  # of the sentence
    CLAUSE = auto()  # the start, or behind a phrase of the class


@dataclass(frozen=True, slots=True)
class _Symbol:
    kind: _Kind
    words: _Class


class _Text:
    """The words of a sentence, and where the phrases of each class stand in them."""

    def __init__(self, words: Sequence[str], *, is_whole: bool) -> None:
        self._words = words
        self._is_whole = is_whole
        self._starts: dict[tuple[int, int], list[int]] = {}
        self._beginnings: dict[int, frozenset[int]] = {}

    def ends_as(self, pattern: Sequence[_Symbol]) -> bool:
        """Match from the end backwards; return the places that the rest of the pattern may lead to."""
        places = {len(self._words)}
        for symbol in reversed(pattern):
            places = self._before(symbol, places)
            if not places:
                return False
        return True

    def _before(self, symbol: _Symbol, places: set[int]) -> set[int]:
        start = {0} & places if self._is_whole else set[int]()
        match symbol.kind:
            case _Kind.START:
                found = start
            case _Kind.ANYTHING:
                found = set(range(max(places) + 1))
            case _Kind.ONE:
                found = self._behind(symbol.words, places)
            case _Kind.MAYBE:
                found = places | self._behind(symbol.words, places)
            case _Kind.CLAUSE:
                found = start | self._behind(symbol.words, places)
            case _Kind.SOME:
                found = self._repeated(symbol.words, places)
            case _Kind.WORD_OUTSIDE:
                inside = self._inside(symbol.words)
                found = {place - 1 for place in places if place and place - 1 not in inside}
            case _Kind.WORDS_OUTSIDE:
                found = self._through_words_outside(symbol.words, places)
        return found

    def _through_words_outside(self, words: _Class, places: set[int]) -> set[int]:
        inside, found = self._inside(words), set(places)
        for place in range(len(self._words), 0, -1):
            if place in found and place - 1 not in inside:
                found.add(place - 1)
        return found

    def _behind(self, words: _Class, places: Iterable[int]) -> set[int]:
        """Return the places where a phrase begins that ends at one of the given places."""
        found: set[int] = set()
        for place in places:
            key = (id(words), place)
            if key not in self._starts:
                self._starts[key] = [place - length for length in words.length_at(self._words, place)]
            found.update(self._starts[key])
        return found

    def _repeated(self, words: _Class, places: set[int]) -> set[int]:
        found: set[int] = set()
        new = places
        while new := self._behind(words, new) - found:
            found |= new
        return found

    def _inside(self, words: _Class) -> frozenset[int]:
        """Return the places where a phrase of the class begins."""
        if id(words) not in self._beginnings:
            self._beginnings[id(words)] = frozenset(self._behind(words, range(len(self._words) + 1)))
        return self._beginnings[id(words)]


@dataclass(frozen=True, slots=True)
class Patterns:
    """A list of patterns of one language."""

    patterns: tuple[tuple[_Symbol, ...], ...]
    by_last_word: Mapping[str, Sequence[Sequence[_Symbol]]]  # patterns that end with a phrase which ends so
    others: Sequence[Sequence[_Symbol]]  # all but those
    gap: str  # between words: nothing in Chinese, whose words are single signs

    def match(self, words: tuple[str, ...], *, is_whole: bool = True) -> bool:
        """Return whether a sentence of these words ends as a pattern says. `is_whole`: nothing stands before them."""
        if not words or not self.patterns:
            return False
        longest = LONGEST_TEXT_WORDS if self.gap else LONGEST_TEXT_WORDS * 2
        said = words if self.gap else tuple("".join(words))
        text = _Text(said[-longest:], is_whole=is_whole and len(said) <= longest)
        return any(map(text.ends_as, (*self.by_last_word.get(said[-1], ()), *self.others)))


def compile_patterns(written: Iterable[str], classes: Mapping[str, tuple[str, ...]], *, gap: str) -> Patterns:
    """Read patterns. Raises PatternError for one with a class that is not listed, or that does not compile."""
    built: dict[str, _Class] = {}

    def class_of(name: str, pattern: str) -> _Class:
        if name not in classes:
            raise PatternError(f"{pattern!r}: there is no class {name!r}")
        if name not in built:
            built[name] = _class(classes[name], gap)
        return built[name]

    def symbol_of(written: str, place: int, pattern: str) -> _Symbol:
        if written == "..." or (written == "^" and place == 0):
            return _Symbol(_Kind.ANYTHING if written == "..." else _Kind.START, _NOTHING)
        if written == "&" and place == 0:
            return _Symbol(_Kind.CLAUSE, class_of("clause", pattern))
        parts = _SYMBOL.fullmatch(written)
        if parts is None or (parts["avoided"] and parts["times"] in ("?", "+")):
            raise PatternError(f"{pattern!r} does not compile: {written!r}")
        if parts["word"]:
            return _Symbol(_KINDS[parts["word_times"]], _class((parts["word"],), gap))
        if not parts["avoided"]:
            if parts["times"] == "...":
                raise PatternError(f"{pattern!r} does not compile: {written!r}")
            return _Symbol(_KINDS[parts["times"]], class_of(parts["name"], pattern))
        kind = _Kind.WORDS_OUTSIDE if parts["times"] else _Kind.WORD_OUTSIDE
        return _Symbol(kind, class_of(parts["name"], pattern))

    patterns = tuple(
        tuple(symbol_of(symbol, place, pattern) for place, symbol in enumerate(pattern.split())) for pattern in written
    )
    by_last_word: dict[str, list[Sequence[_Symbol]]] = {}
    others: list[Sequence[_Symbol]] = []
    for pattern in patterns:
        last = pattern[-1]
        if last.kind not in (_Kind.ONE, _Kind.SOME) or last.words.endings or last.words.has_numerals:
            others.append(pattern)
        else:
            for word in last.words.last_words:
                by_last_word.setdefault(word, []).append(pattern)
    return Patterns(patterns, by_last_word, others, gap)


_KINDS = {None: _Kind.ONE, "?": _Kind.MAYBE, "+": _Kind.SOME}
_NOTHING = _Class(frozenset(), (), frozenset(), (), has_numerals=False)


def _class(phrases: Iterable[str], gap: str) -> _Class:
    listed = list(phrases)
    split = frozenset(
        tuple(phrase.split()) if gap else tuple(phrase) for phrase in listed if not phrase.startswith(("-", "#"))
    )
    return _Class(
        phrases=split,
        lengths=tuple(sorted({len(phrase) for phrase in split})),
        last_words=frozenset(phrase[-1] for phrase in split),
        endings=tuple(phrase[1:] for phrase in listed if phrase.startswith("-")),
        has_numerals="#" in listed,
    )
