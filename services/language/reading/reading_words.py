"""A language's `reading.toml`, the words for reading aloud, checked as it is read."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.data import LanguageDataError, cached, languages, primary, read, refuse_doubles, where


class _Table(dict[str, Any]):
    """A table of a reading.toml, which names what is missing in it."""

    def __init__(self, where: str, table: Mapping[str, Any]) -> None:
        super().__init__(
            {key: _Table(f"{where}{key}.", value) if isinstance(value, dict) else value for key, value in table.items()}
        )
        self._where = where

    def __missing__(self, key: str) -> Any:
        raise LanguageDataError(f"{self._where}{key} is missing")


@cached
def words_of(language: str) -> Mapping[str, Any]:
    """Return what a language says of reading aloud: its `reading.toml`. Raises LanguageDataError for what is wrong in
    it.
    """
    table = read(language, "reading")
    file = where(language, "reading")
    for key, found in table.items():
        if isinstance(found, list):
            _check_list(file, key, found)
        elif isinstance(found, dict):
            refuse_doubles(found, f"{file}: {{!r}} stands twice in {key!r}", folded=False)
            for word, forms in found.items():
                if not word.strip() and key not in _WITHOUT_WORDS:
                    raise LanguageDataError(f"{file}: {key!r} has an empty word")
                if key in _COUNTED:
                    _check_forms(f"{file}: {f'{key}.{word}'!r}", forms, table.get("genitive"))
                if key in _SAID and not isinstance(forms, str):
                    raise LanguageDataError(f"{file}: {key!r} says of {word!r} no words, but {forms!r}")
    for key in ("code_links", "number_spelling"):
        found = table.get(key, ())
        for pattern in found if isinstance(found, list | tuple | dict) else (found,):
            if not isinstance(pattern, str):
                raise LanguageDataError(f"{file}: {key!r} holds what is no pattern")
            try:
                re.compile(pattern)
            except re.error as error:
                raise LanguageDataError(f"{file}: {pattern!r} in {key!r} does not compile: {error}") from error
    return _Table(f"{file}: ", table)


_COUNTED = ("units", "currencies", "scales", "cents")
_SAID = ("abbreviations", "numbered", "named", "idioms", "per", "keys", "signs", "address_signs")
_WITHOUT_WORDS = ("phone_groups", "plurals")  # "" is any number, and a word without an ending of its own
_FORMS = (1, 2, 4)  # a word; one and many; one, few, many and the gender, or one and many with one and many hundredths


def _check_list(file: str, key: str, found: list[Any]) -> None:
    words = [word for word in found if isinstance(word, str)]
    is_folded = key.endswith("_words")  # looked for in any case
    if is_folded and not all(word.strip() for word in words):
        raise LanguageDataError(f"{file}: {key!r} has an empty word")
    refuse_doubles(words, f"{file}: {{!r}} stands twice in {key!r}", folded=is_folded)
    if key in ("digits", "phone_digits") and len(words) != len("0123456789"):
        raise LanguageDataError(f"{file}: {key!r} has ten words, zero first")
    if key == "months" and len(words) != 12:
        raise LanguageDataError(f"{file}: 'months' has twelve words")


def _check_forms(named: str, forms: object, genders: Mapping[str, Any] | None) -> None:
    if isinstance(forms, str):
        return
    if not isinstance(forms, list) or not all(isinstance(form, str) for form in forms):
        raise LanguageDataError(f"{named} is a word or a list of its forms, not {forms!r}")
    if len(forms) not in _FORMS:
        raise LanguageDataError(f"{named} has one, two or four forms")
    if genders is not None and len(forms) == _FORMS[-1] and forms[-1] not in genders:
        raise LanguageDataError(f"{named} has the gender {forms[-1]!r}, which 'genitive' lacks")


def vocabulary(language_code: str) -> list[str]:
    """Every word that a language's `reading.toml` says, sorted; none for a language without a folder."""
    language = primary(language_code)
    if language not in languages():
        return []
    found: set[str] = set()

    def gather(value: object) -> None:
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, Mapping):
            for one in value.values():
                gather(one)
        elif isinstance(value, list):
            for one in value:
                gather(one)

    gather(read(language, "reading"))
    return sorted(found)
