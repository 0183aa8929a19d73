"""Sounds of a telephone line, made as the recommendations describe them and sent through G.711."""

import numpy as np
import pytest

from services.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from services.stt_proxy.events import SpeechActivity, Transcript
from services.stt_proxy.line_sounds.detector import LineSound, LineSoundDetector, LineSoundKind
from services.stt_proxy.recording import Recording

from .real_stt import RealStt, breath, clip, music, noise, tones
from .rig import Call

RATE = 8000
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
ALL_KEYS = "123A456B789C*0#D"
MULAW, ALAW = (encode_mulaw, decode_mulaw), (encode_alaw, decode_alaw)


def tone(hertz, seconds, dbfs=-12.0, twist_db=0.0):
    at = np.arange(round(seconds * RATE)) / RATE
    parts = [10 ** (twist_db * number / 20) * np.sin(2 * np.pi * one * at + number) for number, one in enumerate(hertz)]
    return np.sum(parts, axis=0) * 32768 * 10 ** (dbfs / 20) / len(hertz)


def quiet(seconds):
    return np.zeros(round(seconds * RATE))


def pressed(keys, on_s=0.08, off_s=0.08, *, deviation=0.0, **how):
    parts = [quiet(0.31)]
    for key in keys:
        row, column = divmod(ALL_KEYS.index(key), 4)
        parts += [tone((LOW[row] * (1 + deviation), HIGH[column] * (1 - deviation)), on_s, **how), quiet(off_s)]
    return np.concatenate([*parts, quiet(0.2)])


def cadence(hertz, on_s, off_s, n, dbfs=-15.0):
    return np.concatenate([quiet(1), *[np.concatenate([tone(hertz, on_s, dbfs), quiet(off_s)])] * n, quiet(3)])


def with_noise(sound, dbfs, seed=3):
    return sound + np.random.default_rng(seed).normal(0, 32768 * 10 ** (dbfs / 20), len(sound))


def found(sound, *, law=MULAW, is_speech=lambda at_s: False, start=0, factor=1) -> list[LineSound]:
    encode, decode = law
    samples = decode(encode(np.clip(sound, -32768, 32767).astype(np.int16)))
    detector = LineSoundDetector(factor=factor)
    told = []
    for at in range(0, len(samples) - 255, 256):
        end = start + (at + 256) * factor
        told += detector.feed(samples[at : at + 256], end, is_speech=is_speech(at / RATE))
    return told


def keys_in(sound, **how):
    return "".join(one.key for one in found(sound, **how) if one.kind is LineSoundKind.DTMF)


@pytest.mark.parametrize("law", [MULAW, ALAW])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"on_s": 0.042, "off_s": 0.042},
        {"on_s": 0.5, "off_s": 0.1},
        {"dbfs": 0.0},
        {"dbfs": -38.0},
        {"dbfs": -47.0, "on_s": 0.06, "off_s": 0.06},
        {"dbfs": -45.0, "twist_db": -8.0},
        {"deviation": 0.015},
        {"twist_db": -8.0},
        {"twist_db": 5.0},
    ],
    ids=str,
)
def test_every_key_is_told_once(law, how):
    assert keys_in(pressed(ALL_KEYS, **how), law=law) == ALL_KEYS


def test_keys_are_heard_through_noise_10_db_below():
    assert keys_in(with_noise(pressed(ALL_KEYS, on_s=0.1, off_s=0.1), -12 - 6 - 10)) == ALL_KEYS


def test_a_key_pressed_twice_is_two_keys_and_one_held_is_one():
    assert keys_in(pressed("55")) == "55"
    assert keys_in(pressed("5", on_s=3)) == "5"


def test_tones_that_are_no_key_are_none():
    assert keys_in(pressed("159D", deviation=0.04)) == ""
    assert keys_in(pressed("159D", on_s=0.02)) == ""


def test_a_key_lies_where_it_was_heard_on_the_calls_clock():
    [key] = found(pressed("7"), start=48000, factor=6)
    begins = 48000 + round(0.31 * 48000)
    assert abs(key.start_sample - begins) < 0.03 * 48000
    assert key.start_sample < key.end_sample


NAMED = {
    "ring-back, America": (((440, 480), 2, 4, 2), LineSoundKind.RING_BACK),
    "ring-back, Vietnam": (((425,), 1, 4, 2), LineSoundKind.RING_BACK),
    "ring-back, Russia": (((425,), 0.8, 3.2, 2), LineSoundKind.RING_BACK),
    "ring-back, China": (((450,), 1, 4, 2), LineSoundKind.RING_BACK),
    "busy, America": (((480, 620), 0.5, 0.5, 6), LineSoundKind.BUSY),
    "congestion, America": (((480, 620), 0.25, 0.25, 9), LineSoundKind.BUSY),
    "busy, Vietnam": (((425,), 0.5, 0.5, 6), LineSoundKind.BUSY),
    "busy, Russia": (((425,), 0.35, 0.35, 8), LineSoundKind.BUSY),
    "dial tone, America": (((350, 440), 6, 0, 1), LineSoundKind.DIAL_TONE),
    "dial tone, Vietnam": (((425,), 6, 0, 1), LineSoundKind.DIAL_TONE),
    "fax": (((1100,), 0.5, 3, 2), LineSoundKind.FAX_CALLING),
    "beep of 1000 Hz": (((1000,), 0.4, 2, 1), LineSoundKind.BEEP),
    "beep of 1400 Hz": (((1400,), 0.25, 2, 1), LineSoundKind.BEEP),
}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("dbfs", [-10, -35])
@pytest.mark.parametrize("is_noisy", [False, True])
def test_a_tone_is_named_by_its_cadence_once(name, dbfs, is_noisy):
    made, kind = NAMED[name]
    sound = cadence(*made, dbfs=dbfs)
    told = found(with_noise(sound, dbfs - 16) if is_noisy else sound)
    assert {one.kind for one in told} == {kind}
    assert len(told) == 1 or kind is LineSoundKind.FAX_CALLING


def test_the_double_ring_of_britain_is_a_ring():
    ring = np.concatenate([tone((400, 450), 0.4), quiet(0.2), tone((400, 450), 0.4), quiet(2)])
    assert [one.kind for one in found(np.concatenate([quiet(1), ring, ring, ring]))] == [LineSoundKind.RING_BACK]


def test_a_beep_behind_a_greeting_is_one_whatever_its_frequency():
    sound = np.concatenate([quiet(2), tone((440,), 1.0), quiet(3)])
    told = found(sound, is_speech=lambda at_s: at_s < 1.5)
    assert [one.kind for one in told] == [LineSoundKind.BEEP]


def test_music_is_named_and_steady_sounds_are_not_music():
    assert [one.kind for one in found(music(12))] == [LineSoundKind.MUSIC]
    for sound in (noise(8, 3000), breath(8), tones(8, (50, 100, 150), -40), tones(8, (100, 200, 300, 400), -25)):
        assert found(sound) == []


def test_speech_holds_no_sounds_of_the_line():
    said = np.concatenate([clip("Where are you?"), clip("Stop please, I have another question."), quiet(2)])
    assert found(said, is_speech=lambda at_s: True) == []


def test_what_was_muted_is_read_as_silence():
    recording = Recording(limit_samples=1000)
    recording.add(0, np.full(100, 7, np.int16))
    recording.add(100, np.full(100, 7, np.int16))
    recording.mute(50, 120)
    [whole] = recording.cut(0, 200)
    assert list(np.flatnonzero(whole.samples == 0)) == list(range(50, 120))


@pytest.mark.asyncio
async def test_keys_in_the_sound_are_told_and_never_speech():
    call = Call()  # its detector takes every loud sound for speech
    sound = np.clip(pressed("1234", on_s=0.2, off_s=0.2), -32768, 32767).astype(np.int16)
    for at in range(0, len(sound) - 159, 160):
        call.listening.take_audio(call.at, encode_mulaw(sound[at : at + 160]))
        call.at += 160
        await call.settle()
    assert [one.key for one in call.told(LineSound)] == list("1234")
    begun = [one for one in call.told(SpeechActivity) if one.is_begin]
    ended = [one for one in call.told(SpeechActivity) if not one.is_begin]
    assert len(begun) == len(ended)
    assert call.listening._utterances.has_speech is False


@pytest.mark.models
@pytest.mark.asyncio
@pytest.mark.parametrize("keys", ["0912345678", "5"])
async def test_keys_make_no_words(keys):
    stt = RealStt()
    await stt.load()
    sound = np.clip(pressed(keys, on_s=0.12, off_s=0.1), -32768, 32767).astype(np.int16)
    evidence = await stt.recognise(sound, "en-US")
    assert "".join(one.key for one in evidence if isinstance(one, LineSound)) == keys
    assert not [one for one in evidence if isinstance(one, SpeechActivity)]
    assert not [one for one in evidence if isinstance(one, Transcript) and one.text]
    await stt.engine.close()
    stt.detector.close()
