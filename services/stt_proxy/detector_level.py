"""Automatic gain control in front of the voice detector, so that it finds short words of quiet callers. Sans-IO.

Silero's scores fall with the level: of 51 lone answers of 155 to 300 ms whose loudest sample was at -45 dBFS it found
21 on a silent line and 11 on one with noise at -64 dBFS; brought to one level, and with a little noise added, all 51 on
both, and 51 in place of 47 to 51 at -6 to -33 dBFS. Pure silence before a word is nothing it has learnt from, which is
what the noise is for. Traffic, white noise, breath and hum at -40 dBFS stayed below 0.2, as before. Only the detector
hears this sound: words, line sounds and recordings come from the caller's own.
"""

import numpy as np

from services.audio.pcm import Samples
from services.stt_proxy.engine import Hints

TARGET_PEAK = 4000.0  # of 32768: -18 dBFS, for the loudest sample of the last seconds
MOST_GAIN = 16.0  # 24 dB: a caller whose loudest sample is at -42 dBFS reaches the target
MOST_GAIN_BESIDE_AGENT = 4.0  # while the agent's voice is on the line, so that its echo is not made loud
AFTER_AGENT_WINDOWS = 6  # 192 ms in which its echo may still come
FALL_A_WINDOW = 0.9985  # of the loudest sample that is remembered: half in 15 s
NOISE_RMS = 20.0  # of 32768: -64 dBFS
WINDOW_SAMPLES = 256
_NOISE_WINDOWS = 64
_NOISE = np.random.default_rng(16).normal(0.0, NOISE_RMS, (_NOISE_WINDOWS, WINDOW_SAMPLES)).astype(np.float32)


class DetectorLevel:
    """Gain control of one call."""

    def __init__(self) -> None:
        self._loudest = 0.0  # of the caller's
        self._loudest_beside_agent = 0.0  # of the caller's and the echo: what is remembered of it is not the caller's
        self._n_since_agent = AFTER_AGENT_WINDOWS
        self._number = 0

    def bring(self, window: Samples, hints: Hints) -> Samples:
        """Take the next window, (256,) int16 at 8 kHz; return it at the level for the detector, in the same shape."""
        peak = float(max(np.maximum.reduce(window), -int(np.minimum.reduce(window))))
        self._n_since_agent = 0 if hints.agent_is_speaking else self._n_since_agent + 1
        if self._n_since_agent >= AFTER_AGENT_WINDOWS:
            self._loudest_beside_agent = 0.0
            loudest = self._loudest = max(peak, self._loudest * FALL_A_WINDOW)
            most = MOST_GAIN
        else:
            loudest = self._loudest_beside_agent = max(peak, self._loudest_beside_agent * FALL_A_WINDOW)
            most = MOST_GAIN_BESIDE_AGENT
        gain = min(most, max(1.0, TARGET_PEAK / max(1.0, loudest)))
        self._number = (self._number + 1) % _NOISE_WINDOWS
        brought = window * np.float32(gain)
        brought += _NOISE[self._number]
        np.maximum(np.minimum(brought, 32767, out=brought), -32768, out=brought)
        return brought.astype(np.int16)
