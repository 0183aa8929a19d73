"""The door of a service: who may come in, how many at once, and what a failure becomes.

Health and reflection need no token and no slot: probes and tools ask them.
"""

import asyncio
import inspect
import ipaddress
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import grpc
import structlog
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from services.runtime import errors
from services.runtime.credentials import TokenFile
from services.runtime.errors import (
    CapacityError,
    Draining,
    Loading,
    NotFoundError,
    PermissionDeniedError,
    RequestError,
    ServiceError,
    UnauthenticatedError,
    Unexpected,
    root_cause,
)
from services.runtime.identity import Scope, check_scope, set_caller
from services.runtime.lifecycle import Lifecycle, State
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.requests import FirstMessages, StreamRequests, checked, ended_when_idle, tolerant

log = get_logger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]


PROBE_IDLE_S: Final = 60.0
"""A reflection stream without a request for so long is ended."""
MAX_PROBES_A_CONNECTION: Final = 16
MAX_PROBES_A_HOST: Final = 256
MAX_PROBES: Final = 1024
"""Streams of health's Watch, and of reflection, from one connection, from one address, and altogether: clients that
balance by health send nothing to a server that refuses them a Watch, so no one machine may take all the places.
"""


class ProbeStreams:
    """Streams that need no token and no slot, and are bounded all the same."""

    def __init__(
        self,
        *,
        of_a_connection: int = MAX_PROBES_A_CONNECTION,
        of_a_host: int = MAX_PROBES_A_HOST,
        in_all: int = MAX_PROBES,
    ) -> None:
        self._of_a_connection, self._of_a_host, self._in_all = of_a_connection, of_a_host, in_all
        self._open: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def place(self, method: str, peer: str) -> Iterator[None]:
        """Hold a place inside the body. `peer` as gRPC writes it: "ipv4:10.0.0.1:55555". Raises CapacityError."""
        host = _network(peer)
        bounds = {(method, ""): self._in_all, (method, host): self._of_a_host, (method, peer): self._of_a_connection}
        if any(self._open[key] >= bound for key, bound in bounds.items()):
            raise CapacityError(f"too many streams of {method}: end those you have")
        self._open.update(bounds.keys())
        try:
            yield
        finally:
            self._open.subtract(bounds.keys())
            for key in bounds:
                if not self._open[key]:
                    del self._open[key]


def _network(peer: str) -> str:
    """Return what one host has of the net: an IPv4 address, or the 64 bits of an IPv6 network, in which any host may
    give itself as many addresses as it likes (RFC 8981). A peer that is neither stands for itself, without its port.
    """
    host = unquote(peer).rpartition(":")[0] or peer
    try:
        address = ipaddress.ip_address(host.partition(":")[2].strip("[]"))
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{int(address) >> 64:x}%{address.scope_id or ''}"


class Door(grpc.aio.ServerInterceptor):
    """Guards every method of one service; of health and reflection only the bounds."""

    def __init__(
        self,
        full_name: str,
        *,
        lifecycle: Lifecycle,
        max_streams: int,
        tokens: TokenFile | None,
        metrics: StageMetrics,
        scopes: Mapping[str, Scope],
        config_limit_s: float = 10.0,
        idle_s: float = 1800.0,
    ) -> None:
        """`max_streams` holds for each streaming method by itself; unary methods are not counted. `tokens`: None takes
        every caller. `scopes`: what a token needs for a method, by its name; CONNECT for other streams, none for other
        unary methods.
        """
        self._full_name = full_name
        self._lifecycle = lifecycle
        self._max_streams = max_streams
        self._tokens = tokens
        self._metrics = metrics
        self._scopes = scopes
        self._idle_s = idle_s
        self._first_messages = FirstMessages(config_limit_s)
        self._probes = ProbeStreams()
        self._open: Counter[str] = Counter()
        self._emptied = asyncio.Event()
        self._emptied.set()
        for reason in (CapacityError.reason, Unexpected.reason):  # a series that begins at its first error has no rate
            metrics.errors_total(reason)

    async def emptied(self) -> None:
        """Wait until no stream is open."""
        await self._emptied.wait()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        method = handler_call_details.method
        is_own = method.startswith(f"/{self._full_name}/")
        read, write = tolerant(handler.request_deserializer), handler.response_serializer
        if handler.unary_unary is not None:
            unary = self._guard_unary(method, handler.unary_unary) if is_own else self._bound_unary(handler.unary_unary)
            return grpc.unary_unary_rpc_method_handler(unary, read, write)
        if handler.unary_stream is not None:
            watch = (
                self._guard_watch(method, handler.unary_stream)
                if is_own
                else self._bound_stream(method, handler.unary_stream)
            )
            return grpc.unary_stream_rpc_method_handler(watch, read, write)
        if handler.stream_unary is not None:
            upload = self._guard_upload(method, handler.stream_unary) if is_own else handler.stream_unary
            return grpc.stream_unary_rpc_method_handler(upload, read, write)
        if handler.stream_stream is not None:
            stream = (
                self._guard_stream(method, handler.stream_stream)
                if is_own
                else self._bound_stream(method, handler.stream_stream, takes_requests=True)
            )
            return grpc.stream_stream_rpc_method_handler(stream, read, write)
        return handler

    def _guard_unary(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                self._identify(method, None, context)
                self._check_loaded()
                return await behaviour(checked(request), context)
            except Exception as error:
                await self._fail(context, error)

        return guarded

    def _guard_watch(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        """One request, many responses."""
        _check_is_generator(method, behaviour)

        async def guarded(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                self._identify(method, Scope.CONNECT, context)
                with self._slot(method):
                    async with aclosing(behaviour(checked(request), context)) as responses:
                        async for response in ended_when_idle(responses, self._idle_s):
                            yield response
            except Exception as error:
                await self._fail(context, error)

        return guarded

    def _guard_stream(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        """A stream takes a slot when its first message has come: those that send none take no place."""
        _check_is_generator(method, behaviour)

        async def guarded(requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                self._identify(method, Scope.CONNECT, context)
                self._check_room(method)
                iterator = aiter(requests)
                first = await self._first_messages.receive(iterator)
                received = StreamRequests(first, iterator, idle_s=self._idle_s)
                with self._slot(method), received.watched():
                    async with aclosing(behaviour(received, context)) as responses:
                        async for response in responses:
                            received.passed()
                            yield response
            except Exception as error:
                await self._fail(context, error)

        return guarded

    def _guard_upload(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        """Many requests, one response."""

        async def guarded(requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                self._identify(method, Scope.CONNECT, context)
                self._check_room(method)
                iterator = aiter(requests)
                first = await self._first_messages.receive(iterator)
                received = StreamRequests(first, iterator, idle_s=self._idle_s)
                with self._slot(method), received.watched():
                    return await behaviour(received, context)
            except Exception as error:
                await self._fail(context, error)

        return guarded

    def _bound_unary(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def bounded(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                return await behaviour(checked(request), context)
            except ServiceError as error:
                await self._fail(context, error)

        return bounded

    def _bound_stream(
        self, method: str, behaviour: Callable[..., Any], *, takes_requests: bool = False
    ) -> Callable[..., Any]:
        """Health's Watch and reflection: open to everybody, so bounded for each connection and altogether."""

        async def bounded(requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                with self._probes.place(method, context.peer()):
                    if takes_requests:
                        received = StreamRequests(None, aiter(requests), idle_s=PROBE_IDLE_S)
                        with received.watched():
                            async for response in behaviour(received, context):
                                received.passed()
                                yield response
                    else:  # Watch writes by itself
                        await behaviour(checked(requests), context)
            except ServiceError as error:
                await self._fail(context, error)

        return bounded

    def _identify(self, method: str, scope: Scope | None, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        structlog.contextvars.clear_contextvars()
        if self._tokens is None:
            set_caller(None, certificate_name=_certificate_name(context))
            return
        headers = dict(context.invocation_metadata() or ())
        set_caller(self._tokens.current.identify(str(headers.get("authorization", ""))))
        check_scope(self._scopes.get(method.rpartition("/")[2], scope))

    @contextmanager
    def _slot(self, method: str) -> Iterator[None]:
        """Hold one of the method's slots. Raises Loading, Draining or CapacityError."""
        self._check_room(method)
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

    def _check_room(self, method: str) -> None:
        self._check_loaded()
        if self._lifecycle.state is not State.SERVING:
            raise Draining("this server is going away: use another replica")
        if self._open[method] >= self._max_streams:
            raise CapacityError(f"all {self._max_streams} streams are taken: try again, or another replica")

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
        is_client_fault = isinstance(cause, RequestError | NotFoundError | UnauthenticatedError | PermissionDeniedError)
        self._metrics.count_error(cause.reason, is_client_fault=is_client_fault)
        # The tracer's own context would write the message on the span, and it may repeat what a client sent.
        trace.get_current_span().set_status(StatusCode.ERROR)
        await errors.abort(getattr(context, "__wrapped__", context), cause, self._full_name)


def _check_is_generator(method: str, behaviour: Callable[..., Any]) -> None:
    if not inspect.isasyncgenfunction(behaviour):
        raise TypeError(f"{method}: a streaming method of this project is an async generator")


def _certificate_name(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The common name of the certificate a client has shown; empty without one."""
    names = context.auth_context().get("x509_common_name", ())
    return b"".join(list(names)[:1]).decode(errors="replace")
