"""Separation of tenants, and the limits of calls by tenant and number: four processes, tokens on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from voice.call.v1 import call_pb2, call_pb2_grpc
from voice.nlu.v1 import nlu_pb2, nlu_pb2_grpc

from services.runtime.channels import ChannelSettings, open_channel
from services.runtime.errors import RpcFailure, rpc_failure
from tests.conformance.test_identity import table
from tests.integration.scripted_stack import ScriptedStack, scripted_stack

pytestmark = pytest.mark.asyncio(loop_scope="session")

GATEWAY = "gateway-0123456789abcdef"
WATCHER = "watcher-0123456789abcdef"
TOKENS = {"red": "red-0123456789abcdef", "blue": "blue-0123456789abcdef"}
SECRET = "+842838220099"  # noqa: S105 - a destination of one tenant's agent
HERE = Path(__file__).parent
ALL = 'connect", "watch", "end'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedStack]:
    """Agents red-desk and blue-desk of a tenant each, and quick of everybody's; quotas of both kinds."""
    folder = tmp_path_factory.mktemp("tenants")
    quick = yaml.safe_load((HERE / "agents" / "quick.yaml").read_text(encoding="utf-8"))
    agents = folder / "agents"
    agents.mkdir()
    for name, more in {
        "quick": {},
        "red-desk": {"tenants": ["red"]},
        "blue-desk": {"tenants": ["blue"], "destinations": [{"name": "vault", "number": SECRET}]},
    }.items():
        (agents / f"{name}.yaml").write_text(yaml.safe_dump(quick | {"agent_id": name} | more), encoding="utf-8")
    stages, gateway = folder / "stages.toml", folder / "gateway.toml"
    stages.write_text(
        table("gateway", GATEWAY, "*")
        + table("board", WATCHER, "*", "watch")
        + "".join(table(f"stage-{who}", TOKENS[who], who) for who in TOKENS)
    )
    gateway.write_text("".join(table(f"the {who} desk", TOKENS[who], who, ALL) for who in TOKENS))
    settings = {
        "stt": {"STT_AUTH_TOKENS_FILE": str(stages)},
        "nlu": {"NLU_AUTH_TOKENS_FILE": str(stages), "NLU_AGENTS_DIR": str(agents)},
        "tts": {"TTS_AUTH_TOKENS_FILE": str(stages)},
        "call": {
            "GATEWAY_AUTH_TOKENS_FILE": str(gateway),
            "GATEWAY_STAGE_TOKEN": GATEWAY,
            "GATEWAY_TENANT_CALLS": "red=2,*=5",
            "GATEWAY_CALLER_CALLS": "1",
        },
    }
    with scripted_stack(folder / "stack", ["Say sure, please."] * 9, settings) as running:
        yield running


@asynccontextmanager
async def desk(stack: ScriptedStack, who: str) -> AsyncIterator[Any]:
    """The gateway, as one tenant's token sees it."""
    async with open_channel(stack.gateway, ChannelSettings(token=TOKENS[who])) as channel:
        yield call_pb2_grpc.CallGatewayServiceStub(channel)


async def call(stub: Any, tenant_id: str, **config: Any) -> Any:
    """Open a call that goes on; fails with the status of a refusal."""
    stream = stub.ConnectCall()
    config = {"agent_id": "quick"} | config
    await stream.write(call_pb2.ConnectCallRequest(config=call_pb2.CallConfig(tenant_id=tenant_id, **config)))
    while (response := await stream.read()) is not grpc.aio.EOF:
        if response.WhichOneof("response") == "call":
            return stream, response.call.call_id
    raise AssertionError("the call ended before it began")


async def failure_of(waited: Any) -> RpcFailure:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await waited
    return rpc_failure(raised.value)


async def test_an_agent_of_another_tenant_reads_as_one_that_does_not_exist(stack: ScriptedStack) -> None:
    async with desk(stack, "red") as red:
        others = await failure_of(call(red, "red", agent_id="blue-desk"))
        nobodys = await failure_of(call(red, "red", agent_id="grey-desk"))
    assert (others.code, others.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_AGENT")
    assert (nobodys.code, nobodys.reason, nobodys.field) == (others.code, others.reason, others.field)
    assert others.message.replace("blue-desk", "X") == nobodys.message.replace("grey-desk", "X")
    assert "red-desk" in others.message


async def test_a_language_that_the_agent_does_not_speak_is_the_callers_fault(stack: ScriptedStack) -> None:
    async with desk(stack, "red") as red:
        refused = await failure_of(call(red, "red", language_codes=["sw-KE"]))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CALL_REFUSED")
    assert "UNKNOWN_LANGUAGE" in refused.message


async def test_engines_are_described_with_the_askers_own_agents(stack: ScriptedStack) -> None:
    async def agents(who: str, **asked: str) -> Any:
        async with open_channel(stack.servers["nlu"].target, ChannelSettings(token=TOKENS[who])) as channel:
            describe = nlu_pb2_grpc.NluServiceStub(channel).DescribeEngine
            return await describe(nlu_pb2.DescribeEngineRequest(**asked), timeout=5)

    for asked in ({}, {"tenant_id": "red"}):
        described = await agents("red", **asked)
        assert {agent.agent_id for agent in described.agents} == {"quick", "red-desk"}
        assert SECRET not in str(described)
        assert "blue" not in str(described)
    assert {agent.agent_id for agent in (await agents("red", tenant_id="")).agents} <= {"quick", "red-desk"}
    refused = await failure_of(agents("red", tenant_id="blue"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "TENANT_NOT_ALLOWED")
    assert refused.field == "tenant_id"


async def test_tools_and_analyses_are_those_of_ones_own_tenants_agents(stack: ScriptedStack) -> None:
    async with open_channel(stack.servers["nlu"].target, ChannelSettings(token=TOKENS["red"])) as channel:
        stub = nlu_pb2_grpc.NluServiceStub(channel)

        def asks(tenant_id: str, agent_id: str) -> tuple[Any, Any]:
            named: dict[str, Any] = {"tenant_id": tenant_id, "agent_id": agent_id}
            tools, analysis = nlu_pb2.ListToolsRequest(**named), nlu_pb2.AnalyzeCallRequest(**named)
            return stub.ListTools(tools, timeout=5), stub.AnalyzeCall(analysis, timeout=5)

        for ask in asks("red", "red-desk"):
            await ask
        for other, nobodys in zip(asks("red", "blue-desk"), asks("red", "nobodys"), strict=True):
            refused, unknown = await failure_of(other), await failure_of(nobodys)
            assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_AGENT")
            assert refused.message.replace("blue-desk", "X") == unknown.message.replace("nobodys", "X")
        for ask in asks("blue", "blue-desk"):
            refused = await failure_of(ask)
            assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "TENANT_NOT_ALLOWED")
            assert refused.field == "tenant_id"


async def test_a_token_that_only_watches_has_no_model_work(stack: ScriptedStack) -> None:
    async with open_channel(stack.servers["nlu"].target, ChannelSettings(token=WATCHER)) as channel:
        stub = nlu_pb2_grpc.NluServiceStub(channel)
        refused = await failure_of(stub.AnalyzeCall(nlu_pb2.AnalyzeCallRequest(agent_id="quick"), timeout=5))
        assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
        await stub.DescribeEngine(nlu_pb2.DescribeEngineRequest(), timeout=5)


async def test_a_token_of_some_tenants_takes_no_provider_from_all(stack: ScriptedStack) -> None:
    async with open_channel(stack.servers["nlu"].target, ChannelSettings(token=TOKENS["red"])) as channel:
        trip = nlu_pb2_grpc.NluServiceStub(channel).TripProvider
        refused = await failure_of(trip(nlu_pb2.TripProviderRequest(provider="script", duration_ms=1000), timeout=5))
    assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "TENANT_NOT_ALLOWED")


async def test_calls_of_another_tenant_are_neither_listed_nor_found_nor_watched_nor_ended(
    stack: ScriptedStack,
) -> None:
    async with desk(stack, "red") as red, desk(stack, "blue") as blue:
        watched, call_id = await call(blue, "blue")
        watching = red.WatchCalls(call_pb2.WatchCallsRequest())
        await watching.initial_metadata()
        assert [one.call_id for one in (await blue.ListCalls(call_pb2.ListCallsRequest(), timeout=5)).calls] == [
            call_id
        ]
        assert list((await red.ListCalls(call_pb2.ListCallsRequest(), timeout=5)).calls) == []
        asks: tuple[Callable[[Any, str], Any], ...] = (
            lambda stub, name: stub.GetCall(call_pb2.GetCallRequest(call_id=name), timeout=5),
            lambda stub, name: stub.EndCall(call_pb2.EndCallRequest(call_id=name), timeout=5),
            lambda stub, name: stub.WatchCalls(call_pb2.WatchCallsRequest(call_id=name)).read(),
        )
        for ask in asks:
            others, nobodys = await failure_of(ask(red, call_id)), await failure_of(ask(red, "nobodys"))
            assert others.code is grpc.StatusCode.NOT_FOUND
            assert others.message.replace(call_id, "X") == nobodys.message.replace("nobodys", "X")
        own, own_id = await call(red, "red")
        heard = [await watching.read() for _ in range(2)]
        assert {one.event.call_id for one in heard} == {own_id}
        await blue.EndCall(call_pb2.EndCallRequest(call_id=call_id), timeout=5)
        own.cancel()
        watched.cancel()
        watching.cancel()
    log = stack.servers["call"].log()
    assert '"who": "the blue desk"' in log, "who ended a call stands in the log, whatever the token's name looks like"


async def test_a_tenant_has_as_many_calls_as_its_quota(stack: ScriptedStack) -> None:
    async with AsyncExitStack() as open_calls, desk(stack, "red") as red, desk(stack, "blue") as blue:
        for _ in range(2):
            stream, _ = await call(red, "red")
            open_calls.callback(stream.cancel)
        refused = await failure_of(call(red, "red"))
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_QUOTA")
        assert refused.retry_delay_ms > 0
        others, _ = await call(blue, "blue")
        open_calls.callback(others.cancel)
    await until_empty(stack)
    async with desk(stack, "red") as red:
        (await call(red, "red"))[0].cancel()


async def test_a_number_has_as_many_calls_as_its_quota_however_it_is_written(stack: ScriptedStack) -> None:
    await until_empty(stack)
    async with AsyncExitStack() as open_calls, desk(stack, "blue") as blue:
        first, _ = await call(blue, "blue", caller="+84 28 3822 0000")
        open_calls.callback(first.cancel)
        refused = await failure_of(call(blue, "blue", caller="(+84) 28-3822-0000"))
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_QUOTA")
        for withheld in ("anonymous", "anonymous", ""):
            stream, _ = await call(blue, "blue", caller=withheld)
            open_calls.callback(stream.cancel)


async def until_empty(stack: ScriptedStack) -> None:
    async with AsyncExitStack() as desks, asyncio.timeout(20):
        stubs = [await desks.enter_async_context(desk(stack, who)) for who in TOKENS]
        while any([(await stub.ListCalls(call_pb2.ListCallsRequest(), timeout=5)).calls for stub in stubs]):
            await asyncio.sleep(0.1)
