"""Whole calls: a real phone, a real Asterisk, four real processes with scripted engines.

Every caller says the same texts in the same order, whatever their sound is; every reply is a tone that tells the turn's
id, the gateway's own prompts are words.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

from clients.phone.caller import Question, converse
from clients.phone.recording import read_wav
from clients.phone.report import has_gone_well, transcript
from clients.phone.sip_phone import SipCall, SipPhones
from clients.phone.watch import CallWatch
from deploy.asterisk.private_pbx import PrivatePbx
from services.tts.engines.tone import tone_hertz
from tests.integration.asterisk import number, running_pbx, wait_empty
from tests.integration.phones import hear_tone, running_phones, seconds_of_tone
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.integration.waiting import throughout, until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER_SAYS = ("Say sure, please.", "Say long, please.", "Say nine, please.", "Say hang up, please.")
CLIPS = Path(__file__).parents[1] / "data/clips"
PAUSE_S = 0.3
GREETING, FIRST = 1, 2  # turn ids; later ones depend on how many drafts were made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PrivatePbx]:
    async with running_pbx(tmp_path_factory.mktemp("pbx")) as running:
        yield running


@pytest.fixture(scope="module")
def shared_stack(pbx: PrivatePbx, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedStack]:
    settings = {"call": {"GATEWAY_EDGES": "ari,program", "GATEWAY_ARI_URL": pbx.ari_url}}
    with scripted_stack(tmp_path_factory.mktemp("stack"), CALLER_SAYS, settings) as running:
        yield running


@pytest.fixture
def stack(shared_stack: ScriptedStack) -> Iterator[ScriptedStack]:
    yield shared_stack
    shared_stack.mend()


@asynccontextmanager
async def watching(stack: ScriptedStack) -> AsyncIterator[CallWatch]:
    """The news of the next call."""
    async with grpc.aio.insecure_channel(stack.gateway) as channel, CallWatch(channel) as watch:
        yield watch


@asynccontextmanager
async def calling(pbx: PrivatePbx, phones: SipPhones, *, is_alone: bool = True) -> AsyncIterator[SipCall]:
    """A call whose greeting was heard; hung up at the end. `is_alone`: then nothing is left in Asterisk."""
    call = await phones.call(number(pbx))
    await hear_turn(call, GREETING)
    await fall_silent(call)
    yield call
    await call.hang_up()
    if is_alone:
        await wait_empty(pbx)


def clip(name: str) -> Question:
    """Recorded speech."""
    return Question(CLIPS / name, read_wav(CLIPS / name))


async def hear_turn(call: SipCall, turn_id: int, *, seconds: float = 0.2, limit_s: float = 10.0) -> None:
    """Wait until so much of a turn's tone was heard."""
    await hear_tone(call, tone_hertz(turn_id), seconds=seconds, limit_s=limit_s)


async def fall_silent(call: SipCall, *, from_s: float = 0.0) -> None:
    """Wait until what is being said is over: a pause follows the sound heard since `from_s`."""

    def is_over() -> bool:
        last_s = call.heard.last_sound_s(from_s=from_s)
        return last_s is not None and call.heard.length_s - last_s >= PAUSE_S

    await until(is_over)


async def hear_reply(call: SipCall, watch: CallWatch, *, seconds: float = 0.2) -> int:
    """Wait until so much of the reply to the latest question was heard; its turn's id. Another reply may replace it."""
    n_seen = len(watch.events)
    async with asyncio.timeout(20):
        while True:
            changes = [event.floor_change for event in watch.events[n_seen:] if event.HasField("floor_change")]
            speaking = [change.turn_id for change in changes if change.to == record_pb2.FLOOR_SPEAKING]
            if speaking and seconds_of_tone(call.heard, tone_hertz(speaking[-1])) >= seconds:
                return speaking[-1]
            await asyncio.sleep(0.05)


def tones_heard(call: SipCall, *, from_s: float) -> set[int]:
    """The turns whose tones were heard for a while."""
    return {n for n in range(1, 10) if seconds_of_tone(call.heard, tone_hertz(n), from_s=from_s) > 0.3}


async def hear_any_turn(call: SipCall, *, from_s: float) -> None:
    """Wait until a reply was heard, whichever."""
    async with asyncio.timeout(10):
        while not tones_heard(call, from_s=from_s):
            await asyncio.sleep(0.1)


def turns(watch: CallWatch) -> list[record_pb2.TurnRecord]:
    return [event.turn for event in watch.events if event.HasField("turn")]


async def until_turns(watch: CallWatch, n: int, limit_s: float = 15.0) -> list[record_pb2.TurnRecord]:
    """Wait until so many turns are over."""
    async with asyncio.timeout(limit_s):
        while len(turns(watch)) < n:
            await asyncio.sleep(0.05)
    return turns(watch)


async def test_a_conversation_is_heard_as_it_is_recorded_up_to_the_agents_goodbye(
    pbx: PrivatePbx, stack: ScriptedStack
):
    questions = [clip(f"00{n}-plain.wav") for n in range(4)]
    async with running_phones() as phones, watching(stack) as watch:
        call = await phones.call(number(pbx))
        asked = await converse(call, questions, print)
        assert await watch.wait_ended()
        story = "\n".join(transcript(watch.events))
        assert has_gone_well(asked, watch.events), story
        assert [turn.user_text for turn in turns(watch)] == ["", *CALLER_SAYS], story
        for turn in turns(watch):
            heard_s = seconds_of_tone(call.heard, tone_hertz(turn.turn_id))
            assert heard_s == pytest.approx(0.030 * len(turn.heard_text), rel=0.25), f"turn {turn.turn_id}\n{story}"
        assert watch.events[-1].end.cause == record_pb2.CallEnd.CAUSE_AGENT
        assert all(question.latency_ms is not None and question.latency_ms < 1000 for question in asked), asked
        await wait_empty(pbx)


async def test_the_caller_interrupts_and_the_agent_falls_silent(pbx: PrivatePbx, stack: ScriptedStack):
    async with running_phones() as phones, watching(stack) as watch, calling(pbx, phones) as call:
        call.say(clip("000-plain.wav").samples)
        await until_turns(watch, 2)
        call.say(clip("001-plain.wav").samples)
        cut_off = await hear_reply(call, watch, seconds=1.0)
        spoke_s = call.now_s()
        call.say(clip("020-interruption.wav").samples)
        answer = await hear_reply(call, watch)
        interrupted = next(turn for turn in turns(watch) if turn.turn_id == cut_off)
        assert answer > cut_off
        assert interrupted.outcome == record_pb2.TurnRecord.OUTCOME_INTERRUPTED
        assert 0 < len(interrupted.heard_text) < 120
        assert seconds_of_tone(call.heard, tone_hertz(cut_off), from_s=spoke_s) < 1.0


async def test_the_caller_hangs_up_while_the_agent_speaks(pbx: PrivatePbx, stack: ScriptedStack):
    async with running_phones() as phones, watching(stack) as watch:
        async with calling(pbx, phones) as call:
            call.say(clip("000-plain.wav").samples)
            await hear_reply(call, watch)
        assert await watch.wait_ended()
        assert watch.events[-1].end.cause == record_pb2.CallEnd.CAUSE_CALLER
        async with grpc.aio.insecure_channel(stack.gateway) as channel:
            calls = await call_pb2_grpc.CallGatewayServiceStub(channel).ListCalls(call_pb2.ListCallsRequest())
        assert not calls.calls


async def test_keys_make_a_turn(pbx: PrivatePbx, stack: ScriptedStack):
    async with running_phones() as phones, watching(stack) as watch, calling(pbx, phones) as call:
        await call.press("12#")
        await hear_turn(call, FIRST)
        keyed = (await until_turns(watch, 2))[1]
        assert keyed.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED


async def test_on_hold_nothing_is_said_and_afterwards_the_rest(pbx: PrivatePbx, stack: ScriptedStack):
    async with running_phones() as phones, watching(stack) as watch, calling(pbx, phones) as call:
        call.say(clip("000-plain.wav").samples)
        await until_turns(watch, 2)
        call.say(clip("001-plain.wav").samples)
        held = await hear_reply(call, watch, seconds=1.0)
        await call.hold()
        await throughout(1.5, lambda: len(turns(watch)) == 2, "the turn waits")
        await call.resume()
        resumed = (await until_turns(watch, 3, 20))[2]
        assert resumed.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED
        assert resumed.turn_id == held
        heard_s = seconds_of_tone(call.heard, tone_hertz(held))
        assert heard_s > 0.8 * 0.030 * len(resumed.heard_text), "what was held back was said"


async def test_two_calls_at_once_never_mix(pbx: PrivatePbx, stack: ScriptedStack):
    async with running_phones() as phones, calling(pbx, phones) as one:
        await one.press("1#")
        await hear_turn(one, FIRST, seconds=1.2)
        await fall_silent(one)
        async with calling(pbx, phones, is_alone=False) as two:
            one_from_s, two_from_s = one.now_s(), two.now_s()
            one.say(clip("000-plain.wav").samples)
            await asyncio.sleep(0.1)  # the two begin at different moments
            two.say(clip("001-plain.wav").samples)
            await asyncio.gather(hear_any_turn(one, from_s=one_from_s), hear_any_turn(two, from_s=two_from_s))
            tones = [tones_heard(one, from_s=one_from_s), tones_heard(two, from_s=two_from_s)]
            assert not tones[0] & tones[1], tones
            assert FIRST not in tones[0]


async def test_a_gateway_that_dies_comes_back_apologises_and_goes_on(pbx: PrivatePbx, stack: ScriptedStack):
    async with running_phones() as phones:
        call = await phones.call(number(pbx))
        await hear_turn(call, GREETING)
        stack.kill("call")
        died_s = call.now_s()
        await asyncio.to_thread(stack.bring_back, "call")
        async with asyncio.timeout(10):
            while call.heard.first_sound_s(from_s=died_s + 0.3) is None:
                await asyncio.sleep(0.05)
        await fall_silent(call, from_s=died_s + 0.3)  # "I'm sorry, we were cut off."
        call.say(clip("000-plain.wav").samples)
        await hear_any_turn(call, from_s=died_s)
        await call.hang_up()
        await wait_empty(pbx)


async def test_a_lost_stage_is_apologised_for(pbx: PrivatePbx, stack: ScriptedStack):
    async with running_phones() as phones, watching(stack) as watch, calling(pbx, phones) as call:
        stack.kill("nlu")
        call.say(clip("000-plain.wav").samples)
        assert await call.wait_over(40)
        assert await watch.wait_ended()
        prompts = [turn.heard_text for turn in turns(watch) if turn.is_gateway_prompt]
        assert prompts[0] == "I'm sorry, one moment please.", "\n".join(transcript(watch.events))
        assert watch.events[-1].end.cause == record_pb2.CallEnd.CAUSE_FAILURE


async def test_when_asterisk_restarts_its_calls_end_and_the_next_is_answered(pbx: PrivatePbx, stack: ScriptedStack):
    async with running_phones() as phones, watching(stack) as watch:
        call = await phones.call(number(pbx))
        await hear_turn(call, GREETING)
        await pbx.kill()
        await pbx.start()
        async with asyncio.timeout(15):
            while not any(event.HasField("end") for event in watch.events):
                await asyncio.sleep(0.05)
        await call.hang_up()
    async with running_phones() as phones, calling(pbx, phones):
        pass
