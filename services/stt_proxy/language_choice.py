"""Language identification among a call's languages, for each utterance; one wrong result does not change the language.

A single word tells little of its language: "OK", "Continue", "alo" and "Hà Nội" are said in many, and Whisper is sure
of the wrong one often enough. So another language is believed only when it is sure and was heard for longer than a word
lasts; until then the call goes on in its present language, at first the likeliest that the client named.
"""

from collections.abc import Mapping

SURE_SHARE = 0.8  # of the probability of all languages that the call may speak
LONG_SPEECH_S = 1.2  # of speech, pauses not counted: single words last 0.2 to 0.9 s


def may_change(speech_s: float) -> bool:
    """Return whether so much speech can tell another language at all."""
    return speech_s >= LONG_SPEECH_S


def choose_language(current: str, probabilities: Mapping[str, float], speech_s: float) -> str:
    """Return the language to go on in. `probabilities`: by language, of those the call may speak; they need not sum to
    1. `current` is empty where nothing is known: then the likeliest is believed.
    """
    if not probabilities:
        return current
    likeliest = max(probabilities, key=probabilities.__getitem__)
    if not current or likeliest == current:
        return likeliest
    whole = sum(probabilities.values())
    is_sure = whole > 0 and probabilities[likeliest] / whole >= SURE_SHARE
    return likeliest if is_sure and may_change(speech_s) else current
