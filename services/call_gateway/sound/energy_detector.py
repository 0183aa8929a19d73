"""Voice activity detector by energy: stands in while the stream to the STT stage is lost.

It knows no words: what it finds can pause the agent and, when it lasts, stop it. What is loud depends on the line: the
quietest tenth of the last three seconds is its noise.
"""

from bisect import bisect_left, insort
from collections import deque
from typing import Final

from services.call_gateway.line import EnergyFell, EnergyRose
from services.call_gateway.sound.track import Frame

SPEECH_OVER_NOISE: Final = 4.0  # as a factor of amplitude: 12 dB
FAINTEST_SPEECH: Final = 300.0  # root mean square of 16-bit samples: about -41 dBFS
BEGIN_MS: Final = 60  # of loud sound; a click is shorter
STOP_MS: Final = 200  # of silence
MEMORY_FRAMES: Final = 150  # three seconds
FEW_FRAMES: Final = 50  # tell nothing of the noise: all of them may be speech


class EnergyDetector:
    """Takes loud sound for speech."""

    def __init__(self, sample_rate_hertz: int) -> None:
        self._per_ms = sample_rate_hertz // 1000
        self._levels: deque[float] = deque()
        self._sorted_levels: list[float] = []
        self._loud_since: int | None = None
        self._quiet_since: int | None = None
        self._is_speech = False

    def observe(self, frame: Frame) -> EnergyRose | EnergyFell | None:
        """Take the next frame; returns what began or ended with it."""
        is_loud = frame.level >= max(FAINTEST_SPEECH, SPEECH_OVER_NOISE * self._noise())
        self._remember(frame.level)
        return self._on_loud(frame) if is_loud else self._on_quiet(frame)

    def _noise(self) -> float:
        n_levels = len(self._levels)
        return self._sorted_levels[n_levels // 10] if n_levels >= FEW_FRAMES else 0.0

    def _remember(self, level: float) -> None:
        self._levels.append(level)
        insort(self._sorted_levels, level)
        if len(self._levels) > MEMORY_FRAMES:
            del self._sorted_levels[bisect_left(self._sorted_levels, self._levels.popleft())]

    def _on_loud(self, frame: Frame) -> EnergyRose | None:
        self._quiet_since = None
        if self._loud_since is None:
            self._loud_since = frame.start_sample
        if self._is_speech or frame.end_sample - self._loud_since < BEGIN_MS * self._per_ms:
            return None
        self._is_speech = True
        return EnergyRose(self._loud_since)

    def _on_quiet(self, frame: Frame) -> EnergyFell | None:
        if not self._is_speech:
            self._loud_since = None
            return None
        if self._quiet_since is None:
            self._quiet_since = frame.start_sample
        if frame.end_sample - self._quiet_since < STOP_MS * self._per_ms:
            return None
        fell = EnergyFell(self._quiet_since)
        self._loud_since = self._quiet_since = None
        self._is_speech = False
        return fell
