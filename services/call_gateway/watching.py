"""Event bus of the calls: its listeners are the log, callers that are programs, and watching programs."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from voice.type.v1 import analysis_pb2

from services.call_gateway.conversation.commands import News
from services.call_gateway.line import EndCause
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

MAX_WAITING_NEWS = 1024
"""A watcher who is further behind loses the oldest news, and is told how many."""

log = get_logger(__name__)
metrics = StageMetrics("call")
metrics.queue_dropped_total("watcher")  # there from the start: a series that begins at its first drop has no rate


@dataclass(frozen=True, slots=True)
class CallBegan:
    """The call was answered."""

    edge: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class CallOver:
    """The call is over. The last news of it, but for its analysis."""

    cause: EndCause
    message: str
    duration_ms: int  # of audio
    turn_count: int  # turns the agent answered
    is_echo_suspected: bool = False  # the agent's own voice came back on the line
    is_to_be_analysed: bool = False  # a CallAnalysed comes behind it


@dataclass(frozen=True, slots=True)
class CallAnalysed:
    """The analysis of a call, the last news of a call that is over; None where there is no analysis."""

    analysis: analysis_pb2.CallAnalysis | None
    is_last: bool = True  # False: the call goes on and is handed to a person


@dataclass(frozen=True, slots=True)
class CallNews:
    """Something that happened on a call."""

    call_id: str
    tenant_id: str
    sample: int  # where on the caller's media clock
    news: News | CallBegan | CallOver | CallAnalysed
    time_ns: int = field(default_factory=time.time_ns)  # since 1970


Listener = Callable[[CallNews], None]
"""Hears news at once, on the event loop; must return at once."""


class EventBus:
    """Event bus: passes events of calls on to its listeners, in order."""

    def __init__(self) -> None:
        self._listeners: dict[Listener, None] = {}

    def subscribe(self, listener: Listener) -> None:
        self._listeners[listener] = None

    def unsubscribe(self, listener: Listener) -> None:
        """Does nothing when it is not there."""
        self._listeners.pop(listener, None)

    def publish(self, news: CallNews) -> None:
        """Tell every listener. One that raises breaks neither the call nor the listeners behind it."""
        for listener in tuple(self._listeners):
            try:
                listener(news)
            except Exception:
                log.exception("listener_failed")


class Watcher:
    """News for one who reads at their own pace."""

    def __init__(
        self,
        wants: Callable[[CallNews], bool],
        *,
        is_last: Callable[[CallNews], bool] = lambda _: False,
        limit: int = MAX_WAITING_NEWS,
    ) -> None:
        """`wants`: which news; `is_last`: after which there is no more; `limit`: how many may wait."""
        self._wants = wants
        self._is_last = is_last
        self._limit = limit
        self._waiting: deque[CallNews] = deque()
        self._changed = asyncio.Event()
        self._dropped = 0
        self._is_closed = False

    def __call__(self, news: CallNews) -> None:
        """Listener of the event bus: queue an event, and drop the oldest where too many wait."""
        if self._is_closed or not self._wants(news):
            return
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self._dropped += 1
            metrics.queue_dropped_total("watcher").inc()
        self._waiting.append(news)
        self._changed.set()
        if self._is_last(news):
            self.close()

    def close(self) -> None:
        """No more comes. What waits is still given out."""
        self._is_closed = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[tuple[CallNews, int]]:
        """Each piece of news, with how many were lost before it."""
        while True:
            self._changed.clear()
            while self._waiting:
                dropped, self._dropped = self._dropped, 0
                yield self._waiting.popleft(), dropped
            if self._is_closed:
                return
            await self._changed.wait()
