"""Worker threads for blocking model steps, scheduled earliest deadline first over all calls."""

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.runtime.errors import EngineFailed
from services.runtime.watchdog import ENGINE_THREADS, LostThread

T = TypeVar("T")

LONGEST_STEP_S = 20.0  # a line of 220 characters on a slow core; loading a voice


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """Result of a step, and its cost."""

    result: T
    queue_us: int
    compute_us: int


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    step: Callable[[], Any]
    future: "asyncio.Future[Done[Any]]"
    loop: asyncio.AbstractEventLoop
    asked_ns: int


class Workers:
    """Runs steps in `n_threads` threads, the one due first before the others, equal ones in the order of asking.

    A step is due when its listener runs out of sound, so that a call which still has sound never delays one without,
    and calls that begin never delay one which is about to fall silent. No step starves: deadlines are moments, and what
    is asked for later is due later. Each turn waits for one step at a time, so the queue is as long as there are live
    turns. A step whose asker was cancelled is not begun; one that has begun runs to its end.
    """

    def __init__(self, n_threads: int, name: str) -> None:
        self._waiting: list[tuple[float, int, _Job]] = []  # a heap of (when due, order of asking, job)
        self._n_asked = itertools.count()
        self._changed = threading.Condition()
        self._is_closed = False
        self._running: set[_Job] = set()
        self._lost = ""  # why a thread is lost
        self.on_lost: Callable[[str], bool] = lambda why: False  # see EngineThreads.add
        self._watch = ENGINE_THREADS.add(name, longest_call_s=LONGEST_STEP_S, on_lost=self._lose)
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{i}", daemon=True) for i in range(n_threads)]
        for thread in self._threads:
            thread.start()
            self._watch.watch(thread)

    async def run(self, step: Callable[[], T], *, due_s: float) -> Done[T]:
        """Run `step` in a thread. What it raises is raised here. `due_s`: when it is needed, seconds, monotonic."""
        loop = asyncio.get_running_loop()
        job = _Job(step, loop.create_future(), loop, time.monotonic_ns())
        with self._changed:
            if self._is_closed:
                raise EngineFailed(self._lost) if self._lost else RuntimeError("the workers are closed")
            heapq.heappush(self._waiting, (due_s, next(self._n_asked), job))
            self._changed.notify()
        done: Done[T] = await job.future
        return done

    def close(self, limit_s: float = 2.0) -> None:
        """Stop taking steps; wait for those under way, at most `limit_s`."""
        self._watch.close()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        deadline = time.monotonic() + limit_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _lose(self, lost: LostThread) -> bool:
        """The watchdog has found a thread lost: fail its steps. Called on the event loop."""
        why = f"its thread {lost.cause}"
        if not self.on_lost(why):
            return False
        with self._changed:
            self._is_closed, self._lost = True, why
            abandoned = [job for _, _, job in self._waiting] + list(self._running)
            self._waiting.clear()
            self._changed.notify_all()
        for job in abandoned:
            job.loop.call_soon_threadsafe(_fail, job.future, EngineFailed(why))
        return True

    def _next_job(self) -> _Job | None:
        with self._changed:
            while not (self._waiting or self._is_closed):
                self._changed.wait()
            if self._is_closed:
                return None
            job = heapq.heappop(self._waiting)[2]
            self._running.add(job)
            return job

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            if job.future.cancelled():
                self._running.discard(job)
                continue
            begun_ns = time.monotonic_ns()
            try:
                with self._watch.call():
                    result = job.step()
            except Exception as error:  # the error belongs to the caller of `run`
                job.loop.call_soon_threadsafe(_fail, job.future, error)
                continue
            finally:
                self._running.discard(job)
            queue_us = (begun_ns - job.asked_ns) // 1000
            compute_us = (time.monotonic_ns() - begun_ns) // 1000
            job.loop.call_soon_threadsafe(_settle, job.future, Done(result, queue_us, compute_us))


def _settle(future: "asyncio.Future[Done[Any]]", done: Done[Any]) -> None:
    if not future.done():
        future.set_result(done)


def _fail(future: "asyncio.Future[Done[Any]]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
