"""Engine `viet_asr`: the streaming Conformer-CTC for Vietnamese in the package viet-asr: words while the caller speaks.

Its author states Apache-2.0 and does not say on what it was trained, so it must be chosen (docs/LICENCES.md). The
network takes a step of 0.44 s at a time, in 0.1 to 0.2 s on one thread.
"""

import asyncio

import numpy as np

from services.audio.pcm import Samples
from services.audio.resample import Resampler
from services.runtime.errors import StartupError
from services.stt_proxy.engine import Hints
from services.stt_proxy.following.local import LocalEngine
from services.stt_proxy.following.sessions import SessionWords
from services.stt_proxy.settings import SttSettings

RATE_HERTZ = 16000
FIRST_STEP_SAMPLES = 7200  # its steps: the first 0.45 s and then every 0.43 s
STEP_SAMPLES = 6880
CONTEXT_SAMPLES = 2560  # 160 ms that must follow a word in its step: words at its very end are lost
DITHER = 20.0  # of 32768, as on any real line: on digital silence the network's features are none it has seen


class VietAsrEngine(LocalEngine):
    """Engine with the network, which its library keeps once for all sessions."""

    name = "viet_asr"
    model = "viet-asr 0.1.0.dev11"
    language_codes: tuple[str, ...] = ("vi",)
    features = ("partial", "corrected", "segments")

    def __init__(self, settings: SttSettings) -> None:
        super().__init__(n_threads=settings.decode_workers)
        self._pipeline: object = None

    async def load(self) -> None:
        self._pipeline = await asyncio.to_thread(self._build)
        await asyncio.to_thread(self.measure)

    def open_session(self, sample_rate_hertz: int, hints: Hints) -> "VietAsrSession":
        return VietAsrSession(self._pipeline, sample_rate_hertz)

    def _build(self) -> object:
        from vietasr import Pipeline  # noqa: PLC0415 - 90 MB of code and weights, only where it is chosen

        try:
            pipeline = Pipeline.new().add("vietasr").build()
            VietAsrSession(pipeline, RATE_HERTZ).accept(np.zeros(RATE_HERTZ, dtype=np.int16))
        except Exception as error:  # the library raises its own RuntimeError, and OSError where it is damaged
            raise StartupError(f"viet_asr: the recogniser cannot be loaded: {error}") from error
        return pipeline


class VietAsrSession:
    """One stream of the library."""

    def __init__(self, pipeline: object, sample_rate_hertz: int) -> None:
        self._session = pipeline.stream(RATE_HERTZ)  # type: ignore[attr-defined]
        self._resampler = Resampler(sample_rate_hertz, RATE_HERTZ)
        self._chance = np.random.default_rng(1)

        self._factor = RATE_HERTZ / sample_rate_hertz
        self._n_accepted = 0  # at 16 kHz
        self._n_pushed = 0  # the same, what the resampler holds included

    def accept(self, samples: Samples) -> SessionWords:
        self._n_pushed += round(len(samples) * self._factor)
        return self._take(self._resampler.push(samples))

    def flush(self) -> tuple[SessionWords, int]:
        """Silence to the end of the step that holds the newest sound and what must follow it."""
        n_steps = max(0, -(-(self._n_pushed + CONTEXT_SAMPLES - FIRST_STEP_SAMPLES) // STEP_SAMPLES))
        end = FIRST_STEP_SAMPLES + n_steps * STEP_SAMPLES
        n_padded = 0
        words = self._words()
        while self._n_accepted < end:
            n_samples = max(1, round((end - self._n_accepted) / self._factor))
            words = self.accept(np.zeros(n_samples, dtype=np.int16))
            n_padded += n_samples
        return words, n_padded

    def _take(self, resampled: Samples) -> SessionWords:
        self._n_accepted += len(resampled)
        sound = resampled.astype(np.float32)
        sound += self._chance.normal(0.0, DITHER, len(sound)).astype(np.float32)
        self._session.accept(np.clip(np.rint(sound), -32768, 32767).astype(np.int16))
        return self._words()

    def _words(self) -> SessionWords:
        return SessionWords(open_text=" ".join(self._session.partial().text.split()))

    def close(self) -> None:
        self._session.close()
