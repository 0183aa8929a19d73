"""E-mail and web addresses, spelled as they are dictated."""

import re
from collections.abc import Callable, Mapping

from services.tts.normalization.rule import Rule

_EMAIL = re.compile(r"(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_WEB = re.compile(
    r"(?<![\w.@])(?:https?://)?(?:www\.)?(?:[a-z0-9-]+\.)+"
    r"(?:com|org|net|edu|gov|io|ai|app|dev|info|vn|uk|us|ru|cn|de|fr|eu)\b(?:/[\w./-]*\w)?/?",
    re.IGNORECASE,
)


def address_rules(signs: Mapping[str, str], digits: Callable[[str], str]) -> list[Rule]:
    """`signs`: a language's words for "@", ".", "-", "_" and "/"; `digits` says each digit of a text."""

    def spell(match: re.Match[str]) -> str:
        text = re.sub(r"^https?://|/$", "", match[0], flags=re.IGNORECASE)
        text = re.sub(r"^www(?=\.)", "w w w", text, flags=re.IGNORECASE)
        text = re.sub(r"\d+", lambda number: f" {digits(number[0])} ", text)
        for sign, word in signs.items():
            text = text.replace(sign, f" {word} ")
        return " ".join(text.split())

    return [Rule(_EMAIL, spell), Rule(_WEB, spell)]
