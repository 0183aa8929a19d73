"""The data of the languages: one folder of TOML files a language, in `data/` beside this file or in a folder added.

A file is read once and checked as it is read. `FALLBACK` is the folder that answers for languages without one.
"""

import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

PACKAGED = Path(__file__).parent / "data"
FALLBACK = "other"
LONGEST_LANGUAGE = 8  # letters of a primary language subtag (RFC 5646, section 2.1)

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


def languages() -> tuple[str, ...]:
    """Every language that has a folder, sorted; `FALLBACK` is none."""
    found = {folder.name for root in _roots for folder in root.iterdir() if folder.is_dir()}
    return tuple(sorted(name for name in found if name != FALLBACK and not name.startswith((".", "_"))))


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
    path = folder_of(language) / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LanguageDataError(f"{path.parent.name}/{path.name} is missing: see docs/LANGUAGES.md") from None
    except tomllib.TOMLDecodeError as error:
        raise LanguageDataError(f"{path.parent.name}/{path.name} is no TOML: {error}") from error


def words(language: str, name: str, key: str) -> tuple[str, ...]:
    """A list of words, each of them once. Raises LanguageDataError for a list that is missing, empty words, doubles."""
    where = f"{folder_of(language).name}/{name}.toml"
    found: Any = read(language, name)
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise LanguageDataError(f"{where}: the list {key!r} is missing")
        found = found[part]
    if not isinstance(found, list) or not all(isinstance(word, str) and word.strip() for word in found):
        raise LanguageDataError(f"{where}: {key!r} is a list of words, none of them empty")
    seen: set[str] = set()
    for word in found:
        folded = unicodedata.normalize("NFC", word).casefold()
        if folded in seen:
            raise LanguageDataError(f"{where}: {word!r} stands twice in {key!r}")
        seen.add(folded)
    return tuple(unicodedata.normalize("NFC", word) for word in found)
