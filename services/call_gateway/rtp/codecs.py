"""The payloads a leg may carry, and the format a session sees behind each (RFC 3551 section 4.5)."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Protocol

import numpy as np

from services.audio.pcm import AudioFormat, Encoding, Samples, decode, encode
from services.audio.resample import Resampler

RTP_CLOCK_HERTZ: Final = 8000
"""Of every payload here: G.722 samples at 16 kHz and counts 8 kHz by a historical error (RFC 3551 section 4.5.2)."""

FRAME_MS: Final = 20
FRAME_TICKS: Final = RTP_CLOCK_HERTZ * FRAME_MS // 1000


class CodecMissing(RuntimeError):
    """The library behind a codec is not installed; the message says how to get it."""


class PayloadCodec(Protocol):
    """One direction pair of one call: coders that remember are made again for each."""

    @property
    def name(self) -> str:
        """Return Asterisk's name for the codec."""
        ...

    @property
    def payload_type(self) -> int:
        """The static payload type, RFC 3551 table 4: 0 PCMU, 8 PCMA, 9 G722. One byte of payload is one tick."""
        ...

    @property
    def audio_format(self) -> AudioFormat:
        """The audio format that the session sees and gives."""
        ...

    def decode(self, payload: bytes) -> bytes:
        """Decode a payload, one byte a tick, to content in `audio_format`. Any bytes are a payload."""
        ...

    def encode(self, content: bytes) -> bytes:
        """Encode content in `audio_format` to a payload, one byte a tick."""
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


def codec_for(payload_type: int, audio_format: AudioFormat) -> PayloadCodec | None:
    """A codec for a static payload type, 0 to 95, whose content is in `audio_format`; None where there is none."""
    for make in CODECS.values():
        try:
            codec = make()
        except CodecMissing:
            continue
        if codec.payload_type == payload_type:
            return codec if codec.audio_format == audio_format else ConvertedCodec(codec, audio_format)
    return None


class ConvertedCodec:
    """Another payload for a session that keeps its audio format, as after a re-INVITE (RFC 3264 section 8)."""

    def __init__(self, inner: PayloadCodec, audio_format: AudioFormat) -> None:
        self.name, self.payload_type, self.audio_format = inner.name, inner.payload_type, audio_format
        self._inner = inner
        self._inward = _Rate(inner.audio_format.sample_rate_hertz, audio_format.sample_rate_hertz)
        self._outward = _Rate(audio_format.sample_rate_hertz, inner.audio_format.sample_rate_hertz)

    def decode(self, payload: bytes) -> bytes:
        return encode(
            self.audio_format, self._inward.convert(decode(self._inner.audio_format, self._inner.decode(payload)))
        )

    def encode(self, content: bytes) -> bytes:
        samples = self._outward.convert(decode(self.audio_format, content))
        return self._inner.encode(encode(self._inner.audio_format, samples))


class _Rate:
    """A resampler that gives as many samples as the sound it was given lasts, the first of them silence."""

    def __init__(self, from_hertz: int, to_hertz: int) -> None:
        self._from_hertz, self._to_hertz = from_hertz, to_hertz
        self._resampler = Resampler(from_hertz, to_hertz, quality="QQ")
        self._ready = np.empty(0, dtype=np.int16)

    def convert(self, samples: Samples) -> Samples:
        if self._from_hertz == self._to_hertz:
            return samples
        n_wanted = len(samples) * self._to_hertz // self._from_hertz
        self._ready = np.concatenate((self._ready, self._resampler.push(samples)))
        missing = np.zeros(max(0, n_wanted - len(self._ready)), dtype=np.int16)
        converted = np.concatenate((missing, self._ready[: n_wanted - len(missing)]))
        self._ready = self._ready[n_wanted - len(missing) :]
        return converted
