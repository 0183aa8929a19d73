"""A server behind a proxy that changes what is asked of it and what it answers."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc

from clients.conformance.stages import STT, Stage


class Faithful:
    """Passes everything on as it is; an instance serves one stream. The wrong servers override what they break."""

    stage: Stage = STT
    breaks: int = 0
    """The rule it breaks."""
    ends_at_half_close = False
    """The server ends the stream as soon as the client has nothing more to say."""
    refuses_opaquely = False
    """The server's statuses lose their details."""

    def request(self, request: Any) -> Iterable[Any]:
        """The requests that the server behind gets for a request."""
        return [request]

    def response(self, response: Any) -> Iterable[Any]:
        """The responses that the client gets for a response."""
        return [response]


WRONG: Final[list[type[Faithful]]] = []


def wrong(server: type[Faithful]) -> type[Faithful]:
    """Register a wrong server."""
    WRONG.append(server)
    return server


def asks(request: Any) -> str:
    """The kind of a request, empty where it is of no kind."""
    return str(request.WhichOneof("request") or "")


class _Proxy(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Serves one stage's stream and its unary methods out of the server behind."""

    def __init__(self, kind: type[Faithful], channel: grpc.aio.Channel) -> None:
        self._kind = kind
        self._channel = channel

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a method, by its path."""
        path, stage = handler_call_details.method, self._kind.stage
        if path == stage.stream_path:
            return grpc.stream_stream_rpc_method_handler(
                self._stream, stage.request.FromString, stage.response.SerializeToString
            )
        return grpc.unary_unary_rpc_method_handler(self._passing(path), None, None)

    def _passing(self, path: str) -> Any:
        async def passed(request: bytes, context: Any) -> bytes:
            try:
                return bytes(await self._channel.unary_unary(path)(request))
            except grpc.aio.AioRpcError as error:
                return await self._refused(context, error)

        return passed

    async def _stream(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        server, stage = self._kind(), self._kind.stage
        call = self._channel.stream_stream(
            stage.stream_path, stage.request.SerializeToString, stage.response.FromString
        )()
        is_done = asyncio.Event()

        async def pump() -> None:
            async for request in requests:
                for passed in server.request(request):
                    await call.write(passed)
            if server.ends_at_half_close:
                is_done.set()
                call.cancel()
            await call.done_writing()

        pumping = asyncio.create_task(pump())
        try:
            async for response in call:
                for passed in server.response(response):
                    yield passed
        except asyncio.CancelledError:
            if not is_done.is_set():
                raise
        except grpc.aio.AioRpcError as error:
            if not is_done.is_set():
                await self._refused(context, error)
        finally:
            pumping.cancel()
            call.cancel()

    async def _refused(self, context: Any, error: grpc.aio.AioRpcError) -> Any:
        if not self._kind.refuses_opaquely:
            context.set_trailing_metadata(tuple(error.trailing_metadata() or ()))
        await context.abort(error.code(), error.details() or "")


@asynccontextmanager
async def proxied(kind: type[Faithful], target: str) -> AsyncIterator[str]:
    """The address of a proxy in front of `target`."""
    async with grpc.aio.insecure_channel(target) as channel:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((_Proxy(kind, channel),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(grace=None)
