"""The agent's voice as RTP packets: sequence, timestamp and source of one leg (RFC 3550 section 5.1)."""

import random
import struct
from typing import Final

from services.call_gateway.rtp.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS

_HEADER: Final = struct.Struct("!BBHII")
_FLAGS: Final = 2 << 6
_MARKER: Final = 0x80


class MediaSender:
    """Stamps payloads. Sequence and timestamp begin at random (section 5.1), or where a test says."""

    def __init__(
        self,
        payload_type: int,
        *,
        ssrc: int | None = None,
        sequence: int | None = None,
        timestamp: int | None = None,
    ) -> None:
        self.packets_sent = 0
        self._payload_type = payload_type
        self._ssrc = random.getrandbits(32) if ssrc is None else ssrc
        self._sequence = random.getrandbits(16) if sequence is None else sequence
        self._timestamp = random.getrandbits(32) if timestamp is None else timestamp
        self._is_marked = True  # the first packet, and the first after time was skipped

    def packet(self, payload: bytes, *, ticks: int) -> bytes:
        """The RTP packet (RFC 3550 section 5.1) of a payload that lasts `ticks` of the RTP clock."""
        kind = self._payload_type | (_MARKER if self._is_marked else 0)
        header = _HEADER.pack(_FLAGS, kind, self._sequence, self._timestamp, self._ssrc)
        self._is_marked = False
        self._sequence = (self._sequence + 1) % SEQUENCE_MODULUS
        self._timestamp = (self._timestamp + ticks) % TIMESTAMP_MODULUS
        self.packets_sent += 1
        return header + payload

    def use_payload(self, payload_type: int) -> None:
        """From the next packet on. Sequence, timestamp and source go on, as the clock of all payloads is the same."""
        self._payload_type = payload_type

    def skip(self, ticks: int) -> None:
        """Let time pass without a packet: the timestamp goes on, the sequence does not."""
        self._timestamp = (self._timestamp + ticks) % TIMESTAMP_MODULUS
        self._is_marked = True
