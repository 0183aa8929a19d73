"""A bidirectional stream as two tasks: one hears the client, one speaks to it, and neither waits for the other."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from services.runtime.errors import FirstMessageNotConfig, SecondConfig
from services.runtime.metrics import StageMetrics

T = TypeVar("T")


class StreamRequest(Protocol):
    """A request message whose one field is the oneof `request`, of which `config` is a member."""

    def WhichOneof(self, oneof_group: str) -> str | None: ...  # noqa: N802 - protobuf's name


Request = TypeVar("Request", bound=StreamRequest)
Response = TypeVar("Response")


class Outbox(Generic[T]):
    """The responses of one stream that wait to be written. Bounded: a full outbox holds its producer, drops nothing."""

    def __init__(self, limit: int) -> None:
        """`limit`: how many responses may wait."""
        self._limit = limit
        self._waiting: deque[T] = deque()
        self._is_closed = False
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, response: T) -> None:
        """Queue a response; waits while the outbox is full. After `close` it is discarded: nobody listens."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._is_closed or len(self._waiting) < self._limit)
            if not self._is_closed:
                self._waiting.append(response)
                self._changed.notify_all()

    async def close(self) -> None:
        """Nothing more comes. What waits is still written."""
        async with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._is_closed or self._waiting)
                if not self._waiting:
                    return
                response = self._waiting.popleft()
                self._changed.notify_all()
            yield response


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
            await outbox.close()

    # Not a TaskGroup: one held open across a yield would, when its task fails, cancel whoever is writing the response.
    serving = asyncio.create_task(serve())
    try:
        async for response in outbox:
            yield response
        await serving
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait([serving])
