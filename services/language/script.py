"""The script of a language, by its language.toml: letters of its own, spaces between words, tokens a second."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from services.language import data

DEFAULT_TOKENS_PER_S = 14.0


@dataclass(frozen=True, slots=True)
class Script:
    """Script of one language."""

    language: str
    is_spaced: bool  # words stand apart, as they do not in Chinese
    letters: re.Pattern[str] | None  # found in its texts and in no other language's here; None: plain Latin
    likely_letters: re.Pattern[str] | None  # found in its texts and in others' too
    tokens_per_s: float  # the most that a recogniser writes of a second of speech


def script_of(language_code: str) -> Script:
    """The script of a language; languages without a folder have what `other/language.toml` says of them."""
    language = data.primary(language_code)
    return _read(language if language in (*data.languages(), *_others()) else data.FALLBACK)


@data.cached
def scripts() -> tuple[Script, ...]:
    """Every script with letters of its own. Kana and Hangul come before Han, which Japanese has too."""
    found = (_read(language) for language in (*_others(), *data.languages()))
    return tuple(script for script in found if script.letters is not None)


def load() -> None:
    """Read every language, so that no call waits for it."""
    scripts()
    _read(data.FALLBACK)


@data.cached
def _others() -> tuple[str, ...]:
    return tuple(data.read(data.FALLBACK, "language").get("languages", {}))


@data.cached
def _read(language: str) -> Script:
    table: Mapping[str, Any] = data.read(language, "language")
    if language not in data.languages():
        table = table.get("languages", {}).get(language, {})
    return Script(
        language=language,
        is_spaced=_is_spaced(language, table),
        letters=_pattern(language, table, "letters"),
        likely_letters=_pattern(language, table, "likely_letters"),
        tokens_per_s=_tokens_per_s(language, table),
    )


def _is_spaced(language: str, table: Mapping[str, Any]) -> bool:
    found = table.get("is_spaced", True)
    if not isinstance(found, bool):
        raise data.LanguageDataError(f"{language}/language.toml: 'is_spaced' is true or false")
    return found


def _tokens_per_s(language: str, table: Mapping[str, Any]) -> float:
    found = table.get("tokens_per_s", DEFAULT_TOKENS_PER_S)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < inf:
        raise data.LanguageDataError(f"{language}/language.toml: 'tokens_per_s' is a number above 0")
    return float(found)


def _pattern(language: str, table: Mapping[str, Any], key: str) -> re.Pattern[str] | None:
    if key not in table:
        return None
    if not isinstance(table[key], str) or not table[key]:
        raise data.LanguageDataError(f"{language}/language.toml: {key!r} is no pattern")
    try:
        return re.compile(table[key], re.IGNORECASE)
    except re.error as error:
        raise data.LanguageDataError(f"{language}/language.toml: {key!r} is no pattern: {error}") from error
