"""The four services in one process: every door keeps its rules, a call goes through, and all end together."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from voice.call.v1 import record_pb2

from clients.conformance.__main__ import run as run_conformance
from clients.conformance.kit import Outcome, Target
from clients.conformance.stages import STAGES
from tests.conformance.servers import CALL, ROOT, Server, environment, stop, wait_until_serving
from tests.fakes.ports import free_ports
from tests.integration.program_caller import calling
from tests.integration.test_conversation import clip, greeted

pytestmark = pytest.mark.asyncio(loop_scope="session")

PREFIXES = {"stt": "STT", "nlu": "NLU", "tts": "TTS", "call": "GATEWAY"}


@dataclass(frozen=True, slots=True)
class OneProcess:
    """The process, its ports by stage, and what it has written."""

    process: "subprocess.Popen[bytes]"
    ports: dict[str, int]
    metrics_ports: dict[str, int]
    log_file: Path

    def door(self, stage: str) -> Server:
        """One of its services, as the tests of four processes know them."""
        target = f"127.0.0.1:{self.ports[stage]}"
        return Server(STAGES[stage], "script", target, self.process, self.log_file)

    def lines(self) -> list[str]:
        return self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()

    def logged(self, event: str) -> list[str]:
        """The services that have logged an event, in that order."""
        entries = [json.loads(line) for line in self.lines() if line.startswith("{")]
        return [entry["service"] for entry in entries if entry["event"] == event]


@contextmanager
def one_process(folder: Path, **settings: str) -> Iterator[OneProcess]:
    """Started with scripted engines, not waited for. No target is set: the gateway finds the stages by itself."""
    numbers = free_ports(2 * len(PREFIXES))
    ports = dict(zip(PREFIXES, numbers[:4], strict=True))
    metrics_ports = dict(zip(PREFIXES, numbers[4:], strict=True))
    ours = {
        "STT_ENGINE": "script",
        "NLU_ENGINE": "script",
        "NLU_AGENT_KIND": "prompt",
        "TTS_ENGINES": "*=tone",
        "GATEWAY_EDGES": "program",
        "TONG_DAI_DRAIN_S": "5",
    }
    for stage, prefix in PREFIXES.items():
        ours[f"{prefix}_PORT"] = str(ports[stage])
        ours[f"{prefix}_METRICS_PORT"] = str(metrics_ports[stage])
    log_file = folder / "stack.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.one_process"],
            cwd=folder,  # no .env there
            env=environment(CALL, ports["call"], ours | settings)
            | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos/gen'}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield OneProcess(process, ports, metrics_ports, log_file)
    finally:
        stop(process)


def end_of(running: OneProcess) -> tuple[int, list[str]]:
    """The exit status of a process that ends by itself, and what it has written."""
    return running.process.wait(60), running.lines()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    with one_process(tmp_path_factory.mktemp("one")) as running:
        for stage in PREFIXES:
            wait_until_serving(running.door(stage))
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stage", list(PREFIXES))
async def test_every_door_keeps_the_rules(stage: str, shared: OneProcess) -> None:
    door = shared.door(stage)
    results = await run_conformance(Target(door.target, door.stage), stage, frozenset())
    assert [result for result in results if result.outcome is Outcome.FAILED] == []
    assert any(result.outcome is Outcome.PASSED for result in results)


async def test_a_call_goes_through_all_four(shared: OneProcess) -> None:
    async with calling(shared.door("call").target) as caller:
        await greeted(caller)
        await caller.say(clip())
        await caller.until(lambda caller: len(caller.turns(by_gateway=False)) >= 2)
    assert caller.troubles() == []
    assert caller.turns(by_gateway=False)[-1].outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED
    assert set(shared.logged("serving")) == set(PREFIXES)
    assert not shared.logged("unexpected_failure")


async def test_the_gateway_talks_to_the_stages_over_sockets(tmp_path: Path) -> None:
    with one_process(tmp_path, TMPDIR=str(tmp_path)) as running:
        for stage in PREFIXES:
            wait_until_serving(running.door(stage))
        (folder,) = tmp_path.glob("tong-dai-*")  # noqa: ASYNC240 - nothing else runs here
        assert folder.stat().st_mode & 0o077 == 0
        async with calling(running.door("call").target) as caller:
            await greeted(caller)
        sockets = Path("/proc/net/unix").read_text(encoding="ascii")  # noqa: ASYNC240 - nothing else runs here
        for name in ("stt_proxy", "nlu", "tts"):
            assert sockets.count(str(folder / f"{name}.sock")) > 1, "listening, and connected to"
        running.process.send_signal(signal.SIGTERM)
        assert end_of(running)[0] == 0
        assert not folder.exists()


async def test_the_gateway_lets_its_call_end_before_the_stages_drain(tmp_path: Path) -> None:
    with one_process(tmp_path, TONG_DAI_DRAIN_S="20") as running:
        for stage in PREFIXES:
            wait_until_serving(running.door(stage))
        async with calling(running.door("call").target) as caller:
            await greeted(caller)
            running.process.send_signal(signal.SIGTERM)
            await caller.say(clip())
            await caller.until(lambda caller: caller.first_audible_after(caller.spoke_last_at))
            assert caller.troubles() == []
            assert running.logged("draining") == ["call"]
        status, _ = end_of(running)
    assert status == 0
    assert running.logged("draining")[0] == "call"
    assert running.logged("stopped")[0] == "call"
    assert set(running.logged("stopped")) == set(PREFIXES)


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with one_process(tmp_path, TONG_DAI_DRAIN_S="60") as running:
        wait_until_serving(running.door("call"))
        async with calling(running.door("call").target) as caller:
            await greeted(caller)
            running.process.send_signal(signal.SIGTERM)
            while not running.logged("draining"):
                await asyncio.sleep(0.05)
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(10) == 0


async def test_a_port_that_is_taken_ends_all_in_one_line(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as holder,
        one_process(tmp_path, TTS_PORT=str(holder.getsockname()[1])) as running,
    ):
        status, lines = end_of(running)
    assert status == 1
    (line,) = [line for line in lines if not line.startswith("{")]
    assert line.startswith("tts: cannot listen on 127.0.0.1:")


async def test_a_model_that_is_missing_keeps_its_service_alone_from_serving(tmp_path: Path) -> None:
    with one_process(tmp_path, TONG_DAI_MODELS_DIR=str(tmp_path)) as running:
        for stage in ("nlu", "tts"):
            wait_until_serving(running.door(stage))
        while not running.logged("not_serving"):
            await asyncio.sleep(0.05)
        assert running.logged("not_serving") == ["stt"]
        (line,) = [line for line in running.lines() if '"not_serving"' in line]
        assert "make models MODELS=silero-vad" in line
        assert running.process.poll() is None
        assert "stt" not in running.logged("serving")


@pytest.mark.parametrize(
    ("settings", "status", "start"),
    [
        ({"NLU_LOG_LEVEL": "debug"}, 1, "one process has one log_level, not STT_LOG_LEVEL=info, NLU_LOG_LEVEL=debug"),
        ({"GATEWAY_PROCESSES": "2"}, 1, "GATEWAY_PROCESSES=2: one process holds one gateway"),
        ({"NLU_DEFAULT_AGENT": "nobody"}, 1, "nlu: NLU_DEFAULT_AGENT=nobody: there are"),
        ({"TTS_MAX_STREAMS": "none"}, 2, "TTS_MAX_STREAMS='none'"),
    ],
)
async def test_what_cannot_be_is_one_line(settings: dict[str, str], status: int, start: str, tmp_path: Path) -> None:
    with one_process(tmp_path, **settings) as running:
        ended, lines = end_of(running)
    assert ended == status
    (line,) = lines
    assert line.startswith(start)


async def test_a_target_elsewhere_is_kept(tmp_path: Path, shared: OneProcess) -> None:
    elsewhere = {"GATEWAY_TTS_TARGET": shared.door("tts").target}
    with one_process(tmp_path, **elsewhere) as running:
        for stage in PREFIXES:
            wait_until_serving(running.door(stage))
        async with calling(running.door("call").target) as caller:
            await greeted(caller)
        assert caller.troubles() == []
