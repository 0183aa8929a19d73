"""One GPU and its thread: batches over calls, retries in smaller batches, and reports when the device is lost."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import Samples
from services.runtime.errors import EngineFailed
from services.runtime.logs import get_logger
from services.runtime.watchdog import ENGINE_THREADS, LostThread
from services.tts.nemo.plan import Agenda, Step, Window

LONGEST_STEP_S = 20.0  # a full batch on a processor in place of a GPU

log = get_logger(__name__)


class DeviceLost(Exception):
    """The device works no more; what was asked of it can be asked of another."""


class OutOfMemory(EngineFailed):
    """A single step does not fit into the device's memory."""

    reason = "OUT_OF_MEMORY"


@dataclass(frozen=True, slots=True)
class Text:
    """A clause for FastPitch."""

    language: str
    tokens: tuple[int, ...]
    speaker: int = 0
    pace: float = 1.0  # 1.0 is the voice's own
    pitch: float = 0.0  # added to the voice's own, in semitones


@dataclass(frozen=True, slots=True)
class Mel:
    """A clause between FastPitch and the vocoder."""

    frames: Any  # (n_mels, n_frames), a tensor on the device
    n_frames: int
    durations: NDArray[np.int64]  # frames of each token, (n_tokens,)


class Networks(Protocol):
    """The networks of one device; called from its thread only."""

    def spectra(self, texts: Sequence[Text]) -> list[Mel]:
        """Make spectrograms of texts of one language, each as it would be alone."""

    def vocode(self, parts: Sequence[tuple[Mel, Window]]) -> list[Samples]:
        """Vocode windows of one length; return the kept sound of each."""

    def is_out_of_memory(self, error: Exception) -> bool:
        """Return whether a step failed for lack of memory; memory that can be released is released."""

    def probe(self) -> None:
        """Raises when the device itself is lost."""


@dataclass(frozen=True, slots=True)
class Made:
    """The output of a step, and its cost."""

    result: Any  # Mel or Samples
    queue_us: int
    compute_us: int


@dataclass(eq=False, slots=True)
class _DeviceJob:
    part: Text | tuple[Mel, Window]
    future: "asyncio.Future[Made]"
    loop: asyncio.AbstractEventLoop
    asked_s: float = field(default_factory=time.monotonic)


Key = tuple[str, str | int, int]


class Device:
    """A queue of steps and one thread that takes them in batches.

    A batch that fails is made again one by one, so that one bad clause does not end the others; one that does not fit
    is halved, and the batches after it are no larger. A device whose `probe` fails, or whose thread hangs, is lost.
    """

    def __init__(
        self,
        name: str,
        networks: Networks,
        *,
        max_batch: int,
        gather_s: float,
        on_lost: Callable[["Device", str], bool],
    ) -> None:
        """`on_lost`: told once, on the event loop; True where others serve in its place."""
        self.name, self.max_batch, self.why_lost = name, max_batch, ""
        self.n_open = 0  # clauses under way, for the choice of a device
        self._networks, self._on_lost = networks, on_lost
        self._agenda: Agenda[Key, _DeviceJob] = Agenda(gather_s=gather_s)
        self._running: list[_DeviceJob] = []
        self._changed = threading.Condition()
        self._is_closed = self._is_told = False
        self._loop = asyncio.get_running_loop()
        self._watch = ENGINE_THREADS.add(f"nemo-{name}", longest_call_s=LONGEST_STEP_S, on_lost=self._on_thread_lost)
        self._thread = threading.Thread(target=self._work, name=f"nemo-{name}", daemon=True)
        self._thread.start()
        self._watch.watch(self._thread)

    @property
    def is_lost(self) -> bool:
        return bool(self.why_lost)

    async def spectrum(self, text: Text, *, bucket: int, due_s: float) -> Made:
        """A clause's spectrogram. Raises EngineFailed, DeviceLost."""
        return await self._ask(text, ("text", text.language, bucket), due_s, gathers=True)

    async def vocode(self, mel: Mel, window: Window, *, due_s: float) -> Made:
        """The sound of a window. Raises EngineFailed, DeviceLost."""
        return await self._ask((mel, window), ("window", window.n_frames, 0), due_s, gathers=False)

    def close(self, limit_s: float = 2.0) -> None:
        """Stop; wait for the step under way, at most `limit_s`."""
        self._watch.close()
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(limit_s)

    async def _ask(self, part: Text | tuple[Mel, Window], key: Key, due_s: float, *, gathers: bool) -> Made:
        job = _DeviceJob(part, self._loop.create_future(), self._loop)
        with self._changed:
            if self._is_closed or self.why_lost:
                raise DeviceLost(self.why_lost or "it is closed")
            self._agenda.add(Step(key, due_s, job.asked_s, job, gathers))
            self._changed.notify()
        return await job.future

    def _next(self) -> list[_DeviceJob] | None:
        with self._changed:
            while not self._is_closed:
                wait_s = self._agenda.wait_s(time.monotonic())
                if wait_s == 0.0:
                    batch = [job for job in self._agenda.take(self.max_batch) if not job.future.cancelled()]
                    if batch:
                        self._running = batch
                        return batch
                    continue
                self._changed.wait(wait_s)
            return None

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            self._run(batch)
            self._running = []
            if self.why_lost:
                return

    def _run(self, batch: list[_DeviceJob]) -> None:
        begun_s = time.monotonic()
        try:
            with self._watch.call():
                results = self._step([job.part for job in batch])
        except Exception as error:  # of a library: the error must not end the thread
            self._mend(batch, error)
            return
        compute_us = round((time.monotonic() - begun_s) * 1e6 / len(batch))
        for job, result in zip(batch, results, strict=True):
            made = Made(result, round((begun_s - job.asked_s) * 1e6), compute_us)
            job.loop.call_soon_threadsafe(_settle, job.future, made)

    def _step(self, parts: list[Text | tuple[Mel, Window]]) -> Sequence[Mel | Samples]:
        texts = [part for part in parts if isinstance(part, Text)]
        if texts:
            return self._networks.spectra(texts)
        return self._networks.vocode([part for part in parts if not isinstance(part, Text)])

    def _mend(self, batch: list[_DeviceJob], error: Exception) -> None:
        if self._networks.is_out_of_memory(error):
            self._shrink(batch)
            return
        try:
            self._networks.probe()
        except Exception as fault:  # CUDA raises many kinds of errors here
            why = f"{type(fault).__name__}: {fault}"
            self._loop.call_soon_threadsafe(self._lose, why, batch)
            self.why_lost = why
            return
        if len(batch) > 1:
            for number, job in enumerate(batch):
                if self.why_lost:  # by the one before
                    self._loop.call_soon_threadsafe(self._abandon, batch[number:])
                    return
                self._run([job])
            return
        log.error("nemo_step_failed", target=self.name, exc_info=error)
        failure = EngineFailed("FastPitch or its vocoder failed; the server's log says more")
        batch[0].loop.call_soon_threadsafe(_fail, batch[0].future, failure)

    def _shrink(self, batch: list[_DeviceJob]) -> None:
        """Run a batch again in halves; a single step that does not fit after memory was released fails."""
        half = len(batch) // 2
        if half:
            self.max_batch = max(1, min(self.max_batch, half))
            log.warning("nemo_batch_smaller", target=self.name, found=self.max_batch)
            self._run(batch[:half])
            self._run(batch[half:])
            return
        try:
            with self._watch.call():
                made = Made(self._step([batch[0].part])[0], 0, 0)
        except Exception as again:
            is_memory = self._networks.is_out_of_memory(again)
            failure = OutOfMemory("the device's memory is full") if is_memory else EngineFailed("the vocoder failed")
            batch[0].loop.call_soon_threadsafe(_fail, batch[0].future, failure)
            return
        batch[0].loop.call_soon_threadsafe(_settle, batch[0].future, made)

    def _on_thread_lost(self, lost: LostThread) -> bool:
        if self._is_closed or self.why_lost:
            return True
        return self._lose(f"its thread {lost.cause}", [])

    def _lose(self, why: str, batch: list[_DeviceJob]) -> bool:
        """Fail all work of this device; called on the event loop. Return whether others serve in its place."""
        with self._changed:
            self.why_lost = self.why_lost or why
            abandoned = [*batch, *self._running, *self._agenda.take_all()]
        log.error("nemo_device_lost", target=self.name, why=why)
        self._watch.close()
        self._abandon(abandoned)
        if self._is_told:
            return True
        self._is_told = True
        return self._on_lost(self, why)

    def _abandon(self, jobs: list[_DeviceJob]) -> None:
        for job in jobs:
            _fail(job.future, DeviceLost(self.why_lost))


def _settle(future: "asyncio.Future[Made]", made: Made) -> None:
    if not future.done():
        future.set_result(made)


def _fail(future: "asyncio.Future[Made]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
