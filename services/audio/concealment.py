"""Packet loss concealment after the idea of ITU-T G.711 Appendix I: repeat the last 20 ms, and fade.

A hole filled with zeros looks like a pause to a voice detector and ends turns that were not over; a fading repeat does
not. Appendix I repeats whole pitch periods and attenuates over 60 ms; a recogniser needs no more than 20 ms repeated,
held for 20 ms and faded over 100 ms.
"""

import numpy as np

from services.audio.pcm import Samples

_REPEAT_MS = 20
_HOLD_MS = 20
_FADE_MS = 100


class Concealer:
    """The concealment of one direction of a call. It keeps the last 20 ms of sound that arrived."""

    def __init__(self, sample_rate_hertz: int) -> None:
        """`sample_rate_hertz`: 8000 or a multiple of 1000."""
        self._per_ms = sample_rate_hertz // 1000
        self._repeat_samples = _REPEAT_MS * self._per_ms
        self._last: Samples = np.zeros(self._repeat_samples, dtype=np.int16)
        self._concealed_samples = 0

    def feed(self, samples: Samples) -> None:
        """Keep sound that arrived, `(n_samples,) int16`: the next loss is concealed from it. None is no error."""
        if len(samples) == 0:
            return
        self._concealed_samples = 0
        if len(samples) >= self._repeat_samples:
            self._last = samples[-self._repeat_samples :].copy()
        else:
            self._last = np.concatenate((self._last, samples))[-self._repeat_samples :]

    def conceal(self, n_samples: int) -> Samples:
        """Make `(n_samples,) int16` for a loss, going on from the last sample made or fed; silent after 120 ms."""
        positions = np.arange(self._concealed_samples, self._concealed_samples + n_samples)
        self._concealed_samples += n_samples
        faded = (positions - _HOLD_MS * self._per_ms) / (_FADE_MS * self._per_ms)
        gain = np.clip(1.0 - faded, 0.0, 1.0)
        return (self._last[positions % self._repeat_samples] * gain).astype(np.int16)
