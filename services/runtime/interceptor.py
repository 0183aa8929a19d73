"""The door of a service: who may come in, how many at once, and what a failure becomes.

Health and reflection do not pass through it: probes need no token and no slot.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, TypeAlias

import grpc
import structlog

from services.runtime import errors
from services.runtime.errors import CapacityError, Draining, Loading, ServiceError, Unexpected, root_cause
from services.runtime.identity import Tokens, set_caller
from services.runtime.lifecycle import Lifecycle, State
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

log = get_logger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]


class Door(grpc.aio.ServerInterceptor):
    """Guards every method of one service."""

    def __init__(
        self, full_name: str, *, lifecycle: Lifecycle, max_streams: int, tokens: Tokens | None, metrics: StageMetrics
    ) -> None:
        """`max_streams` holds for each streaming method by itself; unary methods are not counted. `tokens`: None takes
        every caller.
        """
        self._full_name = full_name
        self._lifecycle = lifecycle
        self._max_streams = max_streams
        self._tokens = tokens
        self._metrics = metrics
        self._open: Counter[str] = Counter()
        self._emptied = asyncio.Event()
        self._emptied.set()

    async def emptied(self) -> None:
        """Return when no stream is open."""
        await self._emptied.wait()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(f"/{self._full_name}/"):
            return handler
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._guard_unary(handler.unary_unary), handler.request_deserializer, handler.response_serializer
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._guard_stream(method, handler.unary_stream),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                self._guard_stream(method, handler.stream_stream),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return handler

    def _guard_unary(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                self._identify(context)
                self._check_loaded()
                return await behaviour(request, context)
            except Exception as error:
                await self._fail(context, error)

        return guarded

    def _guard_stream(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        if not inspect.isasyncgenfunction(behaviour):
            raise TypeError(f"{method}: a streaming method of this project is an async generator")

        async def guarded(requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                self._identify(context)
                with self._slot(method):
                    async with aclosing(behaviour(requests, context)) as responses:
                        async for response in responses:
                            yield response
            except Exception as error:
                await self._fail(context, error)

        return guarded

    def _identify(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        structlog.contextvars.clear_contextvars()
        if self._tokens is None:
            set_caller(None)
            return
        headers = dict(context.invocation_metadata() or ())
        set_caller(self._tokens.identify(str(headers.get("authorization", ""))))

    @contextmanager
    def _slot(self, method: str) -> Iterator[None]:
        """Hold one of the method's slots. Raises Loading, Draining or CapacityError."""
        self._check_loaded()
        if self._lifecycle.state is not State.SERVING:
            raise Draining("this server is going away: use another replica")
        if self._open[method] >= self._max_streams:
            raise CapacityError(f"all {self._max_streams} streams are taken: try again, or another replica")
        self._open[method] += 1
        self._emptied.clear()
        self._metrics.open_streams.inc()
        try:
            yield
        finally:
            self._open[method] -= 1
            self._metrics.open_streams.dec()
            if not self._open.total():
                self._emptied.set()

    def _check_loaded(self) -> None:
        if self._lifecycle.state is State.LOADING:
            raise Loading("the engine is being loaded: try again, or another replica")

    async def _fail(self, context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> None:
        cause = root_cause(error)
        if isinstance(cause, grpc.aio.AbortError):
            raise cause
        if not isinstance(cause, ServiceError):
            log.error("unexpected_failure", exc_info=cause)
            cause = Unexpected("the server failed in a way it did not expect; its log says more")
        else:
            log.info("refused", reason=cause.reason, field=cause.field)
        self._metrics.errors_total(cause.reason).inc()
        await errors.abort(context, cause, self._full_name)
