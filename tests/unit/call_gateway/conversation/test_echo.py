"""Our own voice comes back on the line: alone, faint, late, and under a caller who speaks."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import services.call_gateway.prompts as recorded
from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode, encode
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation import news
from services.call_gateway.conversation.echo import EchoGuard
from services.call_gateway.conversation.heard_sound import HeardSound
from services.call_gateway.conversation.line import CallerAudio
from services.call_gateway.conversation.stand_in_ear import StandInEar
from services.call_gateway.conversation.turn import Floor
from tests.unit.call_gateway.conversation.driver import Call

FRAME = 160
Signal = NDArray[np.float64]


def recording(name: str) -> Signal:
    path = Path(recorded.__file__).parent / name
    return decode(TELEPHONE, path.read_bytes()).astype(np.float64)


AGENT = np.concatenate([recording("en/goodbye.ulaw"), recording("en/still_there.ulaw")])
CALLER = recording("vi/apology.ulaw")  # another voice


def loud_part(signal: Signal, n_samples: int) -> Signal:
    energies = np.convolve(signal**2, np.ones(n_samples), "valid")
    start = int(energies.argmax())
    return signal[start : start + n_samples]


def frames(signal: Signal) -> list[bytes]:
    content = encode(TELEPHONE, np.clip(signal, -32768, 32767).astype(np.int16))
    return [content[at : at + FRAME] for at in range(0, len(content) - FRAME + 1, FRAME)]


def echo_of(signal: Signal, delay_ms: int, db: float, *, noise: float = 8.0) -> Signal:
    delayed = np.concatenate([np.zeros(delay_ms * 8), signal])[: len(signal)]
    return delayed * 10 ** (db / 20) + np.random.default_rng(7).normal(0, noise, len(signal))


def guard_after(sent: Signal, heard: Signal) -> tuple[EchoGuard, int]:
    """A guard that has seen both directions; returns it with the sample of 120 ms ago."""
    memory = HeardSound(TELEPHONE)
    guard = EchoGuard(memory, frame_ms=20)
    out, back = frames(sent), frames(heard)
    for index, (left, came) in enumerate(zip(out, back, strict=True)):
        guard.note_sent(left)
        memory.keep(index * FRAME, came)
    return guard, (len(out) - 6) * FRAME


def until_loud(signal: Signal, lead: int = 12_000) -> Signal:
    """The signal up to the end of a loud stretch, so that the last 120 ms tell something."""
    energies = np.convolve(signal[lead:] ** 2, np.ones(960), "valid")
    return signal[: (lead + int(energies.argmax()) + 960) // FRAME * FRAME]


@pytest.mark.parametrize("db", [-6, -12, -18, -24, -30])
@pytest.mark.parametrize("delay_ms", [20, 80, 160, 300])
def test_our_own_voice_is_known_at_any_delay_and_level(db: float, delay_ms: int):
    sent = AGENT[: 3 * 8000]
    echo = until_loud(echo_of(sent, delay_ms, db))
    guard, since = guard_after(sent[: len(echo)], echo)
    assert guard.is_echo(since)


@pytest.mark.parametrize("delay_ms", [20, 160, 300])
def test_a_caller_over_the_echo_is_a_caller(delay_ms: int):
    sent = AGENT[: 3 * 8000]
    echo = echo_of(sent, delay_ms, -18)
    echo = until_loud(echo)
    speech = loud_part(CALLER, 960) / np.sqrt(np.mean(loud_part(CALLER, 960) ** 2)) * 2000
    mixed = echo.copy()
    mixed[-960:] += speech
    guard, since = guard_after(sent[: len(mixed)], mixed)
    assert not guard.is_echo(since)


def test_a_caller_alone_is_a_caller():
    sent = AGENT[: 2 * 8000]
    heard = np.concatenate([np.zeros(len(sent) - 960), loud_part(CALLER, 960)])
    guard, since = guard_after(sent, heard)
    assert not guard.is_echo(since)


def test_nothing_comes_back_of_silence():
    heard = np.concatenate([np.zeros(15_040), loud_part(AGENT, 960)])
    guard, since = guard_after(np.zeros(16_000), heard)
    assert not guard.is_echo(since)


def test_torn_sound_tells_nothing():
    memory = HeardSound(AudioFormat(Encoding.LINEAR16, 8000))
    guard = EchoGuard(memory, frame_ms=20)
    for index in range(50):
        guard.note_sent(bytes(320))
        memory.keep(index * FRAME, bytes(319))
    assert not guard.is_echo(40 * FRAME)
    assert StandInEar(memory.audio_format).hear(0, bytes(319)) is None


def test_too_little_sound_tells_nothing():
    sent = AGENT[:16_000]
    guard, _ = guard_after(sent, echo_of(sent, 20, -6))
    assert not guard.is_echo(16_000 - 80)


def talk(call: Call, heard: list[bytes]) -> None:
    """The line in both directions, frame by frame."""
    call.is_clock_running = False
    for content in heard:
        start = call.sample()
        call.wait(20)
        call.tell(CallerAudio(start, content))
        call.tell(ev.EarProgressed(call.sample()))


def speaking_call() -> tuple[Call, Signal]:
    call = Call().greeted()
    turn_id = call.ask("hello")
    signal = AGENT[: 3 * 8000]
    call.clause(turn_id, "Goodbye and are you still there?")
    call.end_reply(turn_id)
    content = b"".join(frames(signal))
    call.tell(ev.VoiceAudio(turn_id, 0, content))
    call.end_voice(turn_id)
    return call, signal


def test_an_echo_does_not_even_pause_the_agent():
    call, signal = speaking_call()
    echo = until_loud(echo_of(signal, 120, -12))
    talk(call, frames(echo))
    since = call.sample() - 960
    commands = call.tell(ev.SpeechBegan(since, 0.9))
    assert call.floor is Floor.SPEAKING
    assert cmd.DiscardUtterance(since, call.sample()) in commands
    assert call.conversation.counters["echoes"] == 1


def test_a_caller_over_the_agent_pauses_it():
    call, signal = speaking_call()
    echo = until_loud(echo_of(signal, 120, -24))
    echo[-960:] += loud_part(CALLER, 960)
    talk(call, frames(echo))
    call.tell(ev.SpeechBegan(call.sample() - 960, 0.9))
    assert call.floor is Floor.PAUSED


def test_what_seemed_speech_at_first_is_known_as_echo_at_a_second_look():
    call, signal = speaking_call()
    echo = until_loud(echo_of(signal, 160, -12))
    back = frames(echo)
    talk(call, back[:-6])
    call.tell(ev.SpeechBegan(call.sample() - 160, 0.9))  # too soon to tell
    assert call.floor is Floor.PAUSED
    talk(call, back[-6:])
    talk(call, frames(echo_of(signal, 160, -12)[len(echo) : len(echo) + 480]))
    assert call.floor is Floor.SPEAKING
    assert call.conversation.counters["resumed_echo"] == 1


# -- the stand-in ear --------------------------------------------------------------------------------------------------

LOUD = encode(TELEPHONE, (np.sin(np.arange(FRAME)) * 8000).astype(np.int16))
QUIET = TELEPHONE.silence(FRAME)


def deaf_speaking_call() -> tuple[Call, int]:
    call = Call().greeted()
    turn_id = call.speaking(ms=6000)
    call.tell(ev.StageFailed(ev.Stage.STT, "UNAVAILABLE", is_retryable=True))
    return call, turn_id


def test_without_an_ear_loud_sound_silences_the_agent_and_stops_it_when_it_lasts():
    call, turn_id = deaf_speaking_call()
    talk(call, [LOUD] * 4)
    assert call.floor is Floor.PAUSED
    talk(call, [LOUD] * 30)
    assert call.floor is Floor.LISTENING
    assert call.record(turn_id).stop_reason == "sustained_speech"
    talk(call, [QUIET] * 150)
    assert call.all(cmd.ReportPlayout)[-1].gateway_text == "prompt apology", "what they said was not heard"


def test_without_an_ear_a_short_noise_lets_the_agent_go_on():
    call, _ = deaf_speaking_call()
    talk(call, [LOUD] * 5 + [QUIET] * 60)
    assert call.floor is Floor.SPEAKING


def test_without_an_ear_a_click_is_nothing():
    call, _ = deaf_speaking_call()
    talk(call, [QUIET] * 5 + [LOUD] * 2 + [QUIET] * 5)
    assert call.floor is Floor.SPEAKING
    assert not any(move.after == "paused" for move in call.all(news.FloorMoved))


def test_a_lost_ear_is_missed_when_the_caller_spoke():
    call = Call().greeted()
    call.tell(ev.StageFailed(ev.Stage.STT, "UNAVAILABLE", is_retryable=True))
    talk(call, [QUIET] * 50 + [LOUD] * 20 + [QUIET] * 150)
    assert [report.gateway_text for report in call.all(cmd.ReportPlayout)] == ["prompt apology"]


def test_a_lost_ear_is_missed_when_the_caller_spoke_before_that_was_noticed():
    call = Call().greeted()
    call.is_ear_alive = False
    for content in [QUIET] * 20 + [LOUD] * 20 + [QUIET] * 110:
        start = call.sample()
        call.is_clock_running = False
        call.wait(20)
        call.tell(CallerAudio(start, content))
    assert call.last(news.StageTroubled) == news.StageTroubled(ev.Stage.STT, "STALLED", "apologise")
    assert [report.gateway_text for report in call.all(cmd.ReportPlayout)] == ["prompt apology"]


def test_a_lost_ear_is_not_missed_by_a_silent_caller():
    call = Call().greeted()
    call.tell(ev.StageFailed(ev.Stage.STT, "UNAVAILABLE", is_retryable=True))
    talk(call, [QUIET] * 300)
    assert not call.all(cmd.ReportPlayout)


def test_with_an_ear_sound_alone_decides_nothing():
    call = Call().greeted()
    call.speaking(ms=6000)
    talk(call, [LOUD] * 40)
    assert call.floor is Floor.SPEAKING
