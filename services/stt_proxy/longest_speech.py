"""Longest utterance: speech without a pause is closed at the limit, so that none of its words are lost.

The client is told of a pause and that the utterance is too long; it may take the turn at once. What the caller says
meanwhile is held back until the client has ended the utterance, or for a moment where it does not: told at once, it
would refute the end. It then belongs to the next utterance, from the very sample on at which the last was closed.
"""

from services.stt_proxy.speech_gate import Edge, SpeechBegan, SpeechPaused


class LongestSpeech:
    """Limit on the utterances of one call. Takes the edges of speech as they are found, gives those to be told now."""

    def __init__(self, *, limit_samples: int, hold_samples: int) -> None:
        self._limit_samples = limit_samples
        self._hold_samples = hold_samples
        self._closed_at: int | None = None  # while edges are held back
        self._held: list[Edge] = []
        self._score = 0.0
        self._counted_from = 0  # speech before was closed and the client did not end it: it may grow as long again

    def pass_on(self, edge: Edge | None, sample: int, score: float, *, first_sample: int | None) -> list[Edge]:
        """Take the edges found in the sound up to `sample`; `first_sample` is the open utterance's, None without
        speech.
        """
        if self._closed_at is not None:
            if edge is not None:
                self._held.append(edge)
            return self.release() if sample - self._closed_at >= self._hold_samples else []
        if edge is not None:
            return [edge]
        if first_sample is None or sample - max(first_sample, self._counted_from) < self._limit_samples:
            return []
        self._closed_at = self._counted_from = sample
        self._score = score
        return [SpeechPaused(sample, score, is_too_long=True)]

    def release(self) -> list[Edge]:
        """The client has ended the utterance, or no more is waited for: what was held back."""
        if self._closed_at is None:
            return []
        edges: list[Edge] = [SpeechBegan(self._closed_at, self._score), *self._held]
        self._closed_at = None
        self._held.clear()
        return edges
