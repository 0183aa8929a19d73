"""A bare gRPC echo: what the machine's gRPC costs before the pipeline does anything."""

import time

import grpc

_METHOD = "/bench.Echo/Stream"
_ROUNDS = 2000


class _Echo(grpc.GenericRpcHandler):
    """Answers every message of a stream with itself."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        async def echo(requests, context):  # type: ignore[no-untyped-def]
            async for request in requests:
                yield request

        return grpc.stream_stream_rpc_method_handler(echo)


async def measure_echo() -> float:
    """Microseconds of one round trip of a 200-byte message on one stream, client and server on this loop."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(_METHOD)()
        begun_s = 0.0
        for number in range(_ROUNDS + 100):
            if number == 100:  # the first ones pay for the connection
                begun_s = time.perf_counter()
            await stream.write(bytes(200))
            await stream.read()
        took_s = time.perf_counter() - begun_s
        await stream.done_writing()
    await server.stop(1.0)
    return round(1e6 * took_s / _ROUNDS, 1)
