"""A post to the webhook outlives a gateway that is killed while the receiver is out of order, and comes once."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.conformance.servers import ROOT
from tests.integration.program_caller import calling
from tests.integration.scripted_stack import scripted_stack
from tests.integration.test_call_analysis import SAYS, SECRET, hold_a_call
from tests.load.clips import load_clips

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Receiver:
    """A webhook that is out of order until it is mended."""

    def __init__(self) -> None:
        self.is_mended = False
        self.requests: list[tuple[int, str, bytes]] = []  # status, id of the delivery, body
        self._came = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        status = 204 if self.is_mended else 503
        self.requests.append((status, request.headers["X-Tong-Dai-Delivery"], await request.read()))
        self._came.set()
        return web.Response(status=status)

    async def until(self, status: int, *, n: int = 1) -> None:
        async with asyncio.timeout(60):
            while sum(one[0] == status for one in self.requests) < n:
                self._came.clear()
                await self._came.wait()


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT id, ended FROM deliveries").fetchall()


@pytest.mark.timeout(240)
async def test_a_post_survives_the_gateway_and_is_delivered_once(tmp_path: Path) -> None:
    receiver, kept = Receiver(), tmp_path / "webhook.sqlite"
    app = web.Application()
    app.router.add_post("/calls", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/calls"
    hook = {"GATEWAY_WEBHOOK_URL": url, "GATEWAY_WEBHOOK_SECRET": SECRET, "GATEWAY_WEBHOOK_FILE": str(kept)}
    agents = {"NLU_AGENTS_DIR": str(ROOT / "deploy" / "agents"), "NLU_DEFAULT_AGENT": "clinic"}
    settings = {"nlu": agents | {"NLU_AGENT_KIND": "graph"}, "call": hook}
    starting = await asyncio.to_thread(lambda: scripted_stack(tmp_path, SAYS, settings))
    stack = await asyncio.to_thread(starting.__enter__)
    try:
        await hold_a_call(stack.gateway)
        await receiver.until(503, n=2)
        stack.kill("call")
        receiver.is_mended = True
        await asyncio.to_thread(stack.bring_back, "call")
        await receiver.until(204)
        async with asyncio.timeout(30):
            while [ended for _, ended in rows_of(kept)] != ["delivered"]:
                await asyncio.sleep(0.1)
        stack.kill("call")
        await asyncio.to_thread(stack.bring_back, "call")
        await hold_a_call(stack.gateway)  # a second call: its news is delivered, and that of the first is not again
        await receiver.until(204, n=2)
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)
        await runner.cleanup()
    delivered = [(name, json.loads(body)) for status, name, body in receiver.requests if status == 204]
    first, second = delivered
    assert first[0] != second[0]
    assert {name for status, name, _ in receiver.requests if status == 503} == {first[0]}
    assert first[1]["event"] == "call_analysed"
    assert "ridiculous" in first[1]["analysis"]["summary"]


def n_kept(path: Path) -> int:
    """The number of conversations that wait for their analysis."""
    with sqlite3.connect(path) as connection:
        return int(connection.execute("SELECT count(*) FROM analyses").fetchone()[0])


@pytest.mark.timeout(240)
async def test_a_call_whose_gateway_is_killed_before_its_analysis_is_analysed_by_the_next(tmp_path: Path) -> None:
    receiver, kept = Receiver(), tmp_path / "webhook.sqlite"
    receiver.is_mended = True
    app = web.Application()
    app.router.add_post("/calls", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/calls"
    hook = {"GATEWAY_WEBHOOK_URL": url, "GATEWAY_WEBHOOK_SECRET": SECRET, "GATEWAY_WEBHOOK_FILE": str(kept)}
    starting = await asyncio.to_thread(lambda: scripted_stack(tmp_path, SAYS, {"call": hook}))
    stack = await asyncio.to_thread(starting.__enter__)
    clip = next(one for one in load_clips() if one.name.endswith("plain"))
    try:
        async with calling(stack.gateway, tenant_id="acme", caller="+84912345678") as caller:
            await caller.until(lambda caller: caller.turns(), 30)
            await caller.say(clip)
            await caller.until(lambda caller: len(caller.turns(by_gateway=False)) > 1, 30)
            stack.stall("nlu")  # the analysis is asked for, and does not come
            caller.hang_up()
            async with asyncio.timeout(60):
                while not n_kept(kept):
                    await asyncio.sleep(0.05)
            stack.kill("call")
        await asyncio.to_thread(stack.mend)
        await receiver.until(204)
        async with asyncio.timeout(30):
            while n_kept(kept):
                await asyncio.sleep(0.1)
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)
        await runner.cleanup()
    ((_, _, body),) = receiver.requests
    posted = json.loads(body)
    assert posted["event"] == "call_analysed"
    assert (posted["tenant_id"], posted["caller"]) == ("acme", "+84912345678")
    assert posted["analysis"]["summary"]
