"""One gRPC stream to a model server. A slow, stalled or dead stream never holds up the call or another stage."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import grpc

from services.call_gateway.stages.outbox import Outbox
from services.runtime.errors import rpc_failure


class StageRequest(Protocol):
    """A request message with the oneof `request`."""

    def WhichOneof(self, oneof_group: Any) -> str | None: ...  # noqa: N802 - the name is protobuf's


Request = TypeVar("Request", bound=StageRequest)
Response = TypeVar("Response")

StageCall = grpc.aio.StreamStreamCall[Request, Response]

_FINAL_CODES = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Statuses that the same request would meet again."""
_REQUEST_CODES = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND})
"""Of those, the ones that a better request would not meet."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Time limits of a stage's stream."""

    first_response_s: float = 1.0
    """From opening the stream to its `engine`, connecting included."""
    attempts: int = 3
    """Attempts at a stream that fails before its first response: another replica may answer."""
    retry_wait_s: float = 0.1
    """Between two attempts."""
    finish_s: float = 1.0
    """From half-close to the end of the stream."""


@dataclass(frozen=True, slots=True)
class StreamFailure:
    """The reason why a stream ended."""

    reason: str  # the ErrorInfo reason, the status's name without one, NO_RESPONSE, ENDED_EARLY, OUTBOX_FULL
    message: str
    is_retryable: bool  # a fresh stream may succeed
    is_elsewhere_worthwhile: bool = False  # the same request, sent at once, may reach a healthy replica
    is_request_at_fault: bool = False  # the stage does not serve what was asked for


class StageStream(Generic[Request, Response]):
    """Writes what its outbox holds, reads without cease, and says how it ended.

    Only `config` is written before the server's `engine`, so that an attempt that fails until then costs
    nothing and what the server does not understand is never sent.
    """

    def __init__(
        self,
        open_call: Callable[[], StageCall[Request, Response]],
        *,
        config: Request,
        outbox: Outbox[Request],
        optional_kinds: frozenset[str],
        on_engine: Callable[[Response], Iterable[str]],
        on_response: Callable[[Response], None],
        limits: StreamLimits,
    ) -> None:
        """`on_engine` takes the first response and returns the features it lists; requests of the `optional_kinds`
        are sent only when listed. `on_response` takes every other response, in order.
        """
        self._open_call = open_call
        self._config = config
        self._outbox = outbox
        self._unlisted_kinds = optional_kinds
        self._optional_kinds = optional_kinds
        self._on_engine = on_engine
        self._on_response = on_response
        self._limits = limits
        self._idle: asyncio.Future[None] | None = None  # the writer waits on it for something to write
        self._is_finishing = False
        self.is_open = False
        """Return whether the server has answered with its engine."""

    def wake(self) -> None:
        """The outbox holds something new, or lets something go."""
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def finish(self) -> None:
        """Half-close once the outbox is empty."""
        self._is_finishing = True
        self.wake()

    async def run(self) -> StreamFailure | None:
        """Serve the stream to its end; None when it ended in good order after `finish`. Cancelling abandons it."""
        for attempts_left in reversed(range(self._limits.attempts)):
            failure = await self._attempt()
            if failure is None or self.is_open or not failure.is_elsewhere_worthwhile or not attempts_left:
                break
            await asyncio.sleep(self._limits.retry_wait_s)
        return failure

    async def _attempt(self) -> StreamFailure | None:
        call = self._open_call()
        try:
            async with asyncio.timeout(self._limits.first_response_s):
                await call.write(self._config)
                first = await call.read()
            if first is grpc.aio.EOF:
                return await self._ending(call)
            self._unlisted_kinds = self._optional_kinds - frozenset(self._on_engine(first))  # type: ignore[arg-type]
            self.is_open = True
            return await self._converse(call)
        except TimeoutError:
            message = f"no response within {self._limits.first_response_s} s"
            return StreamFailure("NO_RESPONSE", message, is_retryable=True)
        except grpc.aio.AioRpcError as error:
            return _failure(error)
        except asyncio.InvalidStateError:  # the server had ended the stream before the config was written
            return await self._ending(call)
        finally:
            call.cancel()

    async def _converse(self, call: StageCall[Request, Response]) -> StreamFailure | None:
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._write(call))
            failure = await self._read(call)
            writing.cancel()
        return failure

    async def _read(self, call: StageCall[Request, Response]) -> StreamFailure | None:
        try:
            while (response := await call.read()) is not grpc.aio.EOF:
                self._on_response(response)  # type: ignore[arg-type]
        except grpc.aio.AioRpcError as error:
            return _failure(error)
        return await self._ending(call)

    async def _write(self, call: StageCall[Request, Response]) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                while (request := self._outbox.pop()) is not None:
                    if request.WhichOneof("request") not in self._unlisted_kinds:
                        await call.write(request)
                if self._is_finishing and not len(self._outbox):
                    await call.done_writing()
                    return
                self._idle = loop.create_future()
                await self._idle
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the stream is over, and the reader learns why

    async def _ending(self, call: StageCall[Request, Response]) -> StreamFailure | None:
        code = await call.code()
        if code is not grpc.StatusCode.OK:
            return StreamFailure(
                code.name,
                await call.details() or "",
                is_retryable=code not in _FINAL_CODES,
                is_request_at_fault=code in _REQUEST_CODES,
            )
        if self._is_finishing:
            return None
        return StreamFailure("ENDED_EARLY", "the server ended the stream before the call did", is_retryable=True)


def _failure(error: grpc.aio.AioRpcError) -> StreamFailure:
    failure = rpc_failure(error)
    return StreamFailure(
        failure.reason or failure.code.name,
        failure.message,
        is_retryable=failure.code not in _FINAL_CODES,
        is_elsewhere_worthwhile=failure.is_elsewhere_worthwhile,
        is_request_at_fault=failure.code in _REQUEST_CODES,
    )
