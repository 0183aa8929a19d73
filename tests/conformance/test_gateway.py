"""The rules of ConnectCall, and of the calls that are up: a program is the caller, the stages are scripted."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from voice.call.v1 import call_pb2, record_pb2
from voice.call.v1.call_pb2_grpc import CallGatewayServiceStub

from services.runtime.errors import rpc_failure
from tests.conformance.conftest import Start
from tests.conformance.hearing import RATE, SILENCE, example, play
from tests.conformance.servers import Server, running
from tests.conformance.stages import CALL, LINEAR16_16K, STT
from tests.conformance.streams import Stream, connected, kind_of, opened

CALL_LIMIT_S = 60.0
FRAME_SAMPLES = 160


def is_event(kind: str) -> Any:
    """A test for an event of one kind."""
    return lambda one: kind_of(one) == "event" and one.event.WhichOneof("event") == kind


def is_turn(one: Any) -> bool:
    """Whether a response tells of a turn of the agent that is over."""
    return bool(is_event("turn")(one) and not one.event.turn.is_gateway_prompt)


async def greeted(stream: Stream) -> Any:
    """Wait until the agent has greeted; returns the greeting's record."""
    return (await stream.until(is_turn, CALL_LIMIT_S)).event.turn


async def hung_up(stream: Stream) -> Any:
    """Hang up; returns the call's end, which must be the last message."""
    await stream.send(hangup={})
    return (await stream.rest(CALL_LIMIT_S))[-1].end


@asynccontextmanager
async def calls_of(server: Server) -> AsyncIterator[Any]:
    """The unary methods of a gateway."""
    async with connected(server.target) as channel:
        yield CallGatewayServiceStub(channel)


async def ids(calls: Any, page_size: int = 1000) -> list[str]:
    """The calls that are up, page by page."""
    found, token = [], ""
    while True:
        page = await calls.ListCalls(call_pb2.ListCallsRequest(page_size=page_size, page_token=token))
        found += [call.call_id for call in page.calls]
        token = page.next_page_token
        if not token:
            return found


async def test_a_call_is_known_by_an_id_of_its_own(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as one, opened(CALL, gateway.target) as other:
        calls = [stream.heard[0].call for stream in (one, other)]
        assert calls[0].call_id != calls[1].call_id
        for call in calls:
            assert call.call_id.startswith("conformance")
            assert (call.edge, call.audio_format) == ("program", CALL.config_fields["audio_format"])
            assert call.HasField("start_time")
        for stream, call in ((one, calls[0]), (other, calls[1])):
            await greeted(stream)
            await hung_up(stream)
            events = [response.event.call_id for response in stream.heard if kind_of(response) == "event"]
            assert set(events) == {call.call_id}


async def test_each_door_has_its_own_health(gateway: Server) -> None:
    async with connected(gateway.target) as channel:
        request = health_pb2.HealthCheckRequest(service="edge.program")
        watching = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=5)
        async for answer in watching:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                break
        watching.cancel()


async def test_the_agent_greets_in_real_time(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as stream:
        await stream.until(lambda one: kind_of(one) == "audio")
        first, began = stream.heard[-1].audio, time.monotonic()
        await stream.quiet(2.0)
        elapsed_s = time.monotonic() - began
        chunks = [one.audio for one in stream.heard if kind_of(one) == "audio"]
        assert {len(chunk.content) for chunk in chunks} == {FRAME_SAMPLES}
        starts = [chunk.start_sample for chunk in chunks]
        assert starts == sorted(set(starts))
        assert (starts[-1] - first.start_sample) / RATE <= elapsed_s + 0.2
        await hung_up(stream)


async def test_a_question_is_heard_answered_and_recorded(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as stream:
        greeting = await greeted(stream)
        assert greeting.heard_text
        await play(stream, example())
        turn = (await stream.until(is_turn, CALL_LIMIT_S)).event.turn
        await hung_up(stream)
    assert turn.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED
    assert "appointment" in turn.user_text
    assert turn.heard_text
    assert turn.turn_id > greeting.turn_id
    assert turn.latency_us > 0
    assert {part.stage for part in turn.stage_times} <= {"endpointing", "stt", "nlu", "tts", "playout"}
    parts_us = sum(part.queue_us + part.compute_us + part.network_us for part in turn.stage_times)
    assert parts_us + turn.unexplained_us == pytest.approx(turn.latency_us, abs=1000)
    assert len(turn.trace_id) == 32
    texts = [one.event.caller_text for one in stream.heard if is_event("caller_text")(one)]
    assert any(text.is_settled and "appointment" in text.text for text in texts)


async def test_a_key_is_a_turn(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as stream:
        await greeted(stream)
        await stream.send(dtmf={"digit": "1", "duration_ms": 120})
        turn = (await stream.until(is_turn, CALL_LIMIT_S)).event.turn
        await hung_up(stream)
    assert turn.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED


async def test_speech_over_the_agent_stops_it(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as stream:
        await stream.until(lambda one: kind_of(one) == "audio")
        await stream.quiet(1.6)  # the greeting's beginning is protected
        await play(stream, example())
        await stream.until(lambda one: kind_of(one) == "audio_discard", CALL_LIMIT_S)
        turn = (await stream.until(is_turn, CALL_LIMIT_S)).event.turn
        assert turn.outcome == record_pb2.TurnRecord.OUTCOME_INTERRUPTED
        await hung_up(stream)


async def test_hanging_up_ends_the_call(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as stream:
        await play(stream, SILENCE * RATE)
        await stream.quiet(1.2)
        end = await hung_up(stream)
    assert end.cause == record_pb2.CallEnd.CAUSE_CALLER
    assert end.duration_ms == pytest.approx(1000, abs=300), "in the caller's audio"


async def test_a_caller_who_is_done_listens_to_the_answer(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as stream:
        await play(stream, SILENCE * 5 * RATE + example())
        rest = await stream.rest(CALL_LIMIT_S)
    turns = [one.event.turn for one in rest if is_turn(one)]
    assert any("appointment" in turn.user_text and turn.heard_text for turn in turns)
    assert kind_of(rest[-1]) == "end"


async def test_the_format_holds_both_ways(gateway: Server) -> None:
    async with opened(CALL, gateway.target, audio_format=LINEAR16_16K) as stream:
        response = await stream.until(lambda one: kind_of(one) == "audio")
        assert len(response.audio.content) == 16_000 // 50 * 2
        await hung_up(stream)


async def test_overlapping_audio_ends_the_call(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as stream:
        await play(stream, SILENCE * 1600)
        await play(stream, SILENCE * 160, 1599)
        failure = await stream.failure(CALL_LIMIT_S)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "AUDIO_OVERLAP")
    assert failure.field == "audio.start_sample"


async def test_half_a_sample_ends_the_call(gateway: Server) -> None:
    async with opened(CALL, gateway.target, audio_format=LINEAR16_16K) as stream:
        await stream.send(audio={"start_sample": 0, "content": b"\x00" * 641})
        failure = await stream.failure(CALL_LIMIT_S)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TORN_AUDIO")
    assert failure.field == "audio.content"


async def test_a_key_no_telephone_has_ends_the_call(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as stream:
        await stream.send(dtmf={"digit": "x"})
        failure = await stream.failure(CALL_LIMIT_S)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_KEY")
    assert failure.field == "dtmf.digit"


async def test_a_gap_in_the_callers_sound_is_no_error(gateway: Server) -> None:
    async with opened(CALL, gateway.target) as stream:
        end = await play(stream, SILENCE * 1600)
        await play(stream, SILENCE * 1600, end + 400)
        await play(stream, SILENCE * 1600, 10**15)
        assert (await hung_up(stream)).cause == record_pb2.CallEnd.CAUSE_CALLER


async def test_a_call_that_is_dropped_is_gone(gateway: Server) -> None:
    async with calls_of(gateway) as calls:
        async with opened(CALL, gateway.target) as stream:
            call_id = stream.heard[0].call.call_id
            assert (await calls.GetCall(call_pb2.GetCallRequest(call_id=call_id))).call.call_id == call_id
        async with asyncio.timeout(10):
            while call_id in await ids(calls):
                await asyncio.sleep(0.05)


async def test_calls_are_listed_oldest_first_in_pages(gateway: Server) -> None:
    async with calls_of(gateway) as calls, AsyncExitStack() as up:
        opened_ids = []
        for _ in range(3):
            stream = await up.enter_async_context(opened(CALL, gateway.target))
            opened_ids.append(stream.heard[0].call.call_id)
        listed = await ids(calls, page_size=2)
        assert [call_id for call_id in listed if call_id in opened_ids] == opened_ids


async def test_a_page_token_nobody_gave_is_refused(gateway: Server) -> None:
    async with calls_of(gateway) as calls:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await calls.ListCalls(call_pb2.ListCallsRequest(page_token="no token"))  # noqa: S106
    failure = rpc_failure(raised.value)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_PAGE_TOKEN")
    assert failure.field == "page_token"


@pytest.mark.parametrize("method", ["GetCall", "EndCall"])
async def test_a_call_that_is_not_up_is_not_found(gateway: Server, method: str) -> None:
    async with calls_of(gateway) as calls:
        request = getattr(call_pb2, f"{method}Request")(call_id="no-such-call")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await getattr(calls, method)(request)
    failure = rpc_failure(raised.value)
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "CALL_NOT_FOUND")


async def test_the_operator_ends_a_call(gateway: Server) -> None:
    async with calls_of(gateway) as calls, opened(CALL, gateway.target) as stream:
        call_id = stream.heard[0].call.call_id
        await calls.EndCall(call_pb2.EndCallRequest(call_id=call_id, reason="maintenance"))
        rest = await stream.rest(CALL_LIMIT_S)
    assert rest[-1].end.cause == record_pb2.CallEnd.CAUSE_OPERATOR


async def test_a_watcher_sees_what_happens_on_a_call(gateway: Server) -> None:
    async with calls_of(gateway) as calls, opened(CALL, gateway.target) as stream:
        call_id = stream.heard[0].call.call_id
        watching = calls.WatchCalls(call_pb2.WatchCallsRequest(call_id=call_id))
        await watching.initial_metadata()
        await greeted(stream)
        await hung_up(stream)
        async with asyncio.timeout(CALL_LIMIT_S):
            events = [response.event async for response in watching]
    kinds = [event.WhichOneof("event") for event in events]
    assert {event.call_id for event in events} == {call_id}
    assert kinds[-1] == "end", "a watch of one call ends with it"
    assert {"floor_change", "turn"} <= set(kinds)


@pytest.fixture
def talker(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Iterator[Server]:
    """A gateway whose ear always understands the same words."""
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
