"""Decoding pool: a bounded thread pool for engines that decode stretches of speech; settled texts go before drafts."""

import asyncio
import contextlib
import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from threading import Event
from typing import Any, Generic, TypeVar

from services.runtime.cpu import usable_cpus
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.watchdog import ENGINE_THREADS
from services.stt_proxy.metrics import COMPUTE_SECONDS_TOTAL

T = TypeVar("T")

FIRST_GUESS_S = 0.25  # what a job takes, before any has been measured
LONGEST_DECODE_S = 30.0  # thirty seconds of speech on a slow core
LONGEST_UNFAIR_S = 1.0  # a job that has waited so long is done next, even if other calls have had less work done
FADES_AFTER_S = 10.0  # of work for each worker: after it the work that calls have had counts half
LEAST_SPENT_S = 0.001  # of a call's work: less is forgotten, since not every owner says that it leaves
GUESS_WEIGHT = 0.2  # of the newest measurement in the running mean

log = get_logger(__name__)


class Purpose(Enum):
    """Purpose of a decode, and with it the priority."""

    DRAFT = "draft"  # worth nothing when late
    AHEAD = "ahead"  # will be needed at the end of the utterance, and is not urgent before
    SETTLED = "settled"  # the utterance has ended: its text is awaited


class Stopped(Exception):
    """Raised by a job that saw its stop event."""


ORDER = (Purpose.SETTLED, Purpose.DRAFT, Purpose.AHEAD)


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A job's result and what it cost."""

    value: T
    queue_us: int
    compute_us: int


@dataclass(frozen=True, slots=True)
class Batchable(Generic[T]):
    """The part of a job that can be done in one go with other jobs of the same `kind`."""

    kind: Hashable
    item: Any
    work: Callable[[list[Any]], list[T]]  # the results of items, in order


@dataclass(frozen=True, slots=True)
class Refused:
    """A job that was not done."""

    reason: str  # DRAFT_LATE, SUPERSEDED, DECODING_FAILED
    message: str


@dataclass(eq=False, slots=True)
class Job(Generic[T]):
    """One decode; `DecodingPool.cancel` takes it."""

    owner: Hashable
    about: Hashable
    purpose: Purpose
    work: Callable[[Event], T]
    done: Callable[[Done[T] | Refused], None]
    submitted_ns: int
    batchable: Batchable[T] | None = None
    queue_us: int = 0
    began_ns: int = 0
    stop: Event = field(default_factory=Event)
    is_answered: bool = False
    late: asyncio.TimerHandle | None = None  # of a draft that waits


class DecodingPool(Generic[T]):
    """Workers of one thread each; one job at a time for each owner.

    A draft that would wait longer than the limit is refused at once, or when the limit has passed. A newer job about
    the same utterance replaces the draft, also one that runs: its worker is told to stop, and the newer job need not
    wait for it. Of what waits, up to `batch_size` jobs that can be done in one go are; a batch runs to its end.
    Everything but the work itself happens on the event loop.
    """

    def __init__(
        self, *, n_workers: int, draft_queue_limit_ms: int, metrics: StageMetrics, batch_size: int = 1
    ) -> None:
        """`n_workers`: 0 means one a core."""
        self.n_workers = n_workers or usable_cpus()
        self._batch_size = batch_size
        self._n_busy = 0  # workers
        self._draft_limit_s = draft_queue_limit_ms / 1000
        self._dropped = metrics.queue_dropped_total("drafts")
        self._watch = ENGINE_THREADS.add("decoding", longest_call_s=LONGEST_DECODE_S)
        self._threads = ThreadPoolExecutor(self.n_workers, thread_name_prefix="decode", initializer=self._watch.enter)
        self._waiting: dict[Purpose, deque[Job[T]]] = {purpose: deque() for purpose in ORDER}
        self._running: set[Job[T]] = set()  # abandoned ones too, until their thread is free
        self._mean_s = FIRST_GUESS_S
        self._spent_s: defaultdict[Hashable, float] = defaultdict(float)  # by owner, halved as a whole now and then
        self._all_spent_s = 0.0

    def submit(
        self,
        owner: Hashable,
        purpose: Purpose,
        work: Callable[[Event], T],
        done: Callable[[Done[T] | Refused], None],
        *,
        about: Hashable = None,
        batchable: Batchable[T] | None = None,
    ) -> Job[T]:
        """Have `work` run in a thread; it raises Stopped soon after its event is set. `done` is called exactly once, on
        the event loop, perhaps before this returns; never after the owner left or the job was cancelled. `about`: the
        utterance, of which only the newest draft counts.
        """
        job = Job(owner, about, purpose, work, done, time.monotonic_ns(), batchable)
        self._replace(job)
        if purpose is Purpose.DRAFT:
            if self._expected_wait_s(owner) > self._draft_limit_s:
                self._refuse(job, "DRAFT_LATE", "other calls' speech is decoded first")
                return job
            job.late = asyncio.get_running_loop().call_later(self._draft_limit_s, self._give_up_late, job)
        self._waiting[purpose].append(job)
        self._start_next()
        return job

    @property
    def has_idle_worker(self) -> bool:
        """Return whether work that is submitted now begins at once."""
        return self._n_busy < self.n_workers and not self._all_waiting()

    def is_busy_for(self, owner: Hashable) -> bool:
        """Return whether a job of this owner waits or runs, and its result is still awaited."""
        return any(job.owner == owner for job in self._all_waiting()) or self._is_running_for(owner)

    def cancel(self, job: Job[T]) -> None:
        """Cancel a job: its `done` is not called."""
        if job.is_answered:
            return
        self._abandon(job)
        if job in self._waiting[job.purpose]:
            self._waiting[job.purpose].remove(job)
        self._start_next()

    def leave(self, owner: Hashable) -> None:
        """Forget what waits for this owner and stop what runs."""
        for job in [*self._all_waiting(), *self._running]:
            if job.owner == owner:
                self.cancel(job)
        self._spent_s.pop(owner, None)

    def close(self) -> None:
        """Begin nothing more."""
        self._watch.close()
        for job in [*self._all_waiting(), *self._running]:
            self._abandon(job)
        for waiting in self._waiting.values():
            waiting.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _all_waiting(self) -> list[Job[T]]:
        return [job for waiting in self._waiting.values() for job in waiting]

    def _is_running_for(self, owner: Hashable) -> bool:
        return any(job.owner == owner and not job.is_answered for job in self._running)

    def _expected_wait_s(self, owner: Hashable) -> float:
        now_ns = time.monotonic_ns()
        left_s = sorted(max(0.0, self._mean_s - (now_ns - job.began_ns) / 1e9) for job in self._running)
        own_s = max(
            (
                self._mean_s - (now_ns - job.began_ns) / 1e9
                for job in self._running
                if job.owner == owner and not job.is_answered
            ),
            default=0.0,
        )
        if self._n_busy < self.n_workers:
            return own_s
        n_ahead = len(self._waiting[Purpose.SETTLED]) + len(self._waiting[Purpose.DRAFT])
        return max(own_s, left_s[0] + n_ahead * self._mean_s / self.n_workers)

    def _replace(self, newer: Job[T]) -> None:
        """A newer job takes the place of the utterance's drafts, and newer work ahead that of older that waits."""
        if newer.purpose is Purpose.AHEAD:
            stale = list(self._waiting[Purpose.AHEAD])
        else:
            running = [job for job in self._running if job.purpose is Purpose.DRAFT and not job.is_answered]
            stale = [*self._waiting[Purpose.DRAFT], *running]
        for job in stale:
            if (job.owner, job.about) != (newer.owner, newer.about):
                continue
            job.stop.set()
            if job in self._waiting[job.purpose]:
                self._waiting[job.purpose].remove(job)
            self._refuse(job, "SUPERSEDED", "newer speech of the same call is decoded instead")

    def _abandon(self, job: Job[T]) -> None:
        job.is_answered = True
        job.stop.set()
        if job.late is not None:
            job.late.cancel()

    def _give_up_late(self, job: Job[T]) -> None:
        if job in self._waiting[Purpose.DRAFT]:
            self._waiting[Purpose.DRAFT].remove(job)
            self._refuse(job, "DRAFT_LATE", f"it waited {self._draft_limit_s:.3f} s")

    def _refuse(self, job: Job[T], reason: str, message: str) -> None:
        self._dropped.inc()
        self._answer(job, Refused(reason, message))

    def _answer(self, job: Job[T], outcome: Done[T] | Refused) -> None:
        """Call `done` once. A call that breaks over its answer does not break the pool."""
        if job.is_answered:
            return
        job.is_answered = True
        if job.late is not None:
            job.late.cancel()
        try:
            job.done(outcome)
        except Exception as error:
            log.exception("decoding_answer_failed", error=f"{type(error).__name__}: {error}")

    def _start_next(self) -> None:
        while self._n_busy < self.n_workers and (first := self._take_next()) is not None:
            jobs = [first, *self._take_beside(first)]
            for job in jobs:
                if job.late is not None:
                    job.late.cancel()
                job.began_ns = time.monotonic_ns()
                job.queue_us = (job.began_ns - job.submitted_ns) // 1000
                self._running.add(job)
            self._run(jobs)

    def _run(self, jobs: list[Job[T]]) -> None:
        self._n_busy += 1
        loop = asyncio.get_running_loop()
        running = self._threads.submit(self._timed, jobs)
        running.add_done_callback(lambda future: _call_on(loop, self._finish, jobs, future))

    def _take_next(self) -> Job[T] | None:
        """Of the most urgent purpose, the job of the call that has had the least work done; a long wait goes first."""
        now_ns = time.monotonic_ns()
        for purpose in ORDER:
            ready = [job for job in self._waiting[purpose] if not self._is_running_for(job.owner)]
            if not ready:
                continue
            oldest = min(ready, key=lambda job: job.submitted_ns)
            is_overdue = now_ns - oldest.submitted_ns > LONGEST_UNFAIR_S * 1e9
            job = oldest if is_overdue else min(ready, key=lambda job: (self._spent_s[job.owner], job.submitted_ns))
            self._waiting[purpose].remove(job)
            return job
        return None

    def _take_beside(self, first: Job[T]) -> list[Job[T]]:
        """The jobs that are done in one go with that one: of its purpose and kind, each of another call."""
        if first.batchable is None or self._batch_size == 1:
            return []
        kind, waiting = first.batchable.kind, self._waiting[first.purpose]
        alike = [job for job in waiting if job.batchable is not None and job.batchable.kind == kind]
        beside: dict[Hashable, Job[T]] = {}
        for job in sorted(alike, key=lambda job: (self._spent_s[job.owner], job.submitted_ns)):
            if job.owner != first.owner and not self._is_running_for(job.owner):
                beside.setdefault(job.owner, job)
        found = list(beside.values())[: self._batch_size - 1]
        for job in found:
            waiting.remove(job)
        return found

    def _finish(self, jobs: list[Job[T]], future: "Future[list[tuple[T | Exception, float]]]") -> None:
        self._n_busy -= 1
        self._running.difference_update(jobs)
        if future.cancelled():
            return
        for job, (value, compute_s) in zip(jobs, future.result(), strict=True):
            self._conclude(job, value, compute_s)
        self._start_next()

    def _conclude(self, job: Job[T], value: T | Exception, compute_s: float) -> None:
        if not isinstance(value, Exception):
            self._mean_s += GUESS_WEIGHT * (compute_s - self._mean_s)
            if not job.is_answered:
                self._spend(job.owner, compute_s)
            COMPUTE_SECONDS_TOTAL.labels(job.purpose.value).inc(compute_s)
            self._answer(job, Done(value, job.queue_us, round(compute_s * 1e6)))
        elif not isinstance(value, Stopped):
            self._answer(job, Refused("DECODING_FAILED", f"{type(value).__name__}: {value}"))
        elif not job.is_answered:
            self._answer(job, Refused("DECODING_FAILED", "the decode stopped although it was not cancelled"))

    def _spend(self, owner: Hashable, compute_s: float) -> None:
        """Note the cost of a call's work. Old costs fade, so that a new call is not preferred for ever."""
        self._spent_s[owner] += compute_s
        self._all_spent_s += compute_s
        if self._all_spent_s >= FADES_AFTER_S * self.n_workers:
            self._all_spent_s = 0.0
            halved = {owner: spent_s / 2 for owner, spent_s in self._spent_s.items()}
            self._spent_s.clear()
            self._spent_s.update((owner, spent_s) for owner, spent_s in halved.items() if spent_s >= LEAST_SPENT_S)

    def _timed(self, jobs: list[Job[T]]) -> list[tuple[T | Exception, float]]:
        """The value of each job, or what it raised, and its share of the seconds. In a thread. Where a batch fails each
        job is done alone, so that a bad one spoils no other.
        """
        began = time.monotonic()
        live = [job for job in jobs if not job.stop.is_set()]
        values: list[T | Exception] = []
        with self._watch.call():
            if len(live) > 1 and (batchable := live[0].batchable) is not None:
                try:
                    values.extend(batchable.work([job.batchable.item for job in live if job.batchable is not None]))
                except Exception as error:
                    log.warning("batch_failed", n_jobs=len(live), error=f"{type(error).__name__}: {error}")
            if len(values) != len(live):
                values.clear()
                for job in live:
                    outcome = _outcome(job)
                    values.append(outcome)
        share_s = (time.monotonic() - began) / max(1, len(live))
        value_of = dict(zip(live, values, strict=True))
        return [(value_of.get(job, Stopped()), share_s) for job in jobs]


def _outcome(job: Job[T]) -> T | Exception:
    try:
        return job.work(job.stop)
    except Exception as error:
        return error


def _call_on(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: object) -> None:
    """Call a function on the event loop; do nothing when the loop is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *args)
