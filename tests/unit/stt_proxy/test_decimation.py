import numpy as np
import pytest

from services.stt_proxy.intake import Decimator


def tone(hertz: float, rate: int, n: int) -> np.ndarray:
    return (10_000 * np.sin(2 * np.pi * hertz * np.arange(n) / rate)).astype(np.int16)


def level(samples: np.ndarray) -> float:
    return float(np.sqrt((samples[100:].astype(float) ** 2).mean()))


@pytest.mark.parametrize("factor", [2, 3, 6])
def test_a_voice_passes(factor):
    sound = tone(1000, 8000 * factor, 8000 * factor)
    assert level(Decimator(factor).push(sound)) == pytest.approx(level(sound), rel=0.02)


@pytest.mark.parametrize("factor", [2, 3, 6])
def test_what_would_fold_back_is_held_off(factor):
    sound = tone(5500, 8000 * factor, 8000 * factor)
    assert level(Decimator(factor).push(sound)) < 0.01 * level(sound)


@pytest.mark.parametrize("factor", [1, 2, 3, 6])
def test_chunks_joined_equal_the_whole(factor):
    sound = tone(700, 8000 * factor, 4801)
    chunked = Decimator(factor)
    pieces = [chunked.push(sound[start : start + 311]) for start in range(0, len(sound), 311)]
    np.testing.assert_array_equal(np.concatenate(pieces), Decimator(factor).push(sound))


def test_a_second_in_is_a_second_out():
    assert len(Decimator(3).push(np.zeros(24_000, dtype=np.int16))) == 8000
