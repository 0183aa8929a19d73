"""Hallucinations of Whisper: text without speech, told by its score, by a list for each language, and by repetition.

`python -m tests.load.short_words` measures it: of 186 times that callers' short words came through Whisper as a phrase
that it also invents, 100 had a confidence below 0.6, and noise gave such phrases at 0.02 to 0.25. So confidence alone
tells them not apart; together with Whisper's own probability of no speech it does.
"""

import zlib

from services.language import data
from services.language.words import normalise

SURE = 0.6  # confidence; at 0.40 to 0.57 lay what was invented for tones, music and dither
DOUBTED = 0.3  # confidence, and ...
DOUBTED_NO_SPEECH = 0.55  # ... the probability of no speech: both together doubt words that callers say
SILENT = 0.37  # the same for any words: Whisper's own limits
SILENT_NO_SPEECH = 0.6
MOST_COMPRESSION = 2.4  # Whisper's own limit: text that zlib makes so much smaller says the same over and over
SHORTEST_COMPRESSED = 40  # bytes; of less the ratio says nothing


def is_invented(text: str, language: str, confidence: float, no_speech: float) -> bool:
    """Return whether the text is a hallucination. `confidence`: the tokens' geometric mean; `no_speech`: Whisper's
    probability of no speech; both 0 to 1. In doubt the words stay.
    """
    said = " ".join(normalise(text))
    return (
        is_silence(confidence, no_speech)
        or is_listed(said, language, confidence, no_speech)
        or is_repetition(said, confidence)
    )


def is_silence(confidence: float, no_speech: float) -> bool:
    """Return whether Whisper takes the sound for silence, whatever it wrote."""
    return no_speech > SILENT_NO_SPEECH and confidence < SILENT


def is_listed(said: str, language: str, confidence: float, no_speech: float) -> bool:
    """Return whether the text is a phrase of the language's list and the scores speak against it."""
    if said in _listed(data.known(language), "never_said"):
        return confidence < SURE
    is_doubted = confidence < DOUBTED and no_speech > DOUBTED_NO_SPEECH
    return is_doubted and said in _listed(data.known(language), "said_too")


def is_repetition(said: str, confidence: float) -> bool:
    """Return whether the text repeats itself and the score speaks against it. Digits are left alone: numbers repeat."""
    is_number = any(sign.isdecimal() for sign in said)
    return confidence < SURE and not is_number and compression(said) > MOST_COMPRESSION


def compression(text: str) -> float:
    """Return how many times smaller zlib makes the text; 1 for a short one."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if len(raw) >= SHORTEST_COMPRESSED else 1.0


def load_inventions() -> None:
    """Read the lists of every language, so that no call waits for it. Raises LanguageDataError."""
    for language in (*data.languages(), data.FALLBACK):
        for key in ("never_said", "said_too"):
            _listed(language, key)


@data.cached
def _listed(language: str, key: str) -> frozenset[str]:
    return frozenset(" ".join(normalise(phrase)) for phrase in data.phrases(language, "inventions", key))
