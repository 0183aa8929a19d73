"""Backchannels: what a listener says without a wish to speak ("uh-huh")."""

from services.language import data
from services.language.words import normalise


@data.cached
def backchannels() -> frozenset[tuple[str, ...]]:
    """Those of every language at once, as normalise words: "mhm" means the same in a Vietnamese call."""
    lists = (data.phrases(language, "conversation", "backchannels") for language in data.languages())
    return frozenset(normalise(phrase) for phrases in lists for phrase in phrases)
