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


class DetectedUtterances:
    """The utterances whose language was detected, or is being detected, each once. Ids of utterances rise."""

    def __init__(self) -> None:
        self._last_begun = 0
        self._last_ended = 0

    def begins(self, utterance_id: int) -> bool:
        """Return whether a detection is to begin, and count it as begun."""
        is_new = utterance_id > max(self._last_begun, self._last_ended)
        self._last_begun = max(self._last_begun, utterance_id)
        return is_new

    def end(self, utterance_id: int) -> None:
        """Count the detection of an utterance as ended."""
        self._last_ended = max(self._last_ended, utterance_id)

    def is_awaited(self, utterance_id: int) -> bool:
        """Return whether the result for an utterance is still to come."""
        return utterance_id > self._last_ended
