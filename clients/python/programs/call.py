"""`call`: a WAV in, the agent's WAV and a timed transcript out."""

import asyncio
import json
import resource
import sys
import time
from array import array
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field

from voice.call.v1 import record_pb2

from clients.python.call import Call
from clients.python.connection import Connection
from clients.python.errors import TongDaiError
from clients.python.programs.flags import Given, UsageError
from clients.python.programs.names import name_of
from clients.python.programs.source import source
from clients.python.stream import FRAME_S
from clients.python.wav import Wav, read_wav, write_wav

GREETING_LIMIT_S = 10.0
"""Limit on the wait for a greeting; the caller speaks after it."""
AUDIBLE = 330
"""The smallest sample of a voice: -40 dBFS."""
STAGGER_S = 0.1
"""Seconds between the beginnings of several calls."""


@dataclass(slots=True)
class Conversed:
    """The turns of one call, and its end."""

    lines: list[str] = field(default_factory=list)
    heard: bytes = b""
    cause: str = ""
    answer_s: float | None = None
    """Seconds from the last frame of the caller's sound to the first audible one of the answer."""
    latency_ms: float = 0.0
    """The last turn's latency, as the gateway has it in the turn's record."""


async def call(connection: Connection, given: Given) -> int:
    """Run the program."""
    path, output = given.operands
    if path == "-" and given.text("calls"):
        raise UsageError("--calls needs a file")
    if given.whole("calls"):
        return await call_often(connection, read_wav(path), given)
    sound, rate = await source(given, path)
    done = await converse(connection, sound, rate, given, is_printed=True)
    write_wav(output, Wav(rate, done.heard))
    return 1 if done.cause == "FAILURE" else 0


async def call_often(connection: Connection, wav: Wav, given: Given) -> int:
    """Several calls at once, and their figures."""

    async def one(number: int) -> Conversed | TongDaiError:
        await asyncio.sleep(number * STAGGER_S)
        try:
            return await converse(connection, wav.samples, wav.sample_rate_hertz, given, is_printed=False)
        except TongDaiError as error:
            return error

    results = await asyncio.gather(*(one(number) for number in range(given.whole("calls"))))
    done = [result for result in results if isinstance(result, Conversed)]
    if done:
        write_wav(given.operands[1], Wav(wav.sample_rate_hertz, done[0].heard))
    answered = [result for result in done if result.answer_s is not None]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "calls": given.whole("calls"),
        "failed": given.whole("calls") - len(done),
        "answer_ms": [round(1000 * (result.answer_s or 0.0), 1) for result in answered],
        "latency_ms": [result.latency_ms for result in answered],
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
    }
    print(json.dumps(figures, separators=(",", ":")))
    for result in results:
        if isinstance(result, TongDaiError):
            print(f"call: {result.summary}", file=sys.stderr)
    return 0 if len(done) == given.whole("calls") else 1


async def converse(
    connection: Connection, sound: bytes | AsyncIterable[bytes], rate: int, given: Given, *, is_printed: bool
) -> Conversed:
    """One call from its beginning to its end. Raises TongDaiError."""
    call = await Call.open(
        connection,
        sample_rate_hertz=rate,
        caller=given.text("caller"),
        **given.whose,
    )
    began = time.monotonic()
    done = Conversed()
    is_greeted = asyncio.Event()
    spoke_last_at: list[float] = []

    async def speak() -> None:
        if not given.text("at-once") and given.operands[0] != "-":
            await call.speak(silence(rate, is_greeted))
        await call.speak(sound)
        spoke_last_at.append(time.monotonic())
        await call.half_close()

    def tell(line: str) -> None:
        done.lines.append(f"{time.monotonic() - began:8.3f} {line}")
        if is_printed:
            print(done.lines[-1], flush=True)

    info = call.info
    tell(f"answered agent={info.agent_id} language={info.language_code} rate={rate}")
    speaking = asyncio.create_task(speak())
    try:
        async for response in call:
            kind = response.WhichOneof("response")
            if kind == "audio" and spoke_last_at and done.answer_s is None and is_audible(response.audio.content):
                done.answer_s = time.monotonic() - spoke_last_at[0]
            elif kind == "event":
                change = response.event.floor_change
                if response.event.WhichOneof("event") == "floor_change" and change.to == record_pb2.FLOOR_LISTENING:
                    is_greeted.set()
                if response.event.WhichOneof("event") == "turn":
                    done.latency_ms = round(response.event.turn.latency_us / 1000, 1)
                for line in lines_of(response.event):
                    tell(line)
            elif kind == "end":
                done.cause = name_of(record_pb2.CallEnd.Cause, response.end.cause, "CAUSE_")
                tell(f"ended {done.cause} turns={response.end.turn_count}")
    finally:
        speaking.cancel()
        call.cancel()
    done.heard = bytes(call.heard)
    return done


async def silence(rate: int, until: asyncio.Event) -> AsyncIterator[bytes]:
    """Frames of zeros until something has happened, or a caller waits no longer."""
    for _ in range(round(GREETING_LIMIT_S / FRAME_S)):
        if until.is_set():
            return
        yield bytes(2 * (rate // 50))


def lines_of(event: record_pb2.CallEvent) -> list[str]:
    """The lines of the transcript for an event."""
    match event.WhichOneof("event"):
        case "caller_text" if event.caller_text.is_settled and event.caller_text.text:
            return [f"caller: {event.caller_text.text}"]
        case "turn":
            turn = event.turn
            outcome = name_of(record_pb2.TurnRecord.Outcome, turn.outcome, "OUTCOME_")
            who = "gateway" if turn.is_gateway_prompt else "agent"
            return [f"{who}: {turn.heard_text}" + ("" if outcome == "COMPLETED" else f" [{outcome}]")]
        case "stage_trouble":
            trouble = event.stage_trouble
            return [f"trouble {trouble.stage} {trouble.reason} {trouble.remedy}"]
        case "line_trouble":
            return [f"line {event.line_trouble.cause}"]
    return []


def is_audible(content: bytes) -> bool:
    """True where a sample is louder than -40 dBFS."""
    samples = array("h", content)
    if sys.byteorder == "big":
        samples.byteswap()
    return max(max(samples, default=0), -min(samples, default=0)) > AUDIBLE
