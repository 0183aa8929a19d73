"""Tests of one character, for the regular expressions of `patterns`: classes, ranges and categories of Unicode."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

from services.nlu.tools.pattern_search import Test, is_word

_SPACES = frozenset("\t\n\v\f\r \u00a0\ufeff\u2028\u2029")
_LINEENDS = frozenset("\n\r\u2028\u2029")


def is_digit(char: str) -> bool:
    """A digit of ASCII."""
    return char.isascii() and char.isdigit()


def is_space(char: str) -> bool:
    """White space or the end of a line, as ECMA-262 has them."""
    return char in _SPACES or unicodedata.category(char) == "Zs"


def is_no_line_end(char: str) -> bool:
    """Characters that the dot matches."""
    return char not in _LINEENDS


CLASSES: dict[str, Test] = {"d": is_digit, "w": is_word, "s": is_space}
"""The test of the letter behind a backslash; the capital letter is its opposite."""
_CATEGORIES = {
    "Letter": "L", "Lowercase_Letter": "Ll", "Uppercase_Letter": "Lu", "Mark": "M", "Number": "N",
    "Decimal_Number": "Nd", "Punctuation": "P", "Symbol": "S", "Separator": "Z", "Other": "C",
}  # fmt: skip
_GENERAL = frozenset(
    "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".split()  # noqa: SIM905
)
_GROUPS = {group: frozenset(each for each in _GENERAL if each[0] == group) for group in "LMNPSZC"}
_GROUPS["LC"] = frozenset({"Lu", "Ll", "Lt"})


def category_of(name: str) -> str | None:
    """The abbreviation of a general category or a group of them, as "Lu" or "L"; None: there is none of that name."""
    wanted = _CATEGORIES.get(name, name)
    return wanted if wanted in _GROUPS or wanted in _GENERAL else None


def same(char: str) -> Test:
    """The test of one character alone."""
    return lambda each: each == char


@cache  # of the tests of escapes alone
def opposite(test: Test) -> Test:
    """The test of every other character."""
    return lambda char: not test(char)


@cache
def in_category(name: str) -> Test:
    """The test of a category, or of a group of them."""
    categories = _GROUPS.get(name, frozenset({name}))
    return lambda char: unicodedata.category(char) in categories


def between(ranges: Sequence[tuple[str, str]]) -> Test:
    """The test of several ranges, in time that grows with the logarithm of their number."""
    firsts: list[str] = []
    lasts: list[str] = []
    for first, last in sorted(ranges):
        if lasts and first <= lasts[-1]:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return lambda char: bool(at := bisect_right(firsts, char)) and char <= lasts[at - 1]
