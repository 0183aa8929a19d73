"""The International Phonetic Alphabet: its signs, and the nearest sounds of a voice that lacks one. Sans-IO."""

import tomllib
import unicodedata
from collections.abc import Callable, Collection
from functools import cache

from services.language.data import PACKAGED

PRIMARY_STRESS, SECONDARY_STRESS = "ˈ", "ˌ"
SILENT = " ˈˌːˑ.|‖‿͜͡"
"""Stress, length and borders: no sounds of their own."""


@cache
def _alphabet() -> tuple[frozenset[str], dict[str, tuple[str, ...]]]:
    table = tomllib.loads((PACKAGED / "ipa.toml").read_text(encoding="utf-8"))
    letters = frozenset(unicodedata.normalize("NFD", table["symbols"] + table["marks"]) + " ")
    return letters, {symbol: tuple(others) for symbol, others in table["alternatives"].items()}


def no_ipa(text: str) -> str:
    """The first character of a text that is no sign of the alphabet; empty where all are."""
    letters, _ = _alphabet()
    return next((character for character in unicodedata.normalize("NFD", text) if character not in letters), "")


def fitted(ipa: str, has: Callable[[str], bool]) -> str:
    """The sounds as a voice can make them, one code point each; `has`: whether the voice has that code point.

    A sound that it lacks becomes the nearest one that it has, and is left out where there is none.
    """
    _, alternatives = _alphabet()

    def nearest(symbol: str) -> str:
        if symbol in SILENT or has(symbol):
            return symbol
        return next((other for other in alternatives.get(symbol, ()) if all(map(has, other))), "")

    return "".join(nearest(symbol) for symbol in unicodedata.normalize("NFD", ipa))


@cache
def respellings(model: str, *kinds: str) -> tuple[tuple[str, str], ...]:
    """Return a model's spellings of espeak-ng's: (from, to), to be applied in order. `kinds`: keys of its table."""
    table = tomllib.loads((PACKAGED / "ipa.toml").read_text(encoding="utf-8"))[model]
    return tuple((before, after) for kind in kinds for before, after in table.get(kind, ()))


def replacements(symbol: str) -> Collection[str]:
    """Return what may be said in place of a sound, the nearest first."""
    return _alphabet()[1].get(symbol, ())
