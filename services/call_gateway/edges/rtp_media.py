"""The sound of one call over RTP: socket, receiver and sender put together, both ways at the pacer's beat."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Histogram

from services.call_gateway.edges.edge import LegListener
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.edges.rtp_socket import Address, RtpSocket, written
from services.call_gateway.line import LegEvent
from services.call_gateway.rtp.codecs import FRAME_MS, FRAME_TICKS, PayloadCodec
from services.call_gateway.rtp.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, MalformedPacket
from services.call_gateway.rtp.receiver import MediaReceiver
from services.call_gateway.rtp.sender import MediaSender
from services.runtime.logs import get_logger

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1)
_TICKS_PER_S: Final = 8000  # of the RTP clock
_REPORT_EVERY_TICKS: Final = 50  # of the pacer: once a second
_NO_PACKETS_AFTER_TICKS: Final = 150  # of the pacer: three seconds

_MALFORMED = Counter("voice_rtp_malformed_packets_total", "Datagrams of a call's own source that are no RTP.")
_RECEIVED = Counter("voice_rtp_received_packets_total", "Packets of callers' sound.")
_LOST = Counter("voice_rtp_lost_packets_total", "Packets that never came, or came after they were given up.")
_CONCEALED = Counter("voice_rtp_concealed_seconds_total", "Sound invented to hide a loss.")
_HOLES = Counter("voice_rtp_hole_seconds_total", "Time on callers' clocks without packets: losses too long, silence.")
_DELAY = Histogram(
    "voice_rtp_delay_seconds",
    "By how much callers' sound lay behind its sender's pace when it was given out: the worst of each second.",
    buckets=_SECONDS,
)
_JITTER = Histogram("voice_rtp_jitter_seconds", "Of a call, when it ends (RFC 3550 section 6.4.1).", buckets=_SECONDS)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Totals:
    """The part of a call's counts that was passed on already."""

    packets: int = 0
    lost: int = 0
    concealed_ticks: int = 0
    hole_ticks: int = 0


class RtpMedia:
    """Media of one call. It holds a port from the beginning, and sends and receives packets from `open` to `close`."""

    def __init__(
        self, codec: PayloadCodec, pacer: Pacer, *, host: str, first_port: int = 0, last_port: int = 0
    ) -> None:
        """Raises LegFailed when there is no free port."""
        self._socket = RtpSocket(host, first_port=first_port, last_port=last_port)
        self._codec = codec
        self._pacer = pacer
        self._receiver = MediaReceiver(codec)
        self._sender = _sender(codec)
        self._frame_samples = FRAME_MS * codec.audio_format.sample_rate_hertz // 1000
        self._silence = codec.audio_format.silence(self._frame_samples)
        self._listener: LegListener | None = None
        self._on_failure: Callable[[Exception], None] = _ignore
        self._n_ticks = 0
        self._source = self._advertised = self.local_address
        self._reported = _Totals()

    @property
    def local_address(self) -> Address:
        """Return where the far side is to send."""
        return self._socket.local_address

    async def open(
        self,
        source: Address,
        listener: LegListener,
        *,
        on_failure: Callable[[Exception], None],
        advertised: Address | None = None,
    ) -> None:
        """Begin: sample 0 is now, and from the next slot on a frame leaves every 20 ms. `advertised`: where the far
        side was told to send, when it is not the local address.

        `on_failure` is told when the listener raises, and then nothing more is received or sent.
        """
        self._listener, self._on_failure = listener, on_failure
        self._source, self._advertised = source, advertised or self.local_address
        self._receiver.start(time.monotonic())
        await self._socket.open(source, self._on_datagram)
        if self._listener is not None:  # else it was closed meanwhile
            self._pacer.add(self._tick, on_failure=self._fail, on_skip=self._skip)

    def set_held(self, is_held: bool) -> None:
        """Give holes in the caller's sound the hold as their cause from now on, or no longer."""
        self._receiver.set_held(is_held)

    def close(self) -> None:
        """Send and receive no more. May be called twice."""
        was_open, self._listener = self._listener is not None, None
        self._pacer.remove(self._tick)
        self._socket.close()
        if was_open:
            self._report()

    def _on_datagram(self, datagram: bytes) -> None:
        try:
            self._deliver(self._receiver.receive(datagram, now=time.monotonic()))
        except MalformedPacket:
            _MALFORMED.inc()
        except Exception as error:
            log.exception("listener_failed")
            self._fail(error)

    def _tick(self) -> None:
        """Let the caller's clock go on, then send the frame that is due."""
        if events := self._receiver.on_timer(time.monotonic()):
            self._deliver(events)
        self._n_ticks += 1
        if self._n_ticks % _REPORT_EVERY_TICKS == 0:
            self._count()
        if self._n_ticks == _NO_PACKETS_AFTER_TICKS and not self._receiver.counts.packets:
            self._warn_of_no_packets()
        if self._listener is None:
            return
        frame = self._listener.next_frame()
        codec = self._receiver.codec
        if codec is not self._codec:
            log.info("rtp_payload_changed", codec=codec.name)
            self._codec = codec
            self._sender.use_payload(codec.payload_type)
        payload = codec.encode(self._silence if frame is None else frame)
        self._socket.send(self._sender.packet(payload, ticks=len(payload)))

    def _skip(self, n_frames: int) -> None:
        """The far side's clock went on while nothing was sent."""
        self._sender.skip(n_frames * FRAME_TICKS)

    def _deliver(self, events: list[LegEvent]) -> None:
        for event in events:
            if self._listener is None:
                return
            self._listener.on_leg_event(event)

    def _fail(self, error: Exception) -> None:
        self.close()
        self._on_failure(error)

    def _count(self) -> None:
        """Pass on what came in since the last time."""
        order, counts = self._receiver.order_counts, self._receiver.counts
        before = self._reported
        self._reported = now = _Totals(counts.packets, order.lost, counts.concealed_ticks, counts.hole_ticks)
        _RECEIVED.inc(now.packets - before.packets)
        _LOST.inc(now.lost - before.lost)
        _CONCEALED.inc((now.concealed_ticks - before.concealed_ticks) / _TICKS_PER_S)
        _HOLES.inc((now.hole_ticks - before.hole_ticks) / _TICKS_PER_S)
        if (delay_s := self._receiver.take_worst_delay()) is not None:
            _DELAY.observe(delay_s)

    def _warn_of_no_packets(self) -> None:
        """Log that no packet has come. The usual cause is a firewall, or NAT and no address that reaches through it."""
        log.warning(
            "rtp_no_packets",
            listening_on=written(self.local_address),
            advertised=written(self._advertised),
            expected_from=written(self._source),
            foreign_packets=self._socket.foreign_packets,
            foreign_from=written(self._socket.last_foreign) if self._socket.last_foreign else "",
            remedy="check the firewall, and GATEWAY_ARI_MEDIA_HOST and GATEWAY_ARI_MEDIA_ADVERTISED_HOST",
        )

    def _report(self) -> None:
        self._count()
        order, counts = self._receiver.order_counts, self._receiver.counts
        _JITTER.observe(counts.jitter_ticks / _TICKS_PER_S)
        log.info(
            "rtp_closed",
            sent=self._sender.packets_sent,
            received=counts.packets,
            lost=order.lost,
            late=order.late,
            duplicate=order.duplicate,
            reordered=order.reordered,
            foreign=self._socket.foreign_packets,
            epochs=counts.epochs,
            wrong_steps=counts.wrong_steps,
            payload_changes=counts.payload_changes,
            unknown_payload=counts.unknown_payload,
            concealed_ms=counts.concealed_ticks // 8,
            hole_ms=counts.hole_ticks // 8,
            jitter_ms=round(counts.jitter_ticks / 8, 1),
        )


def _sender(codec: PayloadCodec) -> MediaSender:
    """Begins where the wall clock is, not at random as RFC 3550 section 5.1 would have it.

    Asterisk hands our sequence on to the phone. When a call is adopted, that of the process before us must not look
    newer than ours, or the phone drops all we send as late.
    """
    frames = int(time.time() * 1000 / FRAME_MS)
    return MediaSender(
        codec.payload_type, sequence=frames % SEQUENCE_MODULUS, timestamp=frames * FRAME_TICKS % TIMESTAMP_MODULUS
    )


def _ignore(_error: Exception) -> None:
    """The listener before `open`: it takes nothing and gives silence."""
