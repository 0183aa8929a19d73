"""Whether the caller's level has just changed, cheaply: then sound goes on at once, else in longer chunks."""

from math import log2

import numpy as np

from services.audio.pcm import AudioFormat, Encoding

_MULAW_MAGNITUDE = bytes((~code & 0x7F) for code in range(256))
_ALAW_MAGNITUDE = bytes(((code ^ 0x55) & 0x7F) for code in range(256))
# A G.711 code without its sign is a logarithm of the magnitude: sixteen steps double it.
_STEPS_PER_DOUBLING = 16
_CHANGE_STEPS = 6  # about 2 dB between this frame and the mean of those before it
_MEMORY = 0.25  # weight of the newest frame in that mean


class Loudness:
    """Follows the level of one call, frame by frame."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._magnitudes = {Encoding.MULAW: _MULAW_MAGNITUDE, Encoding.ALAW: _ALAW_MAGNITUDE}.get(audio_format.encoding)
        self._usual_steps: float | None = None

    def has_changed(self, content: bytes) -> bool:
        """Take the next frame; True when it is louder or softer than what came before."""
        if not content:
            return False
        steps = self._steps(content)
        if self._usual_steps is None:
            self._usual_steps = steps
            return False
        difference = steps - self._usual_steps
        self._usual_steps += _MEMORY * difference
        return abs(difference) > _CHANGE_STEPS

    def _steps(self, content: bytes) -> float:
        if self._magnitudes is not None:
            return sum(content.translate(self._magnitudes)) / len(content)
        mean = float(np.abs(np.frombuffer(content, dtype="<i2").astype(np.float32)).mean())
        return _STEPS_PER_DOUBLING * log2(1 + mean)
