"""E-mail and web addresses, spelled as they are dictated."""

import re
from collections.abc import Callable, Mapping

from services.language.reading.rule import Rule

_EMAIL = re.compile(r"(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_WEB = re.compile(
    r"(?<![\w.@])(?:https?://)?(?:www\.)?(?:[a-z0-9-]+\.)+"
    r"(?:com|org|net|edu|gov|io|ai|app|dev|info|biz|clinic|shop|store|online|site|tech|health|dental|hotel|care|me|co|tv"
    r"|vn|uk|us|ru|cn|de|fr|eu|au|ca|jp|kr|sg)\b(?:/[\w./+-]*\w)?/?(?:\?[\w=&%.+-]*[\w=%])?(?:#[\w./-]*\w)?",
    re.IGNORECASE,
)

_WITH_SCHEME = re.compile(r"(?<!\w)https?://[\w./?=&%#+@:-]*[\w/]", re.IGNORECASE)
_SCHEME = re.compile(r"^https?://|/$", re.IGNORECASE)
_WWW = re.compile(r"^www(?=\.)", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_QUERY = re.compile(r"(?<!\S)[\w./-]*\?[\w-]+=[\w%.+-]*(?:&[\w-]+(?:=[\w%.+-]*)?)*")
_LOCAL_PART = re.compile(r"(?<![\w@])[^\W_]+(?:_[^\W_]+)+@?(?!\w)|(?<![\w@])\w+@(?=\s|$)")


def address_rules(signs: Mapping[str, str], digits: Callable[[str], str]) -> list[Rule]:
    """`signs`: a language's words for "@", ".", "-", "_", "/" and their like; `digits` says each digit of a text."""

    def spell(match: re.Match[str]) -> str:
        text = _SCHEME.sub("", match[0])
        text = _WWW.sub("w w w", text)
        text = _DIGITS.sub(lambda number: f" {digits(number[0])} ", text)
        for sign, word in signs.items():
            text = text.replace(sign, f" {word} ")
        return " ".join(text.split())

    dot = signs["."]
    return [
        *(Rule(pattern, spell) for pattern in (_WITH_SCHEME, _EMAIL, _WEB, _QUERY, _LOCAL_PART)),
        Rule(re.compile(r"(?<!\S)\.(?=[a-z]{2,}\b)"), lambda _: f"{dot} "),
    ]
