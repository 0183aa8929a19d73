"""Gateway processes that die, restart, drain or compete for the calls of an Asterisk, and an Asterisk that restarts."""

import signal
from pathlib import Path

import aiohttp
import pytest

from tests.integration.asterisk import ask, number, running_edge, running_pbx, wait_empty
from tests.integration.echo_session import GREETING_HERTZ, MOST_OF_A_BEEP_S, RECOVERED_HERTZ
from tests.integration.phones import hear_tone, running_phones, tone
from tests.integration.waiting import throughout, until_awaited

pytestmark = pytest.mark.asterisk


async def test_a_gateway_that_died_takes_its_caller_up_again_and_clears_what_it_left(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_phones() as phones:
        async with running_edge(pbx) as edge:
            staying, leaving = await phones.call(number(pbx)), await phones.call(number(pbx))
            await hear_tone(staying, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
            await edge.kill()
        await leaving.hang_up()

        async def has_left_an_orphan() -> bool:
            return len(await ask(pbx, "channels")) == 3  # a caller and two media channels

        await until_awaited(has_left_an_orphan)
        async with running_edge(pbx) as edge:
            told = await edge.wait_for("call")
            assert told["is_recovered"]
            await hear_tone(staying, RECOVERED_HERTZ, seconds=MOST_OF_A_BEEP_S)
            staying.say(tone(440, 1.0))
            await hear_tone(staying, 440, seconds=0.8)
            assert len(await ask(pbx, "channels")) == 2
            assert len(await ask(pbx, "bridges")) == 1
            await staying.hang_up()
            assert (await edge.wait_for("LegEnded"))["cause"] == "caller"
            await wait_empty(pbx)


async def test_calls_that_came_while_the_gateway_was_dead_are_not_lost(tmp_path: Path):
    """Set up, then dead before the answer: the caller still rings when the next process reconciles."""
    async with running_pbx(tmp_path) as pbx, running_phones() as phones:
        async with running_edge(pbx) as edge:
            await edge.kill()
        call = await phones.call(number(pbx))  # no gateway is connected: the dialplan's fallback answers
        assert await call.wait_over(15)
        assert call.heard.last_sound_s() is not None, "an apology is heard"
        await wait_empty(pbx)


async def test_when_asterisk_restarts_its_calls_end_and_new_ones_are_taken(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        await phones.call(number(pbx))
        first = await edge.wait_for("answered")
        await pbx.kill()
        await edge.wait_for("disconnected")
        edge.events[:] = [told for told in edge.events if told["event"] != "connected"]
        await pbx.start()
        await edge.wait_for("connected", limit_s=15)
        assert (await edge.wait_for("LegEnded", call_id=first["call_id"]))["cause"] == "failure"
        call = await phones.call(number(pbx))
        await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)


async def test_callers_who_hang_up_at_once_leave_nothing_behind(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        for _ in range(10):
            call = await phones.call(number(pbx))
            await call.hang_up()
        await wait_empty(pbx)
        call = await phones.call(number(pbx))
        await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        assert edge.process.returncode is None


async def test_a_second_process_with_the_same_application_takes_the_calls_over(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as first, running_phones() as phones:
        call = await phones.call(number(pbx))
        await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        async with running_edge(pbx) as second:
            assert (await first.wait_for("LegEnded"))["cause"] == "failure"
            assert (await second.wait_for("call"))["is_recovered"]
            await hear_tone(call, RECOVERED_HERTZ, seconds=MOST_OF_A_BEEP_S)
            await call.hang_up()
            await wait_empty(pbx)


@pytest.mark.parametrize("dies_with_a_call", [False, True])
async def test_the_name_is_taken_back_when_the_process_that_took_it_is_gone(tmp_path: Path, dies_with_a_call: bool):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as first, running_phones() as phones:
        async with running_edge(pbx) as second:
            await first.wait_for("app_replaced")
            if dies_with_a_call:
                staying = await phones.call(number(pbx))
                await second.wait_for("answered")
                await throughout(
                    4.0,
                    lambda: "app_taken_back" not in {told["event"] for told in first.events},
                    "it gives signs of life",
                )
            await second.kill()
        first.events[:] = [told for told in first.events if told["event"] != "connected"]
        await first.wait_for("app_taken_back", limit_s=15)
        await first.wait_for("connected")
        call = staying if dies_with_a_call else await phones.call(number(pbx))
        assert (await first.wait_for("call"))["is_recovered"] is dies_with_a_call
        await hear_tone(call, RECOVERED_HERTZ if dies_with_a_call else GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)


async def test_the_name_is_taken_back_from_a_stranger_that_is_gone_and_the_caller_goes_on(tmp_path: Path):
    """It wrote no heartbeat, and what the first process left would keep the application listed for ever."""
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as first, running_phones() as phones:
        staying = await phones.call(number(pbx))
        await hear_tone(staying, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        before_s = staying.heard.length_s
        who = {"app": "tong-dai", "api_key": f"{pbx.account.user}:{pbx.account.password}"}
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{pbx.ari_url}/ari/events", params=who):
            await first.wait_for("app_replaced")
        first.events[:] = [told for told in first.events if told["event"] != "connected"]
        await first.wait_for("app_taken_back", limit_s=30)
        await first.wait_for("connected")
        assert await staying.wait_over(20)
        assert staying.heard.last_sound_s(from_s=before_s + 0.2) is not None, "an apology is heard"
        await wait_empty(pbx)
        call = await phones.call(number(pbx))
        await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)


async def test_a_process_that_stops_in_good_order_sends_its_callers_on(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        call = await phones.call(number(pbx))
        await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        before_s = call.heard.length_s
        edge.process.terminate()
        assert await call.wait_over(15)
        assert call.heard.last_sound_s(from_s=before_s + 0.2) is not None, "an apology is heard"
        await wait_empty(pbx)


async def test_a_process_that_drains_keeps_its_calls_and_sends_new_ones_on(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_edge(pbx) as edge, running_phones() as phones:
        staying = await phones.call(number(pbx))
        await hear_tone(staying, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
        edge.process.send_signal(signal.SIGUSR1)
        await edge.wait_for("drains")
        coming = await phones.call(number(pbx))
        assert await coming.wait_over(15)
        assert coming.heard.last_sound_s() is not None, "an apology is heard"
        before_s = staying.heard.length_s
        staying.say(tone(440, 1.0))
        await hear_tone(staying, 440, seconds=0.8, from_s=before_s)


async def test_found_calls_go_on_in_the_dialplan_where_they_are_not_to_be_adopted(tmp_path: Path):
    async with running_pbx(tmp_path) as pbx, running_phones() as phones:
        async with running_edge(pbx) as edge:
            call = await phones.call(number(pbx))
            await hear_tone(call, GREETING_HERTZ, seconds=MOST_OF_A_BEEP_S)
            await edge.kill()
        before_s = call.heard.length_s
        async with running_edge(pbx, adopt_calls="false") as edge:
            assert await call.wait_over(15)
            assert call.heard.last_sound_s(from_s=before_s + 0.2) is not None, "an apology is heard"
            await wait_empty(pbx)
            assert not [told for told in edge.events if told["event"] == "call"]
