"""Short-time spectra of a call's sound, computed once a window for every detector of line sounds.

Two resolutions of short-time Fourier transform with Hann windows: 64 ms (15.6 Hz a bin) for steady tones and music,
24 ms in steps of 8 ms for keys, which ITU-T Q.24 lets be as short as 40 ms.
"""

from functools import cached_property
from math import log10, sqrt

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import Samples

RATE_HERTZ = 8000
WINDOW_SAMPLES = 256  # what is fed at once: 32 ms
LONG_SAMPLES = 512
LONG_BIN_HERTZ = RATE_HERTZ / LONG_SAMPLES
SHORT_SAMPLES = 192
SHORT_STEP = 64
SHORT_FFT = 256
SHORT_BIN_HERTZ = RATE_HERTZ / SHORT_FFT
QUIET_RMS = 60.0  # of 32768: -55 dBFS; tones of a line are louder
LOWEST_BIN = 13  # of the 64 ms, 200 Hz: hum of the mains and the rumble of a street are no sound of the line

Power = NDArray[np.float64]

_LONG_WINDOW = np.hanning(LONG_SAMPLES)
_SHORT_WINDOW = np.hanning(SHORT_SAMPLES)
_FULL_SCALE_DB = 20 * log10(32768.0)
_SHORT_STARTS = WINDOW_SAMPLES + SHORT_STEP - SHORT_SAMPLES + SHORT_STEP * np.arange(WINDOW_SAMPLES // SHORT_STEP)
_SHORT_INDEX = _SHORT_STARTS[:, np.newaxis] + np.arange(SHORT_SAMPLES)


class Frame:
    """The sound up to the end of one window; spectra are made when they are asked for."""

    def __init__(self, position: int, before: NDArray[np.float64], newest: NDArray[np.float64]) -> None:
        """`position` counts samples at 8 kHz on the call's clock; `before` and `newest`: windows of 32 ms, (256,)."""
        self.position = position  # first sample after it
        self._windows = (before, newest)
        self.rms = sqrt(float(newest @ newest) / len(newest))  # of the newest 32 ms

    @property
    def is_quiet(self) -> bool:
        """Return whether the frame is so quiet that no line sound is looked for."""
        return self.rms < QUIET_RMS

    @property
    def level_dbfs(self) -> float:
        """Level of the newest 32 ms."""
        return 20 * log10(max(self.rms, 1e-3)) - _FULL_SCALE_DB

    @cached_property
    def sound(self) -> NDArray[np.float64]:
        """The newest 64 ms, (512,)."""
        return np.concatenate(self._windows)

    @cached_property
    def power(self) -> Power:
        """Power spectrum of the 64 ms, (257,)."""
        return _power(np.fft.rfft(self.sound * _LONG_WINDOW))

    @cached_property
    def total_power(self) -> float:
        """Power of the 64 ms from LOWEST_BIN on."""
        return float(np.add.reduce(self.power[LOWEST_BIN:]))

    @cached_property
    def short_powers(self) -> Power:
        """Power spectra of the four pieces of 24 ms that end in the window, (4, 129), the oldest first."""
        return _power(np.fft.rfft(self.sound[_SHORT_INDEX] * _SHORT_WINDOW, n=SHORT_FFT))

    @property
    def short_ends(self) -> tuple[int, ...]:
        """Positions where those pieces end."""
        n_pieces = len(_SHORT_STARTS)
        return tuple(self.position - SHORT_STEP * (n_pieces - 1 - number) for number in range(n_pieces))


class Frames:
    """One call's sound as frames that overlap by half."""

    def __init__(self) -> None:
        self._before = np.zeros(WINDOW_SAMPLES)

    def feed(self, samples: Samples, *, end_position: int) -> Frame:
        """The next window, (256,) int16 at 8 kHz, which ends at `end_position`."""
        newest = samples.astype(np.float64)
        frame = Frame(end_position, self._before, newest)
        self._before = newest
        return frame

    def reset(self) -> None:
        """Forget what came before: what comes next does not follow on it."""
        self._before = np.zeros(WINDOW_SAMPLES)


def _power(spectrum: NDArray[np.complex128]) -> Power:
    power: Power = spectrum.real**2 + spectrum.imag**2
    return power
