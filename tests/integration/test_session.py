"""One session against stages that misbehave: late, twice, out of order, torn, stalled, refusing, going away."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode
from services.call_gateway.conversation.commands import Command
from services.call_gateway.conversation.events import CallerAdvanced, Event
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.line import EndCause, IdleReason, KeyPressed, MediaIdle
from services.call_gateway.stages.stages import StageChannels
from services.call_gateway.stages.stream import StreamLimits
from services.runtime.channels import open_channel
from services.runtime.errors import CapacityError, EngineFailed, RequestError, UnavailableError
from tests.fakes.sessions import PROMPT_BYTE, FakeCall, fake_call, loud_hum, voice_of
from tests.fakes.stage_servers import completed, fake_stages

pytestmark = pytest.mark.asyncio(loop_scope="session")


def heard(call: FakeCall) -> bytes:
    """The sound that the caller heard, one letter a stretch: the turn's digit, or P for the gateway's own words."""
    names = {voice_of(turn_id, 1)[0]: str(turn_id).encode() for turn_id in range(1, 10)} | {PROMPT_BYTE: b"P"}
    story = b""
    for byte in call.leg.heard():
        name = names.get(byte, b"")
        story += name if name != story[-1:] else b""
    return story


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


async def test_a_full_replica_is_left_for_another_before_anybody_notices():
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
