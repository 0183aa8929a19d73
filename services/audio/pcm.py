"""Audio formats on the wire and the int16 samples behind them."""

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from services.audio import g711

Samples = NDArray[np.int16]
"""Mono samples, shape (n_samples,)."""

G711_RATE_HERTZ = 8000


class Encoding(Enum):
    """The encoding of a chunk's bytes."""

    LINEAR16 = "linear16"
    MULAW = "mulaw"
    ALAW = "alaw"


class TornSample(ValueError):
    """The bytes do not hold a whole number of samples."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """The fixed format of one direction of a stream. G.711 is 8000 Hz (RFC 3551 section 4.5.14)."""

    encoding: Encoding
    sample_rate_hertz: int
    bytes_per_sample: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bytes_per_sample", 2 if self.encoding is Encoding.LINEAR16 else 1)

    def samples_in(self, content: bytes) -> int:
        """The number of samples in `content`. Raises TornSample."""
        width = self.bytes_per_sample
        if len(content) % width:
            raise TornSample(f"{len(content)} bytes are no whole number of {width}-byte samples")
        return len(content) // width

    def silence(self, n_samples: int) -> bytes:
        """Digital silence as it goes on the wire."""
        if self.encoding is Encoding.MULAW:
            return bytes([g711.MULAW_SILENCE]) * n_samples
        if self.encoding is Encoding.ALAW:
            return bytes([g711.ALAW_SILENCE]) * n_samples
        return bytes(2 * n_samples)


TELEPHONE = AudioFormat(Encoding.MULAW, G711_RATE_HERTZ)
"""The format of a telephone leg unless told otherwise."""


def decode(audio_format: AudioFormat, content: bytes) -> Samples:
    """Bytes off the wire to samples. Raises TornSample."""
    audio_format.samples_in(content)
    if audio_format.encoding is Encoding.MULAW:
        return g711.decode_mulaw(content)
    if audio_format.encoding is Encoding.ALAW:
        return g711.decode_alaw(content)
    return np.frombuffer(content, dtype="<i2").astype(np.int16, copy=False)


def encode(audio_format: AudioFormat, samples: Samples) -> bytes:
    """Samples to bytes for the wire."""
    if audio_format.encoding is Encoding.MULAW:
        return g711.encode_mulaw(samples)
    if audio_format.encoding is Encoding.ALAW:
        return g711.encode_alaw(samples)
    return samples.astype("<i2", copy=False).tobytes()
