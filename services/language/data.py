"""The data of the languages: one folder of TOML files a language, in `data/` beside this file or in a folder added.

A file is read once and checked as it is read. `FALLBACK` is the folder that answers for languages without one.
"""

import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from services.language import plain_toml
from services.language.words import has_words

PACKAGED = Path(__file__).parent / "data"
FALLBACK = "other"
LONGEST_LANGUAGE = 8  # letters of a primary language subtag (RFC 5646, section 2.1)

_STOPS = " .!?…。！？,;:，；：、"

P = ParamSpec("P")
T = TypeVar("T")

_roots: list[Path] = [PACKAGED]
_dependents: list[Callable[[], None]] = []


class LanguageDataError(ValueError):
    """A file of a language is missing or wrong; the message names file, key and fault."""


def add_root(folder: Path) -> None:
    """Search `folder` for languages too, before the packaged ones. Forgets what was read."""
    if folder not in _roots:
        _roots.insert(0, folder)
    forget()


def remove_root(folder: Path) -> None:
    """Undo `add_root`."""
    _roots.remove(folder)
    forget()


def forget() -> None:
    """Read every file again when it is next asked for."""
    for clear in _dependents:
        clear()


def cached(function: Callable[P, T]) -> Callable[P, T]:
    """Like `functools.cache`, for what is built from the data: `forget` clears it too."""
    remembering = cache(function)
    _dependents.append(remembering.cache_clear)
    return cast(Callable[P, T], remembering)


def primary(language_code: str) -> str:
    """The language of a BCP-47 tag: "en" for "en-US"."""
    return language_code.lower().replace("_", "-").partition("-")[0]


@cached
def languages() -> tuple[str, ...]:
    """Every language that has a folder, sorted; `FALLBACK` is none."""
    found = {folder.name for root in _roots for folder in root.iterdir() if folder.is_dir()}
    return tuple(sorted(name for name in found if name != FALLBACK and not name.startswith((".", "_"))))


def known(language_code: str) -> str:
    """The language whose folder answers for a tag: its own, or `FALLBACK`. So few that what is built may be kept."""
    language = primary(language_code)
    return language if language in languages() else FALLBACK


def folder_of(language: str) -> Path:
    """The folder of a language, or that of `FALLBACK` where it has none."""
    if language.isalnum() and len(language) <= LONGEST_LANGUAGE:
        for root in _roots:
            if (root / language).is_dir():
                return root / language
    return PACKAGED / FALLBACK


@cached
def read(language: str, name: str) -> Mapping[str, Any]:
    """The tables of `<language>/<name>.toml`. Raises LanguageDataError when the file is missing or no TOML."""
    text = read_text(language, f"{name}.toml")
    try:
        return plain_toml.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LanguageDataError(f"{where(language, name)} is no TOML: {error}") from error
    except RecursionError:
        raise LanguageDataError(f"{where(language, name)} is no TOML: nested too deeply") from None


def read_text(language: str, file: str) -> str:
    """The text of a file of the language's folder. Raises LanguageDataError when it is missing, or no text in
    UTF-8.
    """
    path = folder_of(language) / file
    named = f"{path.parent.name}/{path.name}"
    try:
        return path.read_text(encoding="utf-8-sig")  # with the mark that some editors begin a file with, or without
    except FileNotFoundError:
        raise LanguageDataError(f"{named} is missing: see docs/LANGUAGES.md") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise LanguageDataError(f"{named} is not written in UTF-8: line {line}") from error
    except OSError as error:
        raise LanguageDataError(f"{named} cannot be read: {error.strerror}") from error


def words(language: str, name: str, key: str) -> tuple[str, ...]:
    """A list of words, each of them once. Raises LanguageDataError for a list that is missing, empty words, doubles."""
    found = value(language, name, key)
    if not isinstance(found, list) or not all(isinstance(word, str) and word.strip() for word in found):
        raise LanguageDataError(f"{where(language, name)}: {key!r} is a list of words, none of them empty")
    refuse_doubles(found, f"{where(language, name)}: {{!r}} stands twice in {key!r}")
    if silent := [word for word in found if not word.strip(_STOPS)]:
        raise LanguageDataError(f"{where(language, name)}: {silent[0]!r} in {key!r} is no word")
    return tuple(unicodedata.normalize("NFC", word) for word in found)


def phrases(language: str, name: str, key: str) -> tuple[str, ...]:
    """A list of what is said: each of it has letters or digits. Raises LanguageDataError."""
    found = words(language, name, key)
    if silent := [phrase for phrase in found if not has_words(phrase)]:
        raise LanguageDataError(f"{where(language, name)}: {silent[0]!r} in {key!r} has no word")
    return found


def first(language: str, name: str, key: str) -> str:
    """The first of a list that is not empty. Raises LanguageDataError."""
    found = words(language, name, key)
    if not found:
        raise LanguageDataError(f"{where(language, name)}: {key!r} is empty")
    return found[0]


def text(language: str, name: str, key: str) -> str:
    """A text. Raises LanguageDataError."""
    found = value(language, name, key)
    if not isinstance(found, str):
        raise LanguageDataError(f"{where(language, name)}: {key!r} is a text")
    return found


def table(language: str, name: str, key: str) -> Mapping[str, Any]:
    """A table by word. Raises LanguageDataError where it is missing, is none, or has a word in two forms of Unicode."""
    found = value(language, name, key)
    if not isinstance(found, Mapping):
        raise LanguageDataError(f"{where(language, name)}: {key!r} is a table")
    refuse_doubles(found, f"{where(language, name)}: {{!r}} stands twice in {key!r}")
    if silent := [word for word in found if not word.strip(_STOPS)]:
        raise LanguageDataError(f"{where(language, name)}: {silent[0]!r} in {key!r} is no word")
    return {unicodedata.normalize("NFC", word): meant for word, meant in found.items()}


def numbers(language: str, name: str, key: str, *, least: int = 0, most: int | None = None) -> Mapping[str, int]:
    """A table of whole numbers from `least` to `most` by word. Raises LanguageDataError."""
    found = table(language, name, key)
    if wrong := [word for word, number in found.items() if not _is_whole(number)]:
        raise LanguageDataError(f"{where(language, name)}: {wrong[0]!r} in {key!r} has no whole number")
    numbers = {word: int(number) for word, number in found.items()}
    if wrong := [word for word, number in numbers.items() if number < least or (most is not None and number > most)]:
        bounds = f"{least} to {most}" if most is not None else f"{least} or more"
        raise LanguageDataError(f"{where(language, name)}: {wrong[0]!r} in {key!r} is no number from {bounds}")
    return numbers


def texts(language: str, name: str, key: str) -> Mapping[str, str]:
    """A table of texts by word, none of them empty. Raises LanguageDataError."""
    found = table(language, name, key)
    if wrong := [word for word, meant in found.items() if not isinstance(meant, str) or not meant.strip()]:
        raise LanguageDataError(f"{where(language, name)}: {wrong[0]!r} in {key!r} has no text")
    return found


def flag(language: str, name: str, key: str) -> bool:
    """A true or false. Raises LanguageDataError."""
    found = value(language, name, key)
    if not isinstance(found, bool):
        raise LanguageDataError(f"{where(language, name)}: {key!r} is true or false")
    return found


def value(language: str, name: str, key: str) -> Any:
    """The value under a key, "expectation.digits" being a key of a table. Raises LanguageDataError: nothing
    does.
    """
    found: Any = read(language, name)
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise LanguageDataError(f"{where(language, name)}: {key!r} is missing")
        found = found[part]
    return found


def where(language: str, name: str) -> str:
    """The file as an error names it, "vi/clauses.toml"."""
    return f"{folder_of(language).name}/{name}.toml"


def refuse_doubles(found: Iterable[str], message: str, *, folded: bool = True) -> None:
    """Raise LanguageDataError for a word that stands twice, in any case if `folded`; `message` has a place for it."""
    seen: set[str] = set()
    for word in found:
        plain = unicodedata.normalize("NFC", word)
        plain = plain.casefold() if folded else plain
        if plain in seen:
            raise LanguageDataError(message.format(word))
        seen.add(plain)


def _is_whole(number: object) -> bool:
    if isinstance(number, str):
        return number.isdecimal()
    return isinstance(number, int) and not isinstance(number, bool)
