"""Parts of patterns for what stands in a text: words, signs, Roman numerals, fractions in one sign."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any


def letter(words: Mapping[str, Any]) -> str:
    """A pattern for a letter beside which a number does not stand apart, in a language with these words.

    Han needs no space. In a language with spaces the normaliser hides it from the rules, so that patterns need no
    large class of characters, each of which takes 0.5 ms to compile.
    """
    return r"[^\W\d_]" if words.get("gap", " ") else r"[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]"


def letter_or_digit(words: Mapping[str, Any]) -> str:
    """The same for a letter, a digit or an underscore."""
    return r"\w" if words.get("gap", " ") else rf"[\d_{letter(words)[1:]}"


DASHES = "-–—"


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, longest first; for none it matches nothing."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) or "(?!)"


def shape_of(words: Collection[str]) -> str:
    """A pattern for each of the words, and for any other run of letters: `Rule.lists` tells which of them counts.

    Compiling a list of words takes 2 microseconds a letter, and several rules need the same list. A word's edge stands
    before and behind such a pattern. What is no run of letters, such as "km/h", is listed, before the letters.
    """
    listed = [word for word in words if not word.isalpha()]
    plain = [word for word in words if word.isalpha()]
    lengths = [len(word) for word in plain]
    start = "(?=[A-Z])" if all("A" <= word[0] <= "Z" for word in plain) else ""
    letters = rf"{start}[^\W\d_]{{{min(lengths)},{max(lengths)}}}+" if lengths else ""
    return f"(?:{'|'.join(filter(None, (any_of(listed) if listed or not letters else '', letters)))})"


def signs_of(words: Iterable[str]) -> str:
    """A pattern for each of the signs and codes, "US$" or "EUR", and for any that look alike: `Rule.lists` tells them.

    A branch for each takes the compiler as long as the rest of a rule, and eight rules have them.
    """
    shapes: dict[str, int] = {}
    single = ""
    for word in words:
        if len(word) == 1:
            single += word
        else:
            shapes[_CAPITALS.sub(lambda run: f"[A-Z]{{{len(run[0])}}}", re.escape(word))] = len(word)
    longest_first = sorted(shapes, key=lambda shape: -shapes[shape])
    return f"(?:{'|'.join([*longest_first, *([one_of(single)] if single else [])]) or '(?!)'})"


def listed(known: Collection[str], words: Mapping[str, Any]) -> str:
    """`shape_of` these words in a language that parts words by spaces, else any of them; `Rule.lists` fits both."""
    return shape_of(known) if words.get("gap", " ") else any_of(known)


_CAPITALS = re.compile("[A-Z]+")


def one_of(signs: str) -> str:
    """A pattern for one of the signs, which stand for themselves.

    A set of characters with some below U+0100 and some above takes the compiler 0.2 ms. Apart they take a tenth of it,
    and "{1}" keeps the compiler from joining them.
    """
    low, high = (re.escape("".join(sign for sign in signs if (sign < "\u0100") is is_low)) for is_low in (True, False))
    return rf"(?:[{low}]|[{high}]{{1}})" if low and high else f"[{low or high}]"


APOSTROPHES, QUOTES = "'’′", '"”″'
APOSTROPHE, INCHES = one_of(APOSTROPHES), one_of(QUOTES)
SIGN = one_of("$€£¥₽₫")
"""Of a currency, before or behind a number."""
ROMAN = r"(?=[XVI])(?>X{0,3}(?:IX|IV|V?I{0,3}))"
"""A pattern for 1 to 39 in Roman numerals; L, C, D and M stand alone for other things too: "Type C"."""
_ROMAN_DIGITS = {"X": 10, "V": 5, "I": 1}


def roman(numeral: str) -> int:
    """The value of a numeral that `ROMAN` matches."""
    values = [_ROMAN_DIGITS[letter] for letter in numeral]
    behind = [*values[1:], 0]
    return sum(-value if value < next_value else value for value, next_value in zip(values, behind, strict=True))


VULGAR_SIGNS = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
VULGAR = f"[{VULGAR_SIGNS}]"
"""Fractions in one sign."""


def vulgar_fraction(sign: str) -> tuple[int, int]:
    """The two numbers of such a sign: 1 and 2 for "½"."""
    upper, _, lower = unicodedata.normalize("NFKC", sign).partition("\u2044")
    return int(upper), int(lower)


MIXED = re.compile(r"(?<![\d.,:/-])(?P<whole>\d{1,3})\s(?P<upper>\d)[/⁄](?P<lower>\d{1,2})(?![\d/]|[.,]\d)")
"""A whole number and its fraction: "2 1/2"."""

DASH = rf"\s?{one_of('-–—~～')}\s?"


def full_year(written: int) -> int:
    """A year written with two digits: 85 is 1985, 24 is 2024."""
    return written if written >= 100 else written + (2000 if written < _FIRST_OF_LAST_CENTURY else 1900)


_FIRST_OF_LAST_CENTURY = 50
