"""A bounded pool for engines that decode whole stretches of speech: what is owed goes before guesses."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from services.runtime.cpu import usable_cpus
from services.runtime.metrics import StageMetrics
from services.runtime.watchdog import ENGINE_THREADS
from services.stt_proxy.metrics import COMPUTE_SECONDS_TOTAL

T = TypeVar("T")

FIRST_GUESS_S = 0.25  # what a job takes, before any has been measured
LONGEST_DECODE_S = 30.0  # thirty seconds of speech on a slow core
GUESS_WEIGHT = 0.2  # of the newest measurement in the running mean


class Purpose(Enum):
    """Why something is decoded."""

    DRAFT = "draft"  # worth nothing when late
    SETTLED = "settled"  # owed


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A job's result and what it cost."""

    value: T
    queue_us: int
    compute_us: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A job that was not done."""

    reason: str  # DRAFT_LATE, SUPERSEDED, DECODING_FAILED
    message: str


@dataclass(slots=True)
class _Job(Generic[T]):
    owner: Hashable
    purpose: Purpose
    work: Callable[[], T]
    done: Callable[[Done[T] | Refused], None]
    submitted_ns: int
    queue_us: int = 0


class DecodingPool(Generic[T]):
    """Workers of one thread each; one job at a time for each owner.

    A draft that would wait longer than the limit is refused at once, or when its turn comes too late. A newer draft of
    the same owner takes the place of one that waits. Everything but the work itself happens on the event loop.
    """

    def __init__(self, *, n_workers: int, draft_queue_limit_ms: int, metrics: StageMetrics) -> None:
        """`n_workers`: 0 means one a core."""
        self.n_workers = n_workers or usable_cpus()
        self._draft_limit_s = draft_queue_limit_ms / 1000
        self._dropped = metrics.queue_dropped_total("drafts")
        self._watch = ENGINE_THREADS.add("decoding", longest_call_s=LONGEST_DECODE_S)
        self._threads = ThreadPoolExecutor(self.n_workers, thread_name_prefix="decode", initializer=self._watch.enter)
        self._settled: deque[_Job[T]] = deque()
        self._drafts: deque[_Job[T]] = deque()
        self._running: set[Hashable] = set()
        self._mean_s = FIRST_GUESS_S

    def submit(
        self, owner: Hashable, purpose: Purpose, work: Callable[[], T], done: Callable[[Done[T] | Refused], None]
    ) -> None:
        """Have `work` run in a thread. `done` is called exactly once, on the event loop, perhaps before this returns;
        never after the owner left.
        """
        job = _Job(owner, purpose, work, done, time.monotonic_ns())
        self._supersede(owner)
        if purpose is Purpose.SETTLED:
            self._settled.append(job)
        elif self._expected_wait_s(owner) > self._draft_limit_s:
            self._refuse(job, "DRAFT_LATE", "other calls' speech is decoded first")
            return
        else:
            self._drafts.append(job)
        self._start_next()

    def is_busy_for(self, owner: Hashable) -> bool:
        """Whether something of this owner waits or runs."""
        return owner in self._running or any(job.owner == owner for job in (*self._settled, *self._drafts))

    def leave(self, owner: Hashable) -> None:
        """Forget what waits for this owner; what runs ends unheard."""
        self._settled = deque(job for job in self._settled if job.owner != owner)
        self._drafts = deque(job for job in self._drafts if job.owner != owner)

    def close(self) -> None:
        """Begin nothing more."""
        self._watch.close()
        self._settled.clear()
        self._drafts.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _expected_wait_s(self, owner: Hashable) -> float:
        n_ahead = len(self._settled) + len(self._drafts)
        if owner in self._running:
            return max(self._mean_s, (n_ahead + 1) * self._mean_s / self.n_workers)
        if len(self._running) < self.n_workers:
            return 0.0
        return (n_ahead + 1) * self._mean_s / self.n_workers

    def _supersede(self, owner: Hashable) -> None:
        for job in [waiting for waiting in self._drafts if waiting.owner == owner]:
            self._drafts.remove(job)
            self._refuse(job, "SUPERSEDED", "newer speech of the same call is decoded instead")

    def _refuse(self, job: _Job[T], reason: str, message: str) -> None:
        self._dropped.inc()
        job.done(Refused(reason, message))

    def _start_next(self) -> None:
        while len(self._running) < self.n_workers and (job := self._take_next()) is not None:
            waited_s = (time.monotonic_ns() - job.submitted_ns) / 1e9
            if job.purpose is Purpose.DRAFT and waited_s > self._draft_limit_s:
                self._refuse(job, "DRAFT_LATE", f"it waited {waited_s:.3f} s")
                continue
            job.queue_us = round(waited_s * 1e6)
            self._running.add(job.owner)
            self._run(job)

    def _run(self, job: _Job[T]) -> None:
        loop = asyncio.get_running_loop()
        running = self._threads.submit(self._timed, job.work)
        running.add_done_callback(lambda future: loop.call_soon_threadsafe(self._finish, job, future))

    def _take_next(self) -> _Job[T] | None:
        for waiting in (self._settled, self._drafts):
            for job in waiting:
                if job.owner not in self._running:
                    waiting.remove(job)
                    return job
        return None

    def _finish(self, job: _Job[T], future: "Future[tuple[T, float]]") -> None:
        self._running.discard(job.owner)
        if future.cancelled():
            return
        if (error := future.exception()) is not None:
            job.done(Refused("DECODING_FAILED", f"{type(error).__name__}: {error}"))
        else:
            value, compute_s = future.result()
            self._mean_s += GUESS_WEIGHT * (compute_s - self._mean_s)
            COMPUTE_SECONDS_TOTAL.labels(job.purpose.value).inc(compute_s)
            job.done(Done(value, job.queue_us, round(compute_s * 1e6)))
        self._start_next()

    def _timed(self, work: Callable[[], T]) -> tuple[T, float]:
        began = time.monotonic()
        with self._watch.call():
            value = work()
        return value, time.monotonic() - began
