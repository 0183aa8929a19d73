"""Reorder buffer, RFC 3550 appendix A.1: puts packets in order; a missing one is awaited for a while, then given up.

There is no playout delay: a packet that is next goes on at once. Only behind a gap does sound wait, and then it comes
in one burst, which does the STT stage no harm.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.call_gateway.rtp.packet import SEQUENCE_MODULUS, RtpPacket, sequence_distance, timestamp_distance

_MAX_DROPOUT: Final = 3000  # packets; a longer jump ahead is a restarted sequence
_MAX_MISORDER: Final = 100  # packets; a longer step back is a restarted sequence
_MAX_PENDING: Final = 64  # packets held behind a gap; beyond it the gap is given up early
_LONGEST_STEP: Final = 1920  # of timestamps: packets of 120 ms counted in 16 kHz
_AUDITION_S: Final = 1.0  # a new source must send its second packet within this
_LEAST_RUN: Final = 3  # packets in a row, each of another SSRC, that are one sender's


class OrderedPacket(NamedTuple):
    """A packet in its place."""

    packet: RtpPacket
    arrival: float  # seconds, monotonic
    lost_before: int = 0  # packets given up just before it
    is_new_source: bool = False  # its timestamps say nothing about those before


@dataclass(slots=True)
class OrderCounts:
    """Counts of packets that were lost, late, doubled or out of order."""

    lost: int = 0
    late: int = 0  # came after it was given up
    duplicate: int = 0
    reordered: int = 0
    stray: int = 0  # of a source that was never accepted
    sources: int = 0  # accepted: the first, and each change


class Reorderer:
    """The order of one sender's packets, which may change its SSRC or restart its sequence in mid-call."""

    def __init__(self, *, wait_s: float = 0.060) -> None:
        self.counts = OrderCounts()
        self._wait_s = wait_s
        self._ssrc: int | None = None
        self._next_sequence = 0
        self._last_timestamp = 0  # of the packet before that
        self._pending: dict[int, OrderedPacket] = {}
        self._given_up: deque[int] = deque(maxlen=_MAX_MISORDER)
        self._gap_since = 0.0
        self._candidates: list[OrderedPacket] = []  # in a row by sequence, of sources that are not known
        self._draws_ssrcs = False  # the sender draws another SSRC for each packet

    @property
    def is_waiting(self) -> bool:
        """Return whether packets are held behind a gap."""
        return bool(self._pending)

    def next_deadline(self) -> float | None:
        """Return when the gap is given up; call on_timer then."""
        return self._gap_since + self._wait_s if self._pending else None

    def on_timer(self, now: float) -> list[OrderedPacket]:
        """Give up gaps that have been awaited long enough."""
        ordered: list[OrderedPacket] = []
        while self._pending and now >= self._gap_since + self._wait_s:
            ordered += self._give_up_gap()
        return ordered

    def receive(self, packet: RtpPacket, *, now: float) -> list[OrderedPacket]:
        """The packets that are next now, in order."""
        if packet.sequence == self._next_sequence and packet.ssrc == self._ssrc and not self._pending:
            self._candidates, self._draws_ssrcs = [], False  # the source we know goes on, as it nearly always does
            self._advance(packet)
            return [OrderedPacket(packet, now)]
        ordered = self.on_timer(now)
        arrived = OrderedPacket(packet, now)
        if self._ssrc is None:
            return ordered + self._accept_source(arrived)
        distance = sequence_distance(packet.sequence, self._next_sequence)
        if not (packet.ssrc == self._ssrc or self._draws_ssrcs) or not self._goes_on(packet, distance):
            return ordered + self._audition(arrived)
        self._candidates = []  # the source we know goes on
        if distance >= 0:  # a packet that comes twice or late has no SSRC to go by
            self._ssrc, self._draws_ssrcs = packet.ssrc, packet.ssrc != self._ssrc
        if distance == 0:
            ordered.append(arrived)
            self._advance(packet)
            ordered += self._release_pending()
        elif distance < 0:
            self._count_behind(packet.sequence)
        else:
            ordered += self._hold(arrived)
        return ordered

    def _goes_on(self, packet: RtpPacket, distance: int) -> bool:
        """Return whether a packet of the known SSRC can be one of its sequence. A step back that is too short to tell
        is told by the timestamps: what comes late or twice was made before what is there.
        """
        if distance >= 0:
            return distance < _MAX_DROPOUT
        made_before = timestamp_distance(self._last_timestamp, packet.timestamp)
        return distance > -_MAX_MISORDER and 0 <= made_before <= _MAX_MISORDER * _LONGEST_STEP

    def _hold(self, arrived: OrderedPacket) -> list[OrderedPacket]:
        sequence = arrived.packet.sequence
        if sequence in self._pending:
            self.counts.duplicate += 1
            return []
        if not self._pending:
            self._gap_since = arrived.arrival
        self._pending[sequence] = arrived
        return self._give_up_gap() if len(self._pending) > _MAX_PENDING else []

    def _count_behind(self, sequence: int) -> None:
        if sequence in self._given_up:
            self.counts.late += 1
        else:
            self.counts.duplicate += 1

    def _release_pending(self) -> list[OrderedPacket]:
        """Held packets that are next, after a gap closed."""
        ordered = []
        while (held := self._pending.pop(self._next_sequence, None)) is not None:
            self.counts.reordered += 1
            ordered.append(held)
            self._advance(held.packet)
        if self._pending:
            self._gap_since = min(held.arrival for held in self._pending.values())
        return ordered

    def _give_up_gap(self) -> list[OrderedPacket]:
        n_lost = min((sequence - self._next_sequence) % SEQUENCE_MODULUS for sequence in self._pending)
        self.counts.lost += n_lost
        first = (self._next_sequence + n_lost) % SEQUENCE_MODULUS
        for back in range(min(n_lost, _MAX_MISORDER), 0, -1):
            self._given_up.append((first - back) % SEQUENCE_MODULUS)
        held = self._pending.pop(first)
        self._next_sequence = first
        self._advance(held.packet)
        return [OrderedPacket(held.packet, held.arrival, lost_before=n_lost), *self._release_consecutive()]

    def _release_consecutive(self) -> list[OrderedPacket]:
        reordered = self.counts.reordered
        ordered = self._release_pending()
        self.counts.reordered = reordered  # they were in order: the ones before them were lost
        return ordered

    def _audition(self, arrived: OrderedPacket) -> list[OrderedPacket]:
        """One odd packet is a stray; two in a row, with none of the known source between, are a new source. Three in a
        row are one too where each has another SSRC: its packets are told by their sequence from then on.
        """
        self.counts.stray += 1
        before = self._candidates[-1] if self._candidates else None
        if before is not None and _is_copy(arrived, before):
            return []
        if before is None or not _follows(arrived, before):
            self._candidates = [arrived]
            return []
        self._candidates.append(arrived)
        has_one_ssrc = arrived.packet.ssrc == before.packet.ssrc
        if not has_one_ssrc and len(self._candidates) < _LEAST_RUN:
            return []
        accepted = self._candidates[-2:] if has_one_ssrc else self._candidates
        self.counts.stray -= len(accepted)  # they were none after all
        ordered = []
        while self._pending:
            ordered += self._give_up_gap()
        ordered += self._accept_source(accepted[0])
        for following in accepted[1:]:
            self._advance(following.packet)
        self._ssrc, self._draws_ssrcs = arrived.packet.ssrc, not has_one_ssrc
        return [*ordered, *accepted[1:]]

    def _accept_source(self, first: OrderedPacket) -> list[OrderedPacket]:
        self.counts.sources += 1
        self._ssrc = first.packet.ssrc
        self._next_sequence = first.packet.sequence
        self._candidates = []
        self._given_up.clear()
        self._advance(first.packet)
        return [OrderedPacket(first.packet, first.arrival, is_new_source=True)]

    def _advance(self, packet: RtpPacket) -> None:
        self._last_timestamp = packet.timestamp
        self._next_sequence = (self._next_sequence + 1) % SEQUENCE_MODULUS


def _is_copy(later: OrderedPacket, earlier: OrderedPacket) -> bool:
    """Return whether the network delivered one packet twice."""
    one, other = later.packet, earlier.packet
    return (one.ssrc, one.sequence, one.timestamp) == (other.ssrc, other.sequence, other.timestamp)


def _follows(later: OrderedPacket, earlier: OrderedPacket) -> bool:
    """Return whether one sender may have made the two packets in a row."""
    is_next = sequence_distance(later.packet.sequence, earlier.packet.sequence) == 1
    return is_next and later.arrival - earlier.arrival <= _AUDITION_S
