"""Telephone numbers, and other long runs of digits, are said digit by digit."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from services.language.reading.numbers import Numbers, in_groups, in_threes
from services.language.reading.patterns import letter_or_digit
from services.language.reading.rule import DIGIT, Rule

_DASH = re.compile(r"(?<=\d)-(?=\d)")
_DIGITS = re.compile(r"\d+")
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+")
_SHAPES = {
    (3, 4), (3, 3, 4), (1, 3, 3, 4), (4, 3, 3), (4, 3, 4), (3, 4, 4), (3, 4, 3), (2, 4, 4), (4, 4), (4, 2, 2), (4, 6),
    (2, 3, 3, 3), (1, 3, 3, 2, 2), (2, 2, 4, 4), (1, 3, 7), (3, 2, 4), (3, 2, 2), (3, 3, 2, 2),
    (1, 3, 4, 3), (4, 4, 4, 4), (4, 6, 5), (4, 2, 2, 2),
}  # fmt: skip
"""The numbers of digits that the groups of a number without + or 0 have; those of cards and of social security too."""
_FEWEST_DIGITS, _MOST_DIGITS = 7, 16
_LONGEST_GROUP = 5  # digits; a longer one is cut
_FEWEST_ZEROS = 3  # at the end of a round sum
_SHORTEST_MOBILE = 10  # digits


def telephone_rules(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """`phone_groups` has the groups of an unbroken number by its beginning, "84" or "" for any, and its length.

    Three groups and more with dashes between them are no range, whatever they number: "978-3-16-148410-0".
    """
    groups: Mapping[str, Mapping[str, list[int]]] = words.get("phone_groups", {})
    beginnings = sorted(groups, key=len, reverse=True)
    plus: str = words["plus"]
    word = letter_or_digit(words)
    groups_apart, in_one, dashed = _shapes(word)

    def cut(text: str) -> list[str]:
        for beginning in beginnings:
            if text.startswith(beginning) and (lengths := groups[beginning].get(str(len(text)))):
                return in_groups(text, lengths)
        if len(text) > 11 or len(text) < _FEWEST_DIGITS:
            return in_threes(text)
        return [part for part in (text[:-7], text[-7:-4], text[-4:]) if part]

    def is_round(text: str) -> bool:
        """A sum rather than a number to dial: thousands, and in a long one zeros for half of it."""
        n_zeros = len(text) - len(text.rstrip("0"))
        is_dialled = text[0] == "0" or any(
            one and text.startswith(one) and str(len(text)) in groups[one] for one in groups
        )
        return (
            n_zeros >= _FEWEST_ZEROS and not is_dialled and (len(text) < _SHORTEST_MOBILE or 2 * n_zeros >= len(text))
        )

    def said(parts: list[str], *, has_plus: bool) -> str:
        spoken = ", ".join(numbers.digits(part) for part in parts)
        return f"{plus} {spoken}" if has_plus else spoken

    counted = tuple([*words["units"], *words["currencies"], *words.get("scales", ()), *words.get("counted_things", ())])
    a_word = re.compile(word)

    def is_counted(text: str, at: int) -> bool:
        at += text[at : at + 1].isspace()
        return text.startswith(counted, at) and any(
            text.startswith(one, at) and not a_word.match(text, at + len(one)) for one in counted
        )

    def is_range(match: re.Match[str], found: list[str]) -> bool:
        """Two that rise and that a unit follows, or that are round: "1500-2000 руб."."""
        if len(found) != 2 or not _DASH.search(match[0]) or int(found[0]) >= int(found[1]) or found[0][0] == "0":
            return False
        return all(number.endswith("00") for number in found) or is_counted(match.string, match.end())

    def parted(match: re.Match[str]) -> str | None:
        text = match[0]
        found = _DIGITS.findall(text)
        n_digits = sum(map(len, found))
        is_marked = text[0] in "+(" or text[0] == "0"
        if len(found) == 1 or not _FEWEST_DIGITS <= n_digits <= _MOST_DIGITS:
            return None
        if not is_marked and (tuple(map(len, found)) not in _SHAPES or _THOUSANDS.fullmatch(text)):
            return None
        if not is_marked and is_range(match, found):
            return None
        parts = [part for group in found for part in (cut(group) if len(group) > _LONGEST_GROUP else [group])]
        return said(parts, has_plus="+" in text)

    def unbroken(match: re.Match[str]) -> str | None:
        text = match[0].lstrip("+")
        has_plus = text != match[0]
        if not has_plus and len(text) <= numbers.most_digits and is_round(text):
            return None
        return said(cut(text), has_plus=has_plus)

    def chain(match: re.Match[str]) -> str:
        parts = match[0].split("-")
        is_short = all(len(part) < _FEWEST_ZEROS and (part == "0" or part[0] != "0") for part in parts)
        return ", ".join(map(numbers.whole if is_short else numbers.digits, parts))

    return [
        Rule(groups_apart, parted, needs=(DIGIT, " .-()")),
        Rule(in_one, unbroken, needs=(DIGIT,)),
        Rule(dashed, chain, needs=(DIGIT, "-")),
    ]


@cache
def _shapes(word: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Groups apart, digits in one, three groups and more with dashes; `word` is the pattern of `letter_or_digit`."""
    return (
        re.compile(
            rf"(?<!{word})(?<![.,/$£-])(?<!€)(?:\+|\(\+?)?\d{{1,4}}+\)?(?:[ .-]?\(?\d\)?(?=[ .-]?\d{{2,4}}[ .-]))?"
            rf"(?:(?:[ .-]\(?|\(|(?<=\)))\d{{2,8}}+\)?+){{1,5}}+(?!{word}|[/%]|[.,:-]\d)"
        ),
        re.compile(rf"(?<!{word})(?<![.,])\+?\d{{7,}}(?!{word}|%|[.,:]\d)"),
        re.compile(rf"(?<!{word})(?<![.,/$£¥-])(?<![€₽₫])\d+(?:-\d+){{2,}}+(?!{word}|[-/%°]|[.,:]\d)"),
    )
