"""Every voice comes out equally loud, with no click and no silence before it."""

import numpy as np
import pytest

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode
from services.audio.speech_level import SpeechLevelMeter
from services.language.reading.normalizer import Normalizer
from services.tts.engine import EngineDescription, Speech, Voice
from services.tts.levels import VoiceLevels
from services.tts.sentences import Clause, SpeechParameters
from services.tts.track import Chunk, ChunkLengths, Track

WIDEBAND = AudioFormat(Encoding.LINEAR16, 16000)
ENGINE_RATE = 22050


def voice(dbov: float, seconds: float, *, lead_s: float = 0.1, seed: int = 0) -> np.ndarray:
    """Noise in syllables, with silence around it as engines make it."""
    n_samples = int(seconds * ENGINE_RATE)
    noise = np.random.default_rng(seed).laplace(size=n_samples + 40)
    noise = np.convolve(noise, np.hanning(41), mode="valid")  # band-limited, as speech is
    noise *= 0.1 + np.sin(np.pi * 4 * np.arange(n_samples) / ENGINE_RATE) ** 2
    sound = noise / np.sqrt((noise**2).mean()) * 32768 * 10 ** (dbov / 20)
    silence = np.zeros(int(lead_s * ENGINE_RATE))
    return np.rint(np.concatenate((silence, sound, silence))).clip(-32768, 32767).astype(np.int16)


def sent(sounds: list[np.ndarray], audio_format: AudioFormat, *, piece: int, expected_dbov: float | None) -> np.ndarray:
    """The output of a track for clauses of that sound, decoded."""
    track = Track(audio_format, ChunkLengths(20, 100))
    out, at = [], 0
    for sound in sounds:
        clause = Clause("Hello there. ", at, SpeechParameters("en-US", "plain", 1.0))
        track.begin_clause(
            clause,
            Normalizer().speak(clause.text, "en-US"),
            sample_rate_hertz=ENGINE_RATE,
            measures_words=False,
            pause_ms=220,
            expected_dbov=expected_dbov,
        )
        for begin in range(0, len(sound), piece):
            out += track.push(Speech(sound[begin : begin + piece], is_whole=piece >= len(sound)))
        out += track.end_clause()
        at = clause.end_offset
    return np.concatenate([decode(audio_format, one.content) for one in out if isinstance(one, Chunk)])


@pytest.mark.parametrize("audio_format", [TELEPHONE, AudioFormat(Encoding.ALAW, 8000), WIDEBAND])
@pytest.mark.parametrize("dbov", [-38.0, -26.0, -12.0])
@pytest.mark.parametrize("piece", [4096, 10**6])
def test_a_turn_is_sent_at_minus_twenty_dbov(audio_format: AudioFormat, dbov: float, piece: int) -> None:
    sounds = [voice(dbov, seconds, seed=seed) for seed, seconds in enumerate((2.0, 1.0, 3.0))]
    samples = sent(sounds, audio_format, piece=piece, expected_dbov=dbov + 1.0)
    meter = SpeechLevelMeter(audio_format.sample_rate_hertz)
    meter.push(samples)
    assert meter.level_dbov == pytest.approx(-20.0, abs=1.0)
    assert np.abs(samples.astype(int)).max() < 32300


def level_of(samples: np.ndarray, audio_format: AudioFormat) -> float:
    meter = SpeechLevelMeter(audio_format.sample_rate_hertz)
    meter.push(samples)
    assert meter.level_dbov is not None
    return meter.level_dbov


@pytest.mark.parametrize("seconds", [0.15, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("audio_format", [TELEPHONE, WIDEBAND])
def test_a_single_word_is_as_loud_by_itself_as_a_sentence(seconds: float, audio_format: AudioFormat) -> None:
    samples = sent([voice(-24.0, seconds)], audio_format, piece=10**6, expected_dbov=None)
    assert level_of(samples, audio_format) == pytest.approx(-20.0, abs=1.0)


@pytest.mark.parametrize("first_db", [4.0, 6.0])
def test_a_sentence_that_begins_loud_is_not_made_too_soft(first_db: float) -> None:
    """The sound behind the first piece is softer, as in Piper's, and the whole is at the voice's average."""
    sound = voice(-24.0, 1.5, lead_s=0.0).astype(float)
    begin = int(0.4 * ENGINE_RATE)
    sound[:begin] *= 10 ** (first_db / 20)
    whole = level_of(np.rint(sound).astype(np.int16), AudioFormat(Encoding.LINEAR16, ENGINE_RATE))
    samples = sent([np.rint(sound).astype(np.int16)], WIDEBAND, piece=4096, expected_dbov=whole)
    assert level_of(samples, WIDEBAND) == pytest.approx(-20.0, abs=1.0)


@pytest.mark.parametrize("dbov", [-40.0, -26.0, -10.0])
def test_no_silence_of_ten_milliseconds_stands_before_the_first_word(dbov: float) -> None:
    samples = sent([voice(dbov, 1.0)], WIDEBAND, piece=4096, expected_dbov=dbov)
    assert int(np.argmax(np.abs(samples.astype(int)) > 185)) <= 160


def test_where_sound_is_cut_it_fades_and_does_not_click() -> None:
    hum = np.rint(9000 * np.sin(2 * np.pi * 200 * np.arange(ENGINE_RATE) / ENGINE_RATE + 1.5)).astype(np.int16)
    samples = sent([hum, hum], WIDEBAND, piece=4096, expected_dbov=-14.0).astype(int)
    steepest = np.abs(np.diff(samples[1600:6400])).max()  # of the hum itself
    assert np.abs(np.diff(np.concatenate(([0], samples, [0])))).max() <= 1.3 * steepest
    assert abs(samples[:8]).max() < 600  # 0.5 ms into a fade of 5


def test_the_level_of_a_voice_is_learnt_from_what_it_says() -> None:
    levels = VoiceLevels()
    description = EngineDescription("engine", "model", 8000, (Voice("one", ("en",), -30.0), Voice("two", ())), False)
    assert levels.expected(description, "one", "en-US") == -30.0
    assert levels.expected(description, "two", "en-US") is None
    levels.learn(description, "one", "en-GB", (-24.0, 2.0))
    levels.learn(description, "one", "en-US", (-26.0, 2.0))
    levels.learn(description, "one", "en-US", None)
    assert levels.expected(description, "one", "en") == pytest.approx(-25.0)
    assert levels.expected(description, "one", "vi") == -30.0
