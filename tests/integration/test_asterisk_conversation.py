"""Whole calls through a real Asterisk: real phones, four real processes with scripted engines.

Every caller says the same four texts in the same order, whatever their sound is; every reply is a tone that tells the
turn's id. What the gateway says of the calls comes from WatchCalls.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

from clients.phone.sip_phone import SipCall
from deploy.asterisk.private_pbx import PrivatePbx
from services.audio.g711 import decode_mulaw
from services.audio.pcm import Samples
from tests.integration.asterisk import number, running_pbx, wait_empty, wait_for_app
from tests.integration.phones import hear_tone, running_phones, seconds_of_tone
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.integration.waiting import throughout
from tests.load.clips import load_clips

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER_SAYS = ("Say long, please.", "Say sure, please.", "Say nine, please.", "Say hang up, please.")
CLIPS = [decode_mulaw(b"".join(clip.frames)) for clip in load_clips() if clip.kind == "plain"][:4]
AUDIBLE = 330  # -40 dBFS
MAX_DEAD_AIR_S = 5.2  # between two phrases for a caller who waits

COMPLETED = record_pb2.TurnRecord.OUTCOME_COMPLETED
INTERRUPTED = record_pb2.TurnRecord.OUTCOME_INTERRUPTED


@dataclass(slots=True)
class Switchboard:
    """Asterisk and the four services, and what the gateway tells of its calls."""

    pbx: PrivatePbx
    stack: ScriptedStack
    events: list[Any] = field(default_factory=list)  # voice.call.v1.CallEvent of this test

    async def until(self, is_so: Callable[[], Any], limit_s: float = 15.0) -> None:
        """Wait until something is so. Fails with what happened instead."""
        try:
            async with asyncio.timeout(limit_s):
                while not is_so():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not within {limit_s} s; what happened:\n{self.story()}") from None

    def spoken(self, call_id: str = "") -> list[int]:
        """The ids of the turns the agent has begun to speak, in order. A draft that was dropped has used one up."""
        ids = [
            event.floor_change.turn_id
            for event in self.events
            if event.WhichOneof("event") == "floor_change"
            and event.floor_change.to == record_pb2.FLOOR_SPEAKING
            and call_id in ("", event.call_id)
        ]
        return list(dict.fromkeys(ids))

    async def hears(self, call: SipCall, nth: int, *, seconds: float, call_id: str = "") -> int:
        """Wait until a phone has heard so much of the agent's nth turn, the greeting being the first; its id. Fails
        with what happened instead.
        """
        await self.until(lambda: len(self.spoken(call_id)) >= nth)
        turn_id = self.spoken(call_id)[nth - 1]
        try:
            await hear_tone(call, tone_hertz(turn_id), seconds=seconds, limit_s=10)
        except TimeoutError:
            raise AssertionError(f"turn {turn_id} was not heard; what happened:\n{self.story()}") from None
        return turn_id

    def story(self) -> str:
        """The events up to now, for a person to read."""
        return "\n".join(" ".join(str(event).split()) for event in self.events)

    def turns(self, *, by_gateway: bool = False, call_id: str = "") -> list[Any]:
        """The records of the turns that are over."""
        return [
            event.turn
            for event in self.events
            if event.WhichOneof("event") == "turn"
            and event.turn.is_gateway_prompt is by_gateway
            and call_id in ("", event.call_id)
        ]

    def ends(self) -> list[Any]:
        """The ends of calls."""
        return [event.end for event in self.events if event.WhichOneof("event") == "end"]

    async def greeted(self, n_calls: int = 1) -> None:
        """Wait until so many greetings have been heard."""
        await self.until(lambda: len([turn for turn in self.turns() if turn.turn_id == 1]) >= n_calls)

    async def speaking(self, n_times: int) -> None:
        """Wait until the agent has begun to speak for so many times."""

        def begun() -> int:
            return sum(
                event.WhichOneof("event") == "floor_change" and event.floor_change.to == record_pb2.FLOOR_SPEAKING
                for event in self.events
            )

        await self.until(lambda: begun() >= n_times)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_switchboard(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Switchboard]:
    folder = tmp_path_factory.mktemp("switchboard")
    async with running_pbx(folder / "pbx") as pbx:
        settings = {"call": {"GATEWAY_EDGES": "ari,program", "GATEWAY_ARI_URL": pbx.ari_url}}
        with scripted_stack(folder, CALLER_SAYS, settings) as stack:
            yield Switchboard(pbx, stack)


@asynccontextmanager
async def watching(switchboard: Switchboard) -> AsyncIterator[None]:
    """Collect what the gateway tells, as long as it lives."""
    async with grpc.aio.insecure_channel(switchboard.stack.gateway) as channel:
        calls = call_pb2_grpc.CallGatewayServiceStub(channel).WatchCalls(call_pb2.WatchCallsRequest())
        await calls.initial_metadata()

        async def read() -> None:
            try:
                async for response in calls:
                    switchboard.events.append(response.event)
            except grpc.aio.AioRpcError:
                return  # a test killed the gateway

        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(read())
            yield
            reading.cancel()


@pytest_asyncio.fixture(loop_scope="session")
async def switchboard(shared_switchboard: Switchboard) -> AsyncIterator[Switchboard]:
    shared_switchboard.events.clear()
    async with watching(shared_switchboard):
        yield shared_switchboard
    await asyncio.to_thread(shared_switchboard.stack.mend)


@asynccontextmanager
async def calling(switchboard: Switchboard) -> AsyncIterator[SipCall]:
    """A phone's call; hung up at the end when it still is up."""
    async with running_phones() as phones:
        call = await phones.call(number(switchboard.pbx))
        try:
            yield call
        finally:
            await call.hang_up()
            await asyncio.sleep(0.1)  # the phone sends its BYE; nothing is asserted after this


def tone_hertz(turn_id: int) -> int:
    """The frequency of the tone that the tone engine makes of a turn."""
    return 400 + 25 * (turn_id % 64)


def longest_silence_s(samples: Samples) -> float:
    """The longest stretch of a recording in which nothing is heard."""
    window = 160
    level = np.abs(samples[: len(samples) // window * window].astype(np.int32)).reshape(-1, window).max(axis=1)
    longest = current = 0
    for is_audible in level > AUDIBLE:
        current = 0 if is_audible else current + 1
        longest = max(longest, current)
    return longest * window / 8000


async def test_four_questions_are_answered_until_the_agent_hangs_up(switchboard: Switchboard):
    async with calling(switchboard) as call:
        await switchboard.greeted()
        for nth, clip in enumerate(CLIPS, start=2):
            call.say(clip)
            last_turn_id = await switchboard.hears(call, nth, seconds=0.5)
            await switchboard.until(lambda nth=nth: len(switchboard.turns()) >= nth)
        assert await call.wait_over(5)
        await switchboard.until(switchboard.ends)
        assert [turn.user_text for turn in switchboard.turns()[1:]] == list(CALLER_SAYS)
        assert all(turn.outcome == COMPLETED for turn in switchboard.turns()), switchboard.story()
        assert all(turn.latency_us > 0 for turn in switchboard.turns()[1:]), switchboard.story()
        assert switchboard.ends()[0].cause == record_pb2.CallEnd.CAUSE_AGENT
        # Heard to its end: the whole goodbye, 31 code points of 30 ms.
        assert seconds_of_tone(call.heard, tone_hertz(last_turn_id)) > 0.8


async def test_an_interruption_silences_the_agent_and_is_answered(switchboard: Switchboard):
    async with calling(switchboard) as call:
        await switchboard.greeted()
        call.say(CLIPS[0])
        interrupted_id = await switchboard.hears(call, 2, seconds=1.5)
        call.say(CLIPS[1])
        await switchboard.hears(call, 3, seconds=0.5)
        await switchboard.until(lambda: len(switchboard.turns()) >= 3)
        interrupted, answer = switchboard.turns()[1:3]
        assert interrupted.outcome == INTERRUPTED
        assert 0 < len(interrupted.heard_text) < 100
        assert answer.user_text == "Say sure, please."
        assert seconds_of_tone(call.heard, tone_hertz(interrupted_id)) < 3.0


async def test_a_caller_who_hangs_up_while_the_agent_speaks_leaves_a_record_and_nothing_else(switchboard: Switchboard):
    async with calling(switchboard) as call:
        await switchboard.greeted()
        call.say(CLIPS[0])
        await switchboard.hears(call, 2, seconds=0.5)
        await call.hang_up()
        await switchboard.until(switchboard.ends)
        assert switchboard.ends()[0].cause == record_pb2.CallEnd.CAUSE_CALLER
        assert switchboard.turns()[-1].outcome == INTERRUPTED
        await wait_empty(switchboard.pbx)


async def test_two_calls_at_once_never_mix(switchboard: Switchboard):
    async def ask(call: SipCall, nth: int, call_id: str) -> int:
        call.say(CLIPS[0])
        return await switchboard.hears(call, nth, seconds=1.0, call_id=call_id)

    async with running_phones() as phones:
        first, second = await phones.call(number(switchboard.pbx)), await phones.call(number(switchboard.pbx))
        await switchboard.greeted(2)
        for n_turns, keys in enumerate(("1#", "2#"), start=3):  # so that the two calls' turns have different ids
            await first.press(keys)
            await switchboard.until(lambda n_turns=n_turns: len(switchboard.turns()) >= n_turns)
        first_id = next(event.call_id for event in reversed(switchboard.events) if event.WhichOneof("event") == "turn")
        second_id = next(event.call_id for event in switchboard.events if event.call_id != first_id)
        answer, other_answer = await asyncio.gather(ask(first, 4, first_id), ask(second, 2, second_id))
        assert answer > other_answer
        assert seconds_of_tone(first.heard, tone_hertz(switchboard.spoken(first_id)[1])) > 0, "the reply to the keys"
        assert seconds_of_tone(second.heard, tone_hertz(answer)) == 0
        await asyncio.gather(first.hang_up(), second.hang_up())
        await switchboard.until(lambda: len(switchboard.ends()) == 2)


async def test_keys_become_a_turn(switchboard: Switchboard):
    async with calling(switchboard) as call:
        await switchboard.greeted()
        await call.press("42#")
        await switchboard.until(lambda: len(switchboard.turns()) >= 2)
        assert switchboard.turns()[1].end_reason == "keys"
        assert switchboard.turns()[1].user_text.startswith("42")


async def test_a_reply_goes_on_after_a_hold_where_it_had_stopped(switchboard: Switchboard):
    async with calling(switchboard) as call:
        await switchboard.greeted()
        call.say(CLIPS[0])
        await switchboard.hears(call, 2, seconds=1.0)
        await call.hold()
        await throughout(2.0, lambda: len(switchboard.turns()) == 1, "the turn waits")
        await call.resume()
        await switchboard.until(lambda: len(switchboard.turns()) >= 2)
        assert switchboard.turns()[1].outcome == COMPLETED
        assert switchboard.turns()[1].heard_text.endswith("beside the post office.")


@pytest.mark.parametrize(("stage", "fault"), [("stt", "stall"), ("nlu", "kill"), ("tts", "stall")])
async def test_a_stage_lost_in_mid_call_for_good_sends_the_caller_on_and_never_leaves_a_silence(
    switchboard: Switchboard, stage: str, fault: str
):
    async with calling(switchboard) as call:
        await switchboard.greeted()
        getattr(switchboard.stack, fault)(stage)
        call.say(CLIPS[0])
        while call.is_saying:
            await asyncio.sleep(0.02)
        begin_s = call.heard.length_s
        assert await call.wait_over(60)
        await switchboard.until(switchboard.ends)
        assert switchboard.ends()[0].cause == record_pb2.CallEnd.CAUSE_FAILURE
        said = [turn.heard_text for turn in switchboard.turns(by_gateway=True)]
        assert "one moment" in said[0].lower()
        assert len([text for text in said if "still with you" in text]) >= 2
        assert "Goodbye" not in said[-1], "the dialplan's own words end the call, or a person takes it"
        assert longest_silence_s(call.heard.samples()[round(begin_s * 8000) :]) < MAX_DEAD_AIR_S


async def test_a_gateway_that_died_takes_its_call_up_again_and_talks_on(switchboard: Switchboard):
    async with calling(switchboard) as call:
        await switchboard.greeted()
        switchboard.stack.kill("call")
        await asyncio.to_thread(switchboard.stack.bring_back, "call")
        switchboard.events.clear()
        async with watching(switchboard):
            await switchboard.until(lambda: switchboard.turns(by_gateway=True))
            assert "cut off" in switchboard.turns(by_gateway=True)[0].heard_text
            call.say(CLIPS[0])
            await switchboard.until(switchboard.turns, 20)
            assert switchboard.turns()[0].user_text == "Say long, please."
            assert switchboard.turns()[0].outcome == COMPLETED
            await call.hang_up()
            await switchboard.until(switchboard.ends)
        await wait_empty(switchboard.pbx)


async def test_when_asterisk_restarts_its_calls_end_and_new_ones_are_answered(switchboard: Switchboard):
    async with running_phones() as phones:
        await phones.call(number(switchboard.pbx))
        await switchboard.greeted()
        await switchboard.pbx.kill()
        await switchboard.pbx.start()
        await switchboard.until(switchboard.ends, 20)
        assert switchboard.ends()[0].cause == record_pb2.CallEnd.CAUSE_FAILURE
        switchboard.events.clear()
        await wait_for_app(switchboard.pbx)
        call = await phones.call(number(switchboard.pbx))
        await switchboard.greeted()
        call.say(CLIPS[0])
        await switchboard.hears(call, 2, seconds=0.5)
