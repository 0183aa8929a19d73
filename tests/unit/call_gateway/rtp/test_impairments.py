"""The caller's sound through a bad network: placed to the sample, never late for longer than the network makes it.

Ten minutes pass in virtual time. Each packet carries its number, so that every sample the receiver gives out is known
by where it was spoken. Delay is the time from the moment a sample was on the far side's wire to the moment it is given
out here; what a bound must hold for is the whole call, or its last minute: drift must not pile up.
"""

import math
from dataclasses import dataclass, field

import pytest

from services.call_gateway.line import CallerAudio, IdleReason, LegEvent, MediaIdle
from services.call_gateway.media_clock import MediaClock
from services.call_gateway.rtp.codecs import CODECS
from services.call_gateway.rtp.packet import RtpPacket, build_packet
from services.call_gateway.rtp.receiver import MediaReceiver
from tests.load.impairment import BadNetwork, Impairment

TICKS_PER_S = 8000
TICK_S = 0.020  # of the pacer, which drives the receiver's timer
REORDER_WAIT_S = 0.060
BEGAN_S = 1000.0


@dataclass
class FarSide:
    """A phone whose clock may run fast or slow. Speaks packets; each payload begins with the packet's number."""

    ptime_ms: int = 20
    ppm: float = 0.0
    number: int = 0
    sequence: int = 65_000
    timestamp: int = (1 << 32) - 500_000
    ssrc: int = 7

    @property
    def ticks(self) -> int:
        return self.ptime_ms * 8

    def speak(self) -> bytes:
        payload = self.number.to_bytes(4, "big") + bytes(self.ticks - 4)
        datagram = build_packet(RtpPacket(0, self.sequence % 65536, self.timestamp % (1 << 32), self.ssrc, payload))
        self.number += 1
        self.sequence += 1
        self.timestamp += self.ticks
        return datagram

    def left_s(self, number: int) -> float:
        """The time when the packet's last sample was spoken, by our clock."""
        return BEGAN_S + (number + 1) * self.ptime_ms / 1000 / (1 + self.ppm / 1e6)


@dataclass
class Heard:
    """Output of the receiver."""

    far_side: FarSide
    events: list[tuple[float, LegEvent]] = field(default_factory=list)  # (when, what)
    delays_s: list[tuple[float, float]] = field(default_factory=list)  # (when, delay) of each packet's sound
    places: dict[int, int] = field(default_factory=dict)  # by packet: its first sample on the call's clock
    wall_errors_s: list[float] = field(default_factory=list)  # by how much the call's clock is mistaken about the wall
    clock: MediaClock = field(default_factory=lambda: MediaClock(TICKS_PER_S))

    def note(self, events: list[LegEvent], now: float) -> None:
        for event in events:
            self.events.append((now, event))
            if isinstance(event, MediaIdle):
                self.clock.advance(event.to_sample, now=now)
            elif isinstance(event, CallerAudio):
                end = event.start_sample + len(event.content)
                self.clock.advance(end, now=now)
                if not event.concealed_samples:
                    number = int.from_bytes(event.content[:4], "big")
                    assert number not in self.places, "heard twice"
                    self.places[number] = event.start_sample
                    spoken_s = self.far_side.left_s(number)
                    self.delays_s.append((now, now - spoken_s))
                    self.wall_errors_s.append(self.clock.wall_time(end) - spoken_s)

    def offsets_ms(self) -> set[float]:
        """The delay of each packet's sound behind its place at the far side."""
        return {place / 8 - number * self.far_side.ptime_ms for number, place in self.places.items()}

    def worst_delay_s(self, *, since_s: float = 0.0) -> float:
        return max(delay for when, delay in self.delays_s if when >= BEGAN_S + since_s)

    @property
    def concealed_ticks(self) -> int:
        return sum(event.concealed_samples for _, event in self.events if isinstance(event, CallerAudio))

    @property
    def holes(self) -> list[MediaIdle]:
        return [event for _, event in self.events if isinstance(event, MediaIdle)]

    def assert_whole(self) -> None:
        """The call's clock has no hole, no overlap and never goes back."""
        at = 0
        for _, event in self.events:
            if isinstance(event, CallerAudio):
                assert event.start_sample == at
                at += len(event.content)
            elif isinstance(event, MediaIdle):
                assert event.from_sample == at
                at = event.to_sample


class Call:
    """A far side, a bad network, a receiver."""

    def __init__(self, impairment: Impairment, *, far_side: FarSide | None = None, seed: int = 1) -> None:
        self.far_side = far_side or FarSide()
        self.receiver = MediaReceiver(CODECS["ulaw"]())
        self.receiver.start(BEGAN_S)
        self.heard = Heard(self.far_side)
        self.network = BadNetwork(impairment, seed=seed)
        self._wire: list[tuple[float, int, bytes]] = []
        self._now = BEGAN_S
        self._n_ticks = 0

    def send(self, seconds: float) -> "Call":
        """The far side speaks for so long."""
        for _ in range(round(seconds * 1000 / self.far_side.ptime_ms)):
            number = self.far_side.number
            datagram = self.far_side.speak()
            for arrival_s, content in self.network.carry(datagram, now=self.far_side.left_s(number)):
                self._wire.append((arrival_s, number, content))
        return self

    def stop_sending(self, seconds: float, *, timestamps_go_on: bool = True) -> "Call":
        """The far side is silent; it counts on, or does not."""
        n_packets = round(seconds * 1000 / self.far_side.ptime_ms)
        self.far_side.number += n_packets
        if timestamps_go_on:
            self.far_side.timestamp += n_packets * self.far_side.ticks
        return self

    def run(self, *, hold: tuple[float, float] | None = None) -> Heard:
        """Let it all happen: packets as they arrive, the timer every 20 ms."""
        end_s = self.far_side.left_s(self.far_side.number)
        moments: list[tuple[float, int, bytes | None]] = list(self._wire)
        moments += [(BEGAN_S + n * TICK_S, -1, None) for n in range(1, math.ceil((end_s - BEGAN_S) / TICK_S))]
        for now, _, datagram in sorted(moments, key=lambda moment: moment[:2]):
            if hold is not None:
                self.receiver.set_held(hold[0] <= now - BEGAN_S < hold[1])
            if datagram is None:
                self.heard.note(self.receiver.on_timer(now), now)
            else:
                self.heard.note(self.receiver.receive(datagram, now=now), now)
        self.heard.assert_whole()
        return self.heard


NETWORKS = {
    "random loss 1%": Impairment(loss=0.01),
    "random loss 5%": Impairment(loss=0.05),
    "random loss 10%": Impairment(loss=0.10),
    "bursts, 5% in all": Impairment(loss=0.05, burst_packets=3),
    "bursts, 10% in all": Impairment(loss=0.10, burst_packets=5),
    "reorder 10%": Impairment(reorder=0.10),
    "duplicates 10%": Impairment(duplicate=0.10),
    "jitter 40 ms": Impairment(jitter_s=0.040),
    "jitter 100 ms": Impairment(jitter_s=0.100),
    "jitter 40 ms, overtaking": Impairment(jitter_s=0.040, overtaking=True),
    "all of it": Impairment(loss=0.05, burst_packets=3, jitter_s=0.040, reorder=0.02, duplicate=0.02),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_sound_is_placed_to_the_sample_and_waits_only_for_what_is_missing(name):
    impairment = NETWORKS[name]
    call = Call(impairment).send(60)
    heard = call.run()
    n_sent = call.far_side.number
    offsets = heard.offsets_ms()
    assert max(offsets) - min(offsets) <= 60 + 1000 * impairment.jitter_s, "the clock goes on for what seemed a hole"
    assert len(heard.places) >= n_sent - call.network.lost - 2, "what arrived was heard"
    filled = heard.concealed_ticks + sum(hole.to_sample - hole.from_sample for hole in heard.holes)
    assert filled <= call.network.lost * 160 + 200 * 8, "no more was filled in than was lost or seemed a hole"
    wait_s = REORDER_WAIT_S + TICK_S if impairment.loss or impairment.reorder or impairment.overtaking else 0.0
    longest_loss_s = impairment.burst_packets * 4 * 0.02 if impairment.loss else 0.0
    assert heard.worst_delay_s() <= impairment.jitter_s + wait_s + longest_loss_s + 0.001


@pytest.mark.parametrize("ppm", [-200, 200])
@pytest.mark.parametrize("name", ["jitter 100 ms", "all of it"])
def test_ten_minutes_of_drift_add_nothing_to_the_delay(name, ppm):
    call = Call(NETWORKS[name], far_side=FarSide(ppm=ppm)).send(600)
    heard = call.run()
    bound_s = NETWORKS[name].jitter_s + REORDER_WAIT_S + TICK_S
    first_minute = [delay for when, delay in heard.delays_s if when < BEGAN_S + 60]
    last_minute = [delay for when, delay in heard.delays_s if when >= BEGAN_S + 540]
    assert max(last_minute) <= max(*first_minute, bound_s) + 0.005
    mean = [sum(delays) / len(delays) for delays in (first_minute, last_minute)]
    assert mean[1] <= mean[0] + 0.003
    assert call.receiver.counts.epochs <= 3, "drift is no jump"


@pytest.mark.parametrize("ppm", [-200, 200])
@pytest.mark.parametrize(("name", "bound_s"), [("jitter 40 ms", 0.005), ("jitter 100 ms", 0.020), ("all of it", 0.080)])
def test_the_wall_time_of_a_sample_stays_true_while_the_clocks_part(name, bound_s, ppm):
    """200 ppm are 120 ms in ten minutes. Where bursts are lost, the call's clock runs ahead by what seemed a hole."""
    heard = Call(NETWORKS[name], far_side=FarSide(ppm=ppm)).send(600).run()
    errors = heard.wall_errors_s[500:]  # ten seconds: the clock's memory is full
    assert max(map(abs, errors)) <= bound_s
    medians = [sorted(minute)[len(minute) // 2] for minute in (errors[:3000], errors[-3000:])]
    assert medians[1] == pytest.approx(medians[0], abs=0.020)


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("name", ["bursts, 10% in all", "jitter 100 ms"])
def test_packets_of_any_length_fare_alike(ptime_ms, name):
    call = Call(NETWORKS[name], far_side=FarSide(ptime_ms=ptime_ms)).send(60)
    heard = call.run()
    assert len(heard.places) >= call.far_side.number - call.network.lost - 2
    assert max(heard.offsets_ms()) - min(heard.offsets_ms()) <= 200
    assert heard.worst_delay_s() <= NETWORKS[name].jitter_s + REORDER_WAIT_S + TICK_S


def test_a_network_that_is_gone_for_two_seconds_leaves_no_delay_behind():
    """The far side speaks on, nothing comes, then everything is as before."""
    call = Call(Impairment(jitter_s=0.02)).send(10)
    for _ in range(100):
        call.far_side.speak()  # lost
    call.send(10)
    heard = call.run()
    gone = [hole for hole in heard.holes if hole.to_sample - hole.from_sample > 0]
    assert sum(hole.to_sample - hole.from_sample for hole in gone) == pytest.approx(
        2 * TICKS_PER_S, abs=0.2 * TICKS_PER_S
    )
    assert heard.concealed_ticks <= 160 * 8
    assert heard.worst_delay_s(since_s=12.5) <= 0.021
    told = next(when for when, event in heard.events if isinstance(event, MediaIdle))
    assert told - (BEGAN_S + 10) <= 0.100, "a turn still ends"


def test_a_far_side_that_stops_for_two_seconds_is_told_within_100_ms_and_goes_on_in_its_place():
    call = Call(Impairment()).send(10).stop_sending(2).send(10)
    heard = call.run()
    told = next(when for when, event in heard.events if isinstance(event, MediaIdle))
    assert told - (BEGAN_S + 10) <= 0.100
    assert max(heard.offsets_ms()) <= 20, "the clock had gone on by a packet at most when the sound came"
    assert heard.concealed_ticks == 0


def test_hold_is_named_and_leaves_no_delay_behind():
    """Asterisk sends nothing on hold; its timestamps have run 1.02 s further when the call is taken back."""
    call = Call(Impairment(jitter_s=0.02)).send(10).stop_sending(30, timestamps_go_on=False)
    call.far_side.timestamp += 8160
    heard = call.send(10).run(hold=(10.0, 40.0))
    held = [hole for hole in heard.holes if hole.reason is IdleReason.HOLD]
    assert sum(hole.to_sample - hole.from_sample for hole in held) >= 29.8 * TICKS_PER_S
    assert heard.worst_delay_s(since_s=40) <= 0.021
    assert heard.wall_errors_s[-1] == pytest.approx(0.0, abs=0.030)


@pytest.mark.parametrize("timestamp_jump", [0, 475_934_800, 1 << 31])
def test_a_new_source_in_mid_call_costs_nothing(timestamp_jump):
    """A transfer: another phone's SSRC, sequence and timestamps."""
    call = Call(Impairment(jitter_s=0.04)).send(10)
    call.far_side.ssrc, call.far_side.sequence = 99, 31_000
    call.far_side.timestamp += timestamp_jump
    heard = call.send(10).run()
    assert len(heard.places) == 1000
    assert heard.worst_delay_s() <= 0.061
    assert heard.concealed_ticks <= 60 * 8
    assert call.receiver.order_counts.sources == 2


def test_the_receiver_itself_tells_the_delay_it_adds():
    """Of the sound given out since it was asked last; what the far side held back does not count."""
    call = Call(Impairment()).send(5)
    call.run()
    assert call.receiver.take_worst_delay() == pytest.approx(0.0, abs=0.001)
    assert call.receiver.take_worst_delay() is None
    call = Call(Impairment(loss=0.05)).send(5)
    call.run()
    assert call.receiver.take_worst_delay() == pytest.approx(REORDER_WAIT_S, abs=TICK_S)


def test_hardly_a_pause_is_heard_in_ten_percent_of_loss():
    """A loss within a word must not read as its end: it is concealed; only four in a row are told as a hole first."""
    heard = Call(NETWORKS["random loss 10%"]).send(60).run()
    assert sum(hole.to_sample - hole.from_sample for hole in heard.holes) <= 0.05 * heard.concealed_ticks
