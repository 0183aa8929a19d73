import numpy as np
import pytest

from services.tts.silence import SilenceTrimmer
from tests.unit.tts.voices import RATE, loud


def trimmed(samples: np.ndarray, piece: int) -> tuple[np.ndarray, int]:
    trimmer = SilenceTrimmer(RATE)
    parts = [trimmer.push(samples[at : at + piece]) for at in range(0, len(samples), piece)]
    return np.concatenate([*parts, trimmer.finish()]), trimmer.cut_samples


def silence(n_samples: int) -> np.ndarray:
    return np.zeros(n_samples, dtype=np.int16)


@pytest.mark.parametrize("piece", [37, 400, 10_000])
def test_silence_around_the_sound_is_cut_to_under_ten_milliseconds(piece: int) -> None:
    samples = np.concatenate((silence(800), loud(1600), silence(2400)))
    kept, cut = trimmed(samples, piece)
    onset = int(np.argmax(np.abs(kept) > 1000))
    assert onset <= RATE // 100
    assert cut + onset == 800
    assert len(kept) <= 1600 + 2 * RATE // 100


def test_silence_inside_stays() -> None:
    samples = np.concatenate((loud(800), silence(1600), loud(800)))
    kept, _ = trimmed(samples, 160)
    assert len(kept) == len(samples)


def test_no_sound_at_all_gives_nothing() -> None:
    kept, _ = trimmed(silence(4000), 160)
    assert len(kept) == 0


def test_the_last_window_is_held_until_the_end() -> None:
    trimmer = SilenceTrimmer(RATE)
    assert len(trimmer.push(loud(800))) < 800
    assert len(trimmer.finish()) > 0


def test_both_ends_fade() -> None:
    samples = np.full(1600, 5000, dtype=np.int16)
    kept, _ = trimmed(samples, 160)
    assert abs(int(kept[0])) < 500
    assert abs(int(kept[-1])) < 500


def noise(n_samples: int, peak: int) -> np.ndarray:
    return np.random.default_rng(3).integers(-peak, peak, n_samples).astype(np.int16)


@pytest.mark.parametrize("piece", [37, 160, 10_000])
@pytest.mark.parametrize("level_dbov", [-20.0, -26.0])
def test_a_soft_beginning_is_cut_to_ten_milliseconds(piece: int, level_dbov: float) -> None:
    scale = 10 ** ((level_dbov + 20) / 20)
    soft, clear = noise(RATE * 45 // 1000, round(400 * scale)), loud(1600)
    samples = np.concatenate((silence(800), soft, clear))
    trimmer = SilenceTrimmer(RATE, level_dbov=level_dbov)
    parts = [trimmer.push(samples[at : at + piece]) for at in range(0, len(samples), piece)]
    kept = np.concatenate([*parts, trimmer.finish()])
    onset = int(np.argmax(np.abs(kept) > 1000))
    assert RATE // 200 <= onset <= RATE // 100 + 1
    assert trimmer.cut_samples + onset == len(samples) - len(clear) + int(np.argmax(np.abs(clear) > 1000))
    assert np.abs(np.diff(kept[: RATE // 200].astype(int))).max() < 800 * scale, "a click"


@pytest.mark.parametrize("n_samples", [RATE // 50, RATE // 2])
def test_a_soft_line_is_kept_whole(n_samples: int) -> None:
    kept, cut = trimmed(np.concatenate((silence(800), noise(n_samples, 400), silence(400))), 160)
    assert len(kept) >= n_samples - 2
    assert cut >= 800 - RATE // 200
