"""Our own voice comes back on the line: alone, faint, late, shaped by the line, and under a caller who speaks.

What the guard is told is what the STT stage would tell it: that speech began where sound rises, some 40 to 100 ms
after it did. Voices are recordings; the caller's never says what the agent says.
"""

import numpy as np
import pytest

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, encode
from services.call_gateway import line
from services.call_gateway.sound.echo import EchoGuard
from services.call_gateway.sound.track import Track
from tests.load.line_echo import Reflector, response, returned
from tests.unit.call_gateway.conversation.echo_line import (
    LEVEL,
    Line,
    agent_speech,
    frames,
    from_first_sound,
    noise,
    on_the_wire,
    rises,
    share,
    voices,
    wire,
)
from tests.unit.call_gateway.conversation.line_sound import FRAME

LEVELS_DB = (-6, -12, -18, -24, -30)
DELAYS_MS = (20, 80, 160, 300)


# -- the echo alone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("db", LEVELS_DB)
@pytest.mark.parametrize("reflector", ["line", "hybrid"])
def test_the_echo_of_our_speech_is_known_at_its_first_onset(db: int, reflector: Reflector):
    chance = np.random.default_rng(abs(db))
    verdicts = []
    for delay_ms in DELAYS_MS * 3:
        sent = agent_speech(chance, 5)
        echo = returned(sent, delay_ms=delay_ms, db=db, taps=response(reflector, chance))
        heard = echo + noise(chance, len(sent))
        verdicts += [Line(sent, heard).is_echo(began, told_after_ms=100) for began in rises(echo)]
    assert share(verdicts) >= 0.95


@pytest.mark.parametrize("db", LEVELS_DB)
@pytest.mark.parametrize("reflector", ["line", "hybrid", "room"])
def test_a_line_that_was_found_out_is_known_at_once(db: int, reflector: Reflector):
    chance = np.random.default_rng(abs(db) + 1)
    verdicts = []
    for delay_ms in DELAYS_MS * 2:
        sent = agent_speech(chance, 8)
        echo = returned(sent, delay_ms=delay_ms, db=db, taps=response(reflector, chance))
        line = Line(sent, echo + noise(chance, len(sent)))
        line.is_echo(8000, told_after_ms=400)
        verdicts += [line.is_echo(began, told_after_ms=50) for began in rises(echo, after=14_000)]
    assert share(verdicts) >= 0.95


def test_frames_that_leave_and_arrive_in_bursts_move_no_delay():
    """The way the line was found out is looked for in its place, however the two directions stand at the moment."""
    chance = np.random.default_rng(11)
    verdicts = []
    for delay_ms in DELAYS_MS:
        sent = agent_speech(chance, 12)
        echo = returned(sent, delay_ms=delay_ms + 40, db=-18)
        line = Line(sent, echo + noise(chance, len(sent)))
        line.is_echo(8000, told_after_ms=400)
        for began in rises(echo, after=14_000):
            line.ahead = int(chance.integers(-2, 3))
            verdicts.append(line.is_echo(began, told_after_ms=20))
    assert share(verdicts) >= 0.95


@pytest.mark.parametrize("reflector", ["line", "hybrid"])
def test_a_delay_that_jumps_is_followed_at_once(reflector: Reflector):
    """A jitter buffer on the way has run dry: nothing came for a while, and what comes then is later."""
    verdicts = []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        sent = agent_speech(chance, 6)
        echo = returned(sent, delay_ms=120, db=-12, taps=response(reflector, chance))
        began = next(rises(echo, after=24_000))
        hole = np.zeros(int(chance.integers(400, 1600)))
        heard = np.concatenate((echo[: began + 240], hole, echo[began + 240 :]))[: len(sent)]
        line = Line(sent, heard)
        for earlier in rises(echo[: began - 800], after=8000):
            line.is_echo(earlier)
        verdicts.append(line.is_echo(began + 240 + len(hole), told_after_ms=60))
    assert share(verdicts) >= 0.95


def test_a_tone_that_comes_back_is_an_echo():
    tone = on_the_wire(LEVEL * np.sin(2 * np.pi * 440 / 8000 * np.arange(16_000)))
    chance = np.random.default_rng(1)
    verdicts = []
    for db in LEVELS_DB:
        for delay_ms in DELAYS_MS:
            sent = np.concatenate((np.zeros(8000), tone))
            heard = returned(sent, delay_ms=delay_ms, db=db) + noise(chance, len(sent))
            verdicts.append(Line(sent, heard).is_echo(8000 + delay_ms * 8))
    assert share(verdicts) >= 0.95


def test_the_last_word_comes_back_when_the_agent_has_fallen_silent():
    chance = np.random.default_rng(2)
    sent = np.concatenate((agent_speech(chance, 3), np.zeros(4000)))
    heard = returned(sent, delay_ms=300, db=-12) + noise(chance, len(sent))
    assert Line(sent, heard).is_echo(24_000 + 800)


# -- a caller ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("db", LEVELS_DB)
@pytest.mark.parametrize("caller_db", [0, -6])
def test_a_caller_over_the_echo_is_a_caller(db: int, caller_db: int):
    """The caller is let through, with the line found out before they speak or not. The STT stage says again and again
    that speech begins while its begin is vetoed; one that is let through within 250 ms of the first soft sound is soon
    enough.
    """
    chance = np.random.default_rng(abs(db) + 10)
    verdicts = []
    for clip, speech in voices():
        sent = agent_speech(chance, 4, but=clip)
        echo = returned(sent, delay_ms=chance.uniform(20, 300), db=db, taps=response("hybrid", chance))
        heard = echo + noise(chance, len(sent))
        began = int(chance.integers(14_000, 18_000))
        voice = from_first_sound(speech)[:8000] * 10 ** (caller_db / 20)
        heard[began : began + len(voice)] += voice
        is_known, line = bool(chance.integers(2)), Line(sent, heard)
        if is_known:
            line.is_echo(8000, told_after_ms=400)
        verdicts.append(not all(line.is_echo(began + ms * 8, told_after_ms=60) for ms in range(0, 200, 40)))
    assert share(verdicts) >= 0.95


def test_a_caller_alone_is_never_taken_for_an_echo():
    chance = np.random.default_rng(3)
    verdicts = []
    for clip, speech in voices() * 3:
        sent = agent_speech(chance, 5, but=clip)
        began = int(chance.integers(8000, 16_000))
        heard = noise(chance, len(sent))
        voice = speech[: len(heard) - began] * 10 ** (chance.uniform(-12, 3) / 20)
        heard[began : began + len(voice)] += voice
        line = Line(sent, heard)
        verdicts += [line.is_echo(place, told_after_ms=50) for place in rises(heard, after=began - 400)]
    assert share(verdicts) == 0.0


def test_nothing_comes_back_of_silence():
    chance = np.random.default_rng(4)
    heard = np.concatenate((np.zeros(8000), voices()[0][1]))
    assert not Line(np.zeros(len(heard)), heard + noise(chance, len(heard))).is_echo(8000)


def test_what_is_louder_than_it_was_sent_is_no_echo():
    chance = np.random.default_rng(5)
    sent = agent_speech(chance, 4)
    heard = returned(sent, delay_ms=60, db=6)
    assert not any(Line(sent, heard).is_echo(began) for began in rises(heard))


# -- formats and holes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audio_format", [AudioFormat(Encoding.LINEAR16, 16_000), AudioFormat(Encoding.ALAW, 8000)])
def test_an_echo_is_known_in_any_format(audio_format: AudioFormat):
    chance = np.random.default_rng(6)
    factor = audio_format.sample_rate_hertz // 8000
    sent = np.repeat(agent_speech(chance, 4), factor)
    echo = np.concatenate((np.zeros(960 * factor), sent))[: len(sent)] * 0.25
    track = Track(audio_format)
    guard = EchoGuard(track)
    frame = FRAME * factor
    for at in range(0, len(sent) - frame + 1, frame):
        track.add_sent(encode(audio_format, sent[at : at + frame].astype(np.int16)))
        track.add_received(line.CallerAudio(at, encode(audio_format, echo[at : at + frame].astype(np.int16))))
    assert guard.is_echo(len(sent) - 12 * frame, len(sent))


def test_holes_in_the_heard_sound_are_left_as_they_are():
    chance = np.random.default_rng(7)
    sent = agent_speech(chance, 4)
    echo = returned(sent, delay_ms=120, db=-12)
    track = Track(TELEPHONE)
    guard = EchoGuard(track)
    began = next(rises(echo, after=16_000))
    now = (began + 960) // FRAME * FRAME
    for index, (out, back) in enumerate(zip(frames(sent[:now]), frames(echo[:now]), strict=True)):
        track.add_sent(out)
        if index % 7:
            track.add_received(line.CallerAudio(index * FRAME, back))
    assert guard.is_echo(began, now)


def test_a_hole_in_the_echo_makes_no_caller():
    """An echo of which a part is missing is still nothing but echo."""
    chance = np.random.default_rng(12)
    verdicts = []
    for delay_ms in DELAYS_MS * 2:
        sent = agent_speech(chance, 8)
        echo = returned(sent, delay_ms=delay_ms, db=-12)
        line = Line(sent, echo)
        line.is_echo(8000, told_after_ms=400)
        for began in rises(echo, after=16_000):
            echo[began + 240 : began + 480] = 0.0
            verdicts.append(line.is_echo(began, told_after_ms=80))
    assert share(verdicts) >= 0.95


def test_torn_sound_is_passed_over():
    track = Track(AudioFormat(Encoding.LINEAR16, 8000))
    track.add_sent(bytes([1, 20]) * 160)
    track.add_received(line.CallerAudio(0, bytes(319)))
    assert not EchoGuard(track).is_echo(0, 160)


def test_nothing_heard_is_no_echo():
    track = Track(TELEPHONE)
    track.add_sent(wire(agent_speech(np.random.default_rng(8), 1)))
    assert not EchoGuard(track).is_echo(0, 160)
