"""One session against stages that misbehave: late, twice, out of order, torn, stalled, refusing, going away."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from unittest.mock import patch

import pytest

from services.audio.pcm import AudioFormat, Encoding
from services.call_gateway.conversation.commands import Command
from services.call_gateway.conversation.events import CallerAdvanced, Event
from services.call_gateway.line import EndCause, IdleReason, KeyPressed, MediaIdle
from services.call_gateway.stages.stages import StageChannels
from services.call_gateway.stages.stream import StreamLimits
from services.runtime.channels import open_channel
from tests.fakes.sessions import FakeCall, fake_call, heard, voice_of
from tests.fakes.stage_servers import completed, fake_stages

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_question_is_drafted_committed_spoken_and_reported():
    async with fake_call() as call:
        stt, nlu, tts = await call.greet()
        assert stt.config.language_codes == ["en-US"]
        saying = asyncio.create_task(call.caller_says(stt, "are you open"))
        draft = await nlu.expect("user_turn", lambda turn: turn.text == "are you open")
        assert draft.is_draft
        await call.reply(nlu, tts, draft.turn_id, "Yes.")
        await saying
        await nlu.expect("commit", lambda commit: commit.turn_id == draft.turn_id)
        report = await nlu.expect("playout_report", lambda report: report.turn_id == draft.turn_id and report.is_final)
        assert report.heard_offset == len("Yes.")
        assert heard(call) == b"12"
        assert call.turns[1].is_answered_from_draft


async def test_every_stream_of_a_visit_carries_its_key_and_another_visit_has_another():
    keys = []
    for _ in range(2):
        async with fake_call() as call:
            stt, nlu, tts = await call.greet()
            keys.append({stream.config.visit_id for stream in (stt, nlu, tts)})
    first, second = keys
    assert len(first) == len(second) == 1
    assert first != second
    assert all(len(bytes.fromhex(key)) == 16 for key in first | second)


async def test_a_finished_call_closes_every_stream_in_good_order():
    async with fake_call() as call:
        stt, nlu, tts = await call.greet()
    assert stt.is_half_closed
    assert nlu.is_half_closed
    assert tts.is_half_closed


async def test_a_stage_that_does_not_let_go_is_given_up_within_the_limit():
    async with fake_stages() as stages:
        stages.nlu.ends_streams_with_half_close = False
        loop = asyncio.get_running_loop()
        async with fake_call(stages=stages, limits=StreamLimits(finish_s=0.3)) as call:
            await call.greet()
            begun = loop.time()
        assert loop.time() - begun < 1.5


async def test_news_of_another_turn_never_reaches_the_caller():
    async with fake_call() as call:
        _, nlu, tts = await call.greet()
        for turn_id in (1, 7):  # over, and never begun
            nlu.send(reply_text={"turn_id": turn_id, "text": "Stale.", "language_code": "en"})
            tts.send(audio={"turn_id": turn_id, "chunk": {"start_sample": 0, "content": voice_of(9)}})
            tts.send(spoken_text={"turn_id": turn_id, "text_end_offset": 3, "end_sample": 10})
            nlu.send(turn_end=completed(turn_id))
            tts.send(turn_end=completed(turn_id))
            tts.send(turn_end=completed(turn_id))
        await call.frames(10)
        assert heard(call) == b"1"
        assert not tts.of_kind("text")[1:]


async def test_sound_that_overlaps_comes_twice_or_before_its_words_is_never_heard_twice():
    async with fake_call() as call:
        _, nlu, tts = await call.greet()
        call.leg.tell(KeyPressed("1", 80))
        call.leg.tell(KeyPressed("#", 80))
        turn = await nlu.expect("user_turn", lambda turn: turn.dtmf != "")
        tts.send(audio={"turn_id": turn.turn_id, "chunk": {"start_sample": 0, "content": voice_of(9)}})
        nlu.send(reply_text={"turn_id": turn.turn_id, "text": "Yes.", "language_code": "en"})
        nlu.send(turn_end=completed(turn.turn_id))
        await tts.expect("text", lambda asked: asked.turn_id == turn.turn_id)
        for _ in range(2):
            chunk = {"start_sample": 0, "content": voice_of(turn.turn_id)}
            tts.send(audio={"turn_id": turn.turn_id, "chunk": chunk})
        tts.send(turn_end=completed(turn.turn_id))
        await call.until(lambda: len(call.turns) == 2)
        assert call.leg.heard().count(voice_of(turn.turn_id, 1)) == len(voice_of(turn.turn_id))
        assert voice_of(9, 1) not in call.leg.heard()


async def test_torn_samples_are_not_played():
    async with fake_call(audio_format=AudioFormat(Encoding.LINEAR16, 8000)) as call:
        nlu, tts = await call.stages.nlu.stream(), await call.stages.tts.stream()
        await nlu.expect("user_turn")
        nlu.send(reply_text={"turn_id": 1, "text": "Hello.", "language_code": "en"})
        nlu.send(turn_end=completed(1))
        await tts.expect("text")
        tts.send(audio={"turn_id": 1, "chunk": {"start_sample": 0, "content": b"\x22\x00" * 400 + b"\x22"}})
        tts.send(audio={"turn_id": 1, "chunk": {"start_sample": 0, "content": b"\x33\x00" * 400}})
        tts.send(turn_end=completed(1))
        await call.until(lambda: call.turns)
        assert b"\x22" not in call.leg.heard()
        assert call.leg.heard().count(b"\x33\x00") == 400


async def test_words_of_a_turn_that_was_not_asked_for_make_no_turn():
    async with fake_call() as call:
        stt, nlu, _ = await call.greet()
        stale = {"utterance_id": 1, "text": "stale", "start_sample": 0, "end_sample": 100, "stage": "STAGE_SETTLED"}
        for _ in range(2):
            stt.send(transcript=stale)
            stt.send(utterance_settled={"utterance_id": 1, "end_sample": 100, "outcome": "OUTCOME_OK"})
        await call.frames(10)
        assert [turn.text for turn in nlu.of_kind("user_turn")] == [""]


async def test_acts_on_the_line_are_done_and_reported():
    async with fake_call() as call:
        _, nlu, _ = await call.greet()
        call.leg.tell(KeyPressed("1", 80))
        call.leg.tell(KeyPressed("#", 80))
        asked = await nlu.expect("user_turn", lambda turn: turn.dtmf != "")
        press = {"action_id": "a1", "turn_id": asked.turn_id, "when": "WHEN_NOW", "send_dtmf": {"digits": "12"}}
        nlu.send(call_action=press)
        done = await nlu.expect("call_action_result")
        assert (done.action_id, done.outcome) == ("a1", 1)
        assert call.leg.acts == ["keys 12"]


async def test_a_caller_who_is_gone_before_the_answer_leaves_nothing_behind():
    async with fake_stages() as stages:
        async with fake_call(stages=stages) as call:
            call.leg.refuses_answer = True
        assert not call.news


async def test_without_any_stage_the_call_is_not_answered():
    async with fake_stages() as stages:
        nowhere = [open_channel("127.0.0.1:1") for _ in range(3)]
        lost = replace(stages, channels=StageChannels(*nowhere))
        async with fake_call(stages=lost) as call:
            await call.until(lambda: call.refusal, 10)
            assert not call.leg.answered.is_set()
        await lost.channels.close()


async def test_a_session_that_breaks_ends_its_own_call_only():
    async with fake_stages() as stages, fake_call(stages=stages) as broken:
        await broken.greet()
        async with fake_call(stages=stages) as sound:
            await sound.until(lambda: len(stages.nlu.streams) == 2)
            too_late = 1 << 70  # no edge says so: no wire can carry it
            broken.session.on_leg_event(MediaIdle(too_late, too_late + 160, IdleReason.LOSS))
            await broken.until(lambda: broken.leg.hung_up)
            assert broken.leg.hung_up is EndCause.FAILURE
            await sound.frames(10)
            assert sound.leg.hung_up is None


async def test_a_session_that_breaks_sends_its_caller_on():
    async with fake_call(has_fallback=True) as call:
        await call.greet()
        too_late = 1 << 70
        call.session.on_leg_event(MediaIdle(too_late, too_late + 160, IdleReason.LOSS))
        await call.until(lambda: "fall back" in call.leg.acts)


async def advances(call: FakeCall, n_frames: int) -> list[int]:
    """The samples of the caller's clock that the conversation is told of, while so many frames come."""
    told: list[int] = []
    handle = call.session.conversation.handle

    def listen(event: Event, *, now: float) -> list[Command]:
        if isinstance(event, CallerAdvanced):
            told.append(event.to_sample)
        return handle(event, now=now)

    with patch.object(call.session.conversation, "handle", listen):
        await call.frames(n_frames)
    return told


async def test_the_conversation_learns_of_every_packet_also_when_no_chunk_was_sent():
    async with fake_call() as call:
        await call.greet()
        told = await advances(call, 53)
        assert len(told) >= 53
        assert {after - before for before, after in pairwise(told)} == {160}


async def test_a_conversation_whose_caller_speaks_gets_every_packet():
    async with fake_call() as call:
        stt, _, _ = await call.greet()
        stt.send(speech_activity={"kind": "KIND_BEGIN", "sample": call.leg.sample, "score": 0.9})
        await call.frames(5)
        told = await advances(call, 10)
    assert {after - before for before, after in pairwise(told)} == {160}
