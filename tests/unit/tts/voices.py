"""An engine whose sound and timing a test can tell exactly."""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np

from services.audio.pcm import Samples
from services.runtime.errors import EngineFailed
from services.tts.engine import EngineDescription, Line, Speech, Voice, WordEnd

RATE = 8000
SAMPLES_PER_CHAR = 160
LOUD = 5000


def loud(n_samples: int) -> Samples:
    """A square wave: every window of it is sound."""
    return np.where(np.arange(n_samples) % 8 < 4, LOUD, -LOUD).astype(np.int16)


class PlainEngine:
    """20 ms a character, in pieces of `piece_samples`; holds before each piece while `gate` is not set."""

    def __init__(
        self,
        *,
        voices: tuple[Voice, ...] = (Voice("plain", ("en-US",)),),
        measures_words: bool = True,
        piece_samples: int = 1600,
    ) -> None:
        self.voices = voices
        self.measures_words = measures_words
        self.piece_samples = piece_samples
        self.gate = asyncio.Event()
        self.gate.set()
        self.lines: list[Line] = []
        self.dues_s: list[float] = []  # of each piece, when it was begun
        self.n_pieces = 0
        self.n_closed = 0

    async def load(self) -> None:
        """Nothing to load."""

    def describe(self) -> EngineDescription:
        return EngineDescription("plain", "plain", RATE, self.voices, self.measures_words)

    async def synthesize(self, line: Line) -> AsyncGenerator[Speech, None]:
        self.lines.append(line)
        if "broken" in line.text:
            raise EngineFailed("the engine broke")
        sound = loud(len(line.text.rstrip()) * SAMPLES_PER_CHAR)
        words = [WordEnd(end, end * SAMPLES_PER_CHAR) for end in word_ends(line.text)] if self.measures_words else []
        try:
            for at in range(0, len(sound), self.piece_samples):
                await self.gate.wait()
                self.n_pieces += 1
                self.dues_s.append(line.due_s())
                yield Speech(sound[at : at + self.piece_samples], tuple(words) if at == 0 else (), 10, 20)
        finally:
            self.n_closed += 1

    async def close(self) -> None:
        """Nothing to close."""


def word_ends(text: str) -> list[int]:
    """The offsets where the words of a text end, in code points."""
    text = text.rstrip()
    return [at for at in range(1, len(text) + 1) if at == len(text) or (text[at] == " " and text[at - 1] != " ")]
