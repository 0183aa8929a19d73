"""Sessions of recognisers in this process: each is worked on by one thread, in order.

A library's session takes sound and says what it hears so far. At a pause a moment of silence flushes the session,
as the real silence of the pause would do later. The session gets its sound in blocks of one length whatever the
pieces are that arrive, since some libraries hear other words in other pieces: a file is heard as a call is.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from services.audio.pcm import Samples
from services.runtime.cpu import usable_cpus
from services.runtime.logs import get_logger
from services.runtime.watchdog import ENGINE_THREADS
from services.stt_proxy.following.stream import (
    Broken,
    Ended,
    Flushed,
    OpenWords,
    Processed,
    SettledWords,
    StreamLimits,
    StreamReport,
)
from services.stt_proxy.metrics import COMPUTE_SECONDS_TOTAL

BLOCK_MS = 100
LONGEST_STEP_S = 10.0  # a tenth of a second of sound on a machine that does much else

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SessionWords:
    """Words of a session: settled words, each with the offset behind it, and the open words behind them."""

    settled: tuple[SettledWords, ...] = ()  # new since the last call
    open_text: str = ""
    confidence: float | None = None  # of the open words, 0 to 1


class Session(Protocol):
    """A library's session for one call. Its methods block; one thread at a time uses it."""

    def accept(self, samples: Samples) -> SessionWords:
        """The next sound, at the rate the session was opened for."""

    def flush(self) -> tuple[SessionWords, int]:
        """Take as much silence as brings the words of all sound so far, and no more: it may be a short pause. Returns
        the words and the number of samples of silence, at the rate the session was opened for.
        """

    def close(self) -> None:
        """Free the session."""


class SessionThreads:
    """Threads that are shared by the calls of an engine. Sessions are dealt to the one with the fewest."""

    def __init__(self, engine: str, n_threads: int = 0) -> None:
        """`n_threads`: 0 means one a core."""
        self._watch = ENGINE_THREADS.add(engine, longest_call_s=LONGEST_STEP_S)
        self._threads = [
            ThreadPoolExecutor(1, thread_name_prefix=engine, initializer=self._watch.enter)
            for _ in range(n_threads or usable_cpus())
        ]
        self._n_sessions = [0] * len(self._threads)

    def __len__(self) -> int:
        return len(self._threads)

    def take(self) -> int:
        """The number of the thread for a new session."""
        number = min(range(len(self._threads)), key=self._n_sessions.__getitem__)
        self._n_sessions[number] += 1
        return number

    def leave(self, number: int) -> None:
        """A session is over."""
        self._n_sessions[number] -= 1

    def run(self, number: int, work: Callable[[], None]) -> None:
        """Queue work behind the work that waits in the thread."""

        def watched() -> None:
            with self._watch.call():
                work()

        with contextlib.suppress(RuntimeError):  # the engine is closed: no result is awaited any more
            self._threads[number].submit(watched)

    def close(self) -> None:
        self._watch.close()
        for thread in self._threads:
            thread.shutdown(wait=False, cancel_futures=True)


class SessionStream:
    """A stream on a session. Its work is done in the session's thread and reported on the event loop."""

    def __init__(
        self,
        threads: SessionThreads,
        open_session: Callable[[], Session],
        report: Callable[[StreamReport], None],
        *,
        sample_rate_hertz: int,
    ) -> None:
        self._block = BLOCK_MS * sample_rate_hertz // 1000
        self._held: list[Samples] = []  # less than a block, not yet accepted
        self._n_held = 0
        self._threads = threads
        self._thread = threads.take()
        self._open_session = open_session
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None  # only its thread touches it
        self._n_fed = 0
        self._n_padded = 0  # silence that the call's sound does not hold; only the thread touches it
        self._open_text = ""
        self._is_closed = False
        self._is_broken = False

    def feed(self, samples: Samples) -> None:
        """Take sound. What does not fill a block yet counts as taken: the next sound or a pause brings it in."""
        self._n_fed += len(samples)
        self._held.append(samples.copy())
        self._n_held += len(samples)
        n_taken = self._n_fed - self._n_held
        ready = self._take_held(self._n_held - self._n_held % self._block)
        n_fed = self._n_fed
        self._do(lambda: self._accept(ready, n_taken, n_fed))

    def flush(self) -> None:
        n_fed, rest = self._n_fed, self._take_held(self._n_held)
        self._do(lambda: self._pad(rest, n_fed))

    def finish(self) -> None:
        n_fed, rest = self._n_fed, self._take_held(self._n_held)
        self._do(lambda: self._finish(rest, n_fed))

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._held.clear()
        self._threads.leave(self._thread)
        self._threads.run(self._thread, self._free)

    def _take_held(self, n_samples: int) -> Samples:
        """Return the first of the sound that is held; the rest stays."""
        held = np.concatenate(self._held) if self._held else np.empty(0, dtype=np.int16)
        taken, rest = held[:n_samples], held[n_samples:]
        self._held, self._n_held = ([rest] if len(rest) else []), len(rest)
        return taken

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _do(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            if self._is_closed or self._is_broken:
                return
            try:
                work()
            except Exception as error:
                self._is_broken = True
                log.exception("recogniser_failed", error=f"{type(error).__name__}: {error}")
                self._tell(Broken("ENGINE_FAILED", f"{type(error).__name__}: {error}"))

        self._threads.run(self._thread, guarded)

    def _accept(self, ready: Samples, n_taken: int, n_fed: int) -> None:
        """Give the session whole blocks, the first of which begins at `n_taken`."""
        for start in range(0, len(ready), self._block):
            self._feed_block(ready[start : start + self._block], n_taken + start + self._block)
        self._tell(Processed(n_fed))

    def _pad(self, rest: Samples, n_fed: int) -> None:
        began = time.monotonic()
        self._flush_session(rest, n_fed)
        self._tell(Flushed(n_fed, round((time.monotonic() - began) * 1e6)))

    def _finish(self, rest: Samples, n_fed: int) -> None:
        if n_fed:
            self._flush_session(rest, n_fed)
        if self._open_text:
            self._tell(SettledWords(self._open_text, n_fed))
        self._tell(Ended())

    def _feed_block(self, samples: Samples, n_fed: int) -> None:
        began = time.monotonic()
        self._say(self._opened().accept(samples), n_fed, time.monotonic() - began)

    def _flush_session(self, rest: Samples, n_fed: int) -> None:
        if len(rest):
            self._feed_block(rest, n_fed)
        began = time.monotonic()
        words, n_padded = self._opened().flush()
        self._say(words, n_fed, time.monotonic() - began)
        self._n_padded += n_padded

    def _opened(self) -> Session:
        if self._session is None:
            self._session = self._open_session()
        return self._session

    def _say(self, words: SessionWords, n_fed: int, took_s: float) -> None:
        COMPUTE_SECONDS_TOTAL.labels("following").inc(took_s)
        for settled in words.settled:
            self._tell(self._placed(settled, n_fed))
        if words.open_text != self._open_text or words.settled:
            self._open_text = words.open_text
            self._tell(OpenWords(words.open_text, n_fed, None, words.confidence, compute_us=round(took_s * 1e6)))

    def _placed(self, words: SettledWords, n_fed: int) -> SettledWords:
        """Return an offset without the silence that was put in."""
        end = None if words.end_offset is None else min(words.end_offset - self._n_padded, n_fed)
        start = None if words.start_offset is None else min(words.start_offset - self._n_padded, n_fed)
        return SettledWords(words.text, end, start, words.confidence, words.language_code, closes_open=True)

    def _free(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _tell(self, report: StreamReport) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: no result is awaited any more
            self._loop.call_soon_threadsafe(self._deliver, report)

    def _deliver(self, report: StreamReport) -> None:
        if not self._is_closed:
            self._report(report)


LOCAL_LIMITS = StreamLimits(most_reheard_s=12.0, stall_s=0.0)  # the watchdog looks after the threads
