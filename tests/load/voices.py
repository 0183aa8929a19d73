"""`make load STAGE=tts ENGINE=name`: a voice under 1 to 32 calls at once, each played in real time.

Every call speaks TURNS turns, one behind the other, of two sentences. A call's listener begins with the first chunk and
never waits: sound that comes after its play time is a gap. A call is starved when it has a gap while another has more
than a second of sound ahead. STREAMS="1,8" and TURNS=3 make it shorter or longer. KEPT=1 speaks what is kept, whose
first audio has a limit of its own.
"""

import asyncio
import math
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from voice.tts.v1 import tts_pb2
from voice.tts.v1.tts_pb2_grpc import TtsServiceStub
from voice.type.v1 import audio_pb2, turn_pb2

from services.runtime.channels import open_channel
from tests.load.report import OUT_DIR, Report, Target, machine_speed, spread
from tests.load.stack import Running, Service, run_stack

STREAMS = (1, 2, 4, 8, 16, 32)
TURNS = 3
RATE = 8000
PORT = 51690
MUCH_LEAD_S = 1.0
LIMIT_S = 120.0
OVERHEAD_P95_MS = 8.0  # promised for the tone, at 16 calls
KEPT_FIRST_P95_MS = 10.0  # promised for speech that is kept
SENTENCES = {
    "en": (
        "We are open on weekdays from eight to six. Would you like to make an appointment?",
        "A check-up costs twenty dollars. It takes about half an hour.",
        "I can offer you Tuesday at ten in the morning. Does that suit you?",
        "You will find us beside the post office. There is free parking behind the building.",
    ),
    "vi": (
        "Phòng khám mở cửa từ tám giờ sáng. Anh chị có muốn đặt lịch hẹn không ạ?",
        "Khám răng hết hai trăm nghìn đồng. Mất khoảng nửa tiếng ạ.",
    ),
}


@dataclass(slots=True)
class Turn:
    """One turn as its listener hears it. Times in seconds, monotonic."""

    asked_s: float
    first_after_s: float = math.inf  # from there to the first chunk
    first_s: float = math.inf  # when its sample 0 is played; later where the listener has had to wait
    overhead_s: float = math.inf  # of that, what the engine neither waited nor worked
    n_samples: int = 0
    compute_us: int = 0
    is_over: bool = False
    gaps_s: list[float] = field(default_factory=list)

    def lead_s(self, now: float) -> float:
        """Sound that is there and not played yet, below zero where it is late; nothing before the first chunk."""
        return self.first_s + self.n_samples / RATE - now if self.first_s < math.inf else 0.0


@dataclass(slots=True)
class Level:
    """All calls of one number of streams."""

    turns: list[Turn] = field(default_factory=list)
    live: list[Turn] = field(default_factory=list)
    n_failed: int = 0
    n_starved: int = 0

    def observe(self, turn: Turn, chunk: audio_pb2.AudioChunk, timing: turn_pb2.Timing | None, now: float) -> None:
        """A chunk of a turn has come."""
        if turn.first_s == math.inf:
            turn.first_s, turn.first_after_s = now, now - turn.asked_s
            if timing is not None:
                turn.overhead_s = now - turn.asked_s - (timing.queue_us + timing.compute_us) / 1e6
        elif (late_s := -turn.lead_s(now)) > 0:
            turn.gaps_s.append(late_s)
            turn.first_s += late_s  # the listener has waited, and plays on from here
            self.n_starved += any(other.lead_s(now) > MUCH_LEAD_S for other in self.live if other is not turn)
        turn.n_samples += len(chunk.content)


async def _call(
    channel: grpc.aio.Channel, level: Level, language: str, n_turns: int, ordinal: int, *, is_kept: bool = False
) -> None:
    texts = SENTENCES[language]
    audio_format = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=RATE)
    call = TtsServiceStub(channel).StreamingSynthesize(timeout=LIMIT_S)
    caching = tts_pb2.SPEECH_CACHING_KEPT if is_kept else tts_pb2.SPEECH_CACHING_UNSPECIFIED
    config = tts_pb2.SynthesisConfig(language_codes=[language], audio_format=audio_format, caching=caching)
    await call.write(tts_pb2.StreamingSynthesizeRequest(config=config))
    await call.read()
    for turn_id in range(1, n_turns + 1):
        turn = Turn(time.monotonic())
        level.turns.append(turn)
        level.live.append(turn)
        text = tts_pb2.TurnText(turn_id=turn_id, text=texts[(ordinal + turn_id) % len(texts)])
        await call.write(tts_pb2.StreamingSynthesizeRequest(text=text))
        await call.write(tts_pb2.StreamingSynthesizeRequest(text_end=tts_pb2.TextEnd(turn_id=turn_id)))
        while not turn.is_over:
            response = await call.read()
            if not isinstance(response, tts_pb2.StreamingSynthesizeResponse):
                raise RuntimeError("the stream ended")
            if response.HasField("audio"):
                timing = response.audio.timing if response.audio.HasField("timing") else None
                level.observe(turn, response.audio.chunk, timing, time.monotonic())
            elif response.HasField("turn_end"):
                turn.is_over, turn.compute_us = True, response.turn_end.timing.compute_us
                level.n_failed += response.turn_end.outcome != turn_pb2.TurnEnd.OUTCOME_COMPLETED
        await asyncio.sleep(max(0.0, turn.lead_s(time.monotonic())))  # until all has been heard
        level.live.remove(turn)
    await call.done_writing()


async def measure(
    running: Running, engine: str, language: str, streams: int, n_turns: int, *, is_kept: bool = False
) -> dict[str, Any]:
    """One row of the table."""
    level, cpu_s = Level(), running.cpu_s()

    async def call(ordinal: int) -> None:
        await asyncio.sleep(random.Random(ordinal).uniform(0, 1))
        async with open_channel(running.service.target) as channel:
            try:
                await _call(channel, level, language, n_turns, ordinal, is_kept=is_kept)
            except (grpc.aio.AioRpcError, RuntimeError):
                level.n_failed += 1

    await asyncio.gather(*(call(ordinal) for ordinal in range(streams)))
    sound_s = sum(turn.n_samples for turn in level.turns) / RATE
    gaps_s = [gap for turn in level.turns for gap in turn.gaps_s]
    return {
        "scenario": "load-tts",
        "calls": streams,
        "engine": engine,
        "failed": level.n_failed,
        "first_ms": spread([turn.first_after_s for turn in level.turns]),
        "overhead_ms": spread([turn.overhead_s for turn in level.turns]),
        "gaps": len(gaps_s),
        "longest_gap_ms": round(1000 * max(gaps_s, default=0.0)),
        "starved": level.n_starved,
        "real_time_factor": round(sum(turn.compute_us for turn in level.turns) / 1e6 / max(sound_s, 0.001), 3),
        "cpu_a_second_of_sound": round((running.cpu_s() - cpu_s) / max(sound_s, 0.001), 3),
        "memory_mb": round(running.rss_mb()),
    }


async def load(
    engine: str, streams: Sequence[int], n_turns: int, language: str, *, kept_in: Path | None = None
) -> Report:
    """The whole table, for an engine's name or a whole TTS_ENGINES. `kept_in`: a folder for the speech that is kept."""
    chains = engine if "=" in engine else f"*={engine}"
    environment = {
        "TTS_PORT": str(PORT),
        "TTS_METRICS_PORT": "0",
        "TTS_LOG_LEVEL": "warning",
        "TTS_ENGINES": chains,
        **({"TTS_CACHE_DIR": str(kept_in)} if kept_in else {"TTS_CACHE_MB": "0"}),
    }
    is_kept = kept_in is not None
    name = f"load-tts-{engine.strip('*=').replace('=', '-')}" + ("-kept" if is_kept else "")
    report = Report(name, machine_speed())
    service = Service("tts", f"127.0.0.1:{PORT}", environment)
    async with run_stack([service], OUT_DIR / "logs" / "load") as running:
        for _ in range(2):  # what is kept is made, then read
            await measure(
                running["tts"], engine, language, 1, len(SENTENCES[language]) if is_kept else 1, is_kept=is_kept
            )
        for number in streams:
            row = await measure(running["tts"], engine, language, number, n_turns, is_kept=is_kept)
            is_promised = engine.removeprefix("*=") == "tone" and number == 16 and not is_kept
            targets = [Target("overhead_ms", "p95", OVERHEAD_P95_MS)] if is_promised else []
            report.add(row, [Target("first_ms", "p95", KEPT_FIRST_P95_MS)] if is_kept else targets)
    return report


def run(engine: str) -> int:
    """The table as the environment asks for it. 1 where a turn failed."""
    streams = [int(count) for count in os.environ.get("STREAMS", "").split(",") if count] or STREAMS
    language = (os.environ.get("LANGUAGES") or "en").split(",")[0]
    n_turns = int(os.environ.get("TURNS") or TURNS)
    with tempfile.TemporaryDirectory() as folder:
        kept_in = Path(folder) if os.environ.get("KEPT") else None
        report = asyncio.run(load(engine, streams, n_turns, language, kept_in=kept_in))
    print(f"  written to {report.write()}")
    return 1 if any(row["failed"] for row in report.rows) else 0
