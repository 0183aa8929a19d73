"""Sample rate conversion with little look-ahead: a windowed-sinc filter in phases, for speech that someone waits for.

Sans-IO. Harris, "Multirate Signal Processing for Communication Systems", chapter 7.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import Samples

STOP_DB = 70.0
PASS_EDGE, STOP_EDGE = 0.85, 1.15
"""In parts of half the lower rate. What lies between folds into the same band, for 8 kHz 3.4 to 4 kHz: above what a
telephone passes (ITU-T G.712)."""


class PolyphaseResampler:
    """Converts chunk by chunk; the chunks joined equal one conversion of the whole, without delay.

    The look-ahead is half the filter: 1.8 ms from 22.05 to 8 kHz, where soxr's HQ looks 80 ms ahead.
    """

    def __init__(self, from_hertz: int, to_hertz: int) -> None:
        divisor = gcd(from_hertz, to_hertz)
        self._up, self._down = to_hertz // divisor, from_hertz // divisor
        self._phases = _phases(from_hertz, to_hertz, self._up)
        self._half = self._phases.shape[1] // 2
        self._held = np.zeros(self._half, dtype=np.int16)  # from input sample `_held_from` on
        self._held_from = -self._half
        self._n_in = self._n_out = 0

    def push(self, samples: Samples) -> Samples:
        """Samples at the old rate in, those ready at the new rate out (maybe none)."""
        if self._up == self._down:
            return samples
        self._n_in += len(samples)
        self._held = np.concatenate((self._held, samples))
        return self._make(max(0, -(-(self._n_in - self._half) * self._up // self._down)))

    def finish(self) -> Samples:
        """The samples that the filter still holds. The resampler is spent afterwards."""
        if self._up == self._down:
            return np.empty(0, dtype=np.int16)
        self._held = np.concatenate((self._held, np.zeros(self._half + 1, dtype=np.int16)))
        return self._make(-(-self._n_in * self._up // self._down))

    def _make(self, end: int) -> Samples:
        """Output samples up to `end`."""
        if end <= self._n_out:
            return np.empty(0, dtype=np.int16)
        places = np.arange(self._n_out, end) * self._down
        first = places // self._up - self._half + 1 - self._held_from
        windows = np.lib.stride_tricks.sliding_window_view(self._held.astype(np.float32), 2 * self._half)
        values = np.einsum("ij,ij->i", windows[first], self._phases[places % self._up])
        self._n_out = end
        keep_from = end * self._down // self._up - self._half + 1
        self._held = self._held[keep_from - self._held_from :]
        self._held_from = keep_from
        ready: Samples = np.clip(np.rint(values), -32768, 32767).astype(np.int16)
        return ready


@lru_cache(maxsize=32)
def _phases(from_hertz: int, to_hertz: int, up: int) -> NDArray[np.float32]:
    """The filter by phase, (up, taps) weights of input samples; each phase passes 0 Hz as it is."""
    lower = min(from_hertz, to_hertz) / from_hertz  # in parts of the input's rate
    width = (STOP_EDGE - PASS_EDGE) / 2 * lower
    half = int(np.ceil((STOP_DB - 8) / (2.285 * 2 * np.pi * width) / 2))
    beta = 0.1102 * (STOP_DB - 8.7)
    distances = np.arange(-half + 1, half + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.i0(beta * np.sqrt(np.clip(1 - (distances / half) ** 2, 0, None))) / np.i0(beta)
    weights = lower * np.sinc(lower * distances) * window
    phases: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return phases
