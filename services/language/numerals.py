"""Numbers read from words, the way back of reading aloud: "ba trăm năm mươi nghìn" is 350000.

A language's numbers.toml has its words: `units` (a word and its value), `multipliers` (powers of ten), `joiners` (words
inside a number that add nothing), `halves` (half of the last multiplier) and `zero_fills` (zero stands for an empty
place, as in Chinese).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.language import data
from services.language.words import normalise

GROUP = 1000  # multipliers from here on close a group


@dataclass(frozen=True, slots=True)
class NumberWords:
    """One language's words for numbers, as `normalise` leaves them."""

    units: Mapping[str, int]
    multipliers: Mapping[str, int]
    joiners: frozenset[str]
    halves: frozenset[str]
    zero_fills: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A number in a text: its value, and the words it was said in (`end` is behind the last)."""

    value: int
    start: int
    end: int


@data.cached
def number_words(language_code: str) -> NumberWords:
    """The words of a language. Raises LanguageDataError when the file is missing."""
    table = data.read(data.primary(language_code), "numbers")

    def values(key: str) -> dict[str, int]:
        return {"".join(normalise(word)): int(value) for word, value in table[key].items()}

    return NumberWords(
        units=values("units"),
        multipliers=values("multipliers"),
        joiners=frozenset(word for phrase in table["joiners"] for word in normalise(phrase)),
        halves=frozenset(word for phrase in table["halves"] for word in normalise(phrase)),
        zero_fills=bool(table["zero_fills"]),
    )


def find_numbers(text: str, language_code: str) -> list[Found]:
    """The numbers of a text in words or plain figures, in order. Digits said one by one are a number each."""
    words, known = normalise(text), number_words(language_code)
    found, at = [], 0
    while at < len(words):
        number = _number_at(words, at, known)
        if number is None:
            at += 1
        else:
            found.append(number)
            at = number.end
    return found


def read_number(text: str, language_code: str) -> int | None:
    """The value of a text that is one number and nothing else."""
    found = find_numbers(text, language_code)
    return found[0].value if len(found) == 1 and found[0].end - found[0].start == len(normalise(text)) else None


class _Reading:
    """A number on its way: whole groups, the group that is open, and the last multiplier."""

    def __init__(self) -> None:
        self.total = 0
        self.group = 0
        self.has_group = False  # a zero is one too
        self.smallest = 10**18  # of the multipliers that closed a group
        self.last = 1

    def add(self, value: int) -> bool:
        """A unit joins the open group if its place is empty there. False: it begins a number of its own."""
        place = 10 if value < 10 else 100 if value < 100 else GROUP
        if self.has_group and (self.group % place or self.group == 0):
            return False
        if self.has_group and 10 < self.group % 100 < 20 and value < 10:
            return False
        self.group += value
        self.has_group = True
        self.last = 1
        return True

    def multiply(self, multiplier: int) -> bool:
        """A power of ten behind a unit or a group. False: it cannot stand here."""
        if multiplier < GROUP:
            digit = self.group % 10 if self.group % 100 < 20 else self.group % 100
            if self.group and digit == 0:
                return False
            self.group += (digit or 1) * multiplier - digit
        else:
            if not self.has_group and not (self.total == 0 and self.smallest == 10**18):
                return False
            if multiplier > self.smallest:  # 一万亿: a myriad of hundred millions
                self.group, self.total = self.total + self.group, 0
            self.total += (self.group if self.has_group or self.group else 1) * multiplier
            self.smallest, self.group, self.has_group = multiplier, 0, False
            self.last = multiplier
            return True
        self.has_group = True
        self.last = multiplier
        return True


def _number_at(words: Sequence[str], start: int, known: NumberWords) -> Found | None:
    first = words[start]
    if first.isdecimal():
        return Found(int(first), start, start + 1)
    if first not in known.units and not (first in known.multipliers and known.zero_fills):
        return None
    reading, at, end = _Reading(), start, start
    while at < len(words):
        word = words[at]
        if word in known.units:
            value = known.units[word]
            if value == 0 and at > start:
                n_skipped = _empty_place(words[at + 1 : at + 2], known, reading)
                if n_skipped == 0:
                    break
                at += n_skipped
                continue
            if not reading.add(value):
                break
        elif word in known.multipliers:
            if not reading.multiply(known.multipliers[word]):
                break
        elif word in known.halves and reading.last > 1:
            reading.total += reading.last // 2
            at, end = at + 1, at + 1
            break
        elif word in known.joiners and at > start and at + 1 < len(words) and words[at + 1] in known.units:
            at += 1
            continue
        else:
            break
        at += 1
        end = at
    return Found(reading.total + reading.group, start, end)


def _empty_place(follower: Sequence[str], known: NumberWords, reading: _Reading) -> int:
    """How many words say that a place inside a number is empty, zero first: "零", "không trăm"; 0: it is no such."""
    word = follower[0] if follower else ""
    if known.zero_fills:
        return 1 if word in known.units or word in known.multipliers else 0
    return 2 if known.multipliers.get(word) == 100 and not reading.has_group else 0
