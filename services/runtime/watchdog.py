"""Watchdog of the engines' threads and of the event loop: a thread that has ended, or hangs in one call, takes its
process down, and so does an event loop that stands still.

The registry of threads is one a process, as the metrics are. `EngineThreads.find_lost` is called with the time and
reads no clock itself; `watch_engines` and `LoopWatch` at the end of the file are the thin wrappers that own the period.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.runtime.current_service import current_service

HANG_MULTIPLE = 3
"""A call hangs when it takes this many times its longest legitimate duration."""

PERIOD_S = 0.25
LONGEST_LOOP_CALL_S = 10.0
"""The longest that anything may hold the event loop: small batches of the voice detector run on it, as everything does
that takes less than a thread's change.
"""
_MOST_SEEN_S = 4 * PERIOD_S
"""The most that one look adds to a call's age: time in which the whole process stood still (SIGSTOP, a suspended
machine) is no hang.
"""


@dataclass(frozen=True, slots=True)
class LostThread:
    """A lost thread, and the cause of its loss."""

    engine: str
    thread: str
    cause: str  # "ended", or "hangs" with the number of seconds
    service: str = ""  # the stage the engine is of, where the process holds more than one


@dataclass(slots=True)
class _Watched:
    is_alive: Callable[[], bool]
    n_begun: int = 0
    n_ended: int = 0  # behind n_begun while a call runs
    seen_call: int = 0  # the call that the last look saw running
    age_s: float = 0.0  # of that call, in time the process ran


@dataclass(slots=True, eq=False)
class EngineWatch:
    """The threads of one engine. `enter` and `call` are called in those threads, `close` in any."""

    engine: str
    longest_call_s: float  # the longest legitimate call
    _registry: "EngineThreads"
    on_lost: Callable[[LostThread], bool] | None = None  # told once; True: the service goes on without the engine
    service: str = field(default_factory=current_service)
    _threads: dict[threading.Thread, _Watched] = field(default_factory=dict)

    def enter(self) -> None:
        """Watch the current thread: from here on it must not end before `close`."""
        self.watch(threading.current_thread())

    def watch(self, thread: threading.Thread) -> None:
        """Watch a thread that has been started."""
        self._threads.setdefault(thread, _Watched(thread.is_alive))

    @contextmanager
    def call(self) -> Iterator[None]:
        """One call into the engine, in the current thread. Its duration is bounded by `longest_call_s` times
        HANG_MULTIPLE.
        """
        thread = threading.current_thread()
        watched = self._threads.get(thread)
        if watched is None:
            watched = self._threads.setdefault(thread, _Watched(thread.is_alive))
        watched.n_begun += 1
        try:
            yield
        finally:
            watched.n_ended = watched.n_begun

    def close(self) -> None:
        """The engine stops: its threads may end."""
        self._registry.remove(self)

    @property
    def is_in_call(self) -> bool:
        """Return whether a thread that lives is in a call into the engine."""
        return any(each.is_alive() and each.n_begun != each.n_ended for each in list(self._threads.values()))

    def find_late(self) -> LostThread | None:
        """The first thread that has ended or is longer in one call than the longest legitimate one, as of the last
        look.
        """
        for thread, watched in list(self._threads.items()):
            if not watched.is_alive():
                return LostThread(self.engine, thread.name, "ended", self.service)
            if watched.n_begun != watched.n_ended and watched.age_s > self.longest_call_s:
                return LostThread(self.engine, thread.name, f"is {watched.age_s:.0f} s in one call", self.service)
        return None

    def find_lost(self, elapsed_s: float) -> LostThread | None:
        """The first lost thread; `elapsed_s` is the time since the last look."""
        for thread, watched in list(self._threads.items()):
            if not watched.is_alive():
                return LostThread(self.engine, thread.name, "ended", self.service)
            begun = watched.n_begun
            if begun == watched.n_ended:
                watched.age_s = 0.0
            elif begun != watched.seen_call:
                watched.seen_call, watched.age_s = begun, 0.0
            else:
                watched.age_s += elapsed_s
                if watched.age_s > HANG_MULTIPLE * self.longest_call_s:
                    return LostThread(
                        self.engine, thread.name, f"hangs for {watched.age_s:.0f} s in one call", self.service
                    )
        return None


class EngineThreads:
    """All watched threads of a process."""

    def __init__(self) -> None:
        self._watches: list[EngineWatch] = []
        self._left: list[EngineWatch] = []  # removed while a thread was in a call
        self._looked_at: float | None = None

    def add(
        self, engine: str, *, longest_call_s: float, on_lost: Callable[[LostThread], bool] | None = None
    ) -> EngineWatch:
        """Begin with an engine. `longest_call_s`: the longest legitimate call into it, in seconds. `on_lost`: asked
        before the process goes down with the engine; True: others stand in for it, and the process lives.
        """
        watch = EngineWatch(engine, longest_call_s, self, on_lost)
        self._watches.append(watch)
        return watch

    def remove(self, watch: EngineWatch) -> None:
        if watch in self._watches:
            self._watches.remove(watch)
            self._left = [each for each in (*self._left, watch) if each.is_in_call]

    @property
    def is_in_call(self) -> bool:
        """Return whether any thread is in a call into an engine, one that stops and was not waited for among them."""
        return any(watch.is_in_call for watch in (*self._watches, *self._left))

    def find_lost(self, now: float) -> LostThread | None:
        """Look at every thread; `now` is in seconds of any clock that only grows. None: all is well."""
        elapsed_s = 0.0 if self._looked_at is None else min(now - self._looked_at, _MOST_SEEN_S)
        self._looked_at = now
        for watch in list(self._watches):
            if lost := watch.find_lost(elapsed_s):
                if watch.on_lost is None or not watch.on_lost(lost):
                    return lost
                self.remove(watch)
        return None

    def find_late(self, service: str = "") -> LostThread | None:
        """The first thread that serves no call at present: readiness goes before the process does. `service`: only
        engines of that stage, and those that belong to none; empty: every engine.
        """
        watches = [each for each in self._watches if not service or each.service in ("", service)]
        return next((late for watch in watches if (late := watch.find_late())), None)


ENGINE_THREADS = EngineThreads()


async def watch_engines(threads: EngineThreads = ENGINE_THREADS) -> LostThread:
    """Look at the threads every PERIOD_S; returns when one is lost."""
    while True:
        if lost := threads.find_lost(time.monotonic()):
            return lost
        await asyncio.sleep(PERIOD_S)


class LoopWatch:
    """Sees from a thread of its own whether an event loop still turns; what hangs in the loop stops the loop's own
    watchdog too.
    """

    def __init__(self, stalled: Callable[[float], None], *, longest_call_s: float = LONGEST_LOOP_CALL_S) -> None:
        """`stalled` is called once, in the thread, with the seconds; `longest_call_s` as for an engine's thread."""
        self._stalled = stalled
        self._limit_s = HANG_MULTIPLE * longest_call_s
        self._closed = threading.Event()
        self._is_asked = False
        self._age_s = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to look; called in the loop."""
        threading.Thread(target=self._run, args=(loop,), name="loop watch", daemon=True).start()

    def close(self) -> None:
        """Look no more: the loop may end."""
        self._closed.set()

    def look(self, elapsed_s: float, ask: Callable[[Callable[[], None]], object]) -> bool:
        """Return whether the loop has stalled. `ask` has the loop call something; `elapsed_s` is the time since the
        last look.

        Time in which the whole process stood still is no stall, so one look adds little.
        """
        if not self._is_asked:
            self._is_asked, self._age_s = True, 0.0
            ask(self._turned)
        else:
            self._age_s += min(elapsed_s, _MOST_SEEN_S)
        return self._age_s > self._limit_s

    def _turned(self) -> None:
        self._is_asked = False

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        looked_at = time.monotonic()
        while not self._closed.wait(PERIOD_S):
            now = time.monotonic()
            try:
                if self.look(now - looked_at, loop.call_soon_threadsafe):
                    self._stalled(self._age_s)
                    return
            except RuntimeError:  # the loop is closed
                return
            looked_at = now
