import asyncio

import numpy as np
import pytest

from services.tts.engine import Line, Speech
from services.tts.engines.tone import SAMPLE_RATE_HERTZ, ToneEngine, tone_hertz
from services.tts.settings import TtsSettings


async def spoken(line: Line) -> Speech:
    engine = ToneEngine(TtsSettings(tone_first_audio_ms=0, tone_ms_per_char=50))
    [speech] = [piece async for piece in engine.synthesize(line)]
    return speech


def line(text: str, turn_id: int = 1, rate: float = 1.0) -> Line:
    return Line(text, "en-US", "tone", rate, turn_id, is_first=True)


@pytest.mark.parametrize("turn_id", [1, 2, 63, 64, 1000])
async def test_the_frequency_says_which_turn_it_is(turn_id: int) -> None:
    samples = (await spoken(line("Hello there.", turn_id))).samples
    loudest = int(np.argmax(np.abs(np.fft.rfft(samples)))) * SAMPLE_RATE_HERTZ / len(samples)
    assert loudest == pytest.approx(tone_hertz(turn_id), abs=2)
    assert tone_hertz(turn_id) == 400 + 25 * (turn_id % 64)


async def test_the_length_follows_the_text_and_the_rate() -> None:
    assert len((await spoken(line("Hello "))).samples) == 5 * 50 * 8
    assert len((await spoken(line("Hello", rate=2.0))).samples) == 5 * 25 * 8


async def test_the_tone_is_far_above_minus_40_dbfs_from_its_first_millisecond() -> None:
    samples = (await spoken(line("Hello"))).samples.astype(np.int32)
    assert np.abs(samples[:8]).max() > 3277


async def test_words_end_where_their_share_ends() -> None:
    words = (await spoken(line("One two"))).word_ends
    assert [(word.text_offset, word.sample) for word in words] == [(3, 1200), (7, 2800)]


async def test_only_the_first_line_of_a_turn_waits() -> None:
    engine = ToneEngine(TtsSettings(tone_first_audio_ms=60))
    loop = asyncio.get_running_loop()
    began = loop.time()
    later = Line("Hello", "en-US", "tone", 1.0, 1, is_first=False)
    _ = [piece async for piece in engine.synthesize(later)]
    assert loop.time() - began < 0.05
