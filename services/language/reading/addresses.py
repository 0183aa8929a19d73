"""E-mail and web addresses, spelled as they are dictated."""

import re
from collections.abc import Callable, Mapping

from services.language.reading.rule import Rule

_EMAIL = re.compile(r"(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_WEB = re.compile(
    r"(?<![\w.@])(?:https?://)?(?:www\.)?(?:[a-z0-9-]+\.)+"
    r"(?:com|org|net|edu|gov|io|ai|app|dev|info|biz|clinic|shop|store|online|site|tech|health|dental|hotel|care|me|co|tv"
    r"|vn|uk|us|ru|cn|de|fr|eu|au|ca|jp|kr|sg)\b(?:/[\w./-]*\w)?/?(?:\?[\w=&%.+-]+)?",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(?<!\S)[\w./-]*\?[\w-]+=[\w%.+-]*(?:&[\w-]+(?:=[\w%.+-]*)?)*")
_LOCAL_PART = re.compile(r"(?<![\w@])[^\W_]+(?:_[^\W_]+)+@?(?!\w)|(?<![\w@])\w+@(?=\s|$)")


def address_rules(signs: Mapping[str, str], digits: Callable[[str], str]) -> list[Rule]:
    """`signs`: a language's words for "@", ".", "-", "_" and "/"; `digits` says each digit of a text."""

    def spell(match: re.Match[str]) -> str:
        text = re.sub(r"^https?://|/$", "", match[0], flags=re.IGNORECASE)
        text = re.sub(r"^www(?=\.)", "w w w", text, flags=re.IGNORECASE)
        text = re.sub(r"\d+", lambda number: f" {digits(number[0])} ", text)
        for sign, word in signs.items():
            text = text.replace(sign, f" {word} ")
        return " ".join(text.split())

    dot = signs["."]
    return [
        *(Rule(pattern, spell) for pattern in (_EMAIL, _WEB, _QUERY, _LOCAL_PART)),
        Rule(re.compile(r"(?<!\S)\.(?=[a-z]{2,}\b)"), lambda _: f"{dot} "),
    ]
