"""Checks of ConnectCall and of the calls that are up. The program that checks is the caller."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
from voice.call.v1 import call_pb2, record_pb2
from voice.call.v1.call_pb2_grpc import CallGatewayServiceStub

from clients.conformance.hearing import RATE, SILENCE, example, play
from clients.conformance.kit import Target, approx, check, refusal
from clients.conformance.stages import CALL, LINEAR16_16K
from clients.conformance.streams import Stream, kind_of

CALL_LIMIT_S = 60.0
FRAME_SAMPLES = 160


def is_event(kind: str) -> Any:
    """A test for an event of one kind."""
    return lambda one: kind_of(one) == "event" and one.event.WhichOneof("event") == kind


def is_turn(one: Any) -> bool:
    """Return whether a response tells of a turn of the agent that is over."""
    return bool(is_event("turn")(one) and not one.event.turn.is_gateway_prompt)


async def greeted(stream: Stream) -> Any:
    """Wait until the agent has greeted; returns the greeting's record."""
    return (await stream.until(is_turn, CALL_LIMIT_S)).event.turn


async def hung_up(stream: Stream) -> Any:
    """Hang up; returns the call's end, which must be the last message."""
    await stream.send(hangup={})
    return (await stream.rest(CALL_LIMIT_S))[-1].end


@asynccontextmanager
async def calls_of(gateway: Target) -> AsyncIterator[Any]:
    """The unary methods of a gateway."""
    async with gateway.connected() as channel:
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


@check(CALL, 2)
async def a_call_is_known_by_an_id_of_its_own(gateway: Target) -> None:
    async with gateway.opened() as one, gateway.opened() as other:
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


@check(CALL, 13, 27)
async def the_agent_greets_in_real_time(gateway: Target) -> None:
    async with gateway.opened() as stream:
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


@check(CALL, 26)
async def a_question_is_heard_answered_and_recorded(gateway: Target) -> None:
    async with gateway.opened() as stream:
        greeting = await greeted(stream)
        assert greeting.heard_text
        await play(stream, example())
        turn = (await stream.until(is_turn, CALL_LIMIT_S)).event.turn
        await hung_up(stream)
    assert turn.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED
    assert gateway.word in turn.user_text
    assert turn.heard_text
    assert turn.turn_id > greeting.turn_id
    assert turn.latency_us > 0
    assert {part.stage for part in turn.stage_times} <= {"endpointing", "stt", "nlu", "tts", "playout"}
    parts_us = sum(part.queue_us + part.compute_us + part.network_us for part in turn.stage_times)
    assert parts_us + turn.unexplained_us == approx(turn.latency_us, abs=1000)
    assert len(turn.trace_id) == 32
    texts = [one.event.caller_text for one in stream.heard if is_event("caller_text")(one)]
    assert any(text.is_settled and gateway.word in text.text for text in texts)


@check(CALL, 19)
async def a_key_is_a_turn(gateway: Target) -> None:
    async with gateway.opened() as stream:
        await greeted(stream)
        await stream.send(dtmf={"digit": "1", "duration_ms": 120})
        turn = (await stream.until(is_turn, CALL_LIMIT_S)).event.turn
        await hung_up(stream)
    assert turn.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED


@check(CALL, 17)
async def speech_over_the_agent_stops_it(gateway: Target) -> None:
    async with gateway.opened() as stream:
        await stream.until(lambda one: kind_of(one) == "audio")
        await stream.quiet(1.6)  # the greeting's beginning is protected
        await play(stream, example())
        await stream.until(lambda one: kind_of(one) == "audio_discard", CALL_LIMIT_S)
        turn = (await stream.until(is_turn, CALL_LIMIT_S)).event.turn
        assert turn.outcome == record_pb2.TurnRecord.OUTCOME_INTERRUPTED
        await hung_up(stream)


@check(CALL, 3)
async def hanging_up_ends_the_call(gateway: Target) -> None:
    async with gateway.opened() as stream:
        await play(stream, SILENCE * RATE)
        await stream.quiet(1.2)
        end = await hung_up(stream)
    assert end.cause == record_pb2.CallEnd.CAUSE_CALLER
    assert end.duration_ms == approx(1000, abs=300), "in the caller's audio"


@check(CALL, 3)
async def a_caller_who_is_done_listens_to_the_answer(gateway: Target) -> None:
    async with gateway.opened() as stream:
        await play(stream, SILENCE * 5 * RATE + example())
        rest = await stream.rest(CALL_LIMIT_S)
    turns = [one.event.turn for one in rest if is_turn(one)]
    assert any(gateway.word in turn.user_text and turn.heard_text for turn in turns)
    assert kind_of(rest[-1]) == "end"


@check(CALL, 10)
async def the_format_holds_both_ways(gateway: Target) -> None:
    async with gateway.opened(audio_format=LINEAR16_16K) as stream:
        response = await stream.until(lambda one: kind_of(one) == "audio")
        assert len(response.audio.content) == 16_000 // 50 * 2
        await hung_up(stream)


@check(CALL, 11)
async def overlapping_audio_ends_the_call(gateway: Target) -> None:
    async with gateway.opened() as stream:
        await play(stream, SILENCE * 1600)
        await play(stream, SILENCE * 160, 1599)
        failure = await stream.failure(CALL_LIMIT_S)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "AUDIO_OVERLAP")
    assert failure.field == "audio.start_sample"


@check(CALL, 10)
async def half_a_sample_ends_the_call(gateway: Target) -> None:
    async with gateway.opened(audio_format=LINEAR16_16K) as stream:
        await stream.send(audio={"start_sample": 0, "content": b"\x00" * 641})
        failure = await stream.failure(CALL_LIMIT_S)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TORN_AUDIO")
    assert failure.field == "audio.content"


@check(CALL, 32)
async def a_key_no_telephone_has_ends_the_call(gateway: Target) -> None:
    async with gateway.opened() as stream:
        await stream.send(dtmf={"digit": "x"})
        failure = await stream.failure(CALL_LIMIT_S)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_KEY")
    assert failure.field == "dtmf.digit"


@check(CALL, 11)
async def a_gap_in_the_callers_sound_is_no_error(gateway: Target) -> None:
    async with gateway.opened() as stream:
        end = await play(stream, SILENCE * 1600)
        await play(stream, SILENCE * 1600, end + 400)
        await play(stream, SILENCE * 1600, 10**15)
        assert (await hung_up(stream)).cause == record_pb2.CallEnd.CAUSE_CALLER


@check(CALL, 2)
async def a_call_that_is_dropped_is_gone(gateway: Target) -> None:
    async with calls_of(gateway) as calls:
        async with gateway.opened() as stream:
            call_id = stream.heard[0].call.call_id
            assert (await calls.GetCall(call_pb2.GetCallRequest(call_id=call_id))).call.call_id == call_id
        async with asyncio.timeout(10):
            while call_id in await ids(calls):  # noqa: ASYNC110  the list is all there is
                await asyncio.sleep(0.05)


@check(CALL, 32)
async def calls_are_listed_oldest_first_in_pages(gateway: Target) -> None:
    async with calls_of(gateway) as calls, AsyncExitStack() as up:
        opened_ids = []
        for _ in range(3):
            stream = await up.enter_async_context(gateway.opened())
            opened_ids.append(stream.heard[0].call.call_id)
        listed = await ids(calls, page_size=2)
        assert [call_id for call_id in listed if call_id in opened_ids] == opened_ids


@check(CALL, 32)
async def a_page_token_nobody_gave_is_refused(gateway: Target) -> None:
    async with calls_of(gateway) as calls:
        failure = await refusal(calls.ListCalls(call_pb2.ListCallsRequest(page_token="no token")))  # noqa: S106
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_PAGE_TOKEN")
    assert failure.field == "page_token"


@check(CALL, 32, cases={"GetCall": "GetCall", "EndCall": "EndCall"})
async def a_call_that_is_not_up_is_not_found(gateway: Target, method: str) -> None:
    async with calls_of(gateway) as calls:
        request = getattr(call_pb2, f"{method}Request")(call_id="no-such-call")
        failure = await refusal(getattr(calls, method)(request))
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "CALL_NOT_FOUND")


@check(CALL, 18)
async def the_operator_ends_a_call(gateway: Target) -> None:
    async with calls_of(gateway) as calls, gateway.opened() as stream:
        call_id = stream.heard[0].call.call_id
        await calls.EndCall(call_pb2.EndCallRequest(call_id=call_id, reason="maintenance"))
        rest = await stream.rest(CALL_LIMIT_S)
    assert rest[-1].end.cause == record_pb2.CallEnd.CAUSE_OPERATOR


@check(CALL, 18)
async def a_watcher_sees_what_happens_on_a_call(gateway: Target) -> None:
    async with calls_of(gateway) as calls, gateway.opened() as stream:
        call_id = stream.heard[0].call.call_id
        watching = calls.WatchCalls(call_pb2.WatchCallsRequest(call_id=call_id))
        await watching.initial_metadata()
        await greeted(stream)
        await hung_up(stream)
        async with asyncio.timeout(CALL_LIMIT_S):
            events = [response.event async for response in watching]
    kinds = [event.WhichOneof("event") for event in events]
    assert {event.call_id for event in events} == {call_id}
    assert "end" in kinds, "a call that is over is told as such"
    assert set(kinds[kinds.index("end") + 1 :]) <= {"analysis"}, "behind the end comes the analysis, and no more"
    assert {"floor_change", "turn"} <= set(kinds)
