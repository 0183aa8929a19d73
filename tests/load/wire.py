"""A caller's end of the wire: RTP out of a clip, RTP in with the kernel's own arrival times.

Times are seconds of CLOCK_REALTIME, since that is the clock the kernel stamps packets with (SO_TIMESTAMPNS,
socket(7)). Sending and arriving are thus read from one clock, and the caller's own scheduling delay is not mistaken for
the agent's.
"""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from services.audio.g711 import MULAW_SILENCE, decode_mulaw

FRAME_SAMPLES = 160
FRAME_S = 0.02
AUDIBLE = 10 ** (-40 / 20) * 32768
"""-40 dBFS: quieter than that is comfort noise, not an answer."""

_RTP_HEADER = struct.Struct("!BBHII")
_MULAW_PAYLOAD = 0
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python's socket module does not name it
_TIMESPEC = struct.Struct("@qq")
_LOUD = np.abs(decode_mulaw(bytes(range(256))).astype(np.int32)) > AUDIBLE
SILENT_FRAME = bytes([MULAW_SILENCE]) * FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class HeardFrame:
    """One packet of the agent's voice as it arrived."""

    arrived_s: float
    sequence: int
    payload: bytes

    @property
    def is_audible(self) -> bool:
        return bool(_LOUD[np.frombuffer(self.payload, dtype=np.uint8)].any())

    def tone_hertz(self) -> float:
        """The strongest frequency, to within half a bin (4 Hz at 1024 points)."""
        samples = decode_mulaw(self.payload).astype(np.float64)
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), n=1024))
        return float(spectrum.argmax()) * 8000 / 1024


@dataclass(slots=True)
class Wire:
    """One UDP socket that speaks RTP to the gateway, as Asterisk would."""

    socket: socket.socket
    gateway: tuple[str, int] | None = None
    sequence: int = 0
    timestamp: int = 0
    ssrc: int = 0
    lateness_s: list[float] = field(default_factory=list)  # how late each of our own packets left
    gaps_s: list[float] = field(default_factory=list)  # between two packets of the agent
    carry: Callable[[bytes], None] | None = None  # a network in between, which calls `deliver`; None: the loopback
    _last_arrival_s: float = 0.0

    @classmethod
    def open(cls, ssrc: int) -> "Wire":
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        return cls(socket=udp, ssrc=ssrc)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, payload: bytes | None, *, due_s: float) -> float:
        """Send one frame (None: silence); the time it left."""
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        header = _RTP_HEADER.pack(0x80, _MULAW_PAYLOAD, self.sequence, self.timestamp, self.ssrc)
        left_s = time.time()
        (self.carry or self.deliver)(header + (payload or SILENT_FRAME))
        self.lateness_s.append(left_s - due_s)
        return left_s

    def deliver(self, datagram: bytes) -> None:
        """Hand a datagram to the gateway now; lost when the call is over."""
        if self.gateway is not None and self.socket.fileno() >= 0:
            self.socket.sendto(datagram, self.gateway)

    def receive(self) -> Iterator[HeardFrame]:
        """Every packet that waits in the socket."""
        while True:
            try:
                datagram, ancillary, _, _ = self.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            arrived_s = time.time()
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                    seconds, nanoseconds = _TIMESPEC.unpack(content[: _TIMESPEC.size])
                    arrived_s = seconds + nanoseconds / 1e9
            if self._last_arrival_s:
                self.gaps_s.append(arrived_s - self._last_arrival_s)
            self._last_arrival_s = arrived_s
            yield HeardFrame(arrived_s, struct.unpack_from("!H", datagram, 2)[0], datagram[12:])

    def close(self) -> None:
        self.socket.close()
