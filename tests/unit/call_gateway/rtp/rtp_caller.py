"""A sender of RTP for tests: makes datagrams, and says when they would arrive."""

from services.call_gateway.line import CallerAudio, MediaIdle
from services.call_gateway.rtp.codecs import CODECS
from services.call_gateway.rtp.packet import RtpPacket, build_packet
from services.call_gateway.rtp.receiver import MediaReceiver

MS = 8  # ticks


class Caller:
    """Speaks 20 ms packets into a receiver; time is what `clock_s` says."""

    def __init__(self, *, codec="ulaw", event_payload_type=None, ptime_ms=20):
        self.receiver = MediaReceiver(CODECS[codec](), event_payload_type=event_payload_type)
        self.payload_type = self.receiver._codec.payload_type
        self.clock_s = 1000.0
        self.receiver.start(self.clock_s)
        self.sequence, self.timestamp, self.ssrc = 500, 7000, 1
        self.ptime_ms = ptime_ms
        self.events = []

    def wait(self, ms):
        """Time passes; the timer is called every 20 ms, as the pacer does."""
        end = self.clock_s + ms / 1000
        while self.clock_s + 0.020 < end:
            self.clock_s += 0.020
            self.events += self.receiver.on_timer(self.clock_s)
        self.clock_s = end
        self.events += self.receiver.on_timer(self.clock_s)

    def build(self, *, payload=None, marked=False, payload_type=None):
        ticks = self.ptime_ms * MS
        sound = bytes([(self.sequence * 7 + i) % 120 for i in range(ticks)]) if payload is None else payload
        kind = self.payload_type if payload_type is None else payload_type
        datagram = build_packet(
            RtpPacket(kind, self.sequence % 65536, self.timestamp % (1 << 32), self.ssrc, sound, is_marked=marked)
        )
        self.sequence += 1
        self.timestamp += ticks
        return datagram

    def receive(self, datagram):
        self.events += self.receiver.receive(datagram, now=self.clock_s)

    def speak(self, n_packets=1, *, marked=False):
        """Packets on time."""
        for n in range(n_packets):
            self.wait(self.ptime_ms)
            self.receive(self.build(marked=marked and n == 0))

    def lose(self, n_packets=1):
        """Packets that are sent and never come."""
        for _ in range(n_packets):
            self.wait(self.ptime_ms)
            self.build()

    def fall_silent(self, ms):
        """No packets, and the timestamps go on: silence suppression."""
        self.wait(ms)
        self.timestamp += ms * MS

    @property
    def sounds(self):
        return [event for event in self.events if isinstance(event, CallerAudio)]

    @property
    def holes(self):
        return [event for event in self.events if isinstance(event, MediaIdle)]

    @property
    def concealed_samples(self):
        return sum(sound.concealed_samples for sound in self.sounds)

    def assert_clock_never_stops(self, samples_per_byte=1):
        """Every event begins where the last one ended."""
        at = 0
        for event in self.events:
            if isinstance(event, CallerAudio):
                assert event.start_sample == at
                assert 0 < len(event.content) * samples_per_byte <= 800 * max(1, samples_per_byte) * 2
                at += int(len(event.content) * samples_per_byte)
            elif isinstance(event, MediaIdle):
                assert event.from_sample == at
                assert event.to_sample > at
                at = event.to_sample
        assert at == self.receiver.next_sample
