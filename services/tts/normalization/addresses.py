"""E-mail and web addresses, spelled as they are dictated."""

import re
from collections.abc import Callable

from services.tts.normalization.rule import Rule

_EMAIL = re.compile(r"(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_WEB = re.compile(
    r"(?<![\w.@])(?:https?://)?(?:www\.)?(?:[a-z0-9-]+\.)+"
    r"(?:com|org|net|edu|gov|io|ai|app|dev|info|vn|uk|us|ru|cn|de|fr|eu)\b(?:/[\w./-]*\w)?/?",
    re.IGNORECASE,
)


def address_rules(
    at: str, dot: str, dash: str, underscore: str, slash: str, digits: Callable[[str], str]
) -> list[Rule]:
    """The words of a language for the signs in an address; `digits` says each digit of a text."""
    signs = {"@": at, ".": dot, "-": dash, "_": underscore, "/": slash}

    def spell(match: re.Match[str]) -> str:
        text = re.sub(r"^https?://|/$", "", match[0], flags=re.IGNORECASE)
        text = re.sub(r"^www(?=\.)", "w w w", text, flags=re.IGNORECASE)
        text = re.sub(r"\d+", lambda number: f" {digits(number[0])} ", text)
        for sign, word in signs.items():
            text = text.replace(sign, f" {word} ")
        return " ".join(text.split())

    return [Rule(_EMAIL, spell), Rule(_WEB, spell)]
