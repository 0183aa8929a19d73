"""A plain energy detector that stands in for the ear while its stream is being opened anew.

It knows no words: it can silence the agent and, when the sound lasts, stop it; nothing more is asked of it. What is
loud depends on the line: the quietest tenth of the last three seconds is its noise.
"""

from collections import deque
from collections.abc import Iterable

import numpy as np

from services.audio.pcm import AudioFormat, TornSample, decode
from services.call_gateway.conversation.events import SpeechBegan, SpeechStopped

SPEECH_OVER_NOISE = 4.0  # as a factor of amplitude: 12 dB
FAINTEST_SPEECH = 300.0  # root mean square of int16 samples: about -41 dBFS
BEGIN_MS = 60  # of loud sound; a click is shorter
STOP_MS = 200  # of silence
CHUNK_MS = 20
MEMORY_CHUNKS = 150  # three seconds
FEW_CHUNKS = 50  # tell nothing of the noise: all of them may be speech


class StandInEar:
    """Loud is speech."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._per_ms = audio_format.sample_rate_hertz // 1000
        self._levels: deque[float] = deque(maxlen=MEMORY_CHUNKS)
        self._loud_since: int | None = None
        self._quiet_since: int | None = None
        self._is_speech = False

    def rest(self) -> None:
        """The ear listens again: forget what was heard."""
        self._loud_since = self._quiet_since = None
        self._is_speech = False

    def recall(self, chunks: Iterable[tuple[int, bytes]]) -> None:
        """What the line sounded like before: (first sample, content) of any length, the newest last."""
        self._levels.clear()
        step = CHUNK_MS * self._per_ms * self._format.bytes_per_sample
        pieces = (content[at : at + step] for _, content in chunks for at in range(0, len(content), step))
        self._levels.extend(level for piece in pieces if (level := self._level(piece)) is not None)

    def hear(self, start_sample: int, content: bytes) -> SpeechBegan | SpeechStopped | None:
        """A chunk of the caller's sound; says when speech began or stopped in it."""
        level = self._level(content)
        if level is None:
            return None
        end_sample = start_sample + len(content) // self._format.bytes_per_sample
        is_loud = level >= max(FAINTEST_SPEECH, SPEECH_OVER_NOISE * self._noise())
        self._levels.append(level)
        return self._hear_loud(start_sample, end_sample) if is_loud else self._hear_quiet(start_sample, end_sample)

    def _noise(self) -> float:
        return sorted(self._levels)[len(self._levels) // 10] if len(self._levels) >= FEW_CHUNKS else 0.0

    def _level(self, content: bytes) -> float | None:
        """Root mean square; None for nothing, and for torn sound."""
        try:
            samples = decode(self._format, content).astype(np.float32)
        except TornSample:
            return None
        return float(np.sqrt(np.mean(samples**2))) if len(samples) else None

    def _hear_loud(self, start_sample: int, end_sample: int) -> SpeechBegan | None:
        self._quiet_since = None
        if self._loud_since is None:
            self._loud_since = start_sample
        if self._is_speech or end_sample - self._loud_since < BEGIN_MS * self._per_ms:
            return None
        self._is_speech = True
        return SpeechBegan(self._loud_since, score=0.5)

    def _hear_quiet(self, start_sample: int, end_sample: int) -> SpeechStopped | None:
        if not self._is_speech:
            self._loud_since = None
            return None
        if self._quiet_since is None:
            self._quiet_since = start_sample
        if end_sample - self._quiet_since < STOP_MS * self._per_ms:
            return None
        stopped = SpeechStopped(self._quiet_since, score=0.5)
        self.rest()
        return stopped
