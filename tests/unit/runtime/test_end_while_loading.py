"""A process that is told to end while an engine loads: it ends at once and in order, with native code still at work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOADING = """
import asyncio, atexit, time
from voice.tts.v1 import tts_pb2
from services.runtime.errors import StartupError
from services.runtime.lifecycle import Lifecycle
from services.runtime.server import ServiceDefinition, run_services
from services.tts.settings import TtsSettings
from services.tts.workers import Workers

workers = Workers(1, "slow")

def load_slowly():
    print("loading", flush=True)
    time.sleep({seconds})

async def fail():
    raise StartupError("the other engine cannot be loaded")

async def load():
    await {wait}

async def close():
    workers.close(0.1)

atexit.register(print, "interpreter ended", flush=True)
settings = TtsSettings(_env_file=None, port=0, metrics_port=0)
definition = ServiceDefinition(
    settings, full_name="voice.tts.v1.TtsService", add=print, lifecycle=Lifecycle(), load=load, close=close
)
run_services(definition)
"""


IN_ENGINE = "workers.run(load_slowly, due_s=0.0)"
BESIDE_LOOP = "asyncio.to_thread(load_slowly)"  # as the NLU stage waits for its model's thread


def start(seconds: float, wait: str = IN_ENGINE) -> "subprocess.Popen[str]":
    """A process whose engine loads for so long; it has begun to."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos/gen'}"}
    command = [sys.executable, "-c", LOADING.format(seconds=seconds, wait=wait)]
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) and line.strip() != "loading":
        pass
    return process


@pytest.mark.timeout(60)
@pytest.mark.parametrize("wait", [IN_ENGINE, BESIDE_LOOP])
def test_a_process_ended_while_loading_leaves_the_interpreter_alone_under_native_code(wait: str) -> None:
    process = start(30, wait)
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "interpreter ended" not in out
    assert "stopped" in out
    assert time.monotonic() - begun < 15


FAILING = "asyncio.gather(asyncio.to_thread(load_slowly), fail())"


@pytest.mark.timeout(60)
def test_a_start_that_fails_ends_the_process_over_another_thread_that_loads() -> None:
    process = start(30, FAILING)
    begun = time.monotonic()
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "tts: the other engine cannot be loaded" in out.splitlines()
    assert time.monotonic() - begun < 15


@pytest.mark.timeout(60)
def test_a_process_without_calls_under_way_ends_as_any_other() -> None:
    process = start(0.1)
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "interpreter ended" in out
