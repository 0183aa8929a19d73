"""The words with which callers dictate and correct exact values, by a language's capture.toml. Sans-IO, save for
reading it once.

A language without the file is not captured: `has_capture` tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.language import data
from services.language.data import LanguageDataError
from services.language.phrases import fold
from services.language.words import HAN_OR_KANA, is_sign, without_marks

FILE = "capture"
_LETTERS = rf"[^\W\d_{HAN_OR_KANA}]+"
_PIECE = re.compile(rf"\d+|[{HAN_OR_KANA}]|{_LETTERS}(?:'{_LETTERS})*|\S")
_STOPS = ".,;:!?"
_REPLACING = ("wrong_first", "right_first")
_LISTS = (
    "fillers",
    "leads",
    "address_leads",
    "trails",
    "yes",
    "no",
    "own_number",
    "repairs",
    "restarts",
    "copulas",
    "units",
    "group_units",
)

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaptureWords:
    """One language's. A phrase is its tokens, as `pieces_of` cuts them; the longest of a table stands first."""

    lists: Mapping[str, tuple[Words, ...]]  # by the keys of _LISTS
    zeros: frozenset[str]
    digit_counters: tuple[Words, ...]
    always_digits: Mapping[str, str]
    digits_beside: Mapping[str, str]
    as_in: tuple[Words, ...]
    letter_leads: tuple[Words, ...]
    separators: tuple[Words, ...]
    soft_letters: frozenset[str]
    letter_counters: tuple[Words, ...]
    letter_names: Sequence[tuple[Words, str]]
    soft_names: Sequence[tuple[Words, str]]
    letters_said: Mapping[str, str]
    latin: Mapping[str, str]  # letters of another script, as an address has them
    tones: Sequence[tuple[Words, str]]
    tones_said: Mapping[str, str]  # by the mark
    marks: Sequence[tuple[Words, str]]
    marks_said: Mapping[str, str]  # by the mark
    domains: Sequence[tuple[Words, str]]
    positions: Sequence[tuple[Words, int]]
    wrong_first: Sequence[tuple[Words, Words]]
    right_first: Sequence[tuple[Words, Words]]
    asks: Mapping[str, str]
    says: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Piece:
    """A token: a run of digits, a word, or another character; a Han sign is a word."""

    text: str  # folded
    written: str
    start: int  # in the text as `phrases.fold` leaves it
    is_joined: bool = False  # no space stands before it


def cut(text: str) -> list[Piece]:
    """The tokens of a text."""
    found, end = [], -1
    for match in _PIECE.finditer(fold(text)):
        found.append(Piece(match.group().casefold(), match.group(), match.start(), match.start() == end))
        end = match.end()
    return found


def has_capture(language_code: str) -> bool:
    """Return whether a language has the words to capture anything exactly."""
    return (data.folder_of(data.primary(language_code)) / f"{FILE}.toml").exists()


def capture_words(language_code: str) -> CaptureWords:
    """The words of a language. Raises LanguageDataError where it has no capture.toml, or a key of it is missing."""
    return _read(data.primary(language_code))


def pieces_of(text: str) -> Words:
    """The tokens of a phrase of the data."""
    return tuple(piece.text for piece in cut(text) if piece.text not in _STOPS)


@data.cached
def _read(language: str) -> CaptureWords:
    def listed(key: str) -> tuple[Words, ...]:
        return _longest_first(pieces_of(text) for text in data.phrases(language, FILE, key))

    def paired(key: str) -> list[tuple[Words, str]]:
        found = data.texts(language, FILE, key) if data.table(language, FILE, key) else {}
        return sorted(((pieces_of(text), meant) for text, meant in found.items()), key=lambda each: -len(each[0]))

    positions = data.table(language, FILE, "positions")
    if wrong := [word for word, place in positions.items() if not isinstance(place, int)]:
        raise LanguageDataError(f"{data.where(language, FILE)}: {wrong[0]!r} in 'positions' has no whole number")
    said = {name: dict(paired(name)) for name in ("marks_said", "tones_said")}
    return CaptureWords(
        lists={name: listed(name) for name in _LISTS},
        zeros=frozenset(data.words(language, FILE, "digits.zeros")),
        digit_counters=listed("digits.counters"),
        always_digits=dict(data.table(language, FILE, "digits.always")),
        digits_beside=dict(data.table(language, FILE, "digits.beside")),
        as_in=listed("letters.as_in"),
        letter_leads=listed("letters.leads"),
        separators=listed("letters.separators"),
        soft_letters=frozenset(data.words(language, FILE, "letters.soft")),
        letter_counters=listed("letters.counters"),
        letter_names=paired("letters.names"),
        soft_names=paired("letters.soft_names"),
        letters_said=data.texts(language, FILE, "letters.said"),
        latin=_latin(language),
        tones=paired("tones"),
        tones_said={mark: _phrase(words) for words, mark in said["tones_said"].items()},
        marks=paired("marks"),
        marks_said={mark: _phrase(words) for words, mark in said["marks_said"].items()},
        domains=sorted(((pieces_of(a), b) for a, b in data.texts(language, FILE, "domains").items()), key=_n_words),
        positions=sorted(((pieces_of(a), b) for a, b in positions.items()), key=_n_words),
        wrong_first=_between(language, "wrong_first"),
        right_first=_between(language, "right_first"),
        asks=data.texts(language, FILE, "ask"),
        says=data.texts(language, FILE, "say"),
    )


def _phrase(words: Words) -> str:
    """Tokens as they are written together."""
    return ("" if any(map(is_sign, words)) else " ").join(words)


def _latin(language: str) -> dict[str, str]:
    """Letters of another script; one that no letter stands for is left out of an address: the Russian hard sign."""
    return {letter: str(plain) for letter, plain in data.table(language, FILE, "letters.latin").items()}


def _n_words(each: tuple[Words, object]) -> int:
    return -len(each[0])


def _between(language: str, key: str) -> list[tuple[Words, Words]]:
    """Pairs of what opens a correction and what stands between its two halves."""
    found = data.value(language, FILE, f"replacing.{key}")
    is_right = isinstance(found, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in found
    )
    if not is_right or not all(pieces_of(between) for _, between in found):
        raise LanguageDataError(f"{data.where(language, FILE)}: 'replacing.{key}' is a list of pairs of texts")
    pairs = [(pieces_of(opening), pieces_of(between)) for opening, between in found]
    return sorted(pairs, key=lambda pair: (-len(pair[0]), -len(pair[1])))


def _longest_first(phrases: Iterable[Words]) -> tuple[Words, ...]:
    return tuple(sorted(phrases, key=lambda words: -len(words)))


def plain_letter(letter: str) -> str:
    """A letter as an address has it: lower case, without marks."""
    return without_marks(letter).lower()
