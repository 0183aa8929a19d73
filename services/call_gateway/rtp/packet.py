"""One RTP packet, parsed and built (RFC 3550 section 5)."""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

_VERSION: Final = 2
_HEADER: Final = struct.Struct("!BBHII")
_EXTENSION_HEADER: Final = struct.Struct("!HH")
_PADDING_BIT, _EXTENSION_BIT, _MARKER_BIT = 0x20, 0x10, 0x80
_SOURCE_COUNT_MASK = 0x0F

SEQUENCE_MODULUS: Final = 1 << 16
TIMESTAMP_MODULUS: Final = 1 << 32


class MalformedPacket(ValueError):
    """The datagram is no RTP packet; the message says which field is wrong."""


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """The one header extension a packet may carry (RFC 3550 section 5.3.1)."""

    profile: int  # 16 bits, defined by the profile in use
    content: bytes  # a whole number of 32-bit words


class RtpPacket(NamedTuple):
    """A packet as it came or as it is to go."""

    payload_type: int  # 0-127
    sequence: int  # 0-65535
    timestamp: int  # 32 bits, in ticks of the payload's RTP clock
    ssrc: int  # 32 bits
    payload: bytes  # without padding
    is_marked: bool = False  # first packet of a talkspurt (RFC 3551 section 4.1)
    contributing: tuple[int, ...] = ()  # CSRC list, at most 15
    extension: HeaderExtension | None = None


def is_rtcp(datagram: bytes) -> bool:
    """Return whether a datagram on an RTP port is RTCP (RFC 5761 section 4: packet types 192 to 223)."""
    return len(datagram) >= 2 and datagram[0] >> 6 == _VERSION and 192 <= datagram[1] <= 223


def parse_packet(datagram: bytes) -> RtpPacket:
    """Read a datagram as RTP (RFC 3550 section 5.1). Raises MalformedPacket, also for a length beyond the datagram."""
    if len(datagram) < _HEADER.size:
        raise MalformedPacket(f"length: {len(datagram)} bytes are less than the 12 of a header")
    flags, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    if flags >> 6 != _VERSION:
        raise MalformedPacket(f"version: {flags >> 6}, expected 2")
    start, end = _HEADER.size, len(datagram)
    contributing: tuple[int, ...] = ()
    extension = None
    if flags != _VERSION << 6:  # the plain header needs none of this
        source_count = flags & _SOURCE_COUNT_MASK
        if source_count:
            if start + 4 * source_count > end:
                raise MalformedPacket(f"csrc count: {source_count} sources do not fit into {end} bytes")
            contributing = struct.unpack_from(f"!{source_count}I", datagram, start)
            start += 4 * source_count
        if flags & _EXTENSION_BIT:
            extension = _parse_extension(datagram, start)
            start += _EXTENSION_HEADER.size + len(extension.content)
        if flags & _PADDING_BIT:
            padding = datagram[-1]
            if padding == 0 or start + padding > end:
                raise MalformedPacket(f"padding: {padding} bytes in a packet of {end}")
            end -= padding
    return RtpPacket(
        payload_type=kind & 0x7F,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=datagram[start:end],
        is_marked=bool(kind & _MARKER_BIT),
        contributing=contributing,
        extension=extension,
    )


def _parse_extension(datagram: bytes, start: int) -> HeaderExtension:
    content_start = start + _EXTENSION_HEADER.size
    if content_start > len(datagram):
        raise MalformedPacket("header extension: cut short")
    profile, n_words = _EXTENSION_HEADER.unpack_from(datagram, start)
    content_end = content_start + 4 * n_words
    if content_end > len(datagram):
        raise MalformedPacket(f"header extension: {n_words} words do not fit into {len(datagram)} bytes")
    return HeaderExtension(profile=profile, content=datagram[content_start:content_end])


def build_packet(packet: RtpPacket) -> bytes:
    """The bytes for the wire, without padding. Raises ValueError where a field is out of range."""
    n_sources = len(packet.contributing)
    if n_sources > _SOURCE_COUNT_MASK:
        raise ValueError(f"contributing: {n_sources} sources, at most 15")
    flags = _VERSION << 6 | n_sources
    parts = [b"", struct.pack(f"!{n_sources}I", *packet.contributing)]
    if packet.extension is not None:
        n_words, rest = divmod(len(packet.extension.content), 4)
        if rest or n_words > 0xFFFF:
            raise ValueError("extension: the content must be whole 32-bit words, at most 65535")
        flags |= _EXTENSION_BIT
        parts += [_EXTENSION_HEADER.pack(packet.extension.profile, n_words), packet.extension.content]
    if not 0 <= packet.payload_type <= 0x7F:
        raise ValueError(f"payload_type: {packet.payload_type} is not within 0-127")
    kind = packet.payload_type | (_MARKER_BIT if packet.is_marked else 0)
    try:
        parts[0] = _HEADER.pack(flags, kind, packet.sequence, packet.timestamp, packet.ssrc)
    except struct.error as error:
        raise ValueError(f"header field out of range: {error}") from error
    return b"".join((*parts, packet.payload))


def sequence_distance(later: int, earlier: int) -> int:
    """Return how far `later` is ahead of `earlier` modulo 2^16, within -32768..32767."""
    return (later - earlier + 0x8000) % SEQUENCE_MODULUS - 0x8000


def timestamp_distance(later: int, earlier: int) -> int:
    """Return how far `later` is ahead of `earlier` modulo 2^32, within -2^31..2^31-1."""
    return (later - earlier + (1 << 31)) % TIMESTAMP_MODULUS - (1 << 31)
