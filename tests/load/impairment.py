"""A bad network between a caller and the gateway: what `tc netem` does, on machines whose kernel has none.

Losses come alone or in bursts (a chain of two states, after E. N. Gilbert, "Capacity of a burst-noise channel", Bell
System Technical Journal, 1960); packets are held up, overtaken and doubled. `BadNetwork` knows no clock and no socket,
so that a test in virtual time and a benchmark in real time meet the same network.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Final

from tests.load.wire import Wire

PACKET_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Impairment:
    """The impairment of a network. Shares are of packets, 0 to 1."""

    loss: float = 0.0
    burst_packets: float = 1.0  # mean length of a loss; 1: losses come alone
    jitter_s: float = 0.0  # a packet is held up for anything up to this
    overtaking: bool = False  # held-up packets are overtaken by those behind; else they push them along
    reorder: float = 0.0  # packets that are held back until the next has passed
    duplicate: float = 0.0


class BadNetwork:
    """One direction of one call."""

    def __init__(self, impairment: Impairment, *, seed: int) -> None:
        self._impairment = impairment
        self._chance = random.Random(seed)
        self._is_losing = False
        self._last_arrival_s = 0.0
        self.lost = 0

    def carry(self, datagram: bytes, *, now: float) -> list[tuple[float, bytes]]:
        """Return when the datagram arrives, in seconds on the clock of `now`: never, once or twice."""
        if self._loses():
            self.lost += 1
            return []
        bad, chance = self._impairment, self._chance
        arrival_s = now + chance.random() * bad.jitter_s
        if chance.random() < bad.reorder:
            arrival_s += 1.5 * PACKET_S
        elif not bad.overtaking:
            arrival_s = self._last_arrival_s = max(arrival_s, self._last_arrival_s)
        arrivals = [(arrival_s, datagram)]
        if chance.random() < bad.duplicate:
            arrivals.append((arrival_s + chance.random() * PACKET_S, datagram))
        return arrivals

    def _loses(self) -> bool:
        bad, chance = self._impairment, self._chance
        if self._is_losing:
            self._is_losing = chance.random() >= 1 / bad.burst_packets
        if not self._is_losing:  # so that the share of lost packets is `loss`, whatever the length of a burst
            self._is_losing = chance.random() < bad.loss / (bad.loss + bad.burst_packets * (1 - bad.loss))
        return self._is_losing


def impair(wire: Wire, impairment: Impairment, *, seed: int) -> None:
    """From now on what is sent through the wire takes the bad network's time and losses. Needs a running loop."""
    network = BadNetwork(impairment, seed=seed)
    loop = asyncio.get_running_loop()

    def carry(datagram: bytes) -> None:
        for arrival_s, content in network.carry(datagram, now=loop.time()):
            loop.call_at(arrival_s, wire.deliver, content)

    wire.carry = carry
