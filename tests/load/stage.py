"""`make load STAGE=stt|nlu|tts|gateway`: one stage alone, at 1, 4 and 16 streams at once; stt at 64 too (STREAMS=...).

Two figures a row: the whole stream by ghz, and the time to the first response by our own driver. A stream that fails
counts as infinite. The stt stage is loaded twice: with sound as it is spoken, and as fast as it goes. What serves on
the stage's default port is measured as it is; else the stage is started here, with scripted engines, or with the engine
ENGINE names.
"""

import argparse
import asyncio
import json
import math
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from voice.call.v1 import call_pb2
from voice.nlu.v1 import nlu_pb2
from voice.stt.v1 import stt_pb2
from voice.tts.v1 import tts_pb2

from deploy.stack import SERVICES, HealthWatch, settings_of
from services.runtime.errors import StartupError
from tests.load.chats import run as run_chats
from tests.load.first_response import Script, measure
from tests.load.ghz import ensure_ghz, run_ghz
from tests.load.report import OUT_DIR, Report, Target, machine_speed, spread
from tests.load.stack import Service, run_stack
from tests.load.voices import run as run_voices

_ROOT = Path(__file__).parents[2]
_STREAMS = (1, 4, 16)
_STT_STREAMS = (1, 4, 16, 64)
_FEWEST_ROUNDS = 2
_FIRST_PORT = 51650  # of services started here
_SILENCE = b"\xff\x7f"  # mu-law


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage under load."""

    name: str
    service: str  # package under services/
    proto: str
    method: str
    request_type: type[Message]
    response_type: type[Message]
    interval_ms: int
    is_trigger: Callable[[Any], bool]  # the last request for which it holds starts the clock
    is_first: Callable[[Any], bool]
    engine_variable: str
    scripted_engine: str
    first_p95_ms: float  # promised with the scripted engine
    rounds: tuple[int, int, int]  # streams one after another, at 1, 4 and 16 at once


def _is_loud(request: stt_pb2.StreamingRecognizeRequest | call_pb2.ConnectCallRequest) -> bool:
    return request.HasField("audio") and bool(request.audio.content.strip(_SILENCE))


def _is_text(response: stt_pb2.StreamingRecognizeResponse) -> bool:
    firm = (stt_pb2.Transcript.STAGE_DRAFT, stt_pb2.Transcript.STAGE_SETTLED)
    return response.HasField("transcript") and response.transcript.stage in firm


def _is_agent_loud(response: call_pb2.ConnectCallResponse) -> bool:
    return response.HasField("audio") and bool(response.audio.content.strip(_SILENCE))


STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "stt", "stt_proxy", "voice/stt/v1/stt.proto", "voice.stt.v1.SttService/StreamingRecognize",
            stt_pb2.StreamingRecognizeRequest, stt_pb2.StreamingRecognizeResponse, 20,
            _is_loud, _is_text, "STT_ENGINE", "script", 260, (10, 5, 3),
        ),
        Stage(
            "nlu", "nlu", "voice/nlu/v1/nlu.proto", "voice.nlu.v1.NluService/StreamingConverse",
            nlu_pb2.StreamingConverseRequest, nlu_pb2.StreamingConverseResponse, 0,
            lambda request: request.HasField("user_turn"), lambda response: response.HasField("reply_text"),
            "NLU_ENGINE", "script", 120, (20, 10, 5),
        ),
        Stage(
            "tts", "tts", "voice/tts/v1/tts.proto", "voice.tts.v1.TtsService/StreamingSynthesize",
            tts_pb2.StreamingSynthesizeRequest, tts_pb2.StreamingSynthesizeResponse, 0,
            lambda request: request.HasField("text"), lambda response: response.HasField("audio"),
            "TTS_ENGINES", "*=tone", 100, (20, 10, 5),
        ),
        Stage(
            "gateway", "call_gateway", "voice/call/v1/call.proto", "voice.call.v1.CallGatewayService/ConnectCall",
            call_pb2.ConnectCallRequest, call_pb2.ConnectCallResponse, 20,
            _is_loud, _is_agent_loud, "", "script", 480, (4, 2, 2),
        ),
    )
}  # fmt: skip


def read_script(stage: Stage, data: Path) -> Script:
    """The messages of one stream, from the file that ghz sends too."""
    requests = [ParseDict(entry, stage.request_type()) for entry in json.loads(data.read_text(encoding="utf-8"))]
    trigger = max(index for index, request in enumerate(requests) if stage.is_trigger(request))
    return Script(f"/{stage.method}", requests, stage.response_type, stage.interval_ms / 1000, trigger, stage.is_first)


def _services_of(stage: Stage, engine: str) -> list[Service]:
    """The services that must run for the stage: itself, or for the gateway all four with scripted engines."""
    ports = {service.name: _FIRST_PORT + index for index, service in enumerate(SERVICES)}
    scripted = {each.service: {each.engine_variable: each.scripted_engine} for each in STAGES.values()}
    scripted["call_gateway"] = {
        "GATEWAY_EDGES": "program",
        **{f"GATEWAY_{each.name.upper()}_TARGET": f"127.0.0.1:{ports[each.service]}" for each in STAGES.values()},
    }
    if engine and stage.engine_variable:
        scripted[stage.service] = {stage.engine_variable: engine}
    wanted = SERVICES if stage.name == "gateway" else [each for each in SERVICES if each.name == stage.service]
    return [
        Service(
            each.name,
            f"127.0.0.1:{ports[each.name]}",
            {
                f"{each.prefix}_PORT": str(ports[each.name]),
                f"{each.prefix}_METRICS_PORT": "0",
                f"{each.prefix}_LOG_LEVEL": "warning",
                "TTS_CACHE_MB": "0",  # the same text again and again: the engine is measured, not what is kept
                **scripted[each.name],
            },
        )
        for each in wanted
    ]


@asynccontextmanager
async def _target(stage: Stage, engine: str) -> AsyncIterator[tuple[str, str]]:
    """Yield where the stage serves, and what is known of its engine: as found, or started for this context."""
    service = next(each for each in SERVICES if each.name == stage.service)
    health = HealthWatch(service, settings_of(service))
    is_serving = health.is_serving()
    health.close()
    if is_serving and not engine:
        yield health.address, "as it serves"
        return
    async with run_stack(_services_of(stage, engine), OUT_DIR / "logs" / "load") as running:
        yield running[stage.service].service.target, engine or stage.scripted_engine


def _streams_of(stage: Stage) -> Sequence[int]:
    """Return how many at once, one row each; STREAMS=1,8,32 says others."""
    if asked := os.environ.get("STREAMS"):
        return tuple(int(count) for count in asked.split(","))
    return _STT_STREAMS if stage.name == "stt" else _STREAMS


async def _load(stage: Stage, engine: str) -> Report:
    ghz = ensure_ghz()
    data = _ROOT / "deploy" / "load" / f"{stage.name}.json"
    script = read_script(stage, data)
    report = Report(f"load-{stage.name}", machine_speed())
    async with _target(stage, engine) as (target, what):
        print(f"  {stage.method} on {target}, engine {what}", flush=True)
        targets = [Target("first_ms", "p95", stage.first_p95_ms)] if what == stage.scripted_engine else []
        paces = (("", stage.interval_ms), ("-as-fast", 0)) if stage.name == "stt" else (("", stage.interval_ms),)
        for suffix, interval_ms in paces:
            paced = replace(script, interval_s=interval_ms / 1000)
            for number, streams in enumerate(_streams_of(stage)):
                rounds = stage.rounds[number] if number < len(stage.rounds) else _FEWEST_ROUNDS
                first_s = await measure(paced, target, streams=streams, rounds=rounds)
                whole = await asyncio.to_thread(
                    run_ghz, ghz, target, proto=stage.proto, method=stage.method.replace("/", "."), data=data,
                    interval_ms=interval_ms, streams=streams, total=streams * rounds,
                )  # fmt: skip
                failed = sum(math.isinf(second) for second in [*first_s, *whole.seconds])
                row = {"scenario": f"load-{stage.name}{suffix}", "calls": streams, "engine": what, "failed": failed}
                measured = {**row, "first_ms": spread(first_s), "stream_ms": spread(list(whole.seconds))}
                report.add(measured, [] if suffix else targets)
                for error, count in whole.errors.items():
                    print(f"{'':<34}{count} x {error}", flush=True)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.stage", description="Load one stage alone.")
    parser.add_argument("stage", nargs="?", default=os.environ.get("STAGE", ""), help="|".join(STAGES))
    parser.add_argument("--engine", default=os.environ.get("ENGINE", ""), help="in place of the scripted one")
    asked = parser.parse_args(arguments)
    if asked.stage not in STAGES:
        print(f"usage: make load STAGE={'|'.join(STAGES)} [ENGINE=name]", file=sys.stderr)
        return 2
    if asked.stage == "nlu" and asked.engine == "llama_cpp":
        counts = [
            int(count) for count in (os.environ.get("CHATS") or os.environ.get("STREAMS") or "1,2,4,8,16,32").split(",")
        ]
        return run_chats(
            os.environ.get("NLU_MODEL") or "qwen2.5-0.5b-instruct", counts, int(os.environ.get("TURNS") or 3)
        )
    if asked.stage == "tts" and asked.engine:
        return run_voices(asked.engine)
    try:
        report = asyncio.run(_load(STAGES[asked.stage], asked.engine))
    except (StartupError, RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"  written to {report.write()}")
    return 1 if any(row["failed"] for row in report.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
