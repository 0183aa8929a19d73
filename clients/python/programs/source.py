"""The sources of a program's sound and lines: a WAV, or stdin as it comes."""

import asyncio
import os
import threading
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress

from clients.python.programs.flags import Given, UsageError
from clients.python.wav import read_wav

PIECE_BYTES = 4096
BLANKS = " \t\r\v\f"
"""Of ASCII alone: languages disagree about what else is a blank."""


async def stdin() -> AsyncIterator[bytes]:
    """Yield what comes on stdin, as it comes. The thread that reads is left behind where the program ends first."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)

    def read() -> None:
        with suppress(RuntimeError):  # the loop is closed
            while True:
                piece = b""  # where it cannot be read, that is its end
                with suppress(OSError):
                    piece = os.read(0, PIECE_BYTES)
                asyncio.run_coroutine_threadsafe(arrived.put(piece), loop).result()
                if not piece:
                    return

    threading.Thread(target=read, daemon=True).start()
    while piece := await arrived.get():
        yield piece


async def lines() -> AsyncIterator[str]:
    """Each line of stdin that is not empty, without the blanks around it."""
    held = b""
    async for piece in stdin():
        *whole, held = (held + piece).split(b"\n")
        for line in whole:
            if stripped := line.decode(errors="replace").strip(BLANKS):
                yield stripped
    if stripped := held.decode(errors="replace").strip(BLANKS):
        yield stripped


async def source(given: Given, path: str) -> tuple[bytes | AsyncIterable[bytes], int]:
    """The sound of a WAV, or of stdin where the path is "-", and its rate in Hz. Raises OSError, UsageError, WavError
    for a file that cannot be used.
    """
    if path != "-":
        wav = read_wav(path)
        return wav.samples, wav.sample_rate_hertz
    pieces = stdin()
    first = b""
    while len(first) < 2:
        piece = await anext(pieces, b"")
        if not piece:
            raise UsageError("-: the file has no samples")
        first += piece

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return whole(), given.whole("sample-rate")
