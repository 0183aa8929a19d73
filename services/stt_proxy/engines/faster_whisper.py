"""Engine `faster_whisper`: Whisper on CTranslate2, each utterance decoded at its pauses, many calls on one model."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from services.audio.pcm import Samples
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.models import model_dir, read_models
from services.stt_proxy.admission import Stopwatch, calls_by_decode
from services.stt_proxy.decoding import Batchable, DecodingPool, Done, Job, Purpose, Refused
from services.stt_proxy.engine import Heard, Hints, Partial, Report, Span, Speech, Unheard
from services.stt_proxy.long_speech import Decoded, DecodedPieces
from services.stt_proxy.recording import Clip, Recording
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.whisper_decoding import ShortContextWhisper
from services.stt_proxy.whisper_model import WhisperOptions
from services.stt_proxy.whisper_pieces import LONGEST_PIECE_S

WARM_UP_SAMPLES = 24_000  # three seconds, as admission.py takes an utterance to be
MOST_BATCHED_S = 5.0  # with the silence between four clips it fits the shortest context
WARM_UPS = 3  # the quickest counts: the first reads the weights

log = get_logger(__name__)


class FasterWhisperEngine:
    """Engine with one Whisper model and its workers."""

    name = "faster_whisper"

    def __init__(self, settings: SttSettings) -> None:
        self.model = Path(settings.whisper_model).name
        self.features: tuple[str, ...] = ("language_detection", "punctuation", "segments")
        self.features += ("words",) * settings.whisper_words + ("partial",) * bool(settings.whisper_live_ms)
        self.language_codes: tuple[str, ...] = ()
        self.capacity = 0  # calls it can serve here; 0 until it is loaded
        self._settings = settings
        self._pool = DecodingPool[Decoded | dict[str, float] | None](
            n_workers=settings.decode_workers,
            draft_queue_limit_ms=settings.draft_queue_limit_ms,
            batch_size=settings.decode_batch,
            metrics=StageMetrics("stt"),
        )
        self._whisper: ShortContextWhisper | None = None

    async def load(self) -> None:
        self._whisper = await asyncio.to_thread(self._open)
        self.language_codes = self._whisper.languages

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> "WhisperCall":
        assert self._whisper is not None, "load comes first"  # noqa: S101 - an invariant, for the reader
        return WhisperCall(self._whisper, self._pool, hints, report, live_ms=self._settings.whisper_live_ms)

    def detect(
        self, speech: Speech, languages: tuple[str, ...], deliver: Callable[[Mapping[str, float]], None]
    ) -> None:
        """Have the probability of each language delivered, 0 to 1."""
        whisper = self._whisper
        assert whisper is not None, "load comes first"  # noqa: S101 - an invariant, for the reader

        def answer(done: Done[Decoded | dict[str, float] | None] | Refused) -> None:
            deliver(done.value if isinstance(done, Done) and isinstance(done.value, dict) else {})

        self._pool.submit(
            (self, speech.utterance_id, id(deliver)),
            Purpose.SETTLED,
            lambda _: whisper.detect(speech, languages),
            answer,
        )

    async def close(self) -> None:
        self._pool.close()

    def _open(self) -> ShortContextWhisper:
        settings = self._settings
        is_listed = settings.whisper_model in read_models()
        folder = model_dir(settings.models_dir, settings.whisper_model) if is_listed else Path(settings.whisper_model)
        options = WhisperOptions(
            settings.whisper_device, settings.whisper_compute_type, settings.whisper_beam_size,
            settings.whisper_words, settings.whisper_lone_threads,
        )  # fmt: skip
        whisper = ShortContextWhisper(folder.expanduser(), n_workers=self._pool.n_workers, options=options)
        hiss = np.random.default_rng(1).integers(-300, 300, WARM_UP_SAMPLES, dtype=np.int16)
        speech = Speech(0, 0, (Span(0, WARM_UP_SAMPLES),), (Clip(0, hiss),), 8000)
        took_s = []
        for _ in range(WARM_UPS):
            with Stopwatch() as watch:
                whisper.write(speech, "en")
            took_s.append(watch.compute_s)
        self.capacity = calls_by_decode(min(took_s), self._pool.n_workers)
        log.info("engine_measured", engine=self.name, calls=self.capacity)
        return whisper


class WhisperCall:
    """One call on Whisper: every recognition is a job of its own."""

    listened_to = wanted_from = None  # it listens to what it is asked of

    def __init__(
        self,
        whisper: ShortContextWhisper,
        pool: DecodingPool[Decoded | dict[str, float] | None],
        hints: Hints,
        report: Callable[[Report], None],
        *,
        live_ms: int = 0,
    ) -> None:
        """`live_ms`: a partial each so many milliseconds of speech that goes on; 0: none."""
        self.prepare_every_ms = live_ms or None
        self._live: Job[Decoded | dict[str, float] | None] | None = None
        self._whisper = whisper
        self._pool = pool
        self._hints = hints
        self._report = report
        self._is_closed = False
        self._pieces = DecodedPieces()
        self._language = (
            self._languages[0] if self._languages else ""
        )  # the call's, until a long utterance tells another
        self._jobs: dict[int, Job[Decoded | dict[str, float] | None]] = {}  # by request

    @property
    def is_busy(self) -> bool:
        return self._pool.is_busy_for(self)

    def feed(self, start_sample: int, samples: Samples) -> None:
        """Do nothing: Whisper decodes only what it is asked for."""

    def rest(self, to_sample: int) -> None:
        """Do nothing: there is no stream to keep in step."""

    def reach(self, sample: int) -> None:
        """Do nothing: each Speech brings its own sound."""

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        """Do nothing: edges of speech are not used."""

    def end(self, utterance_id: int, end_sample: int) -> None:
        """Do nothing: an utterance needs no closing."""

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        decode = partial(
            self._whisper.decode,
            speech,
            self._languages,
            phrases=self._hints.phrases,
            pieces=self._pieces,
            current=self._language,
        )
        if self._live is not None:
            self._pool.cancel(self._live)  # what is asked for now holds all of it
        self._jobs[speech.request_id] = self._pool.submit(
            self,
            Purpose.SETTLED if is_final else Purpose.DRAFT,
            lambda stop: decode(stop=stop),
            partial(self._answer, speech),
            about=speech.utterance_id,
            batchable=self._batchable(speech),
        )
        self._jobs = {request_id: job for request_id, job in self._jobs.items() if not job.is_answered}

    def _batchable(self, speech: Speech) -> Batchable[Decoded | dict[str, float] | None] | None:
        """Speech of the shortest context can be decoded with that of other calls: all of it is padded alike."""
        n_samples = sum(len(clip.samples) for clip in speech.clips)
        if self._pieces.within(speech) or not 0 < n_samples <= MOST_BATCHED_S * speech.sample_rate_hertz:
            return None
        item = (speech, self._languages, self._hints.phrases, self._language)
        return Batchable(MOST_BATCHED_S, item, lambda items: list(self._whisper.decode_together(items)))

    def prepare(self, speech: Speech) -> None:
        if self.prepare_every_ms is not None:
            self._guess(speech)
        known = self._pieces.within(speech)
        begins = known[-1].end_sample if known else speech.clips[0].start_sample if speech.clips else 0
        if speech.end_sample - begins <= LONGEST_PIECE_S * speech.sample_rate_hertz:
            return
        ahead = partial(
            self._whisper.decode_ahead,
            speech,
            self._languages,
            phrases=self._hints.phrases,
            pieces=self._pieces,
            current=self._language,
        )
        self._pool.submit(
            self, Purpose.AHEAD, lambda stop: ahead(stop=stop), self._note_ahead, about=speech.utterance_id
        )

    def _guess(self, speech: Speech) -> None:
        """A partial of what was said so far, if no other work waits. Its complete pieces are kept for the draft."""
        if (self._live is not None and not self._live.is_answered) or not self._pool.has_idle_worker:
            return
        decode = partial(
            self._whisper.decode, speech, self._languages, phrases=(), pieces=self._pieces, current=self._language
        )
        self._live = self._pool.submit(
            self, Purpose.AHEAD, lambda stop: decode(stop=stop), partial(self._guessed, speech),
            about=("live", speech.utterance_id),
        )  # fmt: skip

    def _guessed(self, speech: Speech, done: Done[Decoded | dict[str, float] | None] | Refused) -> None:
        if self._is_closed or isinstance(done, Refused):
            return
        if isinstance(done.value, Decoded) and done.value.text:
            decoded = done.value
            self._report(Partial(decoded.text, speech.end_sample, self._tag(decoded.language), decoded.confidence))

    def cancel(self, request_id: int) -> None:
        if (job := self._jobs.pop(request_id, None)) is not None:
            self._pool.cancel(job)

    def forget(self, from_sample: int, to_sample: int) -> None:
        self._pieces.forget(from_sample, to_sample)

    def attend(self, hints: Hints) -> None:
        if hints.language_codes != self._hints.language_codes:
            self._pieces.clear()
        self._hints = hints
        if self._languages and self._language not in self._languages:
            self._language = self._languages[0]

    def finish(self) -> None:
        """Do nothing: every request is answered anyway."""

    def close(self) -> None:
        self._is_closed = True
        self._pool.leave(self)

    def _answer(self, speech: Speech, done: Done[Decoded | dict[str, float] | None] | Refused) -> None:
        if self._is_closed:
            return
        if isinstance(done, Refused):
            if done.reason == "DECODING_FAILED":
                log.error("decoding_failed", error=done.message)
            self._report(Unheard(speech.request_id, done.reason, done.message))
            return
        decoded = done.value
        assert isinstance(decoded, Decoded), "only other work has no text"  # noqa: S101 - an invariant, for the reader
        self._language = decoded.language or self._language
        self._report(
            Heard(
                request_id=speech.request_id,
                text=decoded.text,
                language_code=self._tag(decoded.language),
                confidence=decoded.confidence,
                segments=decoded.segments,
                queue_us=done.queue_us,
                compute_us=done.compute_us,
            )
        )

    def _note_ahead(self, done: Done[Decoded | dict[str, float] | None] | Refused) -> None:
        """Note a decode ahead; its text is in the pieces."""
        if isinstance(done, Refused) and done.reason == "DECODING_FAILED":
            log.error("decoding_failed", error=done.message)

    @property
    def _languages(self) -> tuple[str, ...]:
        """Whisper's codes of the languages that the call may speak."""
        return tuple(dict.fromkeys(code.split("-")[0].lower() for code in self._hints.language_codes))

    def _tag(self, language: str) -> str:
        """The language as the client named it: "vi" is "vi-VN" where that is what the call speaks."""
        return next((code for code in self._hints.language_codes if code.split("-")[0].lower() == language), language)
