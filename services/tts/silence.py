"""Silence trimming: the silence that an engine puts around a line is cut. Sans-IO."""

import numpy as np

from services.audio.pcm import Samples

QUIET_PEAK = 180  # -45 dBov, 25 dB under speech at the level of all: under it a window is silence
QUIET_PEAKS = (20, 1400)  # its bounds, for voices that speak more softly or louder
LEVEL_DBOV = -20.0
WINDOW_MS = 5
FADE_MS = 5


class SilenceTrimmer:
    """Takes a line's sound piece by piece; gives it without silence before its first sound and after its last.

    Silence inside stays. One window is kept on either side, faded, so that no cut clicks; `cut_samples` says how much
    went before the first sound, which shifts every place in the line. The last window is held until `finish`: the
    end of a line is known before its last sample leaves.
    """

    def __init__(self, sample_rate_hertz: int, *, level_dbov: float | None = None) -> None:
        """`level_dbov`: active speech level of the sound as it comes in, where it is known."""
        self._quiet_peak = QUIET_PEAK
        if level_dbov is not None:
            low, high = QUIET_PEAKS
            self._quiet_peak = round(min(high, max(low, QUIET_PEAK * 10 ** ((level_dbov - LEVEL_DBOV) / 20))))
        self._window = sample_rate_hertz * WINDOW_MS // 1000
        self._fade = sample_rate_hertz * FADE_MS // 1000
        self._held: Samples = np.empty(0, dtype=np.int16)
        self._has_begun = False
        self.cut_samples = 0

    @property
    def has_begun(self) -> bool:
        """Return whether the first sound was there, and `cut_samples` is final."""
        return self._has_begun

    def push(self, samples: Samples) -> Samples:
        """Take a piece; return the sound that is certain to stay."""
        held = np.concatenate((self._held, samples))
        loud = self._loud_windows(held)
        if not self._has_begun:
            if not len(loud):
                keep = min(len(held), 2 * self._window)
                self.cut_samples += len(held) - keep
                self._held = held[len(held) - keep :]
                return held[:0]
            begin = max(0, self._first_sound(held, int(loud[0])) - self._window)
            self.cut_samples += begin
            held = _fade_in(held[begin:], self._fade)
            loud = self._loud_windows(held)
            self._has_begun = True
        end = (int(loud[-1]) + 2) * self._window if len(loud) else 0  # none: the fade has taken it
        end = max(0, min(end, len(held) - self._window))
        self._held = held[end:]
        return held[:end]

    def finish(self) -> Samples:
        """Return the last of the sound, faded out; empty if all of it was silence."""
        tail = self._held[: self._window] if self._has_begun else self._held[:0]
        self._held = self._held[:0]
        return _fade_out(tail, self._fade)

    def _first_sound(self, held: Samples, window: int) -> int:
        """The first sample that is sound, in a window that holds one."""
        begin = window * self._window
        return begin + int(np.argmax(np.abs(held[begin : begin + self._window].astype(np.int32)) >= self._quiet_peak))

    def _loud_windows(self, held: Samples) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        n_windows = -(-len(held) // self._window)
        padded = np.zeros(n_windows * self._window, dtype=np.int16)
        padded[: len(held)] = held
        peaks = np.abs(padded.reshape(n_windows, self._window).astype(np.int32)).max(axis=1, initial=0)
        return np.flatnonzero(peaks >= self._quiet_peak)


def _fade_in(samples: Samples, length: int) -> Samples:
    faded = samples.copy()
    length = min(length, len(faded))
    faded[:length] = (faded[:length] * np.linspace(0.0, 1.0, length, endpoint=False)).astype(np.int16)
    return faded


def _fade_out(samples: Samples, length: int) -> Samples:
    return _fade_in(samples[::-1], length)[::-1]
