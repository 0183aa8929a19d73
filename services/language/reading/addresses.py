"""E-mail and web addresses, spelled as they are dictated."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.reading.numbers import Numbers
from services.language.reading.rule import DIGIT, Rule

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")
_KNOWN = (
    r"(?:com|org|net|edu|gov|io|ai|app|dev|info|biz|clinic|shop|store|online|site|tech|health|dental|hotel|care|me|co|tv"
    r"|vn|uk|us|ru|cn|de|fr|eu|au|ca|jp|kr|sg)"
)
_PATH = r"\b(?::\d{2,5}\b)?(?:/[\w./-]*\w)?/?(?:\?[\w=&%.+-]*[\w=])?(?:#[\w-]*\w)?"
_WEB = re.compile(
    rf"(?<![\w.@-])(?:(?:https?://(?:www\.)?|www\.)(?:[a-z0-9-]++\.)+[a-z]{{2,24}}|(?:[a-z0-9-]++\.)+{_KNOWN}){_PATH}",
    re.IGNORECASE,
)

_SCHEME = re.compile(r"^https?://|/$", re.IGNORECASE)
_WWW = re.compile(r"^www(?=\.)", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_VALUE = r"(?:[\w%+-]|\.(?=\w))*"
_QUERY = re.compile(rf"(?<!\S)[\w./-]*\?[\w-]+={_VALUE}(?:&[\w-]+(?:={_VALUE})?)*")
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|\d{1,2})"
_IP_ADDRESS = re.compile(rf"(?<![\w.,])(?:{_BYTE}\.){{3}}{_BYTE}(?![\w/]|\.\d)", re.ASCII)
_BARE_DOMAIN = re.compile(r"(?<!\S)\.(?=[a-z]{2,}\b)")
_LOCAL_PART = re.compile(r"(?<![\w@])[^\W_]+(?:_[^\W_]+)+@?(?!\w)|(?<![\w@])\w+@(?=\s|$)")


def address_rules(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """`address_signs` has a language's words for "@", ".", "-", "_", "/" and the like."""
    signs: Mapping[str, str] = words["address_signs"]
    gap: str = words.get("gap", " ")
    digits = numbers.digits

    def spell(match: re.Match[str]) -> str:
        text = _SCHEME.sub("", match[0])
        text = _WWW.sub("w w w", text)
        text = _DIGITS.sub(lambda number: f" {digits(number[0])} ", text)
        for sign, word in signs.items():
            text = text.replace(sign, f" {word} ")
        return " ".join(text.split())

    dot = signs["."]

    def host(match: re.Match[str]) -> str:
        return f"{gap}{dot}{gap}".join(digits(part) for part in match[0].split("."))

    return [
        Rule(_EMAIL, spell, needs=("@",)),
        Rule(_WEB, spell, needs=(".",)),
        Rule(_QUERY, spell, needs=("?", "=")),
        Rule(_LOCAL_PART, spell, needs=("_@",)),
        Rule(_IP_ADDRESS, host, needs=(DIGIT, ".")),
        Rule(_BARE_DOMAIN, lambda _: f"{dot} ", needs=(".",)),
    ]
