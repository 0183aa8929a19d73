"""The requests of one stream on their way to its method: what is no message, comes too late, or never comes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager, suppress
from typing import Any, Final

from google.protobuf.message import DecodeError

from services.runtime.errors import RequestError, UnavailableError

WAITING_LIMIT: Final = 256
"""Streams that have not sent their first message. One more ends the one that has waited longest."""


class UndecodableMessage(RequestError):
    """The bytes are no message of the method's type."""

    reason = "UNDECODABLE_MESSAGE"


class ConfigTimeout(RequestError):
    """A stream was opened and its config never came."""

    reason = "CONFIG_TIMEOUT"


class StreamIdle(UnavailableError):
    """The stream has been idle for too long. A fresh one may be opened."""

    reason = "STREAM_IDLE"


class _Undecodable:
    """Stands in the place of a request whose bytes could not be read."""


UNDECODABLE: Final = _Undecodable()


def tolerant(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A deserializer that never raises: gRPC would log a traceback for each such message and answer INTERNAL, which
    clients retry.
    """

    def read(raw: bytes) -> Any:
        try:
            return deserialize(raw)
        except DecodeError:
            return UNDECODABLE

    return read


def checked(request: Any) -> Any:
    """The request. Raises UndecodableMessage."""
    if request is UNDECODABLE:
        raise UndecodableMessage("the bytes are no message of this method: use the .proto files of protos/")
    return request


async def ended_when_idle(responses: AsyncIterator[Any], idle_s: float) -> AsyncIterator[Any]:
    """The responses of a method that takes one request. Raises StreamIdle when none comes for `idle_s`."""
    while True:
        limit = asyncio.timeout(idle_s)
        try:
            async with limit:
                response = await anext(responses)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if not limit.expired():
                raise
            raise StreamIdle(f"nothing has passed for {idle_s:g} s: open a fresh stream") from None
        yield response


class FirstMessages:
    """Waits for the first message of streams that hold no slot yet; bounded, so that silent streams cost little."""

    def __init__(self, limit_s: float, *, waiting_limit: int = WAITING_LIMIT) -> None:
        self._limit_s = limit_s
        self._waiting_limit = waiting_limit
        self._waiting: dict[asyncio.Timeout, None] = {}  # the one that waits longest first

    async def receive(self, requests: AsyncIterator[Any]) -> Any:
        """The first message; None where the client half-closed without one. Raises ConfigTimeout."""
        if len(self._waiting) >= self._waiting_limit:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            with suppress(RuntimeError):  # its own limit has just expired: it is about to leave
                longest.reschedule(asyncio.get_running_loop().time())
        limit = asyncio.timeout(self._limit_s)
        try:
            async with limit:
                self._waiting[limit] = None
                return await anext(requests, None)
        except TimeoutError:
            raise ConfigTimeout(
                f"no first message came within {self._limit_s:g} s: send `config` as soon as the stream is open",
                field="config",
            ) from None
        finally:
            self._waiting.pop(limit, None)


class StreamRequests:
    """The requests of a stream, its first message included. Raises UndecodableMessage, and StreamIdle when neither a
    request nor a response has passed for `idle_s` while more requests are waited for.
    """

    def __init__(self, first: Any, rest: AsyncIterator[Any], *, idle_s: float) -> None:
        self._first = first
        self._rest = rest
        self._idle_s = idle_s
        self._passed_at = time.monotonic()
        self._reader: asyncio.Task[Any] | None = None  # waits for a request
        self._is_idle = False
        self._timer: asyncio.TimerHandle | None = None

    def passed(self) -> None:
        """A response has been written."""
        self._passed_at = time.monotonic()

    @contextmanager
    def watched(self) -> Any:
        """The idle limit holds inside the body."""
        self._set_timer(self._idle_s)
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def __aiter__(self) -> "StreamRequests":
        return self

    async def __anext__(self) -> Any:
        if self._first is not None:
            first, self._first = self._first, None
            return checked(first)
        self._reader = asyncio.current_task()
        try:
            request = await anext(self._rest)
        except asyncio.CancelledError:
            if self._is_idle:
                raise StreamIdle(f"nothing has passed for {self._idle_s:g} s: open a fresh stream") from None
            raise
        finally:
            self._reader = None
        self._passed_at = time.monotonic()
        return checked(request)

    def _set_timer(self, after_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(after_s, self._look)

    def _look(self) -> None:
        quiet_s = time.monotonic() - self._passed_at
        if quiet_s < self._idle_s:
            self._set_timer(self._idle_s - quiet_s)
        elif self._reader is None:  # half-closed, or the method is busy: its own limits hold
            self._set_timer(self._idle_s)
        else:
            self._is_idle = True
            self._reader.cancel()
