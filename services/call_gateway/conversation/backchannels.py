"""Backchannels: what a listener says without a wish to speak ("uh-huh")."""

from services.call_gateway.conversation.words import normalised
from services.language import data


@data.cached
def backchannels() -> frozenset[tuple[str, ...]]:
    """Those of every language at once, as normalised words: "mhm" means the same in a Vietnamese call."""
    lists = (data.words(language, "conversation", "backchannels") for language in data.languages())
    return frozenset(normalised(phrase) for phrases in lists for phrase in phrases)
