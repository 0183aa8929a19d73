"""Rules 4 and 28: a server that goes away says so, finishes what it has, and takes nothing new."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from clients.conformance.stages import STAGES
from clients.conformance.streams import connected, kind_of, opened, start_stream
from tests.conformance.conftest import Start
from tests.conformance.servers import SCRIPTED, Server, running

DRAIN_S = 8


@pytest.fixture(params=list(STAGES))
def draining(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Iterator[Server]:
    """A server to be drained."""
    stage = STAGES[request.param]
    backing = start(stage.name, SCRIPTED[stage.name]).backing
    settings = {"TONG_DAI_DRAIN_S": str(DRAIN_S)}
    with running(stage, SCRIPTED[stage.name], tmp_path, settings=settings, backing=backing) as server:
        yield server


async def test_a_drained_server_finishes_and_refuses(draining: Server) -> None:
    stage = draining.stage
    async with opened(stage, draining.target) as stream, connected(draining.target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watching = health.Watch(health_pb2.HealthCheckRequest(service=stage.full_name))
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        draining.process.send_signal(signal.SIGTERM)
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        failure = await start_stream(stage, channel).failure()
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
        assert failure.is_elsewhere_worthwhile
        if stage.name == "call":
            await stream.send(hangup={})
        else:
            going_away = await stream.until(lambda one: kind_of(one) == "going_away")
            assert 0 < going_away.going_away.deadline_ms <= DRAIN_S * 1000
        rest = await stream.rest()
        assert "going_away" not in [kind_of(one) for one in rest], "it is said once"
    assert await asyncio.to_thread(draining.process.wait, DRAIN_S) == 0
