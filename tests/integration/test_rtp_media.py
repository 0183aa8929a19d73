"""One call's media on real sockets: the source that is heard, packets that are ignored, and the times of frames."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest
import uvloop

from services.audio import g711
from services.call_gateway.edges import pacing
from services.call_gateway.edges.edge import LegFailed
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.edges.rtp_media import RtpMedia
from services.call_gateway.edges.rtp_socket import RtpSocket
from services.call_gateway.line import CallerAudio, LegEvent
from services.call_gateway.rtp.codecs import CODECS
from services.call_gateway.rtp.packet import RtpPacket, parse_packet, sequence_distance, timestamp_distance
from services.call_gateway.rtp.sender import MediaSender
from tests.integration.waiting import until


class Listener:
    """Hears, and says `frames`."""

    def __init__(self, *frames: bytes) -> None:
        self.events: list[LegEvent] = []
        self.frames = list(frames)

    def on_leg_event(self, event: LegEvent) -> None:
        self.events.append(event)

    def next_frame(self) -> bytes | None:
        return self.frames.pop(0) if self.frames else None

    @property
    def heard(self) -> bytes:
        return b"".join(event.content for event in self.events if isinstance(event, CallerAudio))


class Deaf(Listener):
    """Fails at the first frame it is asked for."""

    def next_frame(self) -> bytes | None:
        raise RuntimeError("no voice")


@asynccontextmanager
async def opened(listener: Listener) -> AsyncIterator[tuple[RtpMedia, socket.socket, list[Exception]]]:
    """Media pinned to the returned socket, which is the far side."""
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.bind(("127.0.0.1", 0))
    far.setblocking(False)
    pacer, failures = Pacer(), list[Exception]()
    async with asyncio.TaskGroup() as tasks:
        ticking = tasks.create_task(pacer.run())
        media = RtpMedia(CODECS["ulaw"](), pacer, host="127.0.0.1")
        try:
            await media.open(far.getsockname(), listener, on_failure=failures.append)
            yield media, far, failures
        finally:
            media.close()
            ticking.cancel()
            far.close()


async def test_only_the_calls_own_source_is_heard():
    listener = Listener()
    async with opened(listener) as (media, far, _):
        ours, theirs = MediaSender(0), MediaSender(0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(5):
                stranger.sendto(theirs.packet(b"\x11" * 160, ticks=160), media.local_address)
                far.sendto(ours.packet(b"\x22" * 160, ticks=160), media.local_address)
        await until(lambda: len(listener.heard) >= 800)
    assert listener.heard == b"\x22" * 800


async def test_garbage_from_the_own_source_disturbs_nothing():
    listener = Listener()
    async with opened(listener) as (media, far, failures):
        sender = MediaSender(0)
        for garbage in (b"", b"\x80\x00", b"\xff" * 172, bytes(1400)):
            far.sendto(sender.packet(b"\x22" * 160, ticks=160), media.local_address)
            far.sendto(garbage, media.local_address)
        far.sendto(sender.packet(b"\x22" * 160, ticks=160), media.local_address)
        await until(lambda: len(listener.heard) >= 800)
    assert listener.heard == b"\x22" * 800
    assert failures == []


async def test_a_payload_that_changes_in_mid_call_is_heard_and_answered_in_kind():
    """A re-INVITE from PCMU to PCMA: the session's format stays what it was."""
    listener = Listener()
    async with opened(listener) as (media, far, _):
        sender = MediaSender(0)
        far.sendto(sender.packet(b"\x22" * 160, ticks=160), media.local_address)
        sender.use_payload(8)
        for _ in range(5):
            far.sendto(
                sender.packet(g711.encode_alaw(g711.decode_mulaw(b"\x22" * 160)), ticks=160), media.local_address
            )
        await until(lambda: len(listener.heard) >= 960)
        _received(far)
        listener.frames.append(b"\x33" * 160)
        answered = await _receive(far, 3)
    assert listener.heard == b"\x22" * 960
    assert {packet.payload_type for packet in answered} == {8}
    assert g711.encode_mulaw(g711.decode_alaw(answered[0].payload)) == b"\x33" * 160


async def test_what_was_sent_before_the_pinning_by_a_dead_gateways_caller_is_not_heard():
    pacer, listener = Pacer(), Listener()
    media = RtpMedia(CODECS["ulaw"](), pacer, host="127.0.0.1")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        far.bind(("127.0.0.1", 0))
        stranger.sendto(MediaSender(0).packet(b"\x11" * 160, ticks=160), media.local_address)
        await media.open(far.getsockname(), listener, on_failure=lambda _: None)
        far.sendto(MediaSender(0).packet(b"\x22" * 160, ticks=160), media.local_address)
        await until(lambda: listener.heard)
        media.close()
    assert listener.heard == b"\x22" * 160


async def test_frames_leave_every_20_ms_and_silence_fills_the_rest():
    listener = Listener(b"\x33" * 160, b"\x44" * 160)
    async with opened(listener) as (_, far, _):
        began = time.monotonic()
        packets = await _receive(far, 25)
        took_s = time.monotonic() - began
    assert 0.42 <= took_s <= 0.6, "25 frames are 500 ms, of which up to 60 may be caught up"
    assert [packet.payload for packet in packets[:3]] == [b"\x33" * 160, b"\x44" * 160, b"\xff" * 160]
    assert [packet.is_marked for packet in packets[:2]] == [True, False]
    steps = {later.timestamp - earlier.timestamp for earlier, later in pairwise(packets)}
    assert steps == {160}


async def test_the_timestamps_go_on_over_a_stall_of_the_process_and_the_first_packet_after_it_is_marked():
    async with opened(Listener()) as (_, far, _):
        before = await _receive(far, 5)
        time.sleep(0.5)  # noqa: ASYNC251 - the event loop is starved
        after = await _receive(far, 10)
    late = timestamp_distance(after[0].timestamp, before[-1].timestamp)
    assert after[0].is_marked
    assert sequence_distance(after[0].sequence, before[-1].sequence) == 1
    assert 0.42 <= late / 8000 <= 0.50, "500 ms passed, of which up to 60 were caught up"
    assert {timestamp_distance(later.timestamp, earlier.timestamp) for earlier, later in pairwise(after)} == {160}


async def _receive(far: socket.socket, n_packets: int) -> list[RtpPacket]:
    """At least so many packets, as soon as they have come."""
    packets: list[RtpPacket] = []
    await until(lambda: packets.extend(_received(far)) or len(packets) >= n_packets)
    return packets


def _received(far: socket.socket) -> list[RtpPacket]:
    packets = []
    with suppress(BlockingIOError):
        while True:
            packets.append(parse_packet(far.recv(2048)))
    return packets


@pytest.mark.parametrize("run", [uvloop.run, asyncio.run])
def test_the_pacer_sleeps_once_a_tick(run: Callable[[Coroutine[None, None, None]], None], monkeypatch):
    """The pacer does not turn in circles until a tick is due: uvloop's clock moves by whole milliseconds."""
    ticks: list[int] = []
    sleeps: list[float] = []
    until = pacing._until

    async def counted(loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        sleeps.append(due_s)
        await until(loop, due_s)

    async def turn() -> None:
        pacer = Pacer()
        pacer.add(lambda: ticks.append(1))
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await pacer.run()

    monkeypatch.setattr(pacing, "_until", counted)
    run(turn())
    assert len(ticks) >= 10
    assert len(sleeps) <= len(ticks) + 2


async def test_a_listener_that_fails_ends_its_own_call_only():
    healthy, broken = Listener(), Deaf()
    async with opened(healthy) as (media, far, failures), opened(broken) as (_, _, its_failures):
        await until(lambda: its_failures)
        far.sendto(MediaSender(0).packet(b"\x22" * 160, ticks=160), media.local_address)
        await until(lambda: healthy.heard)
        assert [str(failure) for failure in its_failures] == ["no voice"]
        assert failures == []
    assert healthy.heard == b"\x22" * 160


async def test_ports_come_from_the_range_and_run_out_in_words():
    sockets = [RtpSocket("127.0.0.1", first_port=31990, last_port=31992) for _ in range(3)]
    assert sorted(taken.local_address[1] for taken in sockets) == [31990, 31991, 31992]
    with pytest.raises(LegFailed, match="31990-31992"):
        RtpSocket("127.0.0.1", first_port=31990, last_port=31992)
    for taken in sockets:
        taken.close()
