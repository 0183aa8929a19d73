"""Interpretation of a text of known kind, as SSML's say-as: digits, date, sum of money and the like."""

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

from services.language.data import languages, primary
from services.language.reading.codes import characters
from services.language.reading.kinds import address_rewrites, date_rewrites, sum_rewrites, time_rewrites
from services.language.reading.normalizer import Normalizer
from services.language.reading.numbers import Numbers, in_threes
from services.language.reading.reading_words import words_of
from services.language.reading.spoken import Rewrite, Spoken, needs_space

LONGEST_GROUP = 4  # digits of a telephone number said in one breath

_RUN = re.compile(r"[^\W_]+(?:(?:[^\w\s]|_)*[^\W_]+)*")
_INITIALS = re.compile(r"[^\W\d_](?:\.[^\W\d_])+")  # "U.S.A": the dots are no signs of it
LONGEST_CODE = 40  # characters of a code whose groups are parted by hyphens
_GROUPS = re.compile(r"[^\W_]+(?:-[^\W_]+)*")  # "AB-12": what parts the groups of a code is not said
_DIGITS = re.compile(r"\d+")
_PARTED = re.compile(r"\d+(?:[.,]\d+)*")  # "4.000": a mark with a word on either side would be read as "dot"
_NUMBER = re.compile(r"\+?\(?\d[\d\s().\-/]*\d|\d")


class SayAs(Enum):
    """Kind of a text."""

    DIGITS = "digits"  # each digit by itself; other words as they are
    SPELLING = "spelling"  # letter by letter, digits by themselves, signs within by their names: "@", "."
    TELEPHONE = "telephone"  # digits in the groups they are written in, or in threes
    TIME = "time"  # of day
    DATE = "date"
    MONEY = "money"  # a sum, with or without a currency
    ADDRESS = "address"  # of a house


Rewriting = Callable[[str, str, Normalizer], Iterator[Rewrite]]
"""A function that gives what a kind says in place of parts of a text, given its language and what reads the rest."""

_KINDS: Mapping[SayAs, Rewriting] = {
    SayAs.TIME: time_rewrites,
    SayAs.DATE: date_rewrites,
    SayAs.MONEY: sum_rewrites,
    SayAs.ADDRESS: address_rewrites,
}
_BY_CHARACTER = (SayAs.DIGITS, SayAs.SPELLING, SayAs.TELEPHONE)


def read_as(text: str, language_code: str, say_as: SayAs, normalizer: Normalizer | None = None) -> Spoken | None:
    """Return the words for a text of a kind; None in a language that has no reading data.

    `normalizer`: what reads the rest of the text, with a stream's lexicon.
    """
    language = primary(language_code)
    if language not in languages():
        return None
    if say_as not in _BY_CHARACTER:
        reads = normalizer or Normalizer()
        return reads.speak(text, language_code, first=list(_KINDS[say_as](text, language_code, reads)))
    words = words_of(language)
    numbers = Numbers(language, words)
    phone_numbers = numbers.with_digits(words.get("phone_digits", words["digits"]))
    ways: dict[SayAs, tuple[re.Pattern[str], Callable[[str], str]]] = {
        SayAs.DIGITS: (_PARTED, lambda found: ", ".join(map(numbers.digits, _DIGITS.findall(found)))),
        SayAs.SPELLING: (_RUN, _letters(numbers, words["address_signs"])),
        SayAs.TELEPHONE: (_NUMBER, _telephone(words, phone_numbers)),
    }
    pattern, say = ways[say_as]
    return Spoken(text, [_apart(match, say(match[0])) for match in pattern.finditer(text)])


def _apart(found: re.Match[str], said: str) -> Rewrite:
    """Return what is said in place of digits, apart from letters that stand at them: "7B" is "seven B"."""
    text, (start, end) = found.string, found.span()
    before = " " if needs_space(text[:start][-1:]) else ""
    behind = " " if needs_space(text[end : end + 1]) else ""
    return Rewrite(start, end, f"{before}{said}{behind}")


def _letters(numbers: Numbers, signs: Mapping[str, str]) -> Callable[[str], str]:
    def say(run: str) -> str:  # commas between all: letters without them may be read as a word
        is_code = _INITIALS.fullmatch(run) or (len(run) <= LONGEST_CODE and _GROUPS.fullmatch(run))
        said_signs = {} if is_code else signs
        said = (characters(one, numbers) if one.isalnum() else said_signs.get(one, "") for one in run)
        return ", ".join(filter(None, said))

    return say


def _telephone(words: Mapping[str, Any], numbers: Numbers) -> Callable[[str], str]:
    def say(found: str) -> str:
        groups = [
            part
            for group in _DIGITS.findall(found)
            for part in ([group] if len(group) <= LONGEST_GROUP else in_threes(group))
        ]
        spoken = ", ".join(numbers.digits(group) for group in groups)
        return f"{words['plus']} {spoken}" if "+" in found else spoken

    return say
