"""Keys sent as RTP packets: telephone-event (RFC 4733 section 2)."""

import struct
from dataclasses import dataclass
from typing import Final

from services.call_gateway.rtp.packet import MalformedPacket

KEYS: Final = "0123456789*#ABCD"
"""Event code to key (RFC 4733 section 3.2)."""

_EVENT: Final = struct.Struct("!BBH")
_END_BIT, _VOLUME_MASK = 0x80, 0x3F


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One report on an event under way (RFC 4733 section 2.3)."""

    code: int  # 0-15 are keys
    is_end: bool
    volume: int  # dBm0 below zero, 0-63
    duration_ticks: int  # from the packet's timestamp up to now


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was pressed and let go."""

    digit: str  # one of KEYS
    duration_ticks: int  # of the RTP clock


def parse_event(payload: bytes) -> TelephoneEvent:
    """Read the first 4 bytes of a payload of RFC 4733.

    Raises MalformedPacket. Further events in the same payload are left alone: section 2.5.1.5 is not offered.
    """
    if len(payload) < _EVENT.size:
        raise MalformedPacket(f"telephone-event: {len(payload)} bytes, at least 4 expected")
    code, flags, duration_ticks = _EVENT.unpack_from(payload)
    return TelephoneEvent(code, bool(flags & _END_BIT), flags & _VOLUME_MASK, duration_ticks)


class TelephoneEventDecoder:
    """Gathers the reports of one key into one Key: the end is sent three times, any report may be lost."""

    def __init__(self) -> None:
        self._start: int | None = None  # timestamp of the key being followed
        self._latest: TelephoneEvent | None = None
        self._is_told = False

    @property
    def is_down(self) -> bool:
        return self._start is not None and not self._is_told

    def on_event(self, event: TelephoneEvent, *, timestamp: int) -> list[Key]:
        """Keys let go by this report: none, one, or two when the end of the one before was lost."""
        keys = []
        if timestamp != self._start:
            keys += self.release()
            self._start, self._is_told = timestamp, False
        self._latest = event
        if event.is_end:
            keys += self.release()
        return keys

    def release(self) -> list[Key]:
        """The key under way is over, whether or not its end was heard. Empty when none is down."""
        if self._is_told or self._latest is None:
            return []
        self._is_told = True
        event = self._latest
        return [Key(KEYS[event.code], event.duration_ticks)] if event.code < len(KEYS) else []
