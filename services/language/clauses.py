"""Words at which a reply may be cut into clauses, by each language's clauses.toml."""

import unicodedata

from services.language import data


@data.cached
def unfinished_by_a_dot(language_code: str) -> frozenset[str]:
    """Words of a language whose dot does not end a sentence, in lower case and without that dot."""
    return _words(data.primary(language_code), "unfinished_by_a_dot")


@data.cached
def abbreviations() -> frozenset[str]:
    """Those of every language at once: a model may answer in any."""
    return frozenset().union(*(_words(language, "unfinished_by_a_dot") for language in data.languages()))


@data.cached
def joints() -> frozenset[str]:
    """Words of every language before which a long clause may be cut."""
    return frozenset().union(*(_words(language, "joints") for language in data.languages()))


@data.cached
def phrase_openings() -> frozenset[str]:
    """Words of every language before which an early clause may be cut: the joints and more."""
    return joints().union(*(_words(language, "phrase_openings") for language in data.languages()))


def _words(language: str, key: str) -> frozenset[str]:
    return frozenset(unicodedata.normalize("NFC", word.lower()) for word in data.words(language, "clauses", key))
