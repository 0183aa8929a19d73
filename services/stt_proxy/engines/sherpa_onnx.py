"""Engine `sherpa_onnx`: transducers and CTC networks of next-generation Kaldi, NeMo and WeNet, by their folder.

STT_SHERPA_MODEL names a folder with tokens.txt and encoder*.onnx, decoder*.onnx, joiner*.onnx (a transducer) or
model*.onnx (CTC); where there are several, those without "int8" in their name. STT_SHERPA_KIND says what they are. The
`online` kinds follow the sound and say words while the caller speaks; the `offline` ones decode each stretch at its
pause.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from services.audio.pcm import Samples
from services.audio.resample import Resampler
from services.runtime.errors import StartupError
from services.runtime.metrics import StageMetrics
from services.stt_proxy.admission import UTTERANCE_S, Stopwatch, calls_by_decode
from services.stt_proxy.decoding import DecodingPool, Done, Job, Purpose, Refused
from services.stt_proxy.engine import EngineCall, Heard, Hints, Report, Speech, Unheard
from services.stt_proxy.following.local import LocalEngine
from services.stt_proxy.following.sessions import SessionWords
from services.stt_proxy.recording import Recording
from services.stt_proxy.settings import SttSettings

RATE_HERTZ = 16000
GAP_S = 0.3  # silence put between stretches that lay far apart
TAIL_S = 0.3  # behind the last word, which such networks else lose
FLUSH_MS = 500
KINDS = {
    "online_transducer": ("OnlineRecognizer", "from_transducer"),
    "online_zipformer_ctc": ("OnlineRecognizer", "from_zipformer2_ctc"),
    "online_nemo_ctc": ("OnlineRecognizer", "from_nemo_ctc"),
    "online_wenet_ctc": ("OnlineRecognizer", "from_wenet_ctc"),
    "offline_transducer": ("OfflineRecognizer", "from_transducer"),
    "offline_zipformer_ctc": ("OfflineRecognizer", "from_zipformer_ctc"),
    "offline_nemo_ctc": ("OfflineRecognizer", "from_nemo_ctc"),
    "offline_wenet_ctc": ("OfflineRecognizer", "from_wenet_ctc"),
}


class SherpaEngine(LocalEngine):
    """Engine with one recogniser, whose networks all streams share."""

    name = "sherpa_onnx"

    def __init__(self, settings: SttSettings) -> None:
        super().__init__(n_threads=settings.decode_workers)
        self._settings = settings
        self._is_online = settings.sherpa_kind.startswith("online")
        self.model = Path(settings.sherpa_model).name
        self.language_codes: tuple[str, ...] = tuple(settings.sherpa_languages)
        self.features: tuple[str, ...] = ("partial", "corrected", "segments") if self._is_online else ()
        self._pool = DecodingPool[str](
            n_workers=settings.decode_workers,
            draft_queue_limit_ms=settings.draft_queue_limit_ms,
            metrics=StageMetrics("stt"),
        )
        self._recogniser: Any = None

    async def load(self) -> None:
        self._recogniser = await asyncio.to_thread(self._open)
        await asyncio.to_thread(self.measure)

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> EngineCall:
        if not self._is_online:
            return OfflineCall(self._recogniser, self._pool, hints, report)
        return super().listen(
            call_id=call_id, recording=recording, sample_rate_hertz=sample_rate_hertz, hints=hints, report=report
        )

    def open_session(self, sample_rate_hertz: int, hints: Hints) -> "OnlineSession":
        return OnlineSession(self._recogniser, sample_rate_hertz)

    def measure(self) -> None:
        if self._is_online:
            super().measure()
            return
        hiss = np.random.default_rng(1).integers(-300, 300, int(UTTERANCE_S * RATE_HERTZ), dtype=np.int16)
        with Stopwatch() as watch:
            decode_offline(self._recogniser, hiss)
        self.capacity = calls_by_decode(watch.compute_s, self._pool.n_workers)

    async def close(self) -> None:
        await super().close()
        self._pool.close()

    def _open(self) -> Any:
        import sherpa_onnx  # noqa: PLC0415 - its library comes up only where it is chosen

        kind = self._settings.sherpa_kind
        if kind not in KINDS:
            raise StartupError(f"STT_SHERPA_KIND={kind} is not known: use one of {', '.join(KINDS)}")
        folder = Path(self._settings.sherpa_model).expanduser()
        files = model_files(folder, is_transducer=kind.endswith("transducer"))
        class_name, maker = KINDS[kind]
        try:
            recogniser = getattr(getattr(sherpa_onnx, class_name), maker)(**files, num_threads=1)
            silence = np.zeros(RATE_HERTZ, dtype=np.int16)
            if self._is_online:
                OnlineSession(recogniser, RATE_HERTZ).accept(silence)
            else:
                decode_offline(recogniser, silence)
        except Exception as error:  # the library raises RuntimeError and ValueError without a common base
            raise StartupError(f"STT_SHERPA_MODEL={folder} cannot be loaded as {kind}: {error}") from error
        return recogniser


def model_files(folder: Path, *, is_transducer: bool) -> dict[str, str]:
    """Return the files of a model by their kind. Raises StartupError, naming the one that is missing."""
    parts = ("encoder", "decoder", "joiner") if is_transducer else ("model",)
    tokens = folder / "tokens.txt"
    if not tokens.is_file():
        raise StartupError(f"STT_SHERPA_MODEL={folder}: tokens.txt is missing")
    found = {"tokens": str(tokens)}
    for part in parts:
        candidates = sorted(folder.glob(f"{part}*.onnx"), key=lambda path: ("int8" in path.name, path.name))
        if not candidates:
            raise StartupError(f"STT_SHERPA_MODEL={folder}: {part}*.onnx is missing")
        found[part] = str(candidates[0])
    return found


class OnlineSession:
    """One stream of an online recogniser."""

    def __init__(self, recogniser: Any, sample_rate_hertz: int) -> None:
        self._recogniser = recogniser
        self._stream = recogniser.create_stream()
        self._resampler = Resampler(sample_rate_hertz, RATE_HERTZ)
        self._call_rate = sample_rate_hertz

    def accept(self, samples: Samples) -> SessionWords:
        sound = self._resampler.push(samples).astype(np.float32) / 32768.0
        self._stream.accept_waveform(RATE_HERTZ, sound)
        while self._recogniser.is_ready(self._stream):
            self._recogniser.decode_stream(self._stream)
        return SessionWords(open_text=self._recogniser.get_result(self._stream).strip())

    def flush(self) -> tuple[SessionWords, int]:
        n_samples = FLUSH_MS * self._call_rate // 1000
        return self.accept(np.zeros(n_samples, dtype=np.int16)), n_samples

    def close(self) -> None:
        del self._stream


def decode_offline(recogniser: Any, sound: Samples) -> str:
    """The words of sound at 16 kHz. Blocks."""
    stream = recogniser.create_stream()
    stream.accept_waveform(RATE_HERTZ, sound.astype(np.float32) / 32768.0)
    recogniser.decode_stream(stream)
    return str(stream.result.text).strip()


def decode_speech(recogniser: Any, speech: Speech) -> str:
    """The words of one Speech. Blocks."""
    gap = np.zeros(int(GAP_S * RATE_HERTZ), dtype=np.int16)
    parts: list[Samples] = []
    for clip in speech.clips:
        parts += [soxr.resample(clip.samples, speech.sample_rate_hertz, RATE_HERTZ, quality="HQ"), gap]
    if not parts:
        return ""
    return decode_offline(recogniser, np.concatenate([*parts[:-1], np.zeros(int(TAIL_S * RATE_HERTZ), np.int16)]))


class OfflineCall:
    """One call on an offline recogniser: every recognition is a job of its own."""

    listened_to = wanted_from = None  # it listens to what it is asked of

    def __init__(
        self, recogniser: Any, pool: DecodingPool[str], hints: Hints, report: Callable[[Report], None]
    ) -> None:
        self._recogniser = recogniser
        self._pool = pool
        self._hints = hints
        self._report = report
        self._is_closed = False
        self._jobs: dict[int, Job[str]] = {}

    @property
    def is_busy(self) -> bool:
        return self._pool.is_busy_for(self)

    def feed(self, start_sample: int, samples: Samples) -> None:
        """Do nothing: only what is asked for is decoded."""

    def rest(self, to_sample: int) -> None:
        """Do nothing: there is no stream to keep in step."""

    def reach(self, sample: int) -> None:
        """Do nothing: each Speech brings its own sound."""

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        """Do nothing: edges of speech are not used."""

    def end(self, utterance_id: int, end_sample: int) -> None:
        """Do nothing: an utterance needs no closing."""

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        self._jobs = {request_id: job for request_id, job in self._jobs.items() if not job.is_answered}
        self._jobs[speech.request_id] = self._pool.submit(
            self,
            Purpose.SETTLED if is_final else Purpose.DRAFT,
            lambda _: decode_speech(self._recogniser, speech),
            partial(self._answer, speech),
            about=speech.utterance_id,
        )

    def prepare(self, speech: Speech) -> None:
        """Do nothing: a stretch is decoded as a whole."""

    def cancel(self, request_id: int) -> None:
        if (job := self._jobs.pop(request_id, None)) is not None:
            self._pool.cancel(job)

    def forget(self, from_sample: int, to_sample: int) -> None:
        """Do nothing: no sound is kept."""

    def attend(self, hints: Hints) -> None:
        self._hints = hints

    def finish(self) -> None:
        """Do nothing: every request is answered anyway."""

    def close(self) -> None:
        self._is_closed = True
        self._pool.leave(self)

    def _answer(self, speech: Speech, done: Done[str] | Refused) -> None:
        if self._is_closed:
            return
        if isinstance(done, Refused):
            self._report(Unheard(speech.request_id, done.reason, done.message))
            return
        language = self._hints.language_codes[0] if self._hints.language_codes else ""
        self._report(Heard(speech.request_id, done.value, language, queue_us=done.queue_us, compute_us=done.compute_us))
