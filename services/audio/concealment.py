"""Hides lost packets from an ear: repeat the last pitch-sized stretch and fade.

A hole filled with zeros looks like a pause to a voice detector and ends turns that were not over; a fading repeat does
not. Modelled on the idea of ITU-T G.711 Appendix I (repeat, then attenuate over 60 ms), kept to what an ear needs.
"""

import numpy as np

from services.audio.pcm import Samples

_REPEAT_MS = 20
_HOLD_MS = 20
_FADE_MS = 100


class Concealer:
    """Remembers what was last heard and invents what is missing."""

    def __init__(self, sample_rate_hertz: int) -> None:
        self._per_ms = sample_rate_hertz // 1000
        self._repeat_samples = _REPEAT_MS * self._per_ms
        self._last: Samples = np.zeros(self._repeat_samples, dtype=np.int16)
        self._concealed_samples = 0

    def hear(self, samples: Samples) -> None:
        """Real sound arrived: the next loss starts from it."""
        if len(samples) == 0:
            return
        self._concealed_samples = 0
        if len(samples) >= self._repeat_samples:
            self._last = samples[-self._repeat_samples :].copy()
        else:
            self._last = np.concatenate((self._last, samples))[-self._repeat_samples :]

    def conceal(self, n_samples: int) -> Samples:
        """`n_samples` of invented sound, going on from the last invented or real sample; silent after 120 ms."""
        positions = np.arange(self._concealed_samples, self._concealed_samples + n_samples)
        self._concealed_samples += n_samples
        faded = (positions - _HOLD_MS * self._per_ms) / (_FADE_MS * self._per_ms)
        gain = np.clip(1.0 - faded, 0.0, 1.0)
        return (self._last[positions % self._repeat_samples] * gain).astype(np.int16)
