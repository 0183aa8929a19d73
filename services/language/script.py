"""How a language is written, by its language.toml: letters of its own, spaces between words, tokens a second."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.language import data

DEFAULT_TOKENS_PER_S = 14.0


@dataclass(frozen=True, slots=True)
class Script:
    """One language."""

    language: str
    is_spaced: bool  # words stand apart, as they do not in Chinese
    letters: re.Pattern[str] | None  # found in its texts and in no other language's here; None: plain Latin
    likely_letters: re.Pattern[str] | None  # found in its texts and in others' too
    tokens_per_s: float  # the most that a recogniser writes of a second of speech


@data.cached
def script_of(language_code: str) -> Script:
    """The script of a language; languages without a folder have what `other/language.toml` says of them."""
    language = data.primary(language_code)
    table: Mapping[str, Any] = data.read(language, "language")
    if language not in data.languages():
        table = table.get("languages", {}).get(language, {})
    return Script(
        language=language,
        is_spaced=bool(table.get("is_spaced", True)),
        letters=_pattern(language, table, "letters"),
        likely_letters=_pattern(language, table, "likely_letters"),
        tokens_per_s=float(table.get("tokens_per_s", DEFAULT_TOKENS_PER_S)),
    )


@data.cached
def scripts() -> tuple[Script, ...]:
    """Every script with letters of its own. Kana and Hangul come before Han, which Japanese has too."""
    others = tuple(data.read(data.FALLBACK, "language").get("languages", {}))
    found = (script_of(language) for language in (*others, *data.languages()))
    return tuple(script for script in found if script.letters is not None)


def _pattern(language: str, table: Mapping[str, Any], key: str) -> re.Pattern[str] | None:
    if key not in table:
        return None
    try:
        return re.compile(str(table[key]), re.IGNORECASE)
    except re.error as error:
        raise data.LanguageDataError(f"{language}/language.toml: {key!r} is no pattern: {error}") from error
