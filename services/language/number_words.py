"""The words of a language for numbers, by its numbers.toml, written as they are said:

units          a word and its value
multipliers    powers of ten
ones           one, before a multiplier alone: "a hundred"
one_and_halves one and a half, before a multiplier alone: "полторы тысячи"
halves_before  half of the multiplier behind: "half a million"
and_halves     half of the multiplier behind, and a number before: "two and a half million"
points         between a whole and its fraction, before a multiplier alone: "two point five million"
parts          behind a fraction, what it is a part of: "две целых пять десятых миллиона"
joiners        inside a number, and add nothing: "and"
halves         half of the multiplier before: "một triệu rưỡi"
tails          behind a multiplier, a tenth of it each: "三百五" is 350
after_tens     units that make a digit before them tens: "hai lăm" is 25
digit_words    digits beside other numbers alone: "oh five"
doubtful       units that mean something else too, and are units beside other numbers alone: "không"
ordinals       "first", or what is before the ending of one; they are no numbers here, but belong to what is counted
ordinal_endings  what stands behind each of these, where the language inflects them
repeats        how often the digit behind is said: "double five"
zero_fills     zero stands for an empty place, as in Chinese
bare           a multiplier may stand first: "тысяча двести"
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.language import data
from services.language.words import normalise

FILE = "numbers"
GROUP = 1000
MYRIAD = 10_000


@dataclass(frozen=True, slots=True)
class NumberWords:
    """One language's words for numbers, as `normalise` leaves them."""

    units: Mapping[str, int]
    multipliers: Mapping[str, int]
    tails: Mapping[str, int]
    digit_words: Mapping[str, int]
    repeats: Mapping[str, int]
    ones: frozenset[str]
    one_and_halves: frozenset[str]
    halves_before: Sequence[Sequence[str]]
    and_halves: Sequence[Sequence[str]]
    points: frozenset[str]
    parts: Mapping[str, int]
    joiners: frozenset[str]
    halves: frozenset[str]
    after_tens: frozenset[str]
    doubtful: frozenset[str]
    ordinals: frozenset[str]
    zero_fills: bool
    bare: bool

    @property
    def group(self) -> int:
        """Multipliers from here on close a group: thousands, and myriads where zero fills a place, 两千万."""
        return MYRIAD if self.zero_fills else GROUP

    @property
    def drops_thousands(self) -> bool:
        """Behind millions hundreds are of thousands: "hai triệu ba trăm" is 2,300,000."""
        return bool(self.tails) and not self.zero_fills

    def is_surely_number(self, word: str) -> bool:
        """Tell if the word is a number whatever stands beside it."""
        return word.isdecimal() or (word in self.units and word not in self.doubtful)


def number_words(language_code: str) -> NumberWords:
    """The words of a language; none for one without a folder. Raises LanguageDataError."""
    return _read(data.known(language_code))


def load() -> None:
    """Read every language, so that no call waits for it."""
    for language in (*data.languages(), data.FALLBACK):
        _read(language)


@data.cached
def _read(language: str) -> NumberWords:
    def values(key: str) -> dict[str, int]:
        return {"".join(normalise(word)): value for word, value in data.numbers(language, FILE, key).items()}

    def words(key: str) -> frozenset[str]:
        return frozenset("".join(normalise(word)) for word in data.phrases(language, FILE, key))

    def sayings(key: str) -> tuple[tuple[str, ...], ...]:
        return tuple(sorted((normalise(saying) for saying in data.phrases(language, FILE, key)), key=len, reverse=True))

    return NumberWords(
        units=values("units"),
        multipliers=values("multipliers"),
        tails=values("tails"),
        digit_words=values("digit_words"),
        repeats=values("repeats"),
        ones=words("ones"),
        one_and_halves=words("one_and_halves"),
        halves_before=sayings("halves_before"),
        and_halves=sayings("and_halves"),
        points=words("points"),
        parts=values("parts"),
        joiners=words("joiners"),
        halves=words("halves"),
        after_tens=words("after_tens"),
        doubtful=words("doubtful"),
        ordinals=_ordinals(language),
        zero_fills=data.flag(language, FILE, "zero_fills"),
        bare=data.flag(language, FILE, "bare"),
    )


def _ordinals(language: str) -> frozenset[str]:
    """Every ordinal, in each of its forms where the language inflects them."""
    stems = data.phrases(language, FILE, "ordinals")
    endings = data.phrases(language, FILE, "ordinal_endings") or ("",)
    return frozenset("".join(normalise(stem + ending)) for stem in stems for ending in endings)
