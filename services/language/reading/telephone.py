"""Telephone numbers, and other long runs of digits, are said digit by digit."""

import re
from collections.abc import Callable

from services.language.reading.rule import Rule

_WORD = r"[^\W\u3400-\u9fff]"  # Han needs no space beside a number
_PARTED = re.compile(
    rf"(?<!{_WORD})(?<![.,/$€£-])(?:\+|\(\+?)?\d{{1,4}}\)?(?:[ .-]?\(?\d{{2,4}}\)?){{1,4}}(?!{_WORD}|[/%]|[.,:-]\d)"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+")
_UNBROKEN = re.compile(rf"(?<!{_WORD})(?<![.,])\+?\d{{7,}}(?!{_WORD}|%|[.,:]\d)")
_SHAPES = {
    (3, 4), (3, 3, 4), (1, 3, 3, 4), (4, 3, 3), (4, 3, 4), (3, 4, 4), (3, 4, 3), (2, 4, 4), (4, 4), (4, 2, 2), (4, 6),
    (2, 3, 3, 3), (1, 3, 3, 2, 2), (2, 2, 4, 4),
}  # fmt: skip
"""How many digits the groups of a number without + or 0 have."""


def telephone_rules(digits: Callable[[str], str], *, plus: str) -> list[Rule]:
    """`digits` says each digit of a text; `plus` is the word for the sign before a country."""

    def parted(match: re.Match[str]) -> str | None:
        text = match[0]
        groups = re.findall(r"\d+", text)
        n_digits = sum(map(len, groups))
        is_marked = text[0] in "+(" or (text[0] == "0" and len(groups) > 1)
        if not 7 <= n_digits <= 15 or not (is_marked or tuple(map(len, groups)) in _SHAPES):
            return None
        if not is_marked and _THOUSANDS.fullmatch(text):
            return None
        words = ", ".join(digits(group) for group in groups)
        return f"{plus} {words}" if "+" in text else words

    def unbroken(match: re.Match[str]) -> str | None:
        text = match[0].lstrip("+")
        if text.endswith("000") and text == match[0]:
            return None
        cuts = [text[:-7], text[-7:-4], text[-4:]]
        if len(text) == 8 and text.startswith(("18", "19")):  # a service number: 1900 1234
            cuts = [text[:4], text[4:]]
        if len(text) > 11:
            cuts = [text[at : at + 3] for at in range(0, len(text), 3)]
        words = ", ".join(digits(cut) for cut in cuts if cut)
        return words if text == match[0] else f"{plus} {words}"

    return [Rule(_PARTED, parted), Rule(_UNBROKEN, unbroken)]
