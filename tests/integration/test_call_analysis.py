"""Analysis of a call: it reaches the watchers and a webhook, signed, and is delivered in the end."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import web
from voice.call.v1 import call_pb2, call_pb2_grpc
from voice.nlu.v1 import nlu_pb2, nlu_pb2_grpc
from voice.type.v1 import analysis_pb2

from tests.conformance.servers import ROOT
from tests.integration.program_caller import ProgramCaller, calling
from tests.integration.scripted_stack import scripted_stack
from tests.load.clips import load_clips

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "a-secret-of-the-test"  # noqa: S105 - a test's own
SAYS = ("How much is a crown?", "This is ridiculous, I am fed up.")


class Receiver:
    """A webhook of a CRM's that is out of order at first."""

    def __init__(self) -> None:
        self.requests: list[tuple[Any, bytes]] = []
        self.url = ""
        self._delivered = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.headers, await request.read()))
        if len(self.requests) == 1:
            return web.Response(status=503)
        self._delivered.set()
        return web.Response(status=204)

    async def delivered(self) -> tuple[Any, bytes]:
        async with asyncio.timeout(30):
            await self._delivered.wait()
        return self.requests[-1]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver()
    app = web.Application()
    app.router.add_post("/calls", one.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/calls"
    yield one
    await runner.cleanup()


async def hold_a_call(target: str) -> ProgramCaller:
    clip = next(one for one in load_clips() if one.name.endswith("plain"))
    async with calling(target, tenant_id="acme", caller="+84912345678") as caller:
        await caller.until(lambda caller: caller.turns(), 30)
        for n in range(len(SAYS)):
            await caller.say(clip)
            await caller.until(lambda caller, n=n: len(caller.turns(by_gateway=False)) > n + 1, 30)
        caller.hang_up()
        await caller.until(lambda caller: caller.end, 15)
    return caller


@pytest.mark.timeout(240)
async def test_watchers_and_the_webhook_get_what_a_call_was_about(tmp_path: Path) -> None:
    agents = {"NLU_AGENTS_DIR": str(ROOT / "deploy" / "agents"), "NLU_DEFAULT_AGENT": "clinic"}
    async with receiver() as crm:
        hook = {"GATEWAY_WEBHOOK_URL": crm.url, "GATEWAY_WEBHOOK_SECRET": SECRET}
        settings = {"nlu": agents | {"NLU_AGENT_KIND": "graph"}, "call": hook}
        starting = await asyncio.to_thread(lambda: scripted_stack(tmp_path, SAYS, settings))
        stack = await asyncio.to_thread(starting.__enter__)
        try:
            async with grpc.aio.insecure_channel(stack.gateway) as channel:
                watching = call_pb2_grpc.CallGatewayServiceStub(channel).WatchCalls(call_pb2.WatchCallsRequest())
                await watching.initial_metadata()
                caller = await hold_a_call(stack.gateway)
                analysis = await analysis_on(watching)
                assert all(event.WhichOneof("event") != "analysis" for event in caller.events)
                assert analysis.intents[0] == "price"
                assert analysis.sentiment == analysis_pb2.CallAnalysis.SENTIMENT_NEGATIVE
                assert analysis.language_code == "en"
                assert "ridiculous" in analysis.summary
            headers, body = await crm.delivered()
            posted = json.loads(body)
            assert (posted["event"], posted["caller"], posted["tenant_id"]) == ("call_analysed", "+84912345678", "acme")
            assert posted["analysis"]["intents"][0] == "price"
            assert headers["X-Tong-Dai-Delivery"] == crm.requests[0][0]["X-Tong-Dai-Delivery"]
            at, _, mac = headers["X-Tong-Dai-Signature"].removeprefix("t=").partition(",v1=")
            assert hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest() == mac
            log = stack.servers["call"].log()
            assert "call_analysed" in log
            assert "ridiculous" not in log, "a summary is personal data"
            await refuses_what_is_too_long_or_nobodys(stack.servers["nlu"].target)
        finally:
            await asyncio.to_thread(starting.__exit__, None, None, None)


async def analysis_on(watching: Any) -> analysis_pb2.CallAnalysis:
    async with asyncio.timeout(30):
        seen_end = False
        async for response in watching:
            kind = response.event.WhichOneof("event")
            seen_end = seen_end or kind == "end"
            if kind == "analysis":
                assert seen_end
                return response.event.analysis
    raise AssertionError("no analysis came")


async def refuses_what_is_too_long_or_nobodys(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = nlu_pb2_grpc.NluServiceStub(channel)
        for request, code in (
            (nlu_pb2.AnalyzeCallRequest(agent_id="nobody"), grpc.StatusCode.INVALID_ARGUMENT),
            (nlu_pb2.AnalyzeCallRequest(state=b"{]"), grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.AnalyzeCall(request, timeout=10)
            assert refused.value.code() is code
        empty = await stub.AnalyzeCall(nlu_pb2.AnalyzeCallRequest(), timeout=10)
        assert empty.analysis.outcome == analysis_pb2.CallAnalysis.OUTCOME_NO_WORDS
