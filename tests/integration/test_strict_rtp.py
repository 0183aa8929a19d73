"""Asterisk's strictrtp as it is shipped: a phone that moves its port is heard again, a stranger gets nothing."""

import asyncio
import copy
from pathlib import Path

import pytest

from services.call_gateway.rtp.sender import MediaSender
from tests.integration.asterisk import number, running_pbx
from tests.integration.sip_peer import FRAME_BYTES, RtpPeer, SipPeer, sip_peer
from tests.integration.waiting import throughout, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ECHO = "1002"
N_FRAMES = 150
OWN, FOREIGN = bytes([0x20]) * FRAME_BYTES, bytes([0x55]) * FRAME_BYTES
LEARNT_FRAMES = 10


async def call_echo(peer: SipPeer, uri: str) -> RtpPeer:
    """A call that is up, its sender known to Asterisk."""
    rtp = await peer.open_rtp()
    await peer.invite(uri, peer.sdp(rtp))
    await rtp.say(OWN * N_FRAMES, peer.media)
    assert rtp.heard.count(OWN) > N_FRAMES - LEARNT_FRAMES
    return rtp


@pytest.mark.parametrize("keeps_ssrc", [True, False])
async def test_a_phone_that_moves_its_port_is_heard_again(tmp_path: Path, keeps_ssrc: bool) -> None:
    async with running_pbx(tmp_path) as pbx, sip_peer() as peer:
        before = await call_echo(peer, number(pbx, ECHO))
        moved = await peer.open_rtp()
        if keeps_ssrc:
            moved.sender = before.sender
        await moved.say(OWN * N_FRAMES, peer.media)
        await until(lambda: moved.heard.count(OWN) > N_FRAMES - LEARNT_FRAMES)


@pytest.mark.parametrize("knows_the_call", [True, False])
async def test_a_stranger_is_neither_heard_nor_answered(tmp_path: Path, knows_the_call: bool) -> None:
    async with running_pbx(tmp_path) as pbx, sip_peer() as peer:
        phone = await call_echo(peer, number(pbx, ECHO))
        stranger = await peer.open_rtp()
        stranger.sender = copy.copy(phone.sender) if knows_the_call else MediaSender(0, sequence=7, timestamp=7)
        phone.heard.clear()
        to = peer.media
        await asyncio.gather(phone.say(OWN * N_FRAMES, to), stranger.say(FOREIGN * N_FRAMES, to))
        await until(lambda: phone.heard.count(OWN) > N_FRAMES - LEARNT_FRAMES)
        await throughout(0.3, lambda: FOREIGN not in phone.heard and not stranger.heard, "the stranger is in the call")
