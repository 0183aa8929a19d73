"""Clients that send no message, or bytes that are none: each costs one log line, and no other call is disturbed."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from clients.conformance.stages import STAGES, Stage
from clients.conformance.streams import connected, start_stream
from services.runtime.errors import rpc_failure
from services.runtime.grpc_server import HANDSHAKE_MS
from services.runtime.reflection import PACKAGES
from tests.conformance.conftest import Start
from tests.conformance.servers import SCRIPTED, TTS, Server, running

NO_MESSAGE = b"\xff\xfe\x00caller"
SEED = 15
N_FUZZED = 200


@pytest.fixture(params=list(STAGES))
def own_server(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Any:
    """A server of the test's own, so that its log is the test's."""
    stage = STAGES[request.param]
    backing = start(stage.name, SCRIPTED[stage.name]).backing
    with running(stage, SCRIPTED[stage.name], tmp_path, backing=backing) as server:
        yield server


def events(server: Server) -> list[dict[str, Any]]:
    """The lines of its log; each must be a JSON object."""
    return [json.loads(line) for line in server.log().splitlines()]


async def send_bytes(target: str, path: str, *messages: bytes) -> grpc.StatusCode:
    """A stream of raw bytes; returns how the server ended it. The client is the blocking one: grpc.aio says INTERNAL
    itself when a write meets a stream that has ended.
    """

    def send() -> grpc.StatusCode:
        with grpc.insecure_channel(target) as channel:
            call: Any = channel.stream_stream(path)(iter(messages), timeout=20)
            with suppress(grpc.RpcError):
                for _ in call:
                    pass
            return grpc.StatusCode(call.code())

    return await asyncio.to_thread(send)


async def test_bytes_that_are_no_message_are_an_invalid_argument_in_one_line(own_server: Server) -> None:
    stage = own_server.stage
    before = len(events(own_server))
    async with connected(own_server.target) as channel:
        call = channel.stream_stream(stage.stream_path)(iter([NO_MESSAGE]), timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()
        failure = rpc_failure(raised.value)
        assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNDECODABLE_MESSAGE")
        told = [
            event for event in events(own_server)[before:] if not event["event"].startswith(("call_limit", "agents_"))
        ]
        assert [(event["event"], event["reason"]) for event in told] == [("refused", "UNDECODABLE_MESSAGE")]

        config = stage.config().SerializeToString()
        assert (
            await send_bytes(own_server.target, stage.stream_path, config, NO_MESSAGE)
            is grpc.StatusCode.INVALID_ARGUMENT
        )

        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(stage.describe_path)(NO_MESSAGE, timeout=20)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in own_server.log()


@pytest.mark.parametrize(
    "path",
    ["/grpc.health.v1.Health/Watch", *(f"/{package}.ServerReflection/ServerReflectionInfo" for package in PACKAGES)],
)
async def test_so_are_they_to_health_and_reflection(scripted_server: Server, path: str) -> None:
    async with connected(scripted_server.target) as channel:
        assert await send_bytes(scripted_server.target, path, NO_MESSAGE) is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary("/grpc.health.v1.Health/Check")(NO_MESSAGE, timeout=20)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in scripted_server.log()


def fuzzed(stage: Stage, chance: random.Random) -> list[bytes]:
    """A stream that is random, or begins well and is then changed in some bytes."""
    if chance.random() < 0.4:
        return [chance.randbytes(chance.randint(1, 60)) for _ in range(chance.randint(1, 4))]
    messages = [stage.config().SerializeToString()]
    messages += [stage.request(**stage.later_request).SerializeToString() for _ in range(2)]
    changed = []
    for message in messages:
        content = bytearray(message)
        for _ in range(chance.randint(0, 3) if content else 0):
            content[chance.randrange(len(content))] = chance.randrange(256)
        changed.append(bytes(content))
    return changed


async def test_fuzzed_streams_are_clients_faults(own_server: Server) -> None:
    stage, chance = own_server.stage, random.Random(SEED)
    for _ in range(N_FUZZED // 10):
        batch = [fuzzed(stage, chance) for _ in range(10)]
        sent = (send_bytes(own_server.target, stage.stream_path, *messages) for messages in batch)
        codes = await asyncio.gather(*sent)
        assert grpc.StatusCode.INTERNAL not in codes
        assert grpc.StatusCode.UNKNOWN not in codes
    assert "Traceback" not in own_server.log()
    assert [event for event in events(own_server) if event["event"] == "unexpected_failure"] == []


async def test_silent_streams_take_no_slots_and_are_ended(tmp_path: Path) -> None:
    settings = {"TTS_MAX_STREAMS": "4", "TTS_CONFIG_LIMIT_S": "3"}
    with running(TTS, "tone", tmp_path, settings=settings) as server:
        async with connected(server.target) as channel, connected(server.target) as other:
            quiet = [start_stream(TTS, channel) for _ in range(64)]
            ends = [asyncio.create_task(stream.failure()) for stream in quiet]
            await asyncio.sleep(0.5)
            streams = [start_stream(TTS, other) for _ in range(4)]
            for stream in streams:
                await stream.open()
            assert await reason_of_refusal(TTS, other) == "CAPACITY", "the slots themselves are bounded as before"
            failures = await asyncio.gather(*ends)
    assert {(failure.code, failure.reason) for failure in failures} <= {
        (grpc.StatusCode.INVALID_ARGUMENT, "CONFIG_TIMEOUT"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "CAPACITY"),
    }
    assert "CONFIG_TIMEOUT" in {failure.reason for failure in failures}


async def reason_of_refusal(stage: Stage, channel: grpc.aio.Channel) -> str:
    """The reason of a refused stream; asked again where grpc.aio lost the reason, as a write met the refusal."""
    for _ in range(10):
        stream = start_stream(stage, channel)
        await stream.send(stage.config())
        reason = (await stream.failure()).reason
        if reason != "ENDED_EARLY":
            return reason
    raise AssertionError("ten writes in a row met the end of their streams")


async def test_a_connection_on_which_nothing_begins_is_closed(scripted_server: Server) -> None:
    host, _, port = scripted_server.target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(HANDSHAKE_MS / 1000 + 10):
        while await reader.read(1024):
            pass
    writer.close()


async def test_a_stream_on_which_nothing_passes_is_ended(tmp_path: Path) -> None:
    with running(TTS, "tone", tmp_path, settings={"TTS_STREAM_IDLE_S": "1"}) as server:
        async with connected(server.target) as channel:
            stream = start_stream(TTS, channel)
            await stream.open()
            failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "STREAM_IDLE")


async def test_health_and_reflection_are_bounded_on_a_connection(scripted_server: Server) -> None:
    request = health_pb2.HealthCheckRequest(service=scripted_server.stage.full_name)
    async with connected(scripted_server.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watches = [stub.Watch(request) for _ in range(20)]
        first = await asyncio.gather(*(one_status(watch) for watch in watches))
        assert first.count(health_pb2.HealthCheckResponse.SERVING) == 16
        assert first.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 4
        assert (await stub.Check(request, timeout=5)).status == health_pb2.HealthCheckResponse.SERVING
        ask = channel.stream_stream(
            f"/{PACKAGES[0]}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        )
        calls = [ask(forever(reflection_pb2.ServerReflectionRequest(list_services=""))) for _ in range(20)]
        answers = await asyncio.gather(*(one_status(call) for call in calls))
        assert answers.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 4
        for call in (*watches, *calls):
            call.cancel()


async def one_status(call: Any) -> Any:
    """The first message of a stream, or the status that it ended with."""
    try:
        answer = await call.read()
    except grpc.aio.AioRpcError as error:
        return error.code()
    if answer is grpc.aio.EOF:
        return await call.code()
    return answer.status if isinstance(answer, health_pb2.HealthCheckResponse) else None


async def forever(request: Any) -> AsyncIterator[Any]:
    """One request, and no half-close."""
    yield request
    await asyncio.Event().wait()
