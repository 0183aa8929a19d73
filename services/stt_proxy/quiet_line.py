"""Quiet line: silence for so long that the voice detector is not run again until there is sound.

Sparing the detector half its work is one reason. The other: left to listen to silence for seconds it grows slow to
believe in speech. Held where 384 ms of quiet left it, it finds onsets 24 ms earlier (median; 33 ms at p95) and breaks
speech up half as often, without one more false alarm (174 utterances of the endpointing set between silences).
"""

import numpy as np

from services.audio.pcm import Samples

QUIET_PEAK = 40  # of 32768: -58 dB, a few steps of G.711; no voice is as quiet as that
SETTLED_WINDOWS = 12  # 384 ms of quiet that the detector hears, so that it remembers nothing else
SURE_SILENCE_SCORE = 0.1


class QuietLine:
    """Quiet stretches of one call. The detector is run on the beginning of each, and on everything else."""

    def __init__(self) -> None:
        self._n_quiet = 0  # windows in a row that were quiet and scored as silence
        self._is_quiet = False  # the newest

    def observe(self, window: Samples, *, is_fresh: bool) -> bool:
        """Take the next window, (n_samples,) int16. True: the window is silence for sure, with the score 0."""
        self._is_quiet = bool(np.maximum.reduce(window) <= QUIET_PEAK and np.minimum.reduce(window) >= -QUIET_PEAK)
        if not self._is_quiet or is_fresh:
            self._n_quiet = 0
        return self._n_quiet >= SETTLED_WINDOWS

    def note(self, score: float) -> None:
        """Take the detector's score of that window, 0 to 1."""
        self._n_quiet = self._n_quiet + 1 if self._is_quiet and score < SURE_SILENCE_SCORE else 0


LOUD_RMS = 150.0  # of 32768: -47 dBFS
LONG_WINDOWS = 16  # half a second on end: keys are shorter, and a detector without memory takes them for speech
QUIETER = 4.0  # times, that is 12 dB
OVER_WINDOWS = 3  # 96 ms


class ForeignSound:
    """Music and tones of one call. The detector's memory of them makes it late for the speech behind them: 0.4 s
    after 12 s of chords, so that the first word is lost. Its memory is to be cleared when they are over.
    """

    def __init__(self) -> None:
        self._n_loud = 0
        self._loudest_rms = 0.0  # of the last loud windows, falling by a quarter each second
        self._n_quieter = 0

    def observe(self, rms: float, *, is_speech: bool) -> bool:
        """Take the next window's level, of 32768. True: such a sound has just ended."""
        self._loudest_rms = max(rms, self._loudest_rms * 0.991)
        if is_speech:
            self._n_loud = self._n_quieter = 0
            return False
        if rms > LOUD_RMS and rms * QUIETER > self._loudest_rms:
            self._n_loud += 1
            self._n_quieter = 0
            return False
        self._n_quieter += 1
        if self._n_quieter < OVER_WINDOWS:
            return False
        was_long = self._n_loud >= LONG_WINDOWS
        self._n_loud = self._n_quieter = 0
        if was_long:
            self._loudest_rms = rms
        return was_long
