"""A SIP endpoint on a UDP socket of its own, for what a phone's stack never does: answers of any status to a call, an
INVITE without SDP, media that move to another port.
"""

import asyncio
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self, cast

from services.call_gateway.rtp.packet import parse_packet
from services.call_gateway.rtp.sender import MediaSender

FRAME_BYTES = 160
FRAME_S = 0.02
LIMIT_S = 8.0


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response: its first line, its header fields by lower-case name, its body."""

    first: str
    fields: dict[str, str]
    body: str

    @classmethod
    def read(cls, datagram: bytes) -> Self:
        head, _, body = datagram.decode(errors="replace").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            fields.setdefault(name.strip().lower(), value.strip())
        return cls(first, fields, body)

    @property
    def status(self) -> int:
        """0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Of the request, or of the one that is answered."""
        return self.fields["cseq"].split()[1]


def media_of(sdp: str) -> tuple[str, int]:
    """The address and port at which the far side wants its sound."""
    host = re.search(r"^c=IN IP4 (\S+)", sdp, re.MULTILINE)
    port = re.search(r"^m=audio (\d+)", sdp, re.MULTILINE)
    assert host is not None, sdp
    assert port is not None, sdp
    return host[1], int(port[1])


class RtpPeer(asyncio.DatagramProtocol):
    """One RTP port: what comes in, as mu-law, and a sender of its own."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.transport: asyncio.DatagramTransport | None = None
        self.sender = MediaSender(0, sequence=secrets.randbelow(1000), timestamp=secrets.randbelow(1000))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        packet = parse_packet(data)
        if packet.payload_type == 0:
            self.heard += packet.payload

    @property
    def port(self) -> int:
        assert self.transport is not None
        return int(self.transport.get_extra_info("sockname")[1])

    async def say(self, mulaw: bytes, to: tuple[str, int]) -> None:
        """Send sound at its pace."""
        assert self.transport is not None
        loop = asyncio.get_running_loop()
        due = loop.time()
        for at in range(0, len(mulaw), FRAME_BYTES):
            frame = mulaw[at : at + FRAME_BYTES]
            self.transport.sendto(self.sender.packet(frame, ticks=len(frame)), to)
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))


@dataclass(slots=True)
class SipPeer(asyncio.DatagramProtocol):
    """Speaks SIP with one far side. One call at a time."""

    on_invite: Callable[["SipPeer", Message], None] | None = None
    received: list[Message] = field(default_factory=list)
    rtp_peers: list[RtpPeer] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # methods of requests that came
    user: str = "peer"
    _transport: asyncio.DatagramTransport | None = None
    _far: tuple[str, int] = ("127.0.0.1", 0)
    _call_id: str = field(default_factory=lambda: secrets.token_hex(8))
    _tag: str = field(default_factory=lambda: secrets.token_hex(4))
    _to: str = ""
    _cseq: int = 0
    media: tuple[str, int] = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        message = Message.read(data)
        if message.status:
            self.received.append(message)
            return
        self.requests.append(message.method)
        self._far = str(addr[0]), addr[1]
        if message.method == "INVITE" and self.on_invite is not None:
            self.on_invite(self, message)
        elif message.method != "ACK":
            self.answer(message, "200 OK")

    def answer(self, request: Message, status: str, sdp: str = "") -> None:
        """Answer a request."""
        to = request.fields["to"]
        to = to if "tag=" in to or status.startswith("100") else f"{to};tag={self._tag}"
        fields = {
            "Via": request.fields["via"],
            "From": request.fields["from"],
            "To": to,
            "Call-ID": request.fields["call-id"],
            "CSeq": request.fields["cseq"],
            "Contact": f"<sip:{self.user}@127.0.0.1:{self.port}>",
        }
        self._send(f"SIP/2.0 {status}", fields, sdp)

    def sdp(self, rtp: RtpPeer, codec: str = "0 PCMU") -> str:
        """An offer or answer: sound to this port."""
        payload, name = codec.split()
        return (
            f"v=0\r\no=- {secrets.randbelow(10**6)} {len(self.rtp_peers)} IN IP4 127.0.0.1\r\ns=-\r\n"
            "c=IN IP4 127.0.0.1\r\n"
            f"t=0 0\r\nm=audio {rtp.port} RTP/AVP {payload}\r\na=rtpmap:{payload} {name}/8000\r\na=sendrecv\r\n"
        )

    async def open_rtp(self) -> RtpPeer:
        """A fresh RTP port."""
        rtp = RtpPeer()
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: rtp, local_addr=("127.0.0.1", 0))
        self.rtp_peers.append(rtp)
        return rtp

    async def invite(self, uri: str, sdp: str = "", *, answer_sdp: str = "") -> Message:
        """Call, or change the call that is up. `answer_sdp`: given with the ACK, for an offer of the far side's."""
        if not self._to:
            host, port = uri.rpartition("@")[2].split(":")
            self._far, self._to = (host, int(port)), f"<{uri}>"
        self._cseq += 1
        self._request("INVITE", uri, sdp)
        accepted = await self._final("INVITE")
        self._to = accepted.fields["to"]
        self._request("ACK", uri, answer_sdp)
        self.media = media_of(accepted.body)
        return accepted

    async def hang_up(self, uri: str) -> None:
        self._cseq += 1
        self._request("BYE", uri)
        await self._final("BYE")

    def _request(self, method: str, uri: str, sdp: str = "") -> None:
        fields = {
            "Via": f"SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{secrets.token_hex(6)};rport",
            "Max-Forwards": "70",
            "From": f"<sip:{self.user}@127.0.0.1:{self.port}>;tag={self._tag}",
            "To": self._to,
            "Call-ID": self._call_id,
            "CSeq": f"{self._cseq} {method}",
            "Contact": f"<sip:{self.user}@127.0.0.1:{self.port}>",
        }
        self._send(f"{method} {uri} SIP/2.0", fields, sdp)

    def _send(self, first: str, fields: dict[str, str], sdp: str) -> None:
        assert self._transport is not None
        if sdp:
            fields = {**fields, "Content-Type": "application/sdp"}
        lines = [first, *(f"{name}: {value}" for name, value in fields.items()), f"Content-Length: {len(sdp)}"]
        self._transport.sendto(("\r\n".join(lines) + "\r\n\r\n" + sdp).encode(), self._far)

    async def _final(self, method: str) -> Message:
        """The 200 of the present request. Fails with what came instead."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for message in self.received:
                    if message.fields["cseq"] == f"{self._cseq} {method}" and message.status >= 200:
                        assert message.status == 200, message.first
                        return message
                await asyncio.sleep(0.01)


@asynccontextmanager
async def sip_peer(
    on_invite: Callable[[SipPeer, Message], None] | None = None, *, user: str = "peer"
) -> AsyncIterator[SipPeer]:
    """A peer on a free port. `on_invite` answers calls to it."""
    peer = SipPeer(on_invite, user=user)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: peer, local_addr=("127.0.0.1", 0), family=socket.AF_INET
    )
    try:
        yield peer
    finally:
        transport.close()
        for rtp in peer.rtp_peers:
            if rtp.transport is not None:
                rtp.transport.close()
