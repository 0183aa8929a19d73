"""The ARI edge against a real Asterisk, with real phones; the session behind it echoes (echo_session.py)."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from clients.phone.recording import Recording
from clients.phone.sip_phone import PhoneFailed, SipCall
from deploy.asterisk.private_pbx import PrivatePbx
from services.audio.g711 import decode_mulaw, encode_mulaw
from tests.integration.asterisk import ask, number, running_edge, running_pbx, wait_empty
from tests.integration.echo_session import GREETING_HERTZ, MOST_OF_A_BEEP_S
from tests.integration.phones import hear_tone, running_phones, seconds_of_tone, tone
from tests.integration.sip_peer import RtpPeer, sip_peer
from tests.integration.waiting import until, until_awaited

pytestmark = pytest.mark.asterisk


async def test_the_caller_hears_the_greeting_whole_and_is_heard(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        call = await phones.call(number(pbx, "1001"))
        await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        call.say(tone(440, 1.0))
        await hear_tone(call, 440, seconds=0.9)
        await call.hang_up()
        told = await edge.wait_for("call")
        assert told["language_codes"] == ["vi-VN", "en-US"]
        assert told["caller"] == "caller"
        assert (await edge.wait_for("LegEnded"))["cause"] == "caller"
        await wait_empty(pbx)


@pytest.mark.parametrize("codec", ["alaw", "g722"])
async def test_other_codecs_carry_sound_both_ways(tmp_path: Path, codec: str):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx, codec=codec), running_phones() as phones:
        call = await phones.call(number(pbx))
        await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        call.say(tone(440, 1.0))
        await hear_tone(call, 440, seconds=0.8)


async def test_keys_and_hold_are_told_and_sound_goes_on(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        call = await phones.call(number(pbx))
        await edge.wait_for("answered")
        await call.press("5#")
        await edge.wait_for("KeyPressed", digit="5")
        await edge.wait_for("KeyPressed", digit="#")
        await call.press("7")
        async with asyncio.timeout(5):
            while call.keys != ["4", "2"]:
                await asyncio.sleep(0.05)
        await call.hold()
        await edge.wait_for("HoldChanged", text="HoldChanged(is_held=True, was_missed=False)")
        await edge.wait_for("MediaIdle", reason="hold")
        await call.resume()
        await edge.wait_for("HoldChanged", text="HoldChanged(is_held=False, was_missed=False)")
        before_s = call.heard.length_s
        call.say(tone(440, 1.0))
        await hear_tone(call, 440, seconds=0.8, from_s=before_s)


async def test_the_agent_hangs_up_after_its_last_word(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        call = await phones.call(number(pbx))
        await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        await call.press("9")
        assert await call.wait_over(5)
        assert (await edge.wait_for("LegEnded"))["cause"] == "agent"
        await wait_empty(pbx)


async def test_a_transfer_connects_the_caller_with_the_reception(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        taken: list[SipCall] = []
        await phones.register("reception", "reception", f"127.0.0.1:{pbx.ports.sip}", on_call=taken.append)
        call = await phones.call(number(pbx))
        await edge.wait_for("answered")
        await call.press("8")
        assert (await edge.wait_for("LegEnded"))["cause"] == "transfer"
        async with asyncio.timeout(5):
            while not taken:
                await asyncio.sleep(0.05)
        call.say(tone(700, 1.0))
        await hear_tone(taken[0], 700, seconds=0.8)
        assert len(await ask(pbx, "bridges")) == 1, "theirs; ours is gone"


async def test_a_caller_handed_over_by_the_reception_talks_to_the_agent(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        taken: list[SipCall] = []
        reception = await phones.register("reception", "reception", f"127.0.0.1:{pbx.ports.sip}", on_call=taken.append)
        caller = await phones.call(number(pbx, "2000"))
        consultation = await phones.call_from(reception, number(pbx))
        await edge.wait_for("answered")
        await taken[0].transfer_to(consultation)
        before_s = caller.heard.length_s
        caller.say(tone(500, 1.5))
        await hear_tone(caller, 500, seconds=1.0, from_s=before_s)
        assert not [told for told in edge.events if told["event"] == "LegEnded"]
        await caller.hang_up()
        assert (await edge.wait_for("LegEnded"))["cause"] == "caller"
        await wait_empty(pbx)


async def test_a_caller_who_comes_again_while_the_first_visit_closes_is_answered(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        call = await phones.call(number(pbx))
        first = await edge.wait_for("answered")
        await call.press("6")
        await edge.wait_for("LegEnded", cause="transfer")
        async with asyncio.timeout(5):
            while len(answered := [told for told in edge.events if told["event"] == "answered"]) < 2:
                await asyncio.sleep(0.02)
        assert not [told for told in edge.events if told["event"] == "over"], "the first visit is still closing"
        over = await edge.wait_for("over", call_id=first["call_id"])
        before_s = call.heard.length_s
        call.say(tone(440, 1.0))
        await hear_tone(call, 440, seconds=0.8, from_s=before_s)
        await call.hang_up()
        await edge.wait_for("LegEnded", call_id=answered[1]["call_id"], cause="caller")
        again = await edge.wait_for("over", call_id=answered[1]["call_id"])
        assert over["visit_id"] != again["visit_id"]
        await wait_empty(pbx)


async def until_held(pbx: PrivatePbx, is_held: bool) -> None:
    """Wait until Asterisk says of its only call of a phone that it is on hold, or not any more."""

    async def has_it() -> bool:
        (phone,) = [channel["id"] for channel in await ask(pbx, "channels") if channel["name"].startswith("PJSIP/")]
        answer = await ask(pbx, f"channels/{phone}/variable?variable=CHANNEL(rtp,hold,audio)")
        return bool(answer["value"] == str(int(is_held)))

    await until_awaited(has_it)


async def test_a_hold_and_its_end_without_events_are_read_from_the_channel(tmp_path: Path):
    """The events are lost with the connection: another process is connected meanwhile, or none."""
    async with running_pbx(tmp_path) as pbx, running_phones() as phones:
        async with running_edge(pbx) as edge:
            call = await phones.call(number(pbx))
            await edge.wait_for("answered")
            await edge.kill()
        await call.hold()
        await until_held(pbx, True)
        async with running_edge(pbx) as edge:
            await edge.wait_for("HoldChanged", text="HoldChanged(is_held=True, was_missed=True)")
            await edge.kill()
        await call.resume()
        await until_held(pbx, False)
        async with running_edge(pbx) as edge:
            await edge.wait_for("answered")
            before_s = call.heard.length_s
            call.say(tone(440, 1.0))
            await hear_tone(call, 440, seconds=0.8, from_s=before_s)


async def test_media_goes_over_ipv6_too(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx, media_host="::1"), running_phones() as phones:
        call = await phones.call(number(pbx))
        await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        call.say(tone(440, 1.0))
        await hear_tone(call, 440, seconds=0.8)


async def test_media_that_move_to_another_port_are_heard_and_spoken_to_there(tmp_path: Path):
    """A re-INVITE, as after a phone has changed its network."""
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, sip_peer() as peer:
        first = await peer.open_rtp()
        await peer.invite(number(pbx), peer.sdp(first))
        await edge.wait_for("answered")
        await first.say(encode_mulaw(tone(440, 1.0)), peer.media)
        await hears(first, 440)
        second = await peer.open_rtp()
        await peer.invite(number(pbx), peer.sdp(second))
        await second.say(encode_mulaw(tone(700, 1.5)), peer.media)
        await hears(second, 700)
        await peer.hang_up(number(pbx))
        assert (await edge.wait_for("LegEnded"))["cause"] == "caller"
        await wait_empty(pbx)


async def test_a_call_whose_offer_comes_from_asterisk_carries_sound_both_ways(tmp_path: Path):
    """An INVITE without SDP (RFC 3261 section 13.2.1): the answer is in the ACK."""
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, sip_peer() as peer:
        rtp = await peer.open_rtp()
        await peer.invite(number(pbx), answer_sdp=peer.sdp(rtp))
        await edge.wait_for("answered")
        await rtp.say(encode_mulaw(tone(440, 1.5)), peer.media)
        await hears(rtp, 440)
        await peer.hang_up(number(pbx))
        await wait_empty(pbx)


async def test_a_peer_that_may_send_its_media_past_asterisk_is_heard(tmp_path: Path):
    """An endpoint with direct_media: it is told to send to whoever Asterisk likes, in mid-call too."""
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, sip_peer(user="direct") as peer:
        rtp = await peer.open_rtp()
        await peer.invite(number(pbx), peer.sdp(rtp))
        await edge.wait_for("answered")
        await rtp.say(encode_mulaw(tone(440, 1.5)), peer.media)
        await hears(rtp, 440)
        await until(lambda: not np.any(np.abs(decode_mulaw(bytes(rtp.heard[-1600:]))) > 500))  # the tone is over
        rtp.heard.clear()
        await rtp.say(encode_mulaw(tone(700, 1.5)), peer.media)
        await hears(rtp, 700)
        await peer.hang_up(number(pbx))
        await wait_empty(pbx)


async def hears(rtp: RtpPeer, hertz: float, *, seconds: float = 0.8, limit_s: float = 3.0) -> None:
    """Wait until a port has heard so much of a tone."""
    async with asyncio.timeout(limit_s):
        while True:
            recording = Recording()
            samples = decode_mulaw(bytes(rtp.heard))
            recording.add(samples, end_s=len(samples) / 8000)
            if seconds_of_tone(recording, hertz) >= seconds:
                return
            await asyncio.sleep(0.05)


async def test_a_wrong_advertised_address_is_reported_in_one_line_that_names_the_addresses(tmp_path: Path):
    async with (
        running_pbx(tmp_path) as pbx,
        running_edge(pbx, media_advertised_host="127.0.0.9") as edge,
        running_phones() as phones,
    ):
        await phones.call(number(pbx))
        told = await edge.wait_for("rtp_no_packets")
        assert told["advertised"].startswith("127.0.0.9:")
        assert told["listening_on"].startswith("127.0.0.1:")
        assert told["expected_from"].startswith("127.0.0.")


async def test_asterisk_itself_ends_a_call_that_lasts_too_long(tmp_path: Path):
    async with running_pbx(tmp_path, longest_call_s=3) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        call = await phones.call(number(pbx))
        assert await call.wait_over(6)
        assert (await edge.wait_for("LegEnded"))["cause"] == "max_duration"
        await wait_empty(pbx)


async def test_asterisk_ends_it_also_when_the_gateway_is_dead(tmp_path: Path):
    async with running_pbx(tmp_path, longest_call_s=3) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        call = await phones.call(number(pbx))
        await edge.wait_for("answered")
        await edge.kill()
        assert await call.wait_over(6)


async def test_two_calls_never_mix(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx), running_phones() as phones:
        one, two = await phones.call(number(pbx)), await phones.call(number(pbx))
        for call in (one, two):
            await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        one.say(tone(440, 1.5))
        two.say(tone(700, 1.5))
        await hear_tone(one, 440, seconds=1.2)
        await hear_tone(two, 700, seconds=1.2)
        assert seconds_of_tone(one.heard, 700) == seconds_of_tone(two.heard, 440) == 0


async def test_an_unknown_number_fails_with_a_message(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_phones() as phones:
        with pytest.raises(PhoneFailed, match="9999"):
            await phones.call(number(pbx, "9999"))
