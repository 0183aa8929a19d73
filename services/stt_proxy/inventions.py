"""Text that Whisper writes where nobody spoke: known by a list for each language, by repetition, and by the score."""

import zlib

from services.language import data
from services.language.words import normalise

SURE = 0.6  # of the score: what was invented for tones, music and dither lay at 0.40 to 0.57
MOST_COMPRESSION = 2.4  # Whisper's own limit: text that zlib makes so much smaller says the same over and over
SHORTEST_COMPRESSED = 40  # bytes; of less the ratio says nothing


def is_invented(text: str, language: str, confidence: float) -> bool:
    """Whether nobody said it. `confidence` is 0 to 1: the tokens' geometric mean.

    A listed phrase and text that repeats itself are both what callers say too, so the score must speak against them.
    Digits are left alone: numbers repeat.
    """
    said = " ".join(normalise(text))
    if confidence < SURE and said in _listed(language):
        return True
    is_number = any(sign.isdecimal() for sign in said)
    return confidence < SURE and not is_number and compression(said) > MOST_COMPRESSION


def compression(text: str) -> float:
    """How many times smaller zlib makes the text; 1 for a short one."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if len(raw) >= SHORTEST_COMPRESSED else 1.0


@data.cached
def _listed(language: str) -> frozenset[str]:
    return frozenset(" ".join(normalise(phrase)) for phrase in data.words(language, "inventions", "phrases"))
