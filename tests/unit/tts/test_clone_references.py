"""Recordings that a voice is made from, and those that are refused, each for its reason."""

import numpy as np
import pytest

from services.tts.clone.references import Reference, check_set, measured, pitches_of, read_wav
from services.tts.errors import (
    NotAWav,
    ReferenceClipped,
    ReferenceLength,
    ReferenceNoisy,
    SeveralSpeakers,
    TooFewReferences,
)
from tests.fakes.recordings import RATE_HERTZ, SENTENCES, recordings, spoken, wav


def taken(content: bytes) -> Reference:
    return measured(read_wav(content, name="recording 0"), name="recording 0")


def test_recordings_of_one_person_are_taken_and_measured() -> None:
    references = [taken(content) for content in recordings(4)]
    check_set(references)
    assert all(2 < reference.speech_s < reference.duration_s for reference in references)
    assert all(reference.speech_to_noise_db > 30 for reference in references)


def test_stereo_becomes_one_channel_of_the_same_sound() -> None:
    samples = spoken(SENTENCES[0])
    assert np.array_equal(taken(wav(samples, channels=2)).samples, samples)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"\x00" * 5000,
        b"ID3" + b"\x01" * 9000,
        wav(spoken(SENTENCES[0]))[:30],
        b"RIFF\xff\xff\xff\xffWAVE" * 9,
    ],
    ids=["empty", "a name", "zeros", "an mp3", "a torn head", "a false length"],
)
def test_what_is_no_wav_is_refused(content: bytes) -> None:
    with pytest.raises(NotAWav):
        read_wav(content, name="recording 0")


@pytest.mark.parametrize("rate_hertz", [8000, 96000])
def test_a_rate_that_makes_no_voice_is_refused(rate_hertz: int) -> None:
    with pytest.raises(NotAWav, match=str(rate_hertz)):
        read_wav(wav(spoken(SENTENCES[0]), rate_hertz=rate_hertz), name="recording 0")


@pytest.mark.parametrize("seconds", [0.5, 61.0])
def test_a_recording_too_short_or_too_long_is_refused(seconds: float) -> None:
    with pytest.raises(ReferenceLength):
        read_wav(wav(np.ones(int(seconds * RATE_HERTZ), dtype=np.int16)), name="recording 0")


def test_a_clipped_recording_is_refused() -> None:
    loud = np.clip(spoken(SENTENCES[0]).astype(np.int32) * 8, -32768, 32767).astype(np.int16)
    with pytest.raises(ReferenceClipped):
        taken(wav(loud))


def test_a_noisy_or_silent_recording_is_refused() -> None:
    draw = np.random.default_rng(1)
    speech = spoken(SENTENCES[0]).astype(np.float64)
    noisy = speech + draw.normal(0, 1500, len(speech))
    with pytest.raises(ReferenceNoisy):
        taken(wav(np.rint(noisy).astype(np.int16)))
    with pytest.raises(ReferenceNoisy):
        taken(wav(np.zeros(3 * RATE_HERTZ, dtype=np.int16)))


def test_a_little_noise_is_no_reason() -> None:
    speech = spoken(SENTENCES[0]).astype(np.float64)
    quiet = speech + np.random.default_rng(1).normal(0, 60, len(speech))
    assert taken(wav(np.rint(quiet).astype(np.int16))).speech_to_noise_db > 15


def test_fewer_than_three_or_one_sent_twice_is_refused() -> None:
    references = [taken(content) for content in recordings(3)]
    with pytest.raises(TooFewReferences):
        check_set(references[:2])
    with pytest.raises(TooFewReferences):
        check_set([*references, references[0]])


def test_little_speech_in_all_is_refused() -> None:
    short = [taken(wav(spoken(text)[: 2 * RATE_HERTZ])) for text in SENTENCES[:3]]
    with pytest.raises(ReferenceLength):
        check_set(short)


def test_two_people_of_different_pitch_are_heard() -> None:
    low, high = recordings(2), [wav(spoken(SENTENCES[2], pitch=12.0))]
    assert min(pitches_of(taken(high[0]))) > 1.5 * max(pitches_of(taken(low[0])))
    with pytest.raises(SeveralSpeakers):
        check_set([taken(content) for content in (*low, *high)])
