"""One call's UDP socket, which takes datagrams of its pinned source only."""

import asyncio
import ipaddress
import itertools
import socket
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter

from services.call_gateway.edges.edge import LegFailed

Address = tuple[str, int]

_FOREIGN = Counter("voice_rtp_foreign_packets_total", "Datagrams from an address that is not the call's.")
_UNSENT = Counter("voice_rtp_unsent_packets_total", "Frames the operating system would not take.")

_next_port = itertools.count()
"""Goes round in the range, so that a port that was just given up rests before it is used again."""

_EXPEDITED_FORWARDING: Final = 46 << 2  # RFC 3246: voice goes first where the network cares


class RtpSocket:
    """UDP socket: bound at once, pinned to one source later, and read only then, so that no call hears another's
    packets.
    """

    def __init__(self, host: str, *, first_port: int = 0, last_port: int = 0) -> None:
        """Takes a free port of the range, or any where it is 0. Raises LegFailed when there is none."""
        self.foreign_packets = 0
        self.last_foreign: Address | None = None
        self._socket = _bind(host, first_port, last_port)
        self._source: Address | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def local_address(self) -> Address:
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    async def open(self, source: Address, on_datagram: Callable[[bytes], None]) -> None:
        """Begin to read. `on_datagram` gets each datagram of `source` on the event loop; it must not raise."""
        self._source = self._reachable(source)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Reader(source, on_datagram, self._count_foreign), sock=self._socket
        )
        self._transport = transport

    def send(self, datagram: bytes) -> None:
        """Send one RTP packet to the source of the caller's media.

        What the system cannot take now is dropped and counted: a late frame is worth nothing.
        """
        if self._source is None:
            return
        try:
            self._socket.sendto(datagram, self._source)
        except OSError:
            _UNSENT.inc()

    def close(self) -> None:
        """Stop. May be called twice."""
        self._source = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        else:
            self._socket.close()

    def _reachable(self, address: Address) -> Address:
        """The address as a socket of this family sends to it (RFC 4291 section 2.5.5.2)."""
        host, port = address
        is_mapped = self._socket.family is socket.AF_INET6 and ":" not in host
        return (f"::ffff:{host}", port) if is_mapped else address

    def _count_foreign(self, address: Address) -> None:
        self.foreign_packets += 1
        self.last_foreign = address
        _FOREIGN.inc()


class _Reader(asyncio.DatagramProtocol):
    def __init__(
        self, source: Address, on_datagram: Callable[[bytes], None], count_foreign: Callable[[Address], None]
    ) -> None:
        self._source = _plain(source)
        self._on_datagram = on_datagram
        self._count_foreign = count_foreign

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        sender = str(addr[0]), addr[1]  # IPv6 has four parts: the flow and the scope name no other sender
        if sender == self._source or _plain(sender) == self._source:
            self._on_datagram(data)
        else:
            self._count_foreign(sender)


def written(address: Address) -> str:
    """Return the address as host:port, IPv6 in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _plain(address: Address) -> Address:
    """One spelling an address: without scope, and IPv4 where IPv6 only carries it. A name stays a name."""
    host, port = address
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return address
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip), port


def _bind(host: str, first_port: int, last_port: int) -> socket.socket:
    n_ports = last_port - first_port + 1
    ports = [first_port + next(_next_port) % n_ports for _ in range(n_ports)] if first_port else [0]
    for port in ports:
        udp = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.setblocking(False)
            if udp.family is socket.AF_INET:
                udp.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED_FORWARDING)
            else:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EXPEDITED_FORWARDING)
            udp.bind((host, port))
        except OSError as error:
            udp.close()
            failure = error
        else:
            return udp
    raise LegFailed(f"no UDP port for RTP on {host} ({first_port}-{last_port}): {failure}")
