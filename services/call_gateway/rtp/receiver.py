"""RTP receiver (RFC 3550): turns datagrams into the caller's sound on the call's own media clock.

Three clocks meet here. The sender's timestamps place sound exactly, but jump on transfer, hold and a change of source.
The arrival clock says how much time really passed. The call's clock, by which the rest of the gateway counts, follows
the timestamps while these agree with the arrival clock, and the arrival clock otherwise; it goes on when packets stop.
Where sequence, arrival and payload length agree with one another and the timestamps do not, as with a sender that
counts G.722 in 16 kHz, the timestamps are ignored. All times inside are ticks of the 8 kHz RTP clock.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from services.audio.concealment import Concealer
from services.audio.pcm import decode, encode
from services.call_gateway.line import CallerAudio, IdleReason, KeyPressed, LegEvent, MediaIdle
from services.call_gateway.media_clock import ArrivalClock
from services.call_gateway.rtp.codecs import FRAME_TICKS, RTP_CLOCK_HERTZ, PayloadCodec, codec_for
from services.call_gateway.rtp.dtmf import Key, TelephoneEventDecoder, parse_event
from services.call_gateway.rtp.packet import is_rtcp, parse_packet, timestamp_distance
from services.call_gateway.rtp.reorderer import OrderCounts, OrderedPacket, Reorderer

_TICKS_PER_MS: Final = RTP_CLOCK_HERTZ // 1000
_IDLE_AFTER_TICKS: Final = 60 * _TICKS_PER_MS  # a packet this late leaves a hole
_MAX_CONCEALED_TICKS: Final = 160 * _TICKS_PER_MS  # a longer loss is concealed so far, then a hole
_MAX_CHUNK_TICKS: Final = 100 * _TICKS_PER_MS
_MAX_LEAD_TICKS: Final = 200 * _TICKS_PER_MS  # more than jitter: the sender's clock was misread
_GAP_TOLERANCE_TICKS: Final = 250 * _TICKS_PER_MS  # between what timestamps and arrivals say of one gap
_LONGEST_PACKET_TICKS: Final = 60 * _TICKS_PER_MS
_FOLLOWED_PACKETS: Final = 3  # of another payload in a row are a change, and not a packet gone astray
_KEY_REPORT_TICKS: Final = 100 * _TICKS_PER_MS  # a hole this soon after a report on a key is the key's


@dataclass(slots=True)
class ReceiverCounts:
    """Counts of received packets, beside those of the reorderer."""

    packets: int = 0
    rtcp: int = 0
    unknown_payload: int = 0
    payload_changes: int = 0  # to another codec, followed
    epochs: int = 0  # times the sender's timestamps were set in relation to the call's clock
    wrong_steps: int = 0  # of the timestamps, against sequence, arrival and payload length
    concealed_ticks: int = 0
    hole_ticks: int = 0
    jitter_ticks: float = 0.0  # RFC 3550 section 6.4.1


class MediaReceiver:
    """One caller's incoming RTP. Call `start` first, then `receive` and `on_timer`; each gives events in order.

    The sender may change to another payload we know; the events keep the format of the first.
    """

    def __init__(
        self, codec: PayloadCodec, *, event_payload_type: int | None = None, reorder_wait_s: float = 0.060
    ) -> None:
        self.counts = ReceiverCounts()
        self._audio_format = codec.audio_format
        self._codecs: dict[int, PayloadCodec | None] = {codec.payload_type: codec}  # by payload type; None: unknown
        self._codec = codec
        self._n_other_payload = 0  # packets of another payload than that of _codec, in a row
        self._event_payload_type = event_payload_type
        self._samples_per_tick = codec.audio_format.sample_rate_hertz // RTP_CLOCK_HERTZ
        self._order = Reorderer(wait_s=reorder_wait_s)
        self._clock = ArrivalClock(RTP_CLOCK_HERTZ)
        self._keypad = TelephoneEventDecoder()
        self._concealer = Concealer(codec.audio_format.sample_rate_hertz)
        self._recent_contents: deque[bytes] = deque(maxlen=3)  # fed to the concealer when a packet is missing
        self._next_tick = 0  # the call's clock: the events given out end here
        self._true_tick = 0  # the sender's clock on the same scale; behind _next_tick when packets came late
        self._next_timestamp: int | None = None
        self._steps_wrong = False  # the sender's last step was wrong
        self._assumed_ticks = 0  # of pauses under wrong timestamps, which may have been jitter
        self._packet_ticks = FRAME_TICKS
        self._lost_packets = 0  # given up since the last sound
        self._transit: float | None = None
        self._is_idle = False  # the last event given out is a hole
        self._idle_cause = IdleReason.UNKNOWN  # of that hole
        self._is_held = False
        self._key_until_tick = 0
        self._now = 0.0
        self._quiet_until = 0.0  # before that no hole can begin, unless a packet is missing
        self._worst_delay_s: float | None = None

    @property
    def codec(self) -> PayloadCodec:
        """Of the payload that the sender uses now: what is sent to it should be the same."""
        return self._codec

    @property
    def order_counts(self) -> OrderCounts:
        return self._order.counts

    @property
    def next_sample(self) -> int:
        """Return where the call's clock stands."""
        return self._next_tick * self._samples_per_tick

    def take_worst_delay(self) -> float | None:
        """Return the worst delay of sound given out since the last call behind its sender's pace, in seconds: in the
        network, and for a missing packet. None: no sound was given out.
        """
        worst, self._worst_delay_s = self._worst_delay_s, None
        return worst

    def start(self, now: float) -> None:
        """Sample 0 is now."""
        self._clock.restart(0, arrival=now)

    def receive(self, datagram: bytes, *, now: float) -> list[LegEvent]:
        """Take an RTP datagram, `now` in seconds, monotonic. Raises MalformedPacket, and then nothing has changed."""
        self._now = now
        if is_rtcp(datagram):
            self.counts.rtcp += 1
            return []
        packet = parse_packet(datagram)
        if packet.payload_type == self._event_payload_type:
            parse_event(packet.payload)  # malformed ones raise before they take a place in the order
        self.counts.packets += 1
        return self._take_all(self._order.receive(packet, now=now))

    def set_held(self, is_held: bool) -> None:
        """The call was put on hold or taken back: holes from here on say so."""
        self._is_held = is_held

    def next_deadline(self) -> float:
        """Return when on_timer has something to do, in seconds, monotonic, unless a packet comes before."""
        gap_deadline = self._order.next_deadline()
        return self._clock.time_of(self._idle_tick()) if gap_deadline is None else gap_deadline

    def on_timer(self, now: float) -> list[LegEvent]:
        """Give up missing packets, and let the clock go on where none come."""
        self._now = now
        if now < self._quiet_until and not self._order.is_waiting:
            return []
        events = self._take_all(self._order.on_timer(now))
        if not self._order.is_waiting:
            now_tick = self._clock.tick_at(now)
            if now_tick >= self._idle_tick():
                events.append(self._leave_hole(now_tick - self._next_tick, self._hole_cause(IdleReason.UNKNOWN)))
        return events

    def _idle_tick(self) -> int:
        """The tick of the arrival clock from which a hole begins or goes on."""
        return self._next_tick + (FRAME_TICKS if self._is_idle else self._packet_ticks + _IDLE_AFTER_TICKS)

    def _take_all(self, ordered: list[OrderedPacket]) -> list[LegEvent]:
        events: list[LegEvent] = []
        for placed in ordered:
            self._lost_packets += placed.lost_before
            payload_type = placed.packet.payload_type
            codec = None
            if payload_type == self._event_payload_type:
                self._key_until_tick = self._clock.tick_at(placed.arrival) + _KEY_REPORT_TICKS
                event = parse_event(placed.packet.payload)
                events += map(_key_event, self._keypad.on_event(event, timestamp=placed.packet.timestamp))
            elif (codec := self._codec_of(payload_type)) is not None:
                events += self._take_sound(placed, codec)
            else:
                self.counts.unknown_payload += 1
            if placed.is_new_source and codec is None:
                self._next_timestamp = None
        return events

    def _codec_of(self, payload_type: int) -> PayloadCodec | None:
        if payload_type == self._codec.payload_type:
            self._n_other_payload = 0
            return self._codec
        if payload_type not in self._codecs:
            self._codecs[payload_type] = codec_for(payload_type, self._audio_format)
        codec = self._codecs[payload_type]
        if codec is not None:
            self._n_other_payload += 1
            if self._n_other_payload >= _FOLLOWED_PACKETS:
                self._codec, self._n_other_payload = codec, 0
                self.counts.payload_changes += 1
        return codec

    def _take_sound(self, placed: OrderedPacket, codec: PayloadCodec) -> list[LegEvent]:
        payload = placed.packet.payload
        if not payload:
            return []
        events: list[LegEvent] = []
        ticks = len(payload)
        self._place(placed, ticks)
        gap_ticks = self._true_tick - self._next_tick
        if gap_ticks > 0:
            events += self._fill(gap_ticks, placed)
        elif -gap_ticks > _MAX_LEAD_TICKS:
            self._begin_epoch(self._next_tick, ticks, placed.arrival)
        self._is_idle = False
        if self._keypad.is_down:
            events += map(_key_event, self._keypad.release())
        content = codec.decode(payload)
        events += self._chunks(content, concealed=False)
        self._recent_contents.append(content)
        self._next_timestamp = (placed.packet.timestamp + ticks) % (1 << 32)
        self._true_tick += ticks
        self._packet_ticks = min(ticks, _LONGEST_PACKET_TICKS)
        self._lost_packets = 0
        self._clock.observe(self._true_tick, arrival=placed.arrival)
        on_time = self._clock.time_of(self._true_tick)
        self._quiet_until = on_time + (self._idle_tick() - 1 - self._true_tick) / RTP_CLOCK_HERTZ
        self._measure_delay(on_time)
        self._measure_jitter(placed)
        return events

    def _place(self, placed: OrderedPacket, ticks: int) -> None:
        """Set _true_tick to where the packet begins on the call's clock."""
        waited_ticks = self._clock.tick_at(placed.arrival) - ticks - self._true_tick
        if self._next_timestamp is not None and not placed.is_new_source:
            gap_ticks = timestamp_distance(placed.packet.timestamp, self._next_timestamp)
            if self._is_refuted(gap_ticks, waited_ticks):
                self.counts.wrong_steps += 1
                was_wrong, self._steps_wrong = self._steps_wrong, True
                if was_wrong or abs(gap_ticks) <= _GAP_TOLERANCE_TICKS:
                    self._true_tick += self._gap_without_timestamps(waited_ticks)
                    return
            elif gap_ticks == 0 or (gap_ticks > 0 and self._is_credible(gap_ticks, waited_ticks)):
                self._steps_wrong = False
                self._true_tick += gap_ticks
                return
        begin = max(self._next_tick, self._true_tick + waited_ticks)
        if not self._is_idle and begin - self._next_tick < _IDLE_AFTER_TICKS:
            begin = self._next_tick  # no more than jitter
        self._begin_epoch(begin, ticks, placed.arrival)

    def _is_refuted(self, gap_ticks: int, waited_ticks: int) -> bool:
        """Return whether sequence, arrival and payload length agree against the timestamps, which count again from
        their first right step on. A gap in time delays a packet at least by its own length.
        """
        if gap_ticks == 0 or self._steps_wrong:
            return gap_ticks != 0
        return not self._lost_packets and (gap_ticks < 0 or 2 * waited_ticks < gap_ticks)

    def _gap_without_timestamps(self, waited_ticks: int) -> int:
        """Return the gap between two packets in ticks, from the packets lost and the time that passed.

        A packet that seems to follow a pause may only be late. As much of the pause as the packets after it come too
        early for is taken back, or jitter would add up.
        """
        surplus_ticks = waited_ticks - self._lost_ticks()
        if surplus_ticks >= _IDLE_AFTER_TICKS:
            self._assumed_ticks += surplus_ticks
            return waited_ticks
        taken_back = min(max(0, -surplus_ticks), self._assumed_ticks)
        self._assumed_ticks -= taken_back
        return self._lost_ticks() - taken_back

    def _lost_ticks(self) -> int:
        return self._lost_packets * self._packet_ticks

    def _is_credible(self, gap_ticks: int, waited_ticks: int) -> bool:
        """Return whether a gap in the timestamps agrees with the packets known lost, or with the time that passed."""
        if gap_ticks <= self._lost_packets * _LONGEST_PACKET_TICKS:
            return True
        return abs(gap_ticks - waited_ticks) <= _GAP_TOLERANCE_TICKS

    def _begin_epoch(self, begin: int, ticks: int, arrival: float) -> None:
        self.counts.epochs += 1
        self._assumed_ticks = 0
        self._true_tick = begin
        self._transit = None
        self._clock.restart(begin + ticks, arrival=arrival)

    def _fill(self, gap_ticks: int, placed: OrderedPacket) -> list[LegEvent]:
        """CallerAudio or a hole for the stretch before a packet."""
        is_loss = self._lost_packets > 0
        if is_loss:
            cause = IdleReason.LOSS
        else:
            cause = self._idle_cause if self._is_idle else self._hole_cause(IdleReason.UNKNOWN)
        is_silence_by_design = placed.packet.is_marked and not is_loss  # RFC 3551 section 4.1
        if self._is_idle or is_silence_by_design or self._next_tick == 0 or cause in (IdleReason.HOLD, IdleReason.DTMF):
            return [self._leave_hole(gap_ticks, cause)]
        events = self._conceal(min(gap_ticks, _MAX_CONCEALED_TICKS))
        if gap_ticks > _MAX_CONCEALED_TICKS:
            events.append(self._leave_hole(gap_ticks - _MAX_CONCEALED_TICKS, self._hole_cause(IdleReason.LOSS)))
        return events

    def _conceal(self, ticks: int) -> list[LegEvent]:
        audio_format = self._audio_format
        if self._recent_contents:
            self._concealer.feed(decode(audio_format, b"".join(self._recent_contents)))
            self._recent_contents.clear()
        self.counts.concealed_ticks += ticks
        content = encode(audio_format, self._concealer.conceal(ticks * self._samples_per_tick))
        return self._chunks(content, concealed=True)

    def _chunks(self, content: bytes, *, concealed: bool) -> list[LegEvent]:
        """Content that is next, in pieces of at most 100 ms; moves the call's clock."""
        bytes_per_tick = self._samples_per_tick * self._audio_format.bytes_per_sample
        step = _MAX_CHUNK_TICKS * bytes_per_tick
        chunks: list[LegEvent] = []
        for start in range(0, len(content), step):
            piece = content[start : start + step]
            n_ticks = len(piece) // bytes_per_tick
            n_samples = n_ticks * self._samples_per_tick
            chunks.append(CallerAudio(self.next_sample, piece, n_samples if concealed else 0))
            self._next_tick += n_ticks
        return chunks

    def _leave_hole(self, ticks: int, cause: IdleReason) -> MediaIdle:
        from_sample = self.next_sample
        self._next_tick += ticks
        self.counts.hole_ticks += ticks
        self._is_idle, self._idle_cause = True, cause
        return MediaIdle(from_sample, self.next_sample, cause)

    def _hole_cause(self, otherwise: IdleReason) -> IdleReason:
        if self._is_held:
            return IdleReason.HOLD
        return IdleReason.DTMF if self._next_tick < self._key_until_tick else otherwise

    def _measure_delay(self, on_time: float) -> None:
        delay_s = self._now - on_time
        if self._worst_delay_s is None or delay_s > self._worst_delay_s:
            self._worst_delay_s = delay_s

    def _measure_jitter(self, placed: OrderedPacket) -> None:
        transit = placed.arrival * RTP_CLOCK_HERTZ - self._true_tick
        if self._transit is not None:
            self.counts.jitter_ticks += (abs(transit - self._transit) - self.counts.jitter_ticks) / 16
        self._transit = transit


def _key_event(key: Key) -> KeyPressed:
    return KeyPressed(key.digit, key.duration_ticks // _TICKS_PER_MS)
