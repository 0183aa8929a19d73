"""Telephone numbers, and other long runs of digits, are said digit by digit."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.reading.numbers import Numbers, in_groups
from services.language.reading.rule import WORD, Rule

_PARTED = re.compile(
    rf"(?<!{WORD})(?<![.,/$€£-])(?:\+|\(\+?)?\d{{1,4}}+\)?"
    rf"(?:(?:[ .-]\(?|\(|(?<=\)))\d{{2,8}}+\)?+){{1,4}}+(?!{WORD}|[/%]|[.,:-]\d)"
)

_DIGITS = re.compile(r"\d+")
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+")
_UNBROKEN = re.compile(rf"(?<!{WORD})(?<![.,])\+?\d{{7,}}(?!{WORD}|%|[.,:]\d)")
_SHAPES = {
    (3, 4), (3, 3, 4), (1, 3, 3, 4), (4, 3, 3), (4, 3, 4), (3, 4, 4), (3, 4, 3), (2, 4, 4), (4, 4), (4, 2, 2), (4, 6),
    (2, 3, 3, 3), (1, 3, 3, 2, 2), (2, 2, 4, 4), (1, 3, 7), (3, 2, 4), (4, 4, 4, 4), (4, 6, 5),
}  # fmt: skip
"""How many digits the groups of a number without + or 0 have; those of cards and of social security too."""
_FEWEST_DIGITS, _MOST_DIGITS = 7, 16
_LONGEST_GROUP = 5  # digits; a longer one is cut


def telephone_rules(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """`phone_groups` has the groups of an unbroken number by its beginning, "84" or "" for any, and its length."""
    groups: Mapping[str, Mapping[str, list[int]]] = words["phone_groups"]
    beginnings = sorted(groups, key=len, reverse=True)
    plus: str = words["plus"]

    def cut(text: str) -> list[str]:
        for beginning in beginnings:
            if text.startswith(beginning) and (lengths := groups[beginning].get(str(len(text)))):
                return in_groups(text, lengths)
        if len(text) > 11:
            return in_groups(text, [3] * -(-len(text) // 3))
        return [part for part in (text[:-7], text[-7:-4], text[-4:]) if part]

    def said(parts: list[str], *, has_plus: bool) -> str:
        spoken = ", ".join(numbers.digits(part) for part in parts)
        return f"{plus} {spoken}" if has_plus else spoken

    def parted(match: re.Match[str]) -> str | None:
        text = match[0]
        found = _DIGITS.findall(text)
        n_digits = sum(map(len, found))
        is_marked = text[0] in "+(" or text[0] == "0"
        if len(found) == 1 or not _FEWEST_DIGITS <= n_digits <= _MOST_DIGITS:
            return None
        if not is_marked and (tuple(map(len, found)) not in _SHAPES or _THOUSANDS.fullmatch(text)):
            return None
        parts = [part for group in found for part in (cut(group) if len(group) > _LONGEST_GROUP else [group])]
        return said(parts, has_plus="+" in text)

    def unbroken(match: re.Match[str]) -> str | None:
        text = match[0].lstrip("+")
        has_plus = text != match[0]
        if text.endswith("000") and not has_plus and len(text) <= numbers.most_digits:
            return None
        return said(cut(text), has_plus=has_plus)

    return [Rule(_PARTED, parted), Rule(_UNBROKEN, unbroken)]
