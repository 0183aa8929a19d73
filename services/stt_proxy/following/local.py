"""What the engines share whose recogniser runs in this process: sessions on threads, an ear for each call."""

from collections.abc import Callable

from services.stt_proxy.engine import Ear, Hints, Report
from services.stt_proxy.following.ear import FollowingEar
from services.stt_proxy.following.sessions import LOCAL_LIMITS, Session, SessionStream, SessionThreads
from services.stt_proxy.following.stream import StreamLimits, StreamReport
from services.stt_proxy.recording import Recording


class LocalEngine:
    """A recogniser of this process. An engine derives from it, loads its model and opens sessions."""

    name: str
    limits: StreamLimits = LOCAL_LIMITS

    def __init__(self, *, n_threads: int) -> None:
        """`n_threads`: 0 means one a core."""
        self._threads = SessionThreads(self.name, n_threads)

    def open_session(self, sample_rate_hertz: int, hints: Hints) -> Session:
        """A session for sound at that rate. Called in the thread that will use it."""
        raise NotImplementedError

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> Ear:
        return FollowingEar(
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
