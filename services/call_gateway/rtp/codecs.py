"""The payloads a leg may carry, and the format a session sees behind each (RFC 3551 section 4.5)."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Protocol

import numpy as np

from services.audio.pcm import AudioFormat, Encoding

RTP_CLOCK_HERTZ: Final = 8000
"""Of every payload here: G.722 samples at 16 kHz and counts 8 kHz by a historical error (RFC 3551 section 4.5.2)."""

FRAME_MS: Final = 20
FRAME_TICKS: Final = RTP_CLOCK_HERTZ * FRAME_MS // 1000


class CodecMissing(RuntimeError):
    """The library behind a codec is not installed; the message says how to get it."""


class PayloadCodec(Protocol):
    """One direction pair of one call: coders that remember are made anew for each."""

    @property
    def name(self) -> str:
        """As Asterisk names it."""
        ...

    @property
    def payload_type(self) -> int:
        """Static, RFC 3551 table 4. One byte of payload is one tick."""
        ...

    @property
    def audio_format(self) -> AudioFormat:
        """What the session sees and gives."""
        ...

    def decode(self, payload: bytes) -> bytes:
        """Payload off the wire to content in audio_format."""
        ...

    def encode(self, content: bytes) -> bytes:
        """Content in audio_format to payload for the wire."""
        ...


@dataclass(frozen=True, slots=True)
class PlainCodec:
    """The session speaks the payload itself: G.711 passes untouched."""

    name: str
    payload_type: int
    audio_format: AudioFormat

    def decode(self, payload: bytes) -> bytes:
        return payload

    def encode(self, content: bytes) -> bytes:
        return content


class G722Codec:
    """ITU-T G.722 at 64 kbit/s: LINEAR16 16 kHz inwards. Both directions remember, so one object serves one call."""

    name = "g722"
    payload_type = 9
    audio_format = AudioFormat(Encoding.LINEAR16, 16000)

    def __init__(self) -> None:
        """Raises CodecMissing."""
        try:
            coder = import_module("G722").G722
        except ImportError as error:
            raise CodecMissing("g722 needs the G722 package: pip install 'tong-dai[gateway-g722]'") from error
        self._decoder = coder(self.audio_format.sample_rate_hertz, 64000)
        self._encoder = coder(self.audio_format.sample_rate_hertz, 64000)

    def decode(self, payload: bytes) -> bytes:
        return np.asarray(self._decoder.decode(payload), dtype="<i2").tobytes()

    def encode(self, content: bytes) -> bytes:
        return bytes(self._encoder.encode(np.frombuffer(content, dtype="<i2")))


def _pcmu() -> PayloadCodec:
    return PlainCodec("ulaw", 0, AudioFormat(Encoding.MULAW, 8000))


def _pcma() -> PayloadCodec:
    return PlainCodec("alaw", 8, AudioFormat(Encoding.ALAW, 8000))


CODECS: Final[dict[str, Callable[[], PayloadCodec]]] = {"ulaw": _pcmu, "alaw": _pcma, "g722": G722Codec}
"""Asterisk's name to a maker of one call's codec."""
