"""Sessions of recognisers in this process: what a library is given."""

import asyncio

import numpy as np
import pytest

from services.audio.pcm import Samples
from services.stt_proxy.following.sessions import SessionStream, SessionThreads, SessionWords
from services.stt_proxy.following.stream import Ended, OpenWords, Processed, SettledWords, StreamReport

RATE = 8000
BLOCK = 800


class Noting:
    """Writes down what it is given, and says how much that was."""

    def __init__(self) -> None:
        self.given: list[int] = []
        self.sound: list[Samples] = []
        self.n_flushes = 0

    def accept(self, samples: Samples) -> SessionWords:
        self.given.append(len(samples))
        self.sound.append(samples)
        return SessionWords(open_text=str(sum(self.given)))

    def flush(self) -> tuple[SessionWords, int]:
        self.n_flushes += 1
        return SessionWords((SettledWords("settled", sum(self.given)),)), 0

    def close(self) -> None:
        """Nothing is held."""


async def given_in(pieces: list[int], *, flush_at: int | None = None) -> tuple[Noting, list[StreamReport]]:
    """The session, and the reports of its stream, after sound that arrives in these pieces."""
    session, reports = Noting(), []
    threads = SessionThreads("noting", 1)
    stream = SessionStream(threads, lambda: session, reports.append, sample_rate_hertz=RATE)
    at = 0
    for length in pieces:
        stream.feed(np.arange(at, at + length, dtype=np.int16))
        at += length
        if at == flush_at:
            stream.flush()
    stream.finish()
    async with asyncio.timeout(5):
        while not any(isinstance(one, Ended) for one in reports):
            await asyncio.sleep(0.001)
    stream.close()
    threads.close()
    return session, reports


@pytest.mark.parametrize("pieces", [[160] * 15, [2400], [256] * 9 + [96], [2000, 400], [1] * 100 + [2300]])
async def test_a_library_gets_the_same_blocks_whatever_pieces_arrive(pieces: list[int]):
    session, _ = await given_in(pieces)
    assert session.given == [BLOCK] * 3
    assert np.array_equal(np.concatenate(session.sound), np.arange(2400))


@pytest.mark.parametrize("pieces", [[200] * 12, [1000, 1400], [500, 500, 1400]])
async def test_a_pause_brings_in_what_fills_no_block(pieces: list[int]):
    session, _ = await given_in(pieces, flush_at=1000)
    assert session.given == [800, 200, 800, 600]
    assert session.n_flushes == 2


async def test_sound_that_is_held_counts_as_listened_to_and_words_only_reach_as_far_as_they_were_heard():
    _, reports = await given_in([1000])
    assert next(one for one in reports if isinstance(one, Processed)).end_offset == 1000
    assert next(one for one in reports if isinstance(one, OpenWords)).end_offset == 800
