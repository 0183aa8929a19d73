"""Decimation to the detector's 8 kHz by a windowed-sinc low-pass filter, with a delay of 1 ms."""

import numpy as np

from services.audio.pcm import Samples

_TAPS_PER_FACTOR = 8


class Decimator:
    """Keeps every `factor`-th sample behind a low-pass filter; runs chunk by chunk.

    A Hamming-windowed sinc with its corner at 0.45 of the new rate: its delay is 8 samples of the new rate (1 ms),
    where a resampler made for listening looks ahead 100 ms.
    """

    def __init__(self, factor: int) -> None:
        self._factor = factor
        n_taps = 2 * _TAPS_PER_FACTOR * factor + 1
        positions = np.arange(n_taps) - n_taps // 2
        corner = 0.9 / factor
        taps = np.sinc(positions * corner) * np.hamming(n_taps)
        self._taps = (taps / taps.sum()).astype(np.float32)
        self._held = np.zeros(n_taps - 1, dtype=np.float32)

    def push(self, samples: Samples) -> Samples:
        """Take samples at the old rate, (n,) int16; return those that are ready at the new rate."""
        if self._factor == 1:
            return samples
        held = np.concatenate((self._held, samples.astype(np.float32)))
        n_out = max(0, (len(held) - len(self._taps)) // self._factor + 1)
        filtered = np.convolve(held, self._taps, mode="valid")[: n_out * self._factor : self._factor]
        self._held = held[n_out * self._factor :]
        return np.clip(np.rint(filtered), -32768, 32767).astype(np.int16)
