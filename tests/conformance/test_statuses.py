"""Rule 32 where it needs a server of few streams: one that is full, and messages too large."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from clients.conformance.stages import STAGES
from clients.conformance.streams import connected, opened, start_stream
from tests.conformance.conftest import Start
from tests.conformance.servers import SCRIPTED, Server, running

MAX_STREAMS = 2


@pytest.fixture(params=list(STAGES))
def small_server(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Iterator[Server]:
    """A server that holds two streams and takes messages up to 64 KiB."""
    stage = STAGES[request.param]
    backing = start(stage.name, SCRIPTED[stage.name]).backing
    settings = {"TONG_DAI_MAX_STREAMS": str(MAX_STREAMS), "TONG_DAI_MAX_MESSAGE_BYTES": "65536"}
    with running(stage, SCRIPTED[stage.name], tmp_path, settings=settings, backing=backing) as server:
        yield server


async def test_a_full_server_says_so_and_still_answers_probes(small_server: Server) -> None:
    stage = small_server.stage
    async with (
        opened(stage, small_server.target),
        opened(stage, small_server.target) as second,
        connected(small_server.target) as channel,
    ):
        failure = await start_stream(stage, channel).failure()
        assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CAPACITY")
        assert failure.retry_delay_ms > 0
        assert failure.is_elsewhere_worthwhile
        health = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=stage.full_name), timeout=5
        )
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        describe = channel.unary_unary(
            stage.describe_path,
            request_serializer=type(stage.describe_request).SerializeToString,
            response_deserializer=stage.describe_response.FromString,
        )
        assert await describe(stage.describe_request, timeout=5) is not None
        if stage.name == "call":
            await second.send(hangup={})
        await second.rest()
        assert await start_stream(stage, channel).open() is not None, "the slot is free again"


async def test_a_message_too_large_is_the_clients_fault_and_ends_its_stream_alone(small_server: Server) -> None:
    stage = small_server.stage
    async with opened(stage, small_server.target) as other:
        async with connected(small_server.target) as channel:
            stream = start_stream(stage, channel)
            await stream.send(stage.config(call_id="x" * 100_000))
            failure = await stream.failure()
        assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "")
        assert not failure.is_elsewhere_worthwhile
        if stage.name == "call":
            await other.send(hangup={})
        await other.rest()
