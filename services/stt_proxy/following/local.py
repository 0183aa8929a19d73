"""Base of the engines whose recogniser runs in this process: sessions on threads, a feed for each call."""

from collections.abc import Callable

import numpy as np

from services.runtime.logs import get_logger
from services.stt_proxy.admission import Stopwatch, calls_by_pace
from services.stt_proxy.engine import EngineCall, Hints, Report
from services.stt_proxy.following.call import FollowedCall
from services.stt_proxy.following.sessions import LOCAL_LIMITS, Session, SessionStream, SessionThreads
from services.stt_proxy.following.stream import StreamLimits, StreamReport
from services.stt_proxy.recording import Recording

RATE_HERTZ = 8000
BLOCK = 800  # 100 ms
MEASURED_S = 3

log = get_logger(__name__)


class LocalEngine:
    """A recogniser of this process. An engine derives from it, loads its model and opens sessions."""

    name: str
    limits: StreamLimits = LOCAL_LIMITS

    def __init__(self, *, n_threads: int) -> None:
        """`n_threads`: 0 means one a core."""
        self._threads = SessionThreads(self.name, n_threads)
        self.capacity = 0  # calls it can serve on this machine; 0 until it was measured

    def measure(self) -> None:
        """Time a session once, when the model is loaded. Blocks."""
        hiss = np.random.default_rng(1).integers(-300, 300, MEASURED_S * RATE_HERTZ, dtype=np.int16)
        session = self.open_session(RATE_HERTZ, Hints())
        with Stopwatch() as watch:
            for begin in range(0, len(hiss), BLOCK):
                session.accept(hiss[begin : begin + BLOCK])
        session.close()
        self.capacity = calls_by_pace(watch.compute_s / MEASURED_S, len(self._threads))
        log.info("engine_measured", engine=self.name, calls=self.capacity)

    def open_session(self, sample_rate_hertz: int, hints: Hints) -> Session:
        """Open a session for sound at a rate in Hz. Called in the thread that will use the session."""
        raise NotImplementedError

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> EngineCall:
        return FollowedCall(
            self, call_id=call_id, recording=recording, sample_rate_hertz=sample_rate_hertz, hints=hints, report=report
        )

    def open(
        self, *, call_id: str, sample_rate_hertz: int, hints: Hints, report: Callable[[StreamReport], None]
    ) -> SessionStream:
        return SessionStream(
            self._threads,
            lambda: self.open_session(sample_rate_hertz, hints),
            report,
            sample_rate_hertz=sample_rate_hertz,
        )

    async def close(self) -> None:
        self._threads.close()
