"""Stages that are full, away, slow or lost, as one session meets them."""

import asyncio

import numpy as np
import pytest

from services.audio.pcm import TELEPHONE, decode
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.line import KeyPressed
from services.call_gateway.stages.stream import StreamLimits
from services.runtime.errors import CapacityError, EngineFailed, RequestError, UnavailableError
from tests.fakes.sessions import fake_call, heard, loud_hum, voice_of
from tests.fakes.stage_servers import completed, fake_stages

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_full_replica_is_left_for_another_without_a_word():
    async with fake_stages() as stages:
        stages.nlu.refusals = [CapacityError("full"), CapacityError("full")]
        async with fake_call(stages=stages) as call:
            await call.greet()
            assert not call.troubles


async def test_a_config_that_is_refused_is_not_sent_again():
    async with fake_stages() as stages:
        stages.nlu.refusals = [RequestError("no such agent", field="config.agent_id")]
        async with fake_call(stages=stages) as call:
            await call.until(lambda: call.refusal)
            assert not stages.nlu.streams
            assert not call.leg.answered.is_set()


async def test_a_full_stage_refuses_the_call_before_the_answer():
    async with fake_stages() as stages:
        stages.stt.refusals = [CapacityError("full")] * 3
        async with fake_call(stages=stages) as call:
            await call.until(lambda: call.refusal, 1.0)
            assert isinstance(call.refusal, CapacityError)
            assert not call.leg.answered.is_set()


@pytest.mark.parametrize("name", ["stt", "nlu", "tts"])
async def test_a_stage_that_never_opens_refuses_the_call_before_the_answer(name: str):
    async with fake_stages() as stages:
        getattr(stages, name).opens = False
        async with fake_call(stages=stages, limits=StreamLimits(first_response_s=0.2)) as call:
            await call.until(lambda: call.refusal)
            assert isinstance(call.refusal, UnavailableError)
            assert not call.leg.answered.is_set()


async def test_a_stage_that_comes_back_while_it_rings_takes_the_call():
    async with fake_stages() as stages:
        stages.nlu.refusals = [UnavailableError("starting")] * 4
        async with fake_call(stages=stages) as call:
            await call.greet()
            assert not call.troubles


async def test_a_stage_that_stays_away_sends_the_caller_on():
    async with fake_stages() as stages:
        settings = ConversationSettings(give_up_ms=1500)
        async with fake_call(stages=stages, settings=settings, has_fallback=True) as call:
            _, nlu, _ = await call.greet()
            call.leg.tell(KeyPressed("1", 80))
            call.leg.tell(KeyPressed("#", 80))
            await nlu.expect("user_turn", lambda turn: turn.dtmf != "")
            stages.nlu.refusals = [UnavailableError("gone")] * 100
            nlu.end(EngineFailed("broken"))
            await call.until(lambda: "fall back" in call.leg.acts)
            assert heard(call) == b"1P", "sorry, and no goodbye"


async def test_a_stage_that_serves_and_is_slow_is_waited_for():
    async with fake_stages() as stages, fake_call(stages=stages) as call:
        _, nlu, tts = await call.greet()
        call.leg.tell(KeyPressed("1", 80))
        call.leg.tell(KeyPressed("#", 80))
        asked = await nlu.expect("user_turn", lambda turn: turn.dtmf != "")
        await call.until(lambda: [trouble.remedy for trouble in call.troubles] == ["wait"])
        await call.frames(75)
        await call.reply(nlu, tts, asked.turn_id, "One.")
        await call.until(lambda: voice_of(asked.turn_id) in call.leg.heard())
        assert len(stages.nlu.streams) == 1
        assert heard(call) == b"1P2"


async def test_a_turn_lost_with_its_stream_is_asked_again_with_its_id_and_the_past():
    async with fake_call() as call:
        _, nlu, tts = await call.greet()
        call.leg.tell(KeyPressed("1", 80))
        call.leg.tell(KeyPressed("#", 80))
        lost = await nlu.expect("user_turn", lambda turn: turn.dtmf != "")
        nlu.end(EngineFailed("broken"))
        again = await call.stages.nlu.stream(1)
        asked = await again.expect("user_turn")
        assert asked.turn_id == lost.turn_id
        assert [(turn.turn_id, turn.heard_text) for turn in again.config.history] == [(1, "Hello.")]
        await call.reply(again, tts, asked.turn_id, "One.")
        await call.until(lambda: len(call.turns) == 3)
        assert heard(call) == b"1P2"


async def test_a_tts_stream_lost_in_mid_answer_continues_after_the_last_word_heard():
    async with fake_call() as call:
        _, nlu, tts = await call.greet()
        call.leg.tell(KeyPressed("1", 80))
        call.leg.tell(KeyPressed("#", 80))
        asked = await nlu.expect("user_turn", lambda turn: turn.dtmf != "")
        text = "One two three four."
        nlu.send(reply_text={"turn_id": asked.turn_id, "text": text, "language_code": "en"})
        nlu.send(turn_end=completed(asked.turn_id))
        await tts.expect("text", lambda piece: piece.turn_id == asked.turn_id)
        tts.send(spoken_text={"turn_id": asked.turn_id, "text_end_offset": 7, "end_sample": 800})
        tts.send(audio={"turn_id": asked.turn_id, "chunk": {"start_sample": 0, "content": voice_of(asked.turn_id)}})
        await call.until(lambda: voice_of(asked.turn_id) in call.leg.heard())
        tts.end(EngineFailed("broken"))
        again = await call.stages.tts.stream(1)
        piece = await again.expect("text")
        assert piece.turn_id == asked.turn_id
        assert text[piece.start_offset :] == piece.text
        assert 3 < piece.start_offset <= 7


async def test_speech_that_breaks_off_fades_and_a_line_without_speech_is_silent():
    async with fake_call() as call:
        _, nlu, tts = await call.greet()
        call.leg.tell(KeyPressed("1", 80))
        call.leg.tell(KeyPressed("#", 80))
        asked = await nlu.expect("user_turn", lambda turn: turn.dtmf != "")
        nlu.send(reply_text={"turn_id": asked.turn_id, "text": "One two three four.", "language_code": "en"})
        nlu.send(turn_end=completed(asked.turn_id))
        await tts.expect("text", lambda piece: piece.turn_id == asked.turn_id)
        begin = len(call.leg.frames)
        tts.send(audio={"turn_id": asked.turn_id, "chunk": {"start_sample": 0, "content": loud_hum()}})
        await call.until(lambda: sum(frame is not None for frame in call.leg.frames[begin:]) >= 10)
        stt = call.stages.stt.streams[0]
        stt.send(speech_activity={"kind": "KIND_BEGIN", "sample": call.leg.sample, "score": 0.9})
        await call.until(lambda: call.leg.frames[-5:] == [None] * 5)
        frames = [frame or b"\xff" * 160 for frame in call.leg.frames[begin:]]
        samples = decode(TELEPHONE, b"".join(frames)).astype(int)
        hum = decode(TELEPHONE, loud_hum()).astype(int)
        assert np.abs(np.diff(samples)).max() <= 1.3 * np.abs(np.diff(hum)).max(), "a click"
        whole = [number for number, frame in enumerate(frames) if np.abs(decode(TELEPHONE, frame)).max() > 64]
        tail = decode(TELEPHONE, frames[whole[-1]]).astype(int)
        assert np.abs(tail[40:]).max() <= 64, "5 ms of fade, then silence"


async def test_a_lost_stt_stream_is_opened_again_where_it_had_settled_and_gets_what_it_missed():
    async with fake_call() as call:
        stt, _, _ = await call.greet()
        await call.frames(20)
        stt.end(EngineFailed("broken"))
        again = await call.stages.stt.stream(1)
        await again.expect("audio", count=5)
        starts = [chunk.start_sample for chunk in again.of_kind("audio")]
        assert again.config.start_sample == starts[0] == 0
        lengths = [len(chunk.content) for chunk in again.of_kind("audio")]
        assert starts == [sum(lengths[:number]) for number in range(len(lengths))]
        assert not call.turns[1:]


async def test_a_server_that_goes_away_finishes_and_the_next_turn_is_asked_elsewhere():
    async with fake_call() as call:
        _, nlu, tts = await call.greet()
        nlu.send(going_away={"deadline_ms": 1000})
        tts.send(going_away={"deadline_ms": 1000})
        await call.frames(5)
        assert len(call.stages.nlu.streams) == 1
        call.leg.tell(KeyPressed("1", 80))
        call.leg.tell(KeyPressed("#", 80))
        nlu_again = await call.stages.nlu.stream(1)
        asked = await nlu_again.expect("user_turn")
        assert [turn.heard_text for turn in nlu_again.config.history] == ["Hello."]
        nlu_again.send(reply_text={"turn_id": asked.turn_id, "text": "One.", "language_code": "en"})
        nlu_again.send(turn_end=completed(asked.turn_id))
        tts_again = await call.stages.tts.stream(1)
        await tts_again.expect("text")
        await call.speak(tts_again, asked.turn_id, "One.")
        await call.until(lambda: len(call.turns) == 2)
        assert nlu.is_half_closed
        assert tts.is_half_closed
        assert not call.troubles


async def test_an_stt_stage_that_goes_away_is_replaced_between_two_utterances():
    async with fake_call() as call:
        stt, _, _ = await call.greet()
        stt.send(going_away={"deadline_ms": 1000})
        again = await call.stages.stt.stream(1)
        await again.expect("audio")
        assert not call.troubles


async def test_what_a_server_does_not_list_is_not_sent():
    async with fake_stages() as stages:
        stages.nlu.features = ()
        async with fake_call(stages=stages) as call:
            stt, nlu, tts = await call.greet()
            saying = asyncio.create_task(call.caller_says(stt, "are you open"))
            asked = await nlu.expect("user_turn", lambda turn: turn.text == "are you open")
            assert not asked.is_draft
            await saying
            await call.reply(nlu, tts, asked.turn_id, "Yes.")
            await call.until(lambda: len(call.turns) == 2)
            assert {request.WhichOneof("request") for request in nlu.requests} == {"config", "user_turn"}
