"""The watchdog tells a lost thread from a slow one."""

import subprocess
import sys
import threading
from collections.abc import Callable

from services.runtime.current_service import in_service
from services.runtime.server import EXIT_ENGINE_LOST
from services.runtime.watchdog import HANG_MULTIPLE, EngineThreads, LoopWatch, LostThread


class WorkingThread:
    """A thread within one call into its engine, until told to end."""

    def __init__(self, threads: EngineThreads, *, longest_call_s: float) -> None:
        self.watch = threads.add("toy", longest_call_s=longest_call_s)
        self._is_in_call, self._end_call, self._end = threading.Event(), threading.Event(), threading.Event()
        self._has_left_call = threading.Event()
        self._thread = threading.Thread(target=self._run, name="toy-0", daemon=True)
        self._thread.start()
        self._is_in_call.wait()

    def _run(self) -> None:
        self.watch.enter()
        with self.watch.call():
            self._is_in_call.set()
            self._end_call.wait()
        self._has_left_call.set()
        self._end.wait()

    def end_call(self) -> None:
        self._end_call.set()
        self._has_left_call.wait()

    def end(self) -> None:
        self.end_call()
        self._end.set()
        self._thread.join()


def looked_at(threads: EngineThreads, seconds: float, *, start: float = 0.0) -> LostThread | None:
    """The thread that is found lost by looking ten times a second for so long; None: none is."""
    return next((lost for i in range(int(seconds * 10) + 1) if (lost := threads.find_lost(start + i / 10))), None)


def test_an_engine_that_is_late_is_one_service_s_alone() -> None:
    threads = EngineThreads()
    with in_service("nlu"):
        working = WorkingThread(threads, longest_call_s=0.2)
    looked_at(threads, 0.5)
    assert threads.find_late("tts") is None
    late, late_anywhere = threads.find_late("nlu"), threads.find_late()
    assert late is not None
    assert late == late_anywhere
    assert late.service == "nlu"
    working.end()


def test_a_long_legitimate_call_is_no_hang() -> None:
    threads = EngineThreads()
    working = WorkingThread(threads, longest_call_s=30.0)
    assert looked_at(threads, 85.0) is None
    working.end_call()
    assert looked_at(threads, 100.0, start=85.0) is None


def test_a_call_beyond_the_multiple_is_a_hang() -> None:
    threads = EngineThreads()
    WorkingThread(threads, longest_call_s=2.0)
    assert looked_at(threads, 2.0 * HANG_MULTIPLE - 0.5) is None
    lost = looked_at(threads, 1.0, start=2.0 * HANG_MULTIPLE - 0.5)
    assert lost is not None
    assert (lost.engine, lost.thread) == ("toy", "toy-0")
    assert "hangs" in lost.cause


def test_a_thread_that_has_ended_is_lost() -> None:
    threads = EngineThreads()
    working = WorkingThread(threads, longest_call_s=2.0)
    assert threads.find_lost(0.0) is None
    working.end()
    assert threads.find_lost(0.1) == LostThread("toy", "toy-0", "ended")


def test_a_closed_engine_may_end_its_threads() -> None:
    threads = EngineThreads()
    working = WorkingThread(threads, longest_call_s=2.0)
    working.watch.close()
    working.end()
    assert threads.find_lost(0.1) is None


def test_a_process_that_was_stopped_for_an_hour_has_no_hanging_thread() -> None:
    threads = EngineThreads()
    WorkingThread(threads, longest_call_s=2.0)
    assert looked_at(threads, 1.0) is None
    assert threads.find_lost(3600.0) is None


def test_a_lost_engine_with_a_fallback_is_reported_and_the_process_lives() -> None:
    threads = EngineThreads()
    told: list[LostThread] = []
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    watch = threads.add("engine", longest_call_s=1.0, on_lost=lambda lost: told.append(lost) is None)
    watch.watch(ended)
    assert threads.find_lost(0.0) is None
    assert threads.find_lost(1.0) is None
    assert [lost.cause for lost in told] == ["ended"]


class StandingLoop:
    """An event loop that calls what it was asked to call only when told to turn."""

    def __init__(self) -> None:
        self._asked: list[Callable[[], None]] = []

    def ask(self, call: Callable[[], None]) -> None:
        self._asked.append(call)

    def turn(self) -> None:
        for call in self._asked:
            call()
        self._asked.clear()


def has_stalled(watch: LoopWatch, loop: StandingLoop, seconds: float) -> bool:
    """Return whether the watch reports a stall when it looks ten times a second for so long."""
    return any(watch.look(0.1, loop.ask) for _ in range(int(seconds * 10)))


def test_a_loop_that_stands_still_beyond_the_multiple_is_lost() -> None:
    watch, loop = LoopWatch(lambda _: None, longest_call_s=1.0), StandingLoop()
    assert not has_stalled(watch, loop, HANG_MULTIPLE * 1.0 - 0.5)
    assert has_stalled(watch, loop, 1.0)


def test_a_loop_that_turns_now_and_then_is_not_lost() -> None:
    watch, loop = LoopWatch(lambda _: None, longest_call_s=1.0), StandingLoop()
    for _ in range(5):
        assert not has_stalled(watch, loop, HANG_MULTIPLE * 1.0 - 0.5)
        loop.turn()


def test_a_process_that_was_stopped_for_an_hour_has_no_stalled_loop() -> None:
    watch, loop = LoopWatch(lambda _: None, longest_call_s=1.0), StandingLoop()
    watch.look(0.1, loop.ask)
    assert not watch.look(3600.0, loop.ask)


HANGING = """
import asyncio, time
import services.runtime.watchdog as watchdog
from services.runtime.server import _end_with_loop

async def main():
    watchdog.LoopWatch(_end_with_loop, longest_call_s=0.2).start(asyncio.get_running_loop())
    await asyncio.sleep(0.5)
    time.sleep(60)

asyncio.run(main())
"""


def test_a_call_that_hangs_in_the_event_loop_ends_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGING], timeout=50, capture_output=True, check=False)
    assert ended.returncode == EXIT_ENGINE_LOST, ended.stderr.decode()
