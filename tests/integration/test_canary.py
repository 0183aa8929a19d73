"""A whole call with marked words: none of them is in a log line, on a span or in a metric, at any level."""

import asyncio
import re
import signal
import urllib.request
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import yaml
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

from tests.conformance.test_traces import Collector
from tests.fakes.ports import free_port
from tests.integration.program_caller import ProgramCaller, calling
from tests.integration.scripted_stack import scripted_stack
from tests.load.clips import Clip, load_clips

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(420)]  # a minute on an idle machine

CANARIES = {
    "speech": "kanarsprache",
    "digits that are spoken": "4929 1234 5678",
    "reply": "kanarantwort",
    "tool": "Kanar/Zeitzone",
    "destination": "+84987650001",
    "unlisted": "+84987650002",
    "caller": "+84987650003",
    "keys": "73519846",
    "reason": "kanargrund",
    "agent's name": "kanarname",
    "greeting": "kanargruss",
}
HERE = Path(__file__).parent
TRANSFER = 'tool = "transfer", arguments'
SCRIPT = f"""
[[reply]]
name = "clock"
when = ["say clock"]
parts = [
  {{ tool = "current_time", arguments = {{ time_zone = "{CANARIES["tool"]}" }} }},
  {{ text = "The {CANARIES["reply"]} it is." }},
]

[[reply]]
name = "keys"
when = ["say keys"]
parts = [
  {{ text = "I press them." }},
  {{ tool = "send_dtmf", arguments = {{ digits = "{CANARIES["keys"]}" }} }},
]

[[reply]]
name = "elsewhere"
when = ["say elsewhere"]
parts = [{{ text = "I try." }}, {{ {TRANSFER} = {{ destination = "{CANARIES["unlisted"]}" }} }}]

[[reply]]
name = "broken"
when = ["pressed the keys 9 9"]
parts = [{{ text = "{CANARIES["reply"]}." }}, {{ {TRANSFER} = {{ place = "{CANARIES["unlisted"]}" }} }}]

[[reply]]
name = "transfer"
when = ["say transfer"]
parts = [{{ text = "I put you through." }}, {{ {TRANSFER} = {{ destination = "{CANARIES["agent's name"]}" }} }}]
"""
SPOKEN = f"{CANARIES['speech']} {CANARIES['digits that are spoken']}"
SAYS = [f"Say {what}, {SPOKEN}." for what in ("clock", "keys", "elsewhere", *["transfer"] * 9)]


@pytest_asyncio.fixture(loop_scope="session")
async def collector() -> AsyncIterator[Collector]:
    collector, server = Collector(), grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]  # no types
    collector.target = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield collector
    await server.stop(grace=None)


def agents_dir(folder: Path) -> Path:
    """An agent that may do everything, with marked words in its file."""
    agent = yaml.safe_load((HERE / "agents" / "quick.yaml").read_text(encoding="utf-8"))
    agent["personas"]["en"]["greeting"] = f"Hello, {CANARIES['greeting']}."
    agent |= {
        "acts": ["hang_up", "transfer", "send_dtmf", "switch_language"],
        "tools": ["current_time"],
        "destinations": [{"name": CANARIES["agent's name"], "number": CANARIES["destination"]}],
    }
    folder.mkdir()
    (folder / "quick.yaml").write_text(yaml.safe_dump(agent), encoding="utf-8")
    return folder


async def is_over_within(caller: ProgramCaller, window_s: float) -> bool:
    """Wait for the end of the call so long at most; return whether it came."""
    with suppress(AssertionError):
        await caller.until(lambda caller: caller.end, window_s)
    return caller.end is not None


async def say_while_up(caller: ProgramCaller, clip: Clip) -> None:
    """Speak, and stop where the call ends meanwhile. Raises AssertionError where the call breaks instead."""
    try:
        await caller.say(clip)
    except AssertionError:
        if caller.end is None:
            raise


async def test_nothing_that_is_said_or_keyed_is_logged_traced_or_counted(tmp_path: Path, collector: Collector) -> None:
    script = tmp_path / "script.toml"
    script.write_text(SCRIPT, encoding="utf-8")
    ports = {name: free_port() for name in ("stt", "nlu", "tts", "call")}
    shared = {"TONG_DAI_LOG_LEVEL": "debug", "TONG_DAI_OTLP_ENDPOINT": collector.target}
    settings = {
        name: shared | {f"{'GATEWAY' if name == 'call' else name.upper()}_METRICS_PORT": str(port)}
        for name, port in ports.items()
    }
    settings["nlu"] |= {"NLU_AGENTS_DIR": str(agents_dir(tmp_path / "agents")), "NLU_SCRIPT_FILE": str(script)}
    settings["nlu"]["NLU_SCRIPT_REPLY"] = "clock"
    clip = next(clip for clip in load_clips() if clip.kind == "plain")
    with scripted_stack(tmp_path / "stack", SAYS, settings) as stack:
        async with calling(stack.gateway, caller=CANARIES["caller"]) as caller:
            await caller.until(lambda caller: caller.turns(by_gateway=False), 60)
            caller.press(CANARIES["keys"] + "#")
            await caller.until(lambda caller: len(caller.turns()) >= 2, 60)
            for _ in SAYS:
                if await is_over_within(caller, 2.0):  # what was asked for in the turn before may end the call
                    break
                n_before = len(caller.turns())
                await say_while_up(caller, clip)
                await caller.until(lambda caller, n=n_before: len(caller.turns()) > n or caller.end, 60)
            await caller.until(lambda caller: caller.end, 30)
            assert caller.end.cause == record_pb2.CallEnd.CAUSE_TRANSFER, caller.story()
            assert CANARIES["destination"] in caller.end.message
            assert any(CANARIES["speech"] in turn.user_text for turn in caller.turns()), "the words were really there"
        async with calling(stack.gateway, caller=CANARIES["caller"]) as caller:
            await caller.until(lambda caller: caller.turns(by_gateway=False), 60)
            caller.press("99#")  # the model's act makes no sense: the turn fails, and so does its retry
            await caller.until(lambda caller: caller.end, 60)
        async with calling(stack.gateway, caller=CANARIES["caller"]) as caller:
            await caller.until(lambda caller: caller.turns(by_gateway=False), 60)
            async with grpc.aio.insecure_channel(stack.gateway) as channel:
                end = call_pb2.EndCallRequest(call_id=caller.call_id, reason=CANARIES["reason"])
                await call_pb2_grpc.CallGatewayServiceStub(channel).EndCall(end)
                await caller.until(lambda caller: caller.end, 30)
        pages = {
            name: await asyncio.to_thread(
                lambda port: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode(), port
            )
            for name, port in ports.items()
        }
        for server in stack.servers.values():
            server.process.send_signal(signal.SIGTERM)
        for server in stack.servers.values():
            assert await asyncio.to_thread(server.process.wait, 30) == 0
        logs = {name: server.log() for name, server in stack.servers.items()}
    spans = "\n".join(str(span) for span in collector.spans)
    assert all(len(log.splitlines()) > 5 for log in logs.values())
    assert len(collector.spans) > 5
    for where, text in {**{f"log of {name}": log for name, log in logs.items()}, **pages, "spans": spans}.items():
        for what, word in CANARIES.items():
            found = [line for line in text.splitlines() if re.search(re.escape(word), line, re.IGNORECASE)]
            assert found == [], f"{what} is in the {where}"
    assert '"event": "operator_ended_call"' in logs["call"]
