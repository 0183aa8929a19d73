"""The sound of one call over RTP: socket, receiver and sender put together, both ways at the pacer's beat."""

import asyncio
import time
from collections.abc import Callable

from prometheus_client import Counter

from services.call_gateway.conversation.line import CallerAudio, IdleReason, KeyPressed, LegEvent, MediaIdle
from services.call_gateway.edges.edge import LegListener
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.edges.rtp_socket import Address, RtpSocket
from services.call_gateway.rtp.codecs import FRAME_MS, FRAME_TICKS, PayloadCodec
from services.call_gateway.rtp.media import Hole, KeySound, MediaEvent, Sound
from services.call_gateway.rtp.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, MalformedPacket
from services.call_gateway.rtp.receiver import MediaReceiver
from services.call_gateway.rtp.sender import MediaSender
from services.runtime.logs import get_logger

_MALFORMED = Counter("voice_rtp_malformed_packets_total", "Datagrams of a call's own source that are no RTP.")
_LOST = Counter("voice_rtp_lost_packets_total", "Packets that never came, or came after they were given up.")
_CONCEALED = Counter("voice_rtp_concealed_seconds_total", "Sound invented to hide a loss.")

log = get_logger(__name__)


class RtpMedia:
    """Holds a port from the beginning, is silent and deaf until opened, and is spent once closed."""

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

    @property
    def local_address(self) -> Address:
        """Where the far side is to send."""
        return self._socket.local_address

    async def open(self, source: Address, listener: LegListener, *, on_failure: Callable[[Exception], None]) -> None:
        """Sample 0 is now; from the next slot on a frame leaves every 20 ms.

        `on_failure` is told when the listener raises, and then nothing more is heard or sent.
        """
        self._listener, self._on_failure = listener, on_failure
        self._receiver.start(_now())
        await self._socket.open(source, self._hear)
        if self._listener is not None:  # else it was closed meanwhile
            self._pacer.add(self._tick, on_failure=self._fail)

    def set_held(self, is_held: bool) -> None:
        """Tell holes in the caller's sound by their name."""
        self._receiver.set_held(is_held)

    def close(self) -> None:
        """Silent and deaf. May be called twice."""
        was_open, self._listener = self._listener is not None, None
        self._pacer.remove(self._tick)
        self._socket.close()
        if was_open:
            self._report()

    def _hear(self, datagram: bytes) -> None:
        try:
            self._deliver(self._receiver.receive(datagram, now=_now()))
        except MalformedPacket:
            _MALFORMED.inc()
        except Exception as error:
            log.exception("listener_failed")
            self._fail(error)

    def _tick(self) -> None:
        """Let the caller's clock go on, then send what the agent says now."""
        self._deliver(self._receiver.on_timer(_now()))
        if self._listener is None:
            return
        frame = self._listener.next_frame()
        payload = self._codec.encode(self._silence if frame is None else frame)
        self._socket.send(self._sender.packet(payload, ticks=len(payload)))

    def _deliver(self, events: list[MediaEvent]) -> None:
        for event in events:
            if self._listener is None:
                return
            self._listener.on_leg_event(_leg_event(event))

    def _fail(self, error: Exception) -> None:
        self.close()
        self._on_failure(error)

    def _report(self) -> None:
        order, counts = self._receiver.order_counts, self._receiver.counts
        _LOST.inc(order.lost)
        _CONCEALED.inc(counts.concealed_ticks / 8000)
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


def _leg_event(event: MediaEvent) -> LegEvent:
    match event:
        case Sound(start_sample, content, concealed_samples):
            return CallerAudio(start_sample, content, concealed_samples)
        case Hole(from_sample, to_sample, cause):
            return MediaIdle(from_sample, to_sample, IdleReason[cause.name])
        case KeySound(digit, duration_ms):
            return KeyPressed(digit, duration_ms)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _ignore(_error: Exception) -> None:
    """Nobody listens yet."""
