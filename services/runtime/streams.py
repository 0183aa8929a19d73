"""A bidirectional stream as two tasks: one hears the client, one speaks to it, and neither waits for the other."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, Literal, Protocol, TypeVar

from services.runtime.errors import FirstMessageNotConfig, SecondConfig
from services.runtime.metrics import StageMetrics

T = TypeVar("T")


class StreamRequest(Protocol):
    """A request message whose one field is the oneof `request`, of which `config` is a member."""

    def WhichOneof(self, oneof_group: Literal["request"], /) -> str | None: ...  # noqa: N802 - protobuf's name


Request = TypeVar("Request", bound=StreamRequest)
Response = TypeVar("Response")


class Outbox(Generic[T]):
    """The responses of one stream that wait to be written, in order. Bounded: a full outbox holds its producer, and
    drops nothing. Any number of producers, one reader.
    """

    def __init__(self, limit: int) -> None:
        """`limit`: how many responses may wait."""
        self._limit = limit
        self._waiting: deque[T] = deque()
        self._is_closed = False
        self._reader: asyncio.Future[None] | None = None
        self._producers: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, response: T) -> None:
        """Queue a response; waits while the outbox is full. After `close` the response is discarded."""
        while len(self._waiting) >= self._limit and not self._is_closed:
            room = asyncio.get_running_loop().create_future()
            self._producers.append(room)
            try:
                await room
            except asyncio.CancelledError:
                if room.done() and not room.cancelled():
                    self._wake_producer()  # this one was given the room; the next may have it
                raise
        if not self._is_closed:
            self._waiting.append(response)
            self._wake_reader()

    def offer(self, response: T) -> bool:
        """Queue a response without waiting. False when the outbox is full or closed: it is the producer's to drop."""
        if self._is_closed or len(self._waiting) >= self._limit:
            return False
        self._waiting.append(response)
        self._wake_reader()
        return True

    @property
    def is_full(self) -> bool:
        """Return whether `put` would wait. Who uses `post` takes no new work meanwhile."""
        return len(self._waiting) >= self._limit

    def post(self, response: T) -> None:
        """Queue a response past the bound: for callbacks, which cannot wait. See `is_full`."""
        if not self._is_closed:
            self._waiting.append(response)
            self._wake_reader()

    def close(self) -> None:
        """Accept no more items. Those that wait are still read."""
        self._is_closed = True
        self._wake_reader()
        while self._producers:
            self._wake_producer()

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            while not self._waiting:
                if self._is_closed:
                    return
                self._reader = asyncio.get_running_loop().create_future()
                await self._reader
            response = self._waiting.popleft()
            self._wake_producer()
            yield response

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _wake_producer(self) -> None:
        while self._producers:
            room = self._producers.popleft()
            if not room.done():
                room.set_result(None)
                return


async def first_config(requests: AsyncIterator[Request], kind: str = "config") -> Request:
    """The first request, which must carry `kind`. Raises FirstMessageNotConfig, also for a stream without requests."""
    request = await anext(requests, None)
    if request is None or request.WhichOneof("request") != kind:
        raise FirstMessageNotConfig(f"the first message of a stream must carry `{kind}`", field=kind)
    return request


async def later_requests(requests: AsyncIterator[Request], metrics: StageMetrics) -> AsyncIterator[Request]:
    """The requests after the config. A kind this server does not know is ignored and counted; a second config raises
    SecondConfig.
    """
    async for request in requests:
        kind = request.WhichOneof("request")
        if kind is None:
            metrics.unknown_requests_total.inc()
        elif kind == "config":
            raise SecondConfig("`config` is sent once, as the first message; open a new stream instead", field="config")
        else:
            yield request


async def exchange(
    requests: AsyncIterator[Request],
    handle: Callable[[AsyncIterator[Request]], Awaitable[None]],
    outbox: Outbox[Response],
) -> AsyncIterator[Response]:
    """Run `handle(requests)` in its own task and yield what it puts into the outbox.

    `handle` serves the whole stream: it reads the requests to their end (half-close) and returns when the last response
    is in the outbox; the stream then ends OK. What it raises is raised here, after what it had put. Closing or
    cancelling this iterator cancels it.
    """

    async def serve() -> None:
        try:
            await handle(requests)
        finally:
            outbox.close()

    # Not a TaskGroup: one held open across a yield would, when its task fails, cancel whoever is writing the response.
    serving = asyncio.create_task(serve())
    try:
        async for response in outbox:
            yield response
        await serving
    finally:
        if not serving.done():
            serving.cancel()
            await asyncio.wait([serving])
        if not serving.cancelled():
            serving.exception()  # looked at, so that asyncio does not report it as never retrieved
