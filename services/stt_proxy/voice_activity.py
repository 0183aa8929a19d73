"""Voice activity detection by Silero VAD (https://github.com/snakers4/silero-vad) at 8 kHz, batched over calls."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from services.audio.pcm import Samples
from services.runtime.errors import StartupError
from services.runtime.watchdog import ENGINE_THREADS
from services.stt_proxy.errors import DetectorFailed
from services.stt_proxy.metrics import VAD_BATCH_CALLS

CONTEXT_SAMPLES = 32  # the end of the window before, which the network wants in front
WINDOW_SAMPLES = 256
STATE_SIZE = 128
MAX_BATCH_CALLS = 64
LONGEST_BATCH_S = 5.0  # 64 windows take milliseconds; loading the network takes longest
SMALL_BATCH_CALLS = 8
"""Scored on the event loop in some 0.3 ms: the way to the thread and back costs more than half of that."""
MOST_CALLS_A_TURN = 8
"""Scores passed on in one turn of the event loop: what follows on each takes 0.2 ms, and nothing is read meanwhile."""

Scores = NDArray[np.float32]


class Watch(Protocol):
    """The detector's state of one call."""

    def score(self, window: Samples, *, is_fresh: bool) -> None:
        """Begin to score a window, (256,) int16 at 8 kHz; the score goes to the call's `deliver`. One window at a
        time.
        """

    def close(self) -> None:
        """Deliver no more."""


class Detector(Protocol):
    """Voice activity detector: scores windows of many calls."""

    def watch(self, deliver: Callable[[float], None], fail: Callable[[Exception], None]) -> Watch:
        """Begin with a call. Each score, 0 to 1, is delivered on the event loop; `fail` says that no more will come."""


class SileroNetwork:
    """The network and its memory of each slot. Used by one thread at a time."""

    def __init__(self, model_file: Path, *, n_slots: int) -> None:
        """Raises StartupError when the file is no such network."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(model_file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions have no common base
            raise StartupError(f"the voice detector {model_file} cannot be loaded: {error}") from error
        self._rate = np.array(8000, dtype=np.int64)
        self._state = np.zeros((2, n_slots, STATE_SIZE), dtype=np.float32)
        self._context = np.zeros((n_slots, CONTEXT_SAMPLES), dtype=np.float32)

    def score(self, slots: list[int], fresh: list[int], windows: list[Samples]) -> Scores:
        """Score one window each of the calls in `slots`, which differ; those in `fresh` forget first. Returns (n,), 0
        to 1.
        """
        if fresh:
            self._state[:, fresh] = 0.0
            self._context[fresh] = 0.0
        sound = np.empty((len(slots), CONTEXT_SAMPLES + WINDOW_SAMPLES), dtype=np.float32)
        sound[:, :CONTEXT_SAMPLES] = self._context[slots]
        np.divide(np.stack(windows), 32768.0, out=sound[:, CONTEXT_SAMPLES:], casting="unsafe")
        scores, state = self._session.run(None, {"input": sound, "state": self._state[:, slots], "sr": self._rate})
        self._state[:, slots] = state
        self._context[slots] = sound[:, -CONTEXT_SAMPLES:]
        return np.asarray(scores, dtype=np.float32)[:, 0]


@dataclass(frozen=True, slots=True)
class _Waiting:
    watch: "SileroWatch"
    window: Samples
    is_fresh: bool


class SileroDetector:
    """Gathers windows of all calls into batches, large ones run in a thread of its own.

    A batch leaves when every call has a window in it, at the latest `batch_wait_s` after its first, at once where it
    goes on with sound that has waited, and never while another is under way.
    """

    def __init__(self, *, n_slots: int, batch_wait_s: float) -> None:
        self._batch_wait_s = batch_wait_s
        self._n_slots = n_slots
        self._free = list(range(n_slots - 1, -1, -1))
        self._watch = ENGINE_THREADS.add("voice detector", longest_call_s=LONGEST_BATCH_S)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vad", initializer=self._watch.enter)
        self._network: SileroNetwork | None = None
        self._waiting: list[_Waiting] = []
        self._n_open = 0
        self._is_running = False
        self._due: asyncio.Handle | None = None  # of the next batch
        self._is_due_at_once = False

    async def load(self, model_file: Path) -> None:
        """Load the network and run it once. Raises StartupError."""
        loop = asyncio.get_running_loop()
        self._network = await loop.run_in_executor(self._thread, self._open_network, model_file)

    def watch(self, deliver: Callable[[float], None], fail: Callable[[Exception], None]) -> "SileroWatch":
        slot = self._free.pop()
        self._n_open += 1
        return SileroWatch(self, slot, deliver, fail)

    def close(self) -> None:
        """Stop the thread."""
        self._watch.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _open_network(self, model_file: Path) -> SileroNetwork:
        network = SileroNetwork(model_file, n_slots=self._n_slots)
        network.score([0], [0], [np.zeros(WINDOW_SAMPLES, dtype=np.int16)])
        return network

    def _add(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._consider()

    def _leave(self, watch: "SileroWatch") -> None:
        self._n_open -= 1
        self._waiting = [waiting for waiting in self._waiting if waiting.watch is not watch]
        self._free.append(watch.slot)

    def _consider(self) -> None:
        """Send a batch off when it is time."""
        if self._is_running or self._is_due_at_once or not self._waiting:
            return
        if len(self._waiting) >= min(self._n_open, MAX_BATCH_CALLS):
            self._run_at_once()
        elif self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._batch_wait_s, self._run)

    def _run_at_once(self) -> None:
        self._forget_due()
        self._is_due_at_once = True
        self._due = asyncio.get_running_loop().call_soon(self._run)  # not from within what a score has led to

    def _forget_due(self) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due, self._is_due_at_once = None, False

    def _run(self) -> None:
        self._forget_due()
        if self._is_running or not self._waiting or self._network is None:
            return
        batch, self._waiting = self._waiting[:MAX_BATCH_CALLS], self._waiting[MAX_BATCH_CALLS:]
        VAD_BATCH_CALLS.observe(len(batch))
        self._is_running = True
        score = partial(
            self._network.score,
            [waiting.watch.slot for waiting in batch],
            [waiting.watch.slot for waiting in batch if waiting.is_fresh],
            [waiting.window for waiting in batch],
        )
        if len(batch) <= SMALL_BATCH_CALLS:
            self._deliver(batch, score)
            return
        loop = asyncio.get_running_loop()
        running = self._thread.submit(self._score, score)
        running.add_done_callback(lambda done: loop.call_soon_threadsafe(self._deliver, batch, done.result))

    def _score(self, score: Callable[[], Scores]) -> Scores:
        with self._watch.call():
            return score()

    def _deliver(self, batch: list[_Waiting], scores: Callable[[], Scores]) -> None:
        try:
            by_call = scores().tolist()
        except Exception as error:  # onnxruntime's own exceptions have no common base
            for waiting in batch:
                waiting.watch.lose(DetectorFailed(f"the voice detector failed: {error}; open a new stream"))
            by_call, batch = [], []
        self._pass_on(list(zip(batch, by_call, strict=True)))

    def _pass_on(self, scored: list[tuple[_Waiting, float]], n_followed: int = 0) -> None:
        """Pass scores on, a few in each turn of the event loop. `n_followed`: windows that followed on earlier ones."""
        n_waiting = len(self._waiting)
        for waiting, score in scored[:MOST_CALLS_A_TURN]:
            waiting.watch.receive(score)
        n_followed += len(self._waiting) - n_waiting
        if later := scored[MOST_CALLS_A_TURN:]:
            asyncio.get_running_loop().call_soon(self._pass_on, later, n_followed)
            return
        self._is_running = False
        if n_followed > 0:
            self._run_at_once()  # the next windows of chunks that have waited once
        else:
            self._consider()


class SileroWatch:
    """One call's place in the batches."""

    def __init__(
        self,
        detector: SileroDetector,
        slot: int,
        deliver: Callable[[float], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self.slot = slot
        self._detector = detector
        self._deliver = deliver
        self._fail = fail
        self._is_closed = False
        self._is_first = True

    def score(self, window: Samples, *, is_fresh: bool) -> None:
        self._detector._add(_Waiting(self, window, is_fresh or self._is_first))
        self._is_first = False

    def receive(self, score: float) -> None:
        """Take the scores of the batch. A call that fails on its score is lost alone, not with those beside it."""
        if self._is_closed:
            return
        try:
            self._deliver(score)
        except Exception as error:
            self._fail(error)

    def lose(self, error: Exception) -> None:
        """The batch failed."""
        if not self._is_closed:
            self._fail(error)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._detector._leave(self)
