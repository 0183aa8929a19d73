"""Smart Turn v3 (https://github.com/pipecat-ai/smart-turn): a Whisper encoder that judges the last eight seconds.

It was trained on wideband speech; what it is worth on telephone sound has to be measured on one's own calls.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import soxr
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from services.runtime.errors import StartupError
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.models import model_dir
from services.runtime.watchdog import ENGINE_THREADS
from services.stt_proxy.engine import Speech
from services.stt_proxy.settings import SttSettings

RATE_HERTZ = 16000
CONTEXT_S = 8
MEL_BINS = 80
FRAMES = 800  # of 10 ms
MODEL, MODEL_FILE = "smart-turn", "smart-turn-v3.2-cpu.onnx"
INPUT_NAME = "input_features"  # (1, 80, 800) float32
MAX_WAITING = 8
LONGEST_JUDGEMENT_S = 5.0  # eight seconds of sound take tens of milliseconds

log = get_logger(__name__)


class SmartTurn:
    """Smart Turn v3 in a thread of its own. More than `MAX_WAITING` questions at once are dropped and counted."""

    def __init__(self, settings: SttSettings) -> None:
        self._file = settings.end_of_turn_model or _fetched(settings.models_dir)
        self._watch = ENGINE_THREADS.add("end of turn", longest_call_s=LONGEST_JUDGEMENT_S)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="end-of-turn", initializer=self._watch.enter)
        self._dropped = StageMetrics("stt").queue_dropped_total("end_of_turn")
        self._n_waiting = 0
        self._session: onnxruntime.InferenceSession | None = None
        self._features = FeatureExtractor(feature_size=MEL_BINS, sampling_rate=RATE_HERTZ, chunk_length=CONTEXT_S)

    async def load(self) -> None:
        self._session = await asyncio.get_running_loop().run_in_executor(self._thread, _open, self._file)

    def judge(self, speech: Speech, deliver: Callable[[float], None]) -> None:
        if self._n_waiting >= MAX_WAITING:
            self._dropped.inc()
            return
        self._n_waiting += 1
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._judge, speech)
        running.add_done_callback(partial(self._answer, deliver))

    async def close(self) -> None:
        self._watch.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _answer(self, deliver: Callable[[float], None], running: "asyncio.Future[float]") -> None:
        self._n_waiting -= 1
        if running.cancelled():
            return
        if (error := running.exception()) is not None:
            log.error("end_of_turn_failed", error=f"{type(error).__name__}: {error}")
        else:
            deliver(running.result())

    def _judge(self, speech: Speech) -> float:
        assert self._session is not None, "load comes first"  # noqa: S101 - an invariant, for the reader
        mel = self._features(last_seconds(speech), padding=0)[:, :FRAMES]
        with self._watch.call():
            (probability, *_) = self._session.run(None, {INPUT_NAME: mel[np.newaxis].astype(np.float32)})
        return min(1.0, max(0.0, float(np.ravel(probability)[0])))


def last_seconds(speech: Speech) -> NDArray[np.float32]:
    """The end of the utterance at 16 kHz, (128000,), zeros before it where it is shorter; mean 0, variance 1."""
    sound = np.zeros(CONTEXT_S * RATE_HERTZ, dtype=np.float32)
    clips = [clip.samples for clip in speech.clips if len(clip.samples)]
    if clips:
        heard = np.concatenate(clips)[-CONTEXT_S * speech.sample_rate_hertz :].astype(np.float32) / 32768.0
        wide = soxr.resample(heard, speech.sample_rate_hertz, RATE_HERTZ, quality="HQ")[-len(sound) :]
        sound[len(sound) - len(wide) :] = wide
    normal: NDArray[np.float32] = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    return normal


def _fetched(models_dir: Path) -> Path | None:
    """The network that `make models MODELS=smart-turn` has fetched."""
    file = models_dir / MODEL / MODEL_FILE
    return model_dir(models_dir, MODEL) / MODEL_FILE if file.is_file() else None


def _open(file: Path | None) -> onnxruntime.InferenceSession:
    if file is None:
        raise StartupError(
            "STT_END_OF_TURN=smart_turn needs its network: make models MODELS=smart-turn, or another of the same shape "
            "by STT_END_OF_TURN_MODEL=path/to/smart-turn.onnx"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        session.run(None, {INPUT_NAME: np.zeros((1, MEL_BINS, FRAMES), dtype=np.float32)})
    except Exception as error:  # onnxruntime's own exceptions have no common base
        raise StartupError(f"STT_END_OF_TURN_MODEL={file} is no Smart Turn network: {error}") from error
    return session
