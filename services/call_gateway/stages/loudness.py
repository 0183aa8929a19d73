"""How loud the caller is, cheaply: sound that changes goes on at once, a quiet line in longer chunks."""

from math import log2

import numpy as np

from services.audio.pcm import AudioFormat, Encoding

_MULAW_MAGNITUDE = bytes((~code & 0x7F) for code in range(256))
_ALAW_MAGNITUDE = bytes(((code ^ 0x55) & 0x7F) for code in range(256))
# A G.711 code without its sign is a logarithm of the magnitude: sixteen steps double it. Linear sound is put on the
# scale of mu-law, whose bias is 132 of 32768.
_STEPS_PER_DOUBLING = 16
_BIAS = 132
_CHANGE_STEPS = 6  # about 2 dB between this frame and the mean of those before it
_QUIET_STEPS = 6  # about -58 dBFS on the average: no word is so soft
_FLOOR_RISE = 0.05  # steps a frame, about 1 dB a second: what stays is the line's noise
_NOISE_STEPS = 10  # 4 dB: by so much a steady noise comes and goes above its softest
_MEMORY = 0.25  # weight of the newest frame in that mean
_LOUD_STEPS = 32  # 12 dB: what is no softer than that below the voice's peaks is the voice going on
_PEAK_DECAY = 0.02  # of the way down to the newest frame, each frame: a second or so


class Loudness:
    """Follows the level of one call, frame by frame."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._magnitudes = {Encoding.MULAW: _MULAW_MAGNITUDE, Encoding.ALAW: _ALAW_MAGNITUDE}.get(audio_format.encoding)
        self._usual_steps: float | None = None
        self._peak_steps = 0.0
        self._floor_steps = 0.0  # the softest the line has lately been
        self.has_risen = False
        """The last frame was louder than those before it."""
        self.is_low = True
        """The last frame was softer than a voice that goes on."""
        self.has_fallen = False
        """It was softer than those before it, too."""
        self.is_quiet = True
        """The last frame was too soft to hold a word, or no louder than the line's own noise."""

    def hear(self, content: bytes) -> None:
        """Take the next frame, of any length."""
        if not content:
            return
        steps = self._steps(content)
        difference = 0.0 if self._usual_steps is None else steps - self._usual_steps
        self._usual_steps = steps if self._usual_steps is None else self._usual_steps + _MEMORY * difference
        self._peak_steps = max(steps, self._peak_steps + _PEAK_DECAY * (steps - self._peak_steps))
        self.has_risen = difference > _CHANGE_STEPS
        self.is_low = steps < self._peak_steps - _LOUD_STEPS
        self.has_fallen = self.is_low and difference < -_CHANGE_STEPS
        self._floor_steps = min(steps, self._floor_steps + _FLOOR_RISE)
        self.is_quiet = steps < max(_QUIET_STEPS, self._floor_steps + _NOISE_STEPS)

    def _steps(self, content: bytes) -> float:
        if self._magnitudes is not None:
            return sum(content.translate(self._magnitudes)) / len(content)
        mean = float(np.abs(np.frombuffer(content, dtype="<i2").astype(np.float32)).mean())
        return _STEPS_PER_DOUBLING * log2(1 + mean / _BIAS)
