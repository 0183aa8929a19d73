"""One open stream as a check sees it: send, receive with a limit, half-close, look at how it ended."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any

import grpc

from clients.conformance.stages import Stage
from services.runtime.channels import ChannelSettings, open_channel
from services.runtime.errors import WRITE_FAILED, RpcFailure, rpc_failure

PLAIN = ChannelSettings()
LIMIT_S = 20.0
"""Limit on the wait for one response; model engines on a busy machine need that much."""
lost_statuses: ContextVar[list[str]] = ContextVar("lost_statuses")
"""The streams of the running check whose status grpc.aio's client lost, by their methods; see `note_if_lost`."""


def note_if_lost(error: grpc.aio.AioRpcError, method: str) -> None:
    """Note a status that the client library put in the place of the server's, so that the check is tried once more."""
    is_lost = error.code() is grpc.StatusCode.INTERNAL and error.details() == WRITE_FAILED
    if is_lost and (noted := lost_statuses.get(None)) is not None:
        noted.append(method)


class Stream:
    """A client of one call."""

    def __init__(self, stage: Stage, call: Any) -> None:
        self.stage = stage
        self._call = call
        self._arrived: asyncio.Queue[Any] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self.heard: list[Any] = []
        """Every response received so far."""

    async def send(self, request: Any = None, **kind: Any) -> None:
        """Send a request, or the one made of `kind`, as in `send(text={"turn_id": 1, "text": "Hi."})`.

        A stream that has ended already takes it silently: the test sees the end when it receives.
        """
        try:
            await self._call.write(self.stage.request(**kind) if request is None else request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return

    async def open(self, **change: Any) -> Any:
        """Send the config and return the first response's payload."""
        await self.send(self.stage.config(**change))
        response = await self.receive()
        assert response.WhichOneof("response") == self.stage.opening
        return getattr(response, self.stage.opening)

    async def receive(self, limit_s: float | None = None) -> Any:
        """The next response, or None at the end of the stream. Raises AioRpcError, TimeoutError.

        Reading goes on in a task of its own from the first call: in grpc.aio a read given up gives the call up.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        async with asyncio.timeout(LIMIT_S if limit_s is None else limit_s):
            response = await self._arrived.get()
        if isinstance(response, grpc.aio.AioRpcError):
            raise response
        if response is not None:
            self.heard.append(response)
        return response

    async def until(self, is_it: Callable[[Any], bool], limit_s: float | None = None) -> Any:
        """The next response for which `is_it` holds; those before it are only kept in `heard`."""
        async with asyncio.timeout(LIMIT_S if limit_s is None else limit_s):
            while (response := await self.receive(limit_s)) is not None:
                if is_it(response):
                    return response
        raise AssertionError(f"the stream ended OK before that; heard {[kind_of(one) for one in self.heard]}")

    async def turn_end(self, turn_id: int, limit_s: float | None = None) -> Any:
        """The end of a turn, which may have been heard already."""

        def is_it(response: Any) -> bool:
            return kind_of(response) == "turn_end" and response.turn_end.turn_id == turn_id

        response = next(filter(is_it, self.heard), None) or await self.until(is_it, limit_s)
        return response.turn_end

    async def half_close(self) -> None:
        """No more input."""
        try:
            await self._call.done_writing()
        except asyncio.InvalidStateError:
            return

    async def rest(self, limit_s: float | None = None) -> list[Any]:
        """Half-close, and everything up to an OK end."""
        await self.half_close()
        began = len(self.heard)
        async with asyncio.timeout(LIMIT_S if limit_s is None else limit_s):
            while await self.receive(limit_s) is not None:
                pass
        return self.heard[began:]

    async def failure(self, limit_s: float | None = None) -> RpcFailure:
        """Return how the stream failed; responses on the way are only kept."""
        try:
            async with asyncio.timeout(LIMIT_S if limit_s is None else limit_s):
                while await self.receive(limit_s) is not None:
                    pass
        except grpc.aio.AioRpcError as error:
            return rpc_failure(error)
        raise AssertionError("the stream ended OK")

    async def quiet(self, seconds: float) -> list[Any]:
        """Everything that comes within a time."""
        began = len(self.heard)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.receive(seconds + 1) is not None:
                    pass
        return self.heard[began:]

    def cancel(self) -> None:
        """Give the call up."""
        self._call.cancel()

    async def _read(self) -> None:
        try:
            while (response := await self._call.read()) is not grpc.aio.EOF:
                self._arrived.put_nowait(response)
            if await self._call.code() is grpc.StatusCode.OK:
                self._arrived.put_nowait(None)
                return
            self._end_with(await self._status())
        except grpc.aio.AioRpcError as error:
            self._end_with(error)

    def _end_with(self, error: grpc.aio.AioRpcError) -> None:
        note_if_lost(error, self.stage.method)
        self._arrived.put_nowait(error)

    async def _status(self) -> grpc.aio.AioRpcError:
        return grpc.aio.AioRpcError(
            await self._call.code(),
            await self._call.initial_metadata(),
            await self._call.trailing_metadata(),
            await self._call.details(),
        )


def kind_of(response: Any) -> str:
    """The kind of a response."""
    return str(response.WhichOneof("response"))


def kinds(responses: list[Any]) -> list[str]:
    """The kinds of responses, in order."""
    return [kind_of(response) for response in responses]


@asynccontextmanager
async def connected(target: str, settings: ChannelSettings = PLAIN) -> AsyncIterator[grpc.aio.Channel]:
    """A channel for the time of the body."""
    channel = open_channel(target, settings)
    try:
        yield channel
    finally:
        await channel.close(grace=None)


def start_stream(stage: Stage, channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> Stream:
    """Open a stream on a channel; the test reads and writes."""
    method = channel.stream_stream(
        stage.stream_path,
        request_serializer=stage.request.SerializeToString,
        response_deserializer=stage.response.FromString,
    )
    return Stream(stage, method(metadata=metadata))


@asynccontextmanager
async def opened(stage: Stage, target: str, settings: ChannelSettings = PLAIN, **change: Any) -> AsyncIterator[Stream]:
    """A stream whose config was accepted, on its own channel."""
    async with connected(target, settings) as channel:
        stream = start_stream(stage, channel)
        await stream.open(**change)
        yield stream
        stream.cancel()
