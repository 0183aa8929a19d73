"""Whole calls: four real processes with scripted engines, and a program as the caller.

Every caller says the same four texts in the same order, whatever their sound is; every reply is a tone that tells the
turn's id.
"""

import asyncio
import re
from collections.abc import Iterator
from functools import cache, partial

import aiohttp
import grpc
import numpy as np
import pytest
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

from services.audio.g711 import decode_mulaw
from tests.fakes.ports import free_port
from tests.integration.program_caller import ProgramCaller, calling
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.integration.waiting import until_awaited
from tests.load.clips import Clip, load_clips

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLER_SAYS = ("Say long, please.", "Say sure, please.", "Say nine, please.", "Say hang up, please.")
MAX_DEAD_AIR_S = 3.0
PHRASE_INTERVAL_S = 2.5  # between two phrases while a stage is away
METRICS_PORTS = {"nlu": free_port(), "tts": free_port()}
SETTINGS = {
    "call": {"GATEWAY_COMPANY_S": str(PHRASE_INTERVAL_S), "GATEWAY_GIVE_UP_S": "10"},  # half the defaults
    "nlu": {"NLU_METRICS_PORT": str(METRICS_PORTS["nlu"])},
    "tts": {"TTS_METRICS_PORT": str(METRICS_PORTS["tts"])},
}


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedStack]:
    with scripted_stack(tmp_path_factory.mktemp("stack"), CALLER_SAYS, SETTINGS) as running:
        yield running


@pytest.fixture
def stack(shared_stack: ScriptedStack) -> Iterator[ScriptedStack]:
    yield shared_stack
    shared_stack.mend()


@cache
def clip(number: int = 0) -> Clip:
    """A recorded utterance."""
    return [clip for clip in load_clips() if clip.kind == "plain"][number]


def tone_hertz(turn_id: int) -> int:
    """The frequency of the tone that the tone engine makes of a turn."""
    return 400 + 25 * (turn_id % 64)


def strongest_hertz(caller: ProgramCaller, begin: float, end: float) -> float:
    """The strongest tone heard between two times."""
    content = b"".join(chunk.content for chunk in caller.heard if begin <= chunk.at <= end and chunk.is_audible)
    samples = decode_mulaw(content).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / 8000)[spectrum.argmax()])


async def greeted(caller: ProgramCaller) -> None:
    """Wait until the greeting has been heard."""
    await caller.until(lambda caller: caller.turns(by_gateway=False))


async def answered(caller: ProgramCaller, n_turns: int, limit_s: float = 20.0) -> None:
    """Wait until so many of the agent's turns are over, the greeting among them."""
    await caller.until(lambda caller: len(caller.turns(by_gateway=False)) >= n_turns, limit_s)


async def heard_for(caller: ProgramCaller, seconds: float) -> None:
    """Wait until so much more of the agent has been heard."""
    first = len(caller.heard)
    n_bytes = round(seconds * 8000)
    await caller.until(
        lambda caller: sum(len(chunk.content) for chunk in caller.heard[first:] if chunk.is_audible) >= n_bytes
    )


async def has_a_stream(stage: str) -> bool:
    """Return whether a stage serves the stream of a call, by its own metrics."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{METRICS_PORTS[stage]}/metrics") as response,
    ):
        found = re.search(r"^voice_open_streams\{[^}]*\} (\S+)$", await response.text(), re.MULTILINE)
    return found is not None and float(found[1]) > 0


async def test_every_question_is_answered_within_a_second_until_the_agent_hangs_up(stack: ScriptedStack):
    async with calling(stack.gateway, call_id="four-turns") as caller:
        await greeted(caller)
        for number in range(4):
            await caller.say(clip(number))
            spoke_last_at = caller.spoke_last_at
            await answered(caller, number + 2)
            heard_at = caller.first_audible_after(spoke_last_at)
            assert heard_at is not None
            assert heard_at - spoke_last_at < 1.0, caller.story()
        await caller.until(lambda caller: caller.end)
        turns = caller.turns()[1:]
        assert [turn.user_text for turn in turns] == list(CALLER_SAYS)
        assert turns[1].heard_text == "Sure, we have a free chair on Tuesday at ten."
        assert turns[3].heard_text.endswith("Goodbye!")
        assert caller.end.cause == record_pb2.CallEnd.CAUSE_AGENT
        assert caller.end.turn_count == 5
        assert caller.call_id.startswith("four-turns-")


async def test_an_interruption_silences_the_agent_and_is_answered(stack: ScriptedStack):
    async with calling(stack.gateway) as caller:
        await greeted(caller)
        await caller.say(clip())
        await caller.until_floor(record_pb2.FLOOR_SPEAKING, after=len(caller.events))
        await heard_for(caller, 1.5)
        await caller.say(clip(1))
        await answered(caller, 3)
        interrupted, answer = caller.turns(by_gateway=False)[1:3]
        assert interrupted.outcome == record_pb2.TurnRecord.OUTCOME_INTERRUPTED
        assert "We offer cleaning, fillings".startswith(interrupted.heard_text[:27])
        assert 8 < len(interrupted.heard_text) < 90
        last_before_answer = max(
            chunk.at for chunk in caller.heard if chunk.at < caller.spoke_first_at + 0.6 and chunk.is_audible
        )
        assert last_before_answer - caller.spoke_first_at < 0.4
        assert caller.discards
        assert answer.user_text == "Say sure, please."
        assert answer.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED


async def test_two_calls_at_once_never_mix(stack: ScriptedStack):
    async def question(caller: ProgramCaller) -> tuple[int, float]:
        await caller.say(clip())
        begin = await caller.until(lambda caller: caller.first_audible_after(caller.spoke_last_at))
        await caller.until(lambda caller: caller.heard[-1].at > begin + 1.0)
        return caller.events[-1].floor_change.turn_id, strongest_hertz(caller, begin, begin + 1.0)

    async with calling(stack.gateway) as first, calling(stack.gateway) as second:
        await asyncio.gather(greeted(first), greeted(second))
        for n_turns, keys in enumerate(("1#", "2#"), start=2):  # so that the two calls' turns have different ids
            first.press(keys)
            await answered(first, n_turns)
        (first_id, first_hertz), (second_id, second_hertz) = await asyncio.gather(question(first), question(second))
        assert first_id > second_id
        assert first_hertz == pytest.approx(tone_hertz(first_id), abs=5)
        assert second_hertz == pytest.approx(tone_hertz(second_id), abs=5)
        assert first.call_id != second.call_id
        for caller in (first, second):
            assert {event.call_id for event in caller.events} == {caller.call_id}


@pytest.mark.parametrize("fault", ["kill", "stall"])
@pytest.mark.parametrize("stage", ["stt", "nlu", "tts"])
async def test_a_stage_lost_in_mid_call_ends_it_politely_and_never_in_silence(
    stack: ScriptedStack, stage: str, fault: str
):
    async with calling(stack.gateway) as caller:
        await greeted(caller)
        if stage == "tts":  # in mid-answer
            await caller.say(clip())
            await caller.until_floor(record_pb2.FLOOR_SPEAKING, after=len(caller.events))
            getattr(stack, fault)(stage)
        else:
            getattr(stack, fault)(stage)
            await caller.say(clip())
        begin = caller.spoke_last_at
        ended_at = await caller.until(lambda caller: caller.end, 40)
        assert caller.end.cause == record_pb2.CallEnd.CAUSE_FAILURE, caller.story()
        assert caller.troubles()[-1][0] == stage, caller.story()
        assert caller.troubles()[-1][2] == "goodbye", caller.story()
        phrase_at = begin + 0.2 if stage == "tts" else begin
        first_phrase_at = caller.first_audible_after(phrase_at)
        assert first_phrase_at is not None, caller.story()
        assert first_phrase_at - phrase_at < MAX_DEAD_AIR_S, caller.story()
        assert caller.longest_silence(begin, ended_at) < PHRASE_INTERVAL_S, caller.story()
        said = [turn.heard_text for turn in caller.turns(by_gateway=True)]
        assert said[0] in {"I'm sorry, one moment please.", "One moment, please."}, caller.story()
        assert len(said) >= 4, caller.story()  # one in each interval
        assert said[-1].endswith("Goodbye."), caller.story()


@pytest.mark.parametrize("stage", ["nlu", "tts"])
async def test_a_turn_whose_stage_returns_in_time_is_answered_after_all(stack: ScriptedStack, stage: str):
    async with calling(stack.gateway) as caller:
        await greeted(caller)
        stack.stall(stage)
        await caller.say(clip())
        begin = caller.spoke_last_at
        await caller.until(lambda caller: caller.troubles())
        stack.mend()
        await answered(caller, 2)
        assert caller.turns(by_gateway=True)[0].heard_text == "One moment, please."  # late is not yet dead
        answer = caller.turns(by_gateway=False)[1]
        assert answer.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED, caller.story()
        assert answer.heard_text.startswith("We offer"), caller.story()
        assert caller.longest_silence(begin, caller.event_times[-1]) < MAX_DEAD_AIR_S, caller.story()


async def test_stages_that_fail_while_no_turn_needs_them_are_reopened_without_a_word(stack: ScriptedStack):
    async with calling(stack.gateway) as caller:
        await greeted(caller)
        for stage in ("nlu", "tts"):
            stack.kill(stage)
        await asyncio.gather(*(asyncio.to_thread(stack.bring_back, stage) for stage in ("nlu", "tts")))
        for name in ("nlu", "tts"):
            await until_awaited(partial(has_a_stream, name), 20)
        await caller.say(clip())
        await answered(caller, 2)
        answer = caller.turns(by_gateway=False)[1]
        assert answer.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED, caller.story()
        asked = {turn.heard_text for turn in caller.turns(by_gateway=True)}  # where the stages take long to start
        assert asked <= {"Are you still there?"}, caller.story()
        assert {remedy for _, _, remedy in caller.troubles()} == {"reopen"}, caller.story()


async def test_a_caller_who_hangs_up_while_the_agent_speaks_leaves_a_record(stack: ScriptedStack):
    async with calling(stack.gateway) as caller:
        await greeted(caller)
        await caller.say(clip())
        await caller.until_floor(record_pb2.FLOOR_SPEAKING, after=len(caller.events))
        await heard_for(caller, 1.0)
        caller.hang_up()
        await caller.until(lambda caller: caller.end)
        assert caller.end.cause == record_pb2.CallEnd.CAUSE_CALLER
        assert caller.turns()[-1].outcome == record_pb2.TurnRecord.OUTCOME_INTERRUPTED
        assert caller.turns()[-1].heard_text.startswith("We offer")


async def test_keys_become_a_turn(stack: ScriptedStack):
    async with calling(stack.gateway) as caller:
        await greeted(caller)
        caller.press("1234#")
        await answered(caller, 2)
        assert caller.turns(by_gateway=False)[1].end_reason == "keys"
        assert caller.turns(by_gateway=False)[1].user_text.startswith("1234")


async def test_a_silent_caller_is_asked_twice_and_then_wished_goodbye(stack: ScriptedStack):
    async with calling(stack.gateway, agent_id="impatient") as caller:
        await caller.until(lambda caller: caller.end, 40)
        assert caller.end.cause == record_pb2.CallEnd.CAUSE_SILENCE
        said = [turn.heard_text for turn in caller.turns(by_gateway=True)]
        assert said == ["Are you still there?", "Are you still there?", "I cannot hear you. Goodbye."]


async def test_half_close_brings_the_whole_answer_and_then_the_end(stack: ScriptedStack):
    async with calling(stack.gateway) as caller:
        await greeted(caller)
        await caller.say(clip())
        caller.half_close()
        await caller.until(lambda caller: caller.end, 30)
        assert caller.turns()[-1].heard_text.endswith("beside the post office.")
        assert caller.end.cause == record_pb2.CallEnd.CAUSE_CALLER


async def test_a_file_sent_at_once_gets_the_same_answers(stack: ScriptedStack):
    silence_s = b"\xff" * 8000
    speech = silence_s * 2 + b"".join(clip(0).frames) + silence_s * 8 + b"".join(clip(1).frames)
    requests = [call_pb2.ConnectCallRequest(config=call_pb2.CallConfig())]
    for start in range(0, len(speech), 800):
        chunk = {"start_sample": start, "content": speech[start : start + 800]}
        requests.append(call_pb2.ConnectCallRequest(audio=chunk))
    async with grpc.aio.insecure_channel(stack.gateway) as channel:
        call = call_pb2_grpc.CallGatewayServiceStub(channel).ConnectCall(iter(requests))
        responses = [response async for response in call]
    turns = [response.event.turn for response in responses if response.event.WhichOneof("event") == "turn"]
    assert [turn.user_text for turn in turns] == ["", "Say long, please.", "Say sure, please."]
    assert all(turn.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED for turn in turns)
    assert responses[0].WhichOneof("response") == "call"
    assert responses[-1].WhichOneof("response") == "end"


async def test_operators_watch_list_and_end_calls(stack: ScriptedStack):
    async with grpc.aio.insecure_channel(stack.gateway) as channel:
        stub = call_pb2_grpc.CallGatewayServiceStub(channel)
        watching = stub.WatchCalls(call_pb2.WatchCallsRequest())
        await watching.initial_metadata()
        async with calling(stack.gateway, tenant_id="acme") as caller:
            await greeted(caller)
            listed = await stub.ListCalls(call_pb2.ListCallsRequest(page_size=10))
            assert [call.call_id for call in listed.calls] == [caller.call_id]
            assert listed.calls[0].tenant_id == "acme"
            assert listed.calls[0].agent_id == "quick"
            assert listed.calls[0].floor == record_pb2.FLOOR_LISTENING
            await caller.say(clip())
            await caller.until_floor(record_pb2.FLOOR_SPEAKING, after=len(caller.events))
            await stub.EndCall(call_pb2.EndCallRequest(call_id=caller.call_id, reason="test"))
            await caller.until(lambda caller: caller.end)
            assert caller.end.cause == record_pb2.CallEnd.CAUSE_OPERATOR
            assert caller.end.message == "test"
        kinds = []
        async for response in watching:
            kind = response.event.WhichOneof("event")
            if kind == "analysis" and response.event.call_id != caller.call_id:
                continue  # of a call before, which has just been analysed
            assert response.event.call_id == caller.call_id
            kinds.append(kind)
            if kind == "end":
                break
        assert kinds[0] == "began"
        assert {"floor_change", "caller_text", "turn"} <= set(kinds)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetCall(call_pb2.GetCallRequest(call_id=caller.call_id))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_failed_turn_can_fail_the_stream(stack: ScriptedStack):
    async with calling(stack.gateway, fail_stream_on_turn_failure=True) as caller:
        await greeted(caller)
        stack.stall("nlu")
        await caller.say(clip())
        await caller.until(lambda caller: caller.status, 40)
        assert caller.status is not None
        assert caller.status.code() is grpc.StatusCode.INTERNAL
