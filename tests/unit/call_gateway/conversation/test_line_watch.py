"""A dead line, and sound that is no caller."""

import numpy as np
import pytest
from numpy.typing import NDArray

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, encode
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.line import CallerAudio, CallerStaysSilent, HoldChanged, IdleReason, MediaIdle
from services.call_gateway.conversation.news import LineCause, LineTroubled
from services.call_gateway.conversation.turn import Floor
from tests.unit.call_gateway.conversation.driver import FRAME_MS, Call
from tests.unit.call_gateway.conversation.line_sound import FRAME, QUIET, talk

Signal = NDArray[np.float64]


def frames(signal: Signal) -> list[bytes]:
    content = encode(TELEPHONE, np.clip(signal, -32768, 32767).astype(np.int16))
    return [content[at : at + FRAME] for at in range(0, len(content) - FRAME + 1, FRAME)]


def seconds(n_seconds: float) -> NDArray[np.float64]:
    return np.arange(int(n_seconds * 8000)) / 8000


def music(n_seconds: float) -> list[bytes]:
    """Three notes that come and go, with a rest now and then."""
    t = seconds(n_seconds)
    tune = sum(np.sin(2 * np.pi * hertz * t) for hertz in (330, 440, 550))
    return frames(1500 * tune * (0.3 + np.abs(np.sin(2 * np.pi * 0.7 * t))) * (np.sin(2 * np.pi * 0.1 * t) > -0.9))


def fax(n_seconds: float) -> list[bytes]:
    """The call of a fax: 1100 Hz, half a second of every three and a half (ITU-T T.30 section 4.1.1)."""
    t = seconds(n_seconds)
    return frames(4000 * np.sin(2 * np.pi * 1100 * t) * (t % 3.5 < 0.5))


def modem(n_seconds: float) -> list[bytes]:
    """A carrier that never stops."""
    return frames(4000 * np.sin(2 * np.pi * 2100 * seconds(n_seconds)))


def street(n_seconds: float) -> list[bytes]:
    """Steady loud noise."""
    return frames(np.random.default_rng(1).normal(0, 600, int(n_seconds * 8000)))


def no_packets(call: Call, ms: int, reason: IdleReason = IdleReason.UNKNOWN) -> None:
    call.is_clock_running = False
    for _ in range(ms // FRAME_MS):
        start = call.sample()
        call.wait(FRAME_MS)
        call.tell(MediaIdle(start, call.sample(), reason))
        call.tell(ev.EarProgressed(call.sample()))


def troubles(call: Call) -> list[LineCause]:
    return [news.cause for news in call.all(LineTroubled)]


def prompts(call: Call) -> list[str]:
    return [report.gateway_text for report in call.all(cmd.ReportPlayout) if report.gateway_text]


# -- nothing comes -----------------------------------------------------------------------------------------------------


def test_a_line_from_which_nothing_ever_came_is_told_once_after_five_seconds():
    call = Call().greeted()
    no_packets(call, 4900 - call.ms)
    assert troubles(call) == []
    no_packets(call, 1000)
    assert troubles(call) == [LineCause.NEVER_CAME]
    assert 5000 <= call.last(LineTroubled).lasted_ms <= 5020
    no_packets(call, 4000)
    assert troubles(call) == [LineCause.NEVER_CAME]


def test_a_line_that_stops_is_told_apart_from_one_that_never_spoke():
    call = Call().greeted()
    talk(call, [QUIET] * 100)
    no_packets(call, 4900)
    assert troubles(call) == []
    no_packets(call, 200)
    assert troubles(call) == [LineCause.STOPPED]


def test_short_gaps_are_nothing_to_tell():
    call = Call().greeted()
    for _ in range(6):
        no_packets(call, 3000)
        talk(call, [QUIET] * 5)
    assert troubles(call) == []


def test_a_hold_that_is_known_is_called_so():
    call = Call().greeted()
    talk(call, [QUIET] * 50)
    call.tell(HoldChanged(is_held=True))
    no_packets(call, 6000, IdleReason.HOLD)
    assert troubles(call) == [LineCause.HOLD]


def test_a_line_whose_far_side_counts_on_in_silence_is_alive():
    """A program that closed its half: its clock goes on with silence."""
    call = Call().greeted()
    call.tell(CallerStaysSilent())
    talk(call, [QUIET] * 300)
    assert troubles(call) == []


# -- sound without a word ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sound", [music, fax, modem])
def test_music_and_faxes_are_not_asked_whether_they_are_there_for_ever(sound):
    call = Call().greeted()
    talk(call, sound(60))
    assert troubles(call) == [LineCause.NO_CONVERSATION]
    assert 15_000 <= call.last(LineTroubled).lasted_ms <= 15_200
    assert prompts(call) == ["prompt still_there"], "asked once, before it was clear"
    assert not call.all(cmd.HangUp)


def test_what_the_ear_takes_for_speech_without_words_is_no_conversation():
    call = Call().greeted()
    for _ in range(10):
        call.begin_speech()
        talk(call, [QUIET] * 80)
        call.stop_speech()
        talk(call, [QUIET] * 20)
    assert troubles(call) == [LineCause.NO_CONVERSATION]


def test_a_silent_caller_in_a_loud_street_is_asked_and_then_left():
    call = Call().greeted()
    talk(call, street(60))
    assert troubles(call) == []
    assert prompts(call)[:2] == ["prompt still_there", "prompt still_there"]
    assert call.all(cmd.HangUp)


def test_a_silent_caller_is_asked_and_then_left():
    call = Call().greeted()
    talk(call, [QUIET] * 3000)
    assert troubles(call) == []
    assert call.all(cmd.HangUp)


def test_words_in_the_sound_make_it_a_conversation():
    call = Call().greeted()
    for _ in range(4):
        talk(call, music(10))
        call.begin_speech()
        talk(call, music(0.6))
        call.stop_speech()
        call.draft("hello")
        talk(call, music(0.2))
    assert troubles(call) == []


def test_when_the_music_ends_silence_is_asked_about_again():
    call = Call().greeted()
    talk(call, music(30))
    assert troubles(call) == [LineCause.NO_CONVERSATION]
    call.forget()
    talk(call, [QUIET] * 700)
    assert prompts(call) == ["prompt still_there"]


def test_when_packets_stop_after_the_music_silence_is_asked_about_again():
    call = Call().greeted()
    talk(call, music(30))
    call.forget()
    no_packets(call, 14_000)
    assert prompts(call) == ["prompt still_there"]


def test_sound_while_the_agent_speaks_does_not_count():
    call = Call().greeted()
    call.speaking(ms=30_000)
    talk(call, music(20))
    assert call.floor is Floor.SPEAKING
    assert troubles(call) == []


def test_torn_sound_is_passed_over():
    call = Call(audio_format=AudioFormat(Encoding.LINEAR16, 8000)).greeted()
    for _ in range(10):
        call.tell(CallerAudio(call.sample(), bytes(319)))
        call.wait(FRAME_MS)
    assert troubles(call) == []
