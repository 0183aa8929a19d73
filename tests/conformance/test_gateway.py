"""The gateway's response to certain messages of its stages: a program is the caller, the stages are scripted."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from voice.call.v1 import record_pb2

from clients.conformance.checks.gateway import CALL_LIMIT_S, greeted, is_event
from clients.conformance.hearing import RATE, SILENCE, example, play
from clients.conformance.stages import CALL, STT
from clients.conformance.streams import connected, kind_of, opened
from tests.conformance.conftest import Start
from tests.conformance.servers import Server, running


async def test_each_door_has_its_own_health(gateway: Server) -> None:
    async with connected(gateway.target) as channel:
        request = health_pb2.HealthCheckRequest(service="edge.program")
        watching = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=5)
        async for answer in watching:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                break
        watching.cancel()


@pytest.fixture
def talker(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Iterator[Server]:
    """A gateway whose STT stage always understands the same words."""
    said: str = request.param
    _, nlu, tts = start(CALL.name, "script").backing
    with (
        running(STT, "script", tmp_path, settings={"STT_SCRIPT_TEXTS": said}) as stt,
        running(CALL, "script", tmp_path, backing=(stt, nlu, tts)) as gateway,
    ):
        yield gateway


@pytest.mark.parametrize("talker", ["Thank you, goodbye."], indirect=True)
async def test_the_agent_hangs_up_when_all_is_said(talker: Server) -> None:
    async with opened(CALL, talker.target) as stream:
        await greeted(stream)
        end = await play(stream, example())
        await play(stream, SILENCE * RATE, end)
        response = await stream.until(lambda one: kind_of(one) == "end", CALL_LIMIT_S)
    assert response.end.cause == record_pb2.CallEnd.CAUSE_AGENT


@pytest.mark.parametrize("talker", ["Please say fail."], indirect=True)
async def test_a_failed_turn_fails_the_call_where_that_is_asked_for(talker: Server) -> None:
    async with opened(CALL, talker.target, fail_stream_on_turn_failure=True) as stream:
        await greeted(stream)
        await play(stream, example())
        failure = await stream.failure(CALL_LIMIT_S)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INTERNAL, "TURN_FAILED")


@pytest.mark.parametrize("talker", ["Please say fail."], indirect=True)
async def test_a_stage_that_fails_is_apologised_for(talker: Server) -> None:
    async with opened(CALL, talker.target) as stream:
        await greeted(stream)
        end = await play(stream, example())
        await play(stream, SILENCE * RATE, end)
        trouble = (await stream.until(is_event("stage_trouble"), CALL_LIMIT_S)).event.stage_trouble
        assert (trouble.stage, trouble.reason) == ("nlu", "ENGINE_FAILED")
        response = await stream.until(lambda one: kind_of(one) == "end", CALL_LIMIT_S)
    assert response.end.cause == record_pb2.CallEnd.CAUSE_FAILURE
