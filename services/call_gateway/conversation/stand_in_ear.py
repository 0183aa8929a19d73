"""A plain energy detector that stands in for the ear while its stream is being opened anew.

It knows no words: it can silence the agent and, when the sound lasts, stop it; nothing more is asked of it.
"""

import numpy as np

from services.audio.pcm import AudioFormat, TornSample, decode
from services.call_gateway.conversation.events import SpeechBegan, SpeechStopped

SPEECH_OVER_NOISE = 4.0  # as a factor of amplitude: 12 dB
FAINTEST_SPEECH = 300.0  # root mean square of int16 samples: about -41 dBFS
BEGIN_MS = 60  # of loud sound; a click is shorter
STOP_MS = 200  # of silence
NOISE_MEMORY = 0.95  # of the noise level, for each quiet chunk


class StandInEar:
    """Loud is speech."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._per_ms = audio_format.sample_rate_hertz // 1000
        self._noise = FAINTEST_SPEECH / SPEECH_OVER_NOISE
        self._loud_since: int | None = None
        self._quiet_since: int | None = None
        self._is_speech = False

    def rest(self) -> None:
        """The ear listens again: forget what was heard."""
        self._loud_since = self._quiet_since = None
        self._is_speech = False

    def hear(self, start_sample: int, content: bytes) -> SpeechBegan | SpeechStopped | None:
        """A chunk of the caller's sound; says when speech began or stopped in it."""
        try:
            samples = decode(self._format, content).astype(np.float32)
        except TornSample:
            return None
        if not len(samples):
            return None
        level = float(np.sqrt(np.mean(samples**2)))
        end_sample = start_sample + len(samples)
        if level >= max(FAINTEST_SPEECH, SPEECH_OVER_NOISE * self._noise):
            return self._hear_loud(start_sample, end_sample)
        self._noise += (1 - NOISE_MEMORY) * (level - self._noise)
        return self._hear_quiet(start_sample, end_sample)

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
