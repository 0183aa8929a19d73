"""The plain energy detector that stands in while the STT stage's stream is opened again."""

import numpy as np

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, encode
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import CallerAudio, EnergyFell, EnergyRose
from services.call_gateway.sound.call_sound import CallSound
from tests.unit.call_gateway.conversation.driver import Call
from tests.unit.call_gateway.conversation.line_sound import FRAME, LOUD, QUIET, talk


def deaf_speaking_call() -> tuple[Call, int]:
    call = Call().greeted()
    turn_id = call.speaking(ms=6000)
    call.tell(ev.StageFailed(ev.Stage.STT, "UNAVAILABLE", is_retryable=True))
    return call, turn_id


def test_without_stt_loud_sound_pauses_the_agent_and_stops_it_when_it_lasts():
    call, turn_id = deaf_speaking_call()
    talk(call, [LOUD] * 4)
    assert call.floor is Floor.PAUSED
    talk(call, [LOUD] * 30)
    assert call.floor is Floor.LISTENING
    assert call.record(turn_id).stop_reason == "sustained_speech"
    talk(call, [QUIET] * 150)
    assert call.all(cmd.ReportPlayout)[-1].gateway_text == "prompt apology", "what they said was not heard"


def test_without_stt_a_short_noise_lets_the_agent_go_on():
    call, _ = deaf_speaking_call()
    talk(call, [LOUD] * 5 + [QUIET] * 60)
    assert call.floor is Floor.SPEAKING


def test_without_stt_a_click_is_nothing():
    call, _ = deaf_speaking_call()
    talk(call, [QUIET] * 5 + [LOUD] * 2 + [QUIET] * 5)
    assert call.floor is Floor.SPEAKING
    assert not any(move.after == "paused" for move in call.all(cmd.FloorMoved))


def test_a_lost_stt_stage_is_missed_when_the_caller_spoke():
    call = Call().greeted()
    call.tell(ev.StageFailed(ev.Stage.STT, "UNAVAILABLE", is_retryable=True))
    talk(call, [QUIET] * 50 + [LOUD] * 20 + [QUIET] * 150)
    assert [report.gateway_text for report in call.all(cmd.ReportPlayout)] == ["prompt apology"]


def test_a_lost_stt_stage_is_missed_when_the_caller_spoke_before_the_loss_was_noticed():
    call = Call().greeted()
    call.is_ear_alive = False
    for content in [QUIET] * 20 + [LOUD] * 20 + [QUIET] * 110:
        start = call.sample()
        call.is_clock_running = False
        call.wait(20)
        call.tell(CallerAudio(start, content))
    assert call.last(cmd.StageTroubled) == cmd.StageTroubled(ev.Stage.STT, "STALLED", cmd.Remedy.APOLOGISE)
    assert [report.gateway_text for report in call.all(cmd.ReportPlayout)] == ["prompt apology"]


def test_a_lost_stt_stage_is_not_missed_by_a_silent_caller():
    call = Call().greeted()
    call.tell(ev.StageFailed(ev.Stage.STT, "UNAVAILABLE", is_retryable=True))
    talk(call, [QUIET] * 300)
    assert not call.all(cmd.ReportPlayout)


def test_with_stt_sound_alone_decides_nothing():
    call = Call().greeted()
    call.speaking(ms=6000)
    talk(call, [LOUD] * 40)
    assert call.floor is Floor.SPEAKING


def noise_frames(n_frames: int, rms: float) -> list[bytes]:
    samples = np.random.default_rng(1).normal(0, rms, n_frames * FRAME)
    content = encode(TELEPHONE, np.clip(samples, -32768, 32767).astype(np.int16))
    return [content[at : at + FRAME] for at in range(0, len(content), FRAME)]


def test_the_noise_of_the_line_before_the_stt_stage_was_lost_is_no_speech():
    """-34 dBFS: louder than soft speech on a quiet line."""
    call = Call().greeted()
    call.speaking(ms=9000)
    street = noise_frames(300, 650)
    talk(call, street[:100])
    call.tell(ev.StageFailed(ev.Stage.STT, "UNAVAILABLE", is_retryable=True))
    talk(call, street[100:200])
    assert call.floor is Floor.SPEAKING
    talk(call, [LOUD] * 4)
    assert call.floor is Floor.PAUSED


def test_noise_that_sets_in_later_is_learnt():
    sound = CallSound(TELEPHONE)
    noise = noise_frames(400, 650)
    told = [sound.on_audio(CallerAudio(index * FRAME, content))[1] for index, content in enumerate(noise)]
    assert not [found for events in told[300:] for found in events if isinstance(found, EnergyRose | EnergyFell)]


def test_torn_sound_is_passed_over():
    _, found = CallSound(AudioFormat(Encoding.LINEAR16, 8000)).on_audio(CallerAudio(0, bytes(319)))
    assert not [event for event in found if isinstance(event, EnergyRose | EnergyFell)]
