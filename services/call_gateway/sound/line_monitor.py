"""Line monitor: measures ten times a second whether a line carries music, a tone or a voice, and notices that packets
stay away.
"""

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import AudioFormat, decode
from services.call_gateway.line import LineMeasured, MediaIdle, PacketsMissing
from services.call_gateway.sound.track import Frame

MEASURE_EVERY_MS: Final = 100
LOUD: Final = 328.0  # root mean square of 16-bit samples: -40 dBFS, louder than a quiet room on a telephone
MODULATED: Final = 2.0  # as a factor of the quietest in the last seconds: steadier is noise
TONAL: Final = 0.6  # of the energy in one narrow band: steady, and yet no noise
MEMORY: Final = 30  # measurements: three seconds


class LineMonitor:
    """Watches the caller's direction of one line."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._step_samples = MEASURE_EVERY_MS * audio_format.sample_rate_hertz // 1000
        self._levels: deque[float] = deque(maxlen=MEMORY)
        self._next_sample = 0
        self._window = np.hanning(0)
        self._last_packet_sample = 0  # where the last packet's sound ended
        self._has_packet_come = False

    def observe(self, frame: Frame) -> LineMeasured | None:
        """Take the next frame; returns a measurement where one is due."""
        self._has_packet_come, self._last_packet_sample = True, frame.end_sample
        if frame.end_sample < self._next_sample:
            return None
        self._next_sample = frame.end_sample + self._step_samples
        if len(frame.content) % self._format.bytes_per_sample == 0:
            self._levels.append(frame.level)
        if frame.level < LOUD:
            return LineMeasured(frame.end_sample, frame.level, is_sound=False, peak_hertz=0)
        samples = decode(self._format, frame.content).astype(np.float32)
        if len(samples) != len(self._window):
            self._window = np.hanning(len(samples))
        powers = np.abs(np.fft.rfft(samples * self._window)) ** 2
        peak = int(powers.argmax())
        hertz = peak * self._format.sample_rate_hertz // len(samples)
        is_sound = frame.level >= MODULATED * min(self._levels) or _is_tone(powers, peak)
        return LineMeasured(frame.end_sample, frame.level, is_sound=is_sound, peak_hertz=hertz)

    def on_idle(self, idle: MediaIdle) -> PacketsMissing:
        """The line's clock went on and no packet came."""
        n_samples = idle.to_sample - self._last_packet_sample
        return PacketsMissing(idle.to_sample, n_samples, has_packet_come=self._has_packet_come, reason=idle.reason)


def _is_tone(powers: NDArray[np.float32], peak: int) -> bool:
    return float(powers[max(0, peak - 2) : peak + 3].sum()) >= TONAL * float(powers.sum())
