"""Active speech level (ITU-T P.56), levelling, and conversion with little look-ahead."""

import numpy as np
import pytest

from services.audio.leveller import AMENDS_DB, TARGET_DBOV, Leveller
from services.audio.polyphase import PolyphaseResampler
from services.audio.speech_level import SpeechLevelMeter

RATES = [8000, 16000, 24000, 48000]


def sine(dbov: float, seconds: float, rate: int, hertz: float = 400.0) -> np.ndarray:
    places = np.arange(int(seconds * rate))
    return np.rint(32768 * 2**0.5 * 10 ** (dbov / 20) * np.sin(2 * np.pi * hertz * places / rate)).astype(np.int16)


def silence(seconds: float, rate: int) -> np.ndarray:
    return np.zeros(int(seconds * rate), dtype=np.int16)


def speech_like(dbov: float, seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Noise in syllables of 4 Hz, which has the peaks of speech."""
    places = np.arange(int(seconds * rate))
    noise = np.random.default_rng(seed).laplace(size=len(places)) * (0.05 + np.sin(np.pi * 4 * places / rate) ** 2)
    return np.rint(noise / np.sqrt((noise**2).mean()) * 32768 * 10 ** (dbov / 20)).clip(-32768, 32767).astype(np.int16)


def level_of(samples: np.ndarray, rate: int) -> float:
    meter = SpeechLevelMeter(rate)
    meter.push(samples)
    assert meter.level_dbov is not None
    return meter.level_dbov


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("dbov", [-40.0, -26.0, -10.0])
def test_a_steady_tone_has_its_own_power(rate: int, dbov: float) -> None:
    assert level_of(sine(dbov, 2.0, rate), rate) == pytest.approx(dbov, abs=0.1)


@pytest.mark.parametrize("pause_s", [1.0, 5.0])
def test_pauses_do_not_lower_the_level(pause_s: float) -> None:
    parts = [part for _ in range(4) for part in (sine(-26, 3.0, 8000), silence(pause_s, 8000))]
    meter = SpeechLevelMeter(8000)
    meter.push(np.concatenate(parts))
    # the hangover counts 0.2 s of each pause, and the envelope decays above the threshold for about 0.1 s
    assert meter.level_dbov == pytest.approx(-26 - 10 * np.log10(3.3 / 3), abs=0.1)
    assert meter.activity == pytest.approx(3.3 / (3 + pause_s), abs=0.01)


def test_pauses_shorter_than_the_hangover_are_speech() -> None:
    parts = [part for _ in range(20) for part in (sine(-26, 0.3, 8000), silence(0.15, 8000))]
    meter = SpeechLevelMeter(8000)
    meter.push(np.concatenate(parts))
    assert meter.activity > 0.99


@pytest.mark.parametrize("piece", [1, 37, 1000, 100_000])
def test_pieces_of_any_length_give_the_same_level(piece: int) -> None:
    samples = np.concatenate((speech_like(-24, 0.4, 8000), silence(0.3, 8000), speech_like(-24, 0.2, 8000)))
    meter = SpeechLevelMeter(8000)
    for at in range(0, len(samples), piece):
        meter.push(samples[at : at + piece])
    assert meter.level_dbov == pytest.approx(level_of(samples, 8000), abs=1e-6)


def test_silence_has_no_level() -> None:
    meter = SpeechLevelMeter(8000)
    meter.push(silence(1.0, 8000))
    assert meter.level_dbov is None
    assert meter.activity == 0.0


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("own_dbov", [-42.0, -28.0, -12.0])
@pytest.mark.parametrize("seconds", [0.5, 3.0])
def test_a_clause_that_is_whole_comes_out_at_the_target(rate: int, own_dbov: float, seconds: float) -> None:
    out = Leveller(rate, expected_dbov=-25.0).push(speech_like(own_dbov, seconds, rate), is_whole=True)
    assert level_of(out, rate) == pytest.approx(TARGET_DBOV, abs=1.0)


@pytest.mark.parametrize("off_db", [-3.0, 0.0, 3.0])
def test_a_clause_in_pieces_comes_out_at_the_target_though_the_voice_is_known_only_about(off_db: float) -> None:
    leveller = Leveller(8000, expected_dbov=-28.0 + off_db)
    samples = speech_like(-28, 4.0, 8000)
    out = np.concatenate([leveller.push(samples[at : at + 1500]) for at in range(0, len(samples), 1500)])
    assert level_of(out, 8000) == pytest.approx(TARGET_DBOV, abs=1.0)


@pytest.mark.parametrize("begins_db", [-3.0, 0.0, 4.0])
@pytest.mark.parametrize("falls_db", [0.0, -3.0, -6.0])
@pytest.mark.parametrize("off_db", [-2.0, 2.0])
def test_a_sentence_that_falls_comes_out_at_the_target_though_its_beginning_says_little_of_it(
    begins_db: float, falls_db: float, off_db: float
) -> None:
    shape_db = np.concatenate((np.full(1200, begins_db), np.linspace(0.0, falls_db, 16000)))
    samples = np.rint(speech_like(-26, len(shape_db) / 8000, 8000) * 10 ** (shape_db / 20)).astype(np.int16)
    leveller = Leveller(8000, expected_dbov=level_of(samples, 8000) + off_db)
    out = np.concatenate([leveller.push(piece) for piece in np.split(samples, (1200, 4200, 10100, 16000))])
    assert level_of(out, 8000) == pytest.approx(TARGET_DBOV, abs=1.0)


def test_the_gain_moves_by_1_db_in_100_ms_and_does_not_swing() -> None:
    samples = sine(-30, 3.0, 8000, hertz=100.0)
    samples[8000:] //= 4
    leveller = Leveller(8000, expected_dbov=-20.0)
    out = np.concatenate([leveller.push(piece) for piece in np.split(samples, range(1500, len(samples), 3000))])
    gains_db = 20 * np.log10(
        np.abs(out.reshape(-1, 80).astype(float)).max(axis=1) / np.abs(samples.reshape(-1, 80)).max(axis=1)
    )
    moves_db = gains_db[10:] - gains_db[:-10]
    assert np.abs(moves_db).max() <= 1.2  # of it 0.2 by the rounding of small samples
    turns = np.flatnonzero(np.diff(np.sign(moves_db[np.abs(moves_db) > 0.3])))
    assert len(turns) <= 1


def test_between_two_pieces_there_is_no_step() -> None:
    leveller = Leveller(8000, expected_dbov=-20.0)
    samples = sine(-30, 2.0, 8000, hertz=100.0)
    out = np.concatenate([leveller.push(samples[at : at + 777]) for at in range(0, len(samples), 777)])
    smooth = np.abs(np.diff(samples.astype(int))).max() * 10 ** ((10 + AMENDS_DB) / 20)
    assert np.abs(np.diff(out.astype(int))).max() <= 1.05 * smooth


def test_nothing_is_clipped_however_sharp_the_peaks() -> None:
    samples = np.full(8000, 20, dtype=np.int16)
    samples[::2000] = 30000
    out = Leveller(8000, expected_dbov=-50.0).push(samples)
    assert np.abs(out.astype(int)).max() < 32000


@pytest.mark.parametrize(("from_hertz", "to_hertz"), [(22050, 8000), (22050, 16000), (24000, 8000), (8000, 16000)])
def test_conversion_passes_the_band_and_no_alias(from_hertz: int, to_hertz: int) -> None:
    half = min(from_hertz, to_hertz) / 2
    for hertz, low, high in ((300, -0.1, 0.1), (0.85 * half, -0.5, 0.1), (1.2 * half, -200, -60)):
        if hertz > 0.97 * from_hertz / 2:
            continue
        resampler = PolyphaseResampler(from_hertz, to_hertz)
        out = np.concatenate((resampler.push(sine(-10, 1.0, from_hertz, hertz)), resampler.finish()))
        assert len(out) == to_hertz
        middle = out[to_hertz // 4 : -to_hertz // 4].astype(float) / 32768
        assert low <= 10 * np.log10((middle**2).mean() + 1e-20) + 10 <= high


@pytest.mark.parametrize("to_hertz", [8000, 16000, 24000, 48000])
def test_conversion_in_pieces_equals_that_of_the_whole_and_keeps_the_time(to_hertz: int) -> None:
    samples = speech_like(-20, 1.0, 22050)
    one, many = PolyphaseResampler(22050, to_hertz), PolyphaseResampler(22050, to_hertz)
    whole = np.concatenate((one.push(samples), one.finish()))
    parts = [many.push(piece) for piece in np.array_split(samples, 313)]
    assert np.array_equal(np.concatenate([*parts, many.finish()]), whole)
    tone, shifted = sine(-10, 0.2, 22050, 441.0), PolyphaseResampler(22050, to_hertz)
    out = np.concatenate((shifted.push(tone), shifted.finish())).astype(float)
    wished = sine(-10, 0.2, to_hertz, 441.0).astype(float)
    assert np.abs(out - wished[: len(out)])[to_hertz // 100 : -to_hertz // 100].max() < 40


def test_twenty_milliseconds_come_out_of_twenty_two() -> None:
    resampler = PolyphaseResampler(22050, 8000)
    assert len(resampler.push(np.zeros(485, dtype=np.int16))) >= 160
