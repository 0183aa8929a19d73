"""The program espeak-ng by its library, for machines that have only the library: `--stdin --stdout -v VOICE -s WORDS`.

Text comes on stdin; a WAV of 16-bit mono samples goes to stdout, its size unknown as espeak-ng leaves it on a pipe.
"""

import argparse
import struct
import sys
from pathlib import Path

import espeakng_loader

from services.tts.espeak.worker import WORDS_A_MINUTE, Espeak

UNKNOWN_SIZE = 0x7FFFF000


def install(folder: Path) -> Path:
    """Put a program of the name into a folder, which is returned, for a PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "espeak-ng"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.clients.espeak_ng "$@"\n')
    program.chmod(0o755)
    return folder


def main() -> None:
    """Speak, or end with 1 where there is no such voice."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stdin", action="store_true", required=True)
    parser.add_argument("--stdout", action="store_true", required=True)
    parser.add_argument("-v", dest="voice", required=True)
    parser.add_argument("-s", dest="words", type=int, required=True)
    given = parser.parse_args()
    library = Espeak(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    request = {"do": "speak", "voice": given.voice, "text": sys.stdin.read(), "pitch": 0.0}
    try:
        _, sound = library.answer(request | {"rate": given.words / WORDS_A_MINUTE})
    except ValueError as error:
        sys.exit(str(error))
    rate = library.sample_rate_hertz
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", UNKNOWN_SIZE, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    sys.stdout.buffer.write(head + struct.pack("<4sI", b"data", UNKNOWN_SIZE) + sound)


if __name__ == "__main__":
    main()
