"""Channels to the replicas of one service, and streams that are opened on the first replica that serves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import grpc

from clients.python.errors import TongDaiError, UnavailableError, error_of
from services.runtime.channels import ChannelSettings, open_channel

Request = TypeVar("Request")
Response = TypeVar("Response")
LONGEST_WAIT_S = 30.0
"""A server's wish to wait longer than that is not followed."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to reach a service. TLS is on where `tls_ca_file` is given; with certificate and key it is mutual."""

    targets: tuple[str, ...]
    """Replicas, "host:port" each, in the order they are tried."""
    tls_ca_file: Path | None = None
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None
    token: str = ""
    open_limit_s: float = 10.0
    """Seconds a replica may take for its first response."""
    rounds: int = 1
    """How often the replicas are tried, with the wait of RetryInfo in between."""


class Stream(Generic[Request, Response]):
    """A bidirectional stream that is open. Iterate over its responses at all times: a server bounds what it holds."""

    def __init__(self, call: Any, first: Response) -> None:
        self.first = first
        """The first response: who answers."""
        self._call = call

    async def send(self, request: Request) -> None:
        """Send a request. Once the stream is over nothing is sent: iterating says why."""
        try:
            await self._call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return

    async def half_close(self) -> None:
        """Say that nothing more comes; the server finishes what it was sent."""
        try:
            await self._call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return

    def cancel(self) -> None:
        """Give the stream up."""
        self._call.cancel()

    async def __aiter__(self) -> AsyncIterator[Response]:
        """The responses behind the first. Raises TongDaiError."""
        try:
            while (response := await self._call.read()) is not grpc.aio.EOF:
                yield response
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from None


class Connection:
    """The replicas of one service. Use as an asynchronous context manager."""

    def __init__(self, options: Options) -> None:
        """Raises OSError: a file of the options cannot be read."""
        self._options = options
        settings = ChannelSettings(
            options.tls_ca_file, options.tls_certificate_file, options.tls_key_file, options.token
        )
        self.channels = [open_channel(target, settings) for target in options.targets]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self.channels:
            await channel.close()

    async def open(self, method: Callable[[grpc.aio.Channel], Any], config: Request) -> Stream[Request, Any]:
        """Open a stream: send `config` and wait for the first response. `method` gives the stub's method of a channel.

        Replicas that are full or away are passed over, up to `rounds` times. Raises TongDaiError.
        """
        refusal: TongDaiError = UnavailableError("UNAVAILABLE", "", "no target was given")
        for turn in range(max(1, self._options.rounds)):
            if turn:
                await asyncio.sleep(min(LONGEST_WAIT_S, refusal.retry_delay_s or 1.0))
            for channel in self.channels:
                try:
                    return await self._open_on(method(channel), config)
                except TongDaiError as error:
                    refusal = error
                    if not error.is_elsewhere_worthwhile:
                        raise
        raise refusal

    async def _open_on(self, start: Any, config: Request) -> Stream[Request, Any]:
        call = start()
        try:
            async with asyncio.timeout(self._options.open_limit_s):
                with suppress(asyncio.InvalidStateError):  # it is refused already: reading says why
                    await call.write(config)
                first = await call.read()
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from None
        except TimeoutError:
            call.cancel()
            limit = f"no response within {self._options.open_limit_s:g} s"
            raise UnavailableError("UNAVAILABLE", "OPEN_TIMEOUT", limit) from None
        if first is grpc.aio.EOF:
            raise UnavailableError("UNAVAILABLE", "ENDED_EARLY", "the stream ended before its first response")
        return Stream(call, first)
