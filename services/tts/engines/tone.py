"""Engine `tone`: a pure tone in place of a voice, exact in time and cheap, for tests and load."""

import asyncio
import time
from collections.abc import AsyncGenerator

import numpy as np

from services.audio.pcm import Samples
from services.tts.engine import EngineDescription, Line, Speech, Voice, WordEnd
from services.tts.settings import TtsSettings

SAMPLE_RATE_HERTZ = 8000
LOWEST_HERTZ = 400
STEP_HERTZ = 25
N_TONES = 64
AMPLITUDE = 8000  # -12 dBFS
LANGUAGES = ("en", "vi", "ru", "zh")


def tone_hertz(turn_id: int) -> int:
    """Return the frequency that tells which turn is heard: 400 + 25 * (turn_id mod 64) Hz, 400 to 1975."""
    return LOWEST_HERTZ + STEP_HERTZ * (turn_id % N_TONES)


class ToneEngine:
    """A tone for each turn, `tone_ms_per_char` for each code point of its text.

    The first line of a turn is ready `tone_first_audio_ms` after it was asked for, by the clock and not by work; later
    ones at once. A word ends where its share of the tone ends.
    """

    def __init__(self, settings: TtsSettings) -> None:
        self._first_audio_s = settings.tone_first_audio_ms / 1000
        self._samples_per_char = settings.tone_ms_per_char * SAMPLE_RATE_HERTZ // 1000

    async def load(self) -> None:
        """Do nothing: there is nothing to load."""

    def describe(self) -> EngineDescription:
        return EngineDescription("tone", "tone", SAMPLE_RATE_HERTZ, (Voice("tone", LANGUAGES),), measures_words=True)

    async def synthesize(self, line: Line) -> AsyncGenerator[Speech, None]:
        asked_at = time.monotonic()
        text = line.text.rstrip()
        samples_per_char = max(1, round(self._samples_per_char / line.rate))
        words = tuple(
            WordEnd(offset, offset * samples_per_char)
            for offset in range(1, len(text) + 1)
            if offset == len(text) or (text[offset].isspace() and not text[offset - 1].isspace())
        )
        tone = _tone(tone_hertz(line.turn_id), len(text) * samples_per_char)
        if line.is_first:
            await asyncio.sleep(max(0.0, asked_at + self._first_audio_s - time.monotonic()))
        yield Speech(tone, words, compute_us=round((time.monotonic() - asked_at) * 1e6), is_whole=True)

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _tone(hertz: int, n_samples: int) -> Samples:
    """All tones repeat every 40 ms, so one period of that is made and laid end to end."""
    period = SAMPLE_RATE_HERTZ // STEP_HERTZ
    wave = np.sin(2 * np.pi * hertz * np.arange(period) / SAMPLE_RATE_HERTZ)
    whole = np.rint(AMPLITUDE * wave).astype(np.int16)
    return np.tile(whole, -(-n_samples // period))[:n_samples]
