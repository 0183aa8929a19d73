"""Words at which a reply may be cut into clauses, by each language's clauses.toml."""

import unicodedata

from services.language import data

ALL = ""
"""In place of a language: those of every language at once, since a model may answer in any."""


def unfinished_by_a_dot(language_code: str) -> frozenset[str]:
    """Words of a language whose dot does not end a sentence, in lower case and without that dot."""
    return _listed(language_code, "unfinished_by_a_dot")


def is_abbreviated(word: str, after: str, language_code: str = ALL) -> bool | None:
    """Return whether a dot between the word and what is written after it ends no sentence. None: what follows decides,
    and is not written yet.
    """
    lower = word.lower()
    if lower not in unfinished_by_a_dot(language_code):
        return False
    if lower in _listed(language_code, "unfinished_in_a_capital"):
        return word[:1].isupper()
    if lower in _listed(language_code, "unfinished_before_a_digit"):
        following = after.lstrip()
        return following[0].isdigit() if following else None
    return True


@data.cached
def joints() -> frozenset[str]:
    """Words of every language before which a long clause may be cut."""
    return frozenset().union(*(_words(language, "joints") for language in data.languages()))


@data.cached
def phrase_openings() -> frozenset[str]:
    """Words of every language before which an early clause may be cut: the joints and more."""
    return joints().union(*(_words(language, "phrase_openings") for language in data.languages()))


def load() -> None:
    """Read every language, so that no call waits for it."""
    phrase_openings()
    for language in (*data.languages(), data.FALLBACK, ALL):
        for key in ("unfinished_by_a_dot", "unfinished_in_a_capital", "unfinished_before_a_digit"):
            _listed(language, key)


def _listed(language_code: str, key: str) -> frozenset[str]:
    return _words(data.known(language_code), key) if language_code else _of_all(key)


@data.cached
def _of_all(key: str) -> frozenset[str]:
    return frozenset().union(*(_words(language, key) for language in data.languages()))


@data.cached
def _words(language: str, key: str) -> frozenset[str]:
    return frozenset(unicodedata.normalize("NFC", word.lower()) for word in data.words(language, "clauses", key))
