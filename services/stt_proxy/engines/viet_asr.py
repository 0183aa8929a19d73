"""Engine `viet_asr`: the streaming Conformer-CTC for Vietnamese in the package viet-asr: words while the caller speaks.

Its author states Apache-2.0 and does not say on what it was trained, so it must be chosen (docs/LICENCES.md). It hears
a step of 0.44 s at a time, in 0.1 to 0.2 s on one thread.
"""

import asyncio
from collections.abc import Callable

import numpy as np

from services.audio.pcm import Samples
from services.audio.resample import Resampler
from services.runtime.errors import StartupError
from services.stt_proxy.engine import Hints, Report
from services.stt_proxy.following.ear import FollowingEar
from services.stt_proxy.following.sessions import LOCAL_LIMITS, SessionStream, SessionThreads, SessionWords
from services.stt_proxy.following.stream import StreamReport
from services.stt_proxy.recording import Recording
from services.stt_proxy.settings import SttSettings

RATE_HERTZ = 16000
FIRST_STEP_SAMPLES = 7200  # its steps: the first 0.45 s and then every 0.43 s
STEP_SAMPLES = 6880
CONTEXT_SAMPLES = 2560  # 160 ms that must follow a word in its step: words at its very end are lost
DITHER = 20.0  # of 32768, as on any real line: on digital silence the network's features are none it has seen


class VietAsrEngine:
    """Holds the network, which its library keeps once for all sessions."""

    name = "viet_asr"
    model = "viet-asr 0.1.0.dev11"
    language_codes: tuple[str, ...] = ("vi",)
    features = ("partial", "segments", "corrected")
    limits = LOCAL_LIMITS

    def __init__(self, settings: SttSettings) -> None:
        self._threads = SessionThreads("viet_asr", settings.decode_workers)
        self._pipeline: object = None

    async def load(self) -> None:
        self._pipeline = await asyncio.to_thread(self._build)

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> FollowingEar:
        return FollowingEar(
            self, call_id=call_id, recording=recording, sample_rate_hertz=sample_rate_hertz, hints=hints, report=report
        )

    def open(
        self, *, call_id: str, sample_rate_hertz: int, hints: Hints, report: Callable[[StreamReport], None]
    ) -> SessionStream:
        return SessionStream(
            self._threads,
            lambda: VietAsrSession(self._pipeline, sample_rate_hertz),
            report,
        )

    async def close(self) -> None:
        self._threads.close()

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
