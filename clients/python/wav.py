"""WAV files that go on a stream as they are: mono, 16-bit PCM, at one of the contract's rates."""

import struct
from dataclasses import dataclass
from pathlib import Path

RATES_HERTZ = (8000, 16000, 24000, 48000)
EXTENSIBLE = 0xFFFE
"""WAVE_FORMAT_EXTENSIBLE: the format stands in the first two bytes of its SubFormat, behind 24 others."""


class WavError(Exception):
    """The file cannot be sent; the message says why and what mends it."""


@dataclass(frozen=True, slots=True)
class Wav:
    """Sound: int16 little-endian samples, mono."""

    sample_rate_hertz: int
    samples: bytes


def read_wav(path: Path | str) -> Wav:
    """Read a RIFF WAVE file. Raises OSError, WavError."""
    content = Path(path).read_bytes()
    if len(content) < 12 or content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise WavError(f"{path}: not a WAV file")
    at, form, samples = 12, None, None
    while at + 8 <= len(content):
        name, size = content[at : at + 4], struct.unpack_from("<I", content, at + 4)[0]
        body = content[at + 8 : at + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            form = struct.unpack_from("<HHIIHH", body)
            if form[0] == EXTENSIBLE and len(body) >= 26:
                form = (*struct.unpack_from("<H", body, 24), *form[1:])
        elif name == b"data":
            samples = body
            break
        at += 8 + size + size % 2
    if form is None or samples is None:
        raise WavError(f"{path}: a WAV file without {'fmt' if form is None else 'data'}")
    encoding, channels, rate, _, _, bits = form
    if encoding != 1 or channels != 1 or bits != 16 or rate not in RATES_HERTZ:
        found = f"format {encoding}, {channels} channel(s), {bits} bits, {rate} Hz"
        wanted = "PCM (format 1), 1 channel, 16 bits, 8000, 16000, 24000 or 48000 Hz"
        raise WavError(f"{path}: {found}; needed: {wanted}. Try: ffmpeg -i IN -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav")
    samples = samples[: len(samples) // 2 * 2]
    if not samples:
        raise WavError(f"{path}: the file has no samples")
    return Wav(rate, samples)


def write_wav(path: Path | str, wav: Wav) -> None:
    """Write a RIFF WAVE file. Raises OSError."""
    rate, size = wav.sample_rate_hertz, len(wav.samples)
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", size
    )
    try:
        Path(path).write_bytes(header + wav.samples)
    except OSError as error:
        error.filename = str(path)  # of a disk that is full Python names no file
        raise
