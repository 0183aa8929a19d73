"""Silence trimming: the silence that an engine puts around a line is cut. Sans-IO."""

import numpy as np

from services.audio.pcm import Samples

QUIET_PEAK = 180  # -45 dBov, 25 dB under speech at the level of all: under it a window is silence
QUIET_PEAKS = (20, 1400)  # its bounds, for voices that speak more softly or louder
CLEAR_DB = 9.0  # above the quiet peak: 16 dB under speech, the margin of ITU-T P.56; weaker sound is no active speech
ONSET_MS = 10  # of the sound before its first clear sample stay
LOOK_AHEAD_MS = 60  # from the first sound on, for a clear one
LEVEL_DBOV = -20.0
WINDOW_MS = 5
FADE_MS = 5


class SilenceTrimmer:
    """Takes a line's sound piece by piece; gives it without silence before its first sound and after its last.

    Silence inside stays. One window is kept on either side, faded, so that no cut clicks; `cut_samples` says how much
    went before the first sound, which shifts every place in the line. Of a beginning that is too soft for active speech
    `ONSET_MS` stay: a decoder's noise before a plosive is silence to a listener. The last window is held until
    `finish`: the end of a line is known before its last sample leaves.
    """

    def __init__(self, sample_rate_hertz: int, *, level_dbov: float | None = None) -> None:
        """`level_dbov`: active speech level of the sound as it comes in, where it is known."""
        self._quiet_peak = QUIET_PEAK
        if level_dbov is not None:
            low, high = QUIET_PEAKS
            self._quiet_peak = round(min(high, max(low, QUIET_PEAK * 10 ** ((level_dbov - LEVEL_DBOV) / 20))))
        self._clear_peak = round(self._quiet_peak * 10 ** (CLEAR_DB / 20))
        self._onset = sample_rate_hertz * ONSET_MS // 1000
        self._look_ahead = sample_rate_hertz * LOOK_AHEAD_MS // 1000
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
        return self._take(np.concatenate((self._held, samples)), is_last=False)

    def _take(self, held: Samples, *, is_last: bool) -> Samples:
        loud = self._loud_windows(held)
        if not self._has_begun:
            if not len(loud):
                keep = min(len(held), 2 * self._window)
                self.cut_samples += len(held) - keep
                self._held = held[len(held) - keep :]
                return held[:0]
            first = self._first_sound(held, int(loud[0]))
            ahead = np.abs(held[first : first + self._look_ahead].astype(np.int32)) >= self._clear_peak
            if not ahead.any() and len(ahead) < self._look_ahead and not is_last:
                self._held = held
                return held[:0]
            begin = max(0, first - self._window)
            if ahead.any():
                begin = max(begin, first + int(np.argmax(ahead)) - self._onset)
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
        begun = self._held[:0] if self._has_begun else self._take(self._held, is_last=True)
        tail = self._held[: self._window] if self._has_begun else self._held[:0]
        self._held = self._held[:0]
        return np.concatenate((begun, _fade_out(tail, self._fade)))

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
