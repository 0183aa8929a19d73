"""What a caller hears when a service dies or freezes in mid-call: a table, from calls through a real Asterisk.

python -m tests.load.kills [--services nlu,tts] [--moments speaking] [--faults kill,stop]

`kill -9` of each of the four services at six moments of a call (24 cells), and SIGSTOP of the three model services at
the same moments (18 more). Engines are scripted and speak in tones. A killed service is started again at once, as its
supervisor would; a stopped one goes on after five seconds.
"""

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

from clients.phone.sip_phone import SipCall
from services.audio.g711 import decode_mulaw
from services.audio.pcm import Samples
from tests.integration.asterisk import number, running_pbx
from tests.integration.phones import running_phones
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.load.clips import load_clips

SERVICES: Final = ("stt", "nlu", "tts", "call")
MOMENTS: Final = ("greeting", "listening", "thinking", "speaking", "held", "closing")
FAULTS: Final = ("kill", "stop")
CALLER_SAYS: Final = ("Say long, please.", "Say nine, please.", "Say hang up, please.")
AUDIBLE: Final = 330  # -40 dBFS
WINDOW: Final = 160
STOPPED_S: Final = 5.0
WATCHED_S: Final = 14.0  # from the fault
HELD_S: Final = 3.0
MOMENT_LIMIT_S: Final = 20.0


@dataclass(slots=True)
class Told:
    """What the gateways told of calls."""

    events: list[Any] = field(default_factory=list)

    def floors(self) -> list[int]:
        """Whose turn it was, in order."""
        return [event.floor_change.to for event in self.events if event.WhichOneof("event") == "floor_change"]

    def phrases(self, since: int) -> list[str]:
        """What the gateway said by itself since that event."""
        return [
            event.turn.heard_text
            for event in self.events[since:]
            if event.WhichOneof("event") == "turn" and event.turn.is_gateway_prompt
        ]


@dataclass(frozen=True, slots=True)
class Cell:
    """One call with one fault."""

    fault: str
    service: str
    moment: str
    phrases: tuple[str, ...]
    sound_after_s: float | None  # None: nothing was heard again
    longest_silence_s: float
    goes_on: bool  # the call is up and answers the next question, or ended as it was to end


async def _watch(target: str, told: Told) -> None:
    """Collect events from whichever gateway process serves, until cancelled."""
    while True:
        async with grpc.aio.insecure_channel(target) as channel:
            with contextlib.suppress(grpc.aio.AioRpcError):
                stub = call_pb2_grpc.CallGatewayServiceStub(channel)
                async for response in stub.WatchCalls(call_pb2.WatchCallsRequest()):
                    told.events.append(response.event)
        await asyncio.sleep(0.05)


async def _until_floor(told: Told, floor: int, times: int = 1) -> None:
    async with asyncio.timeout(MOMENT_LIMIT_S):
        while told.floors().count(floor) < times:
            await asyncio.sleep(0.005)


async def _bring_to(moment: str, call: SipCall, told: Told, clips: list[Samples]) -> None:
    """Have the call reach the moment at which the fault strikes."""
    await _until_floor(told, record_pb2.FLOOR_SPEAKING)
    if moment == "greeting":
        return
    await _until_floor(told, record_pb2.FLOOR_LISTENING)
    if moment == "listening":
        return
    if moment == "closing":
        for _ in range(2):  # two questions before the one that ends the call
            await _ask(call, told, clips[1])
    call.say(clips[0])
    thinking = told.floors().count(record_pb2.FLOOR_THINKING)
    await _until_floor(told, record_pb2.FLOOR_THINKING, thinking + 1)
    if moment == "thinking":
        return
    speaking = told.floors().count(record_pb2.FLOOR_SPEAKING)
    await _until_floor(told, record_pb2.FLOOR_SPEAKING, speaking + (told.floors()[-1] == record_pb2.FLOOR_THINKING))
    await asyncio.sleep(0.5)
    if moment == "held":
        await call.hold()
        await _until_floor(told, record_pb2.FLOOR_HELD)


async def _ask(call: SipCall, told: Told, clip: Samples) -> None:
    """One question, answered to its end."""
    answered = told.floors().count(record_pb2.FLOOR_SPEAKING)
    call.say(clip)
    await _until_floor(told, record_pb2.FLOOR_SPEAKING, answered + 1)
    async with asyncio.timeout(MOMENT_LIMIT_S):
        while told.floors()[-1] != record_pb2.FLOOR_LISTENING:
            await asyncio.sleep(0.02)


async def _strike(stack: ScriptedStack, service: str, fault: str) -> asyncio.Task[None]:
    """The fault, and the task that mends it."""
    if fault == "kill":
        await asyncio.to_thread(stack.kill, service)
        return asyncio.create_task(asyncio.to_thread(stack.bring_back, service))
    stack.stall(service)

    async def go_on() -> None:
        await asyncio.sleep(STOPPED_S)
        await asyncio.to_thread(stack.mend)

    return asyncio.create_task(go_on())


def _sounds(samples: Samples) -> np.ndarray[Any, np.dtype[np.bool_]]:
    whole = samples[: len(samples) // WINDOW * WINDOW].astype(np.int32)
    return np.asarray(np.abs(whole).reshape(-1, WINDOW).max(axis=1) > AUDIBLE) if len(whole) else np.zeros(0, np.bool_)


def _silences(samples: Samples) -> tuple[float | None, float]:
    """When sound came back after what was on its way, and the longest silence, in seconds."""
    sounds = _sounds(samples)
    longest = run = 0
    back: int | None = None
    for at, is_sound in enumerate(sounds):
        run = 0 if is_sound else run + 1
        longest = max(longest, run)
        if is_sound and back is None and not sounds[:at].all():
            back = at
    to_s = WINDOW / 8000
    return (None if back is None else back * to_s), longest * to_s


async def _cell(call: SipCall, stack: ScriptedStack, told: Told, *, fault: str, service: str, moment: str) -> Cell:
    clips = [decode_mulaw(b"".join(clip.frames)) for clip in load_clips() if clip.kind == "plain"][:4]
    await _bring_to(moment, call, told, clips)
    since, from_s = len(told.events), call.heard.length_s
    mending = await _strike(stack, service, fault)
    if moment == "held":
        await asyncio.sleep(HELD_S)
        await call.resume()
    await call.wait_over(WATCHED_S)
    await mending
    after_s, silence_s = _silences(call.heard.samples()[round(from_s * 8000) :])
    phrases = tuple(told.phrases(since))
    goes_on = moment == "closing" if call.is_over else await _is_answered(call, told, clips[1])
    return Cell(fault, service, moment, phrases, after_s, silence_s, goes_on)


async def _is_answered(call: SipCall, told: Told, clip: Samples) -> bool:
    before = told.floors().count(record_pb2.FLOOR_SPEAKING)
    call.say(clip)
    try:
        await _until_floor(told, record_pb2.FLOOR_SPEAKING, before + 1)
    except TimeoutError:
        return False
    return not call.is_over


@asynccontextmanager
async def _called(target: str, uri: str) -> AsyncIterator[tuple[SipCall, Told]]:
    told = Told()
    watching = asyncio.create_task(_watch(target, told))
    try:
        await asyncio.sleep(0.3)  # the watch is up before the call is
        async with running_phones() as phones:
            call = await phones.call(uri)
            try:
                yield call, told
            finally:
                await call.hang_up()
                await asyncio.sleep(0.2)
    finally:
        watching.cancel()


def _row(cell: Cell) -> str:
    after = "-" if cell.sound_after_s is None else f"{cell.sound_after_s:.1f} s"
    heard = "; ".join(cell.phrases) or "nothing of the gateway's"
    on = "yes" if cell.goes_on else "**no**"
    return (
        f"| {cell.fault} | {cell.service} | {cell.moment} | {heard} | {after} | {cell.longest_silence_s:.1f} s | {on} |"
    )


async def run(services: list[str], moments: list[str], faults: list[str]) -> list[Cell]:
    """Every cell that was asked for, each on a call of its own."""
    cells: list[Cell] = []
    print("| fault | service | at | the gateway said | sound after | longest silence | went on |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with running_pbx(folder / "pbx") as pbx:
            settings = {"call": {"GATEWAY_EDGES": "ari,program", "GATEWAY_ARI_URL": pbx.ari_url}}
            for fault in faults:
                for service in services:
                    if fault == "stop" and service == "call":
                        continue
                    for moment in moments:
                        says = CALLER_SAYS if moment != "closing" else (*["Say sure, please."] * 2, CALLER_SAYS[-1])
                        with scripted_stack(folder / f"{fault}-{service}-{moment}", says, settings) as stack:
                            async with _called(stack.gateway, number(pbx)) as (call, told):
                                cells.append(
                                    await _cell(call, stack, told, fault=fault, service=service, moment=moment)
                                )
                        print(_row(cells[-1]), flush=True)
    lost = sum(not cell.goes_on for cell in cells)
    print(f"\n{len(cells)} calls, {lost} lost")
    return cells


def _listed(text: str, known: tuple[str, ...]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: use any of {', '.join(known)}")
    return names


def main() -> None:
    """Run the cells and print the table; exit status 1 when a call was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=lambda text: _listed(text, SERVICES), default=list(SERVICES))
    parser.add_argument("--moments", type=lambda text: _listed(text, MOMENTS), default=list(MOMENTS))
    parser.add_argument("--faults", type=lambda text: _listed(text, FAULTS), default=list(FAULTS))
    told = parser.parse_args()
    cells = asyncio.run(run(told.services, told.moments, told.faults))
    raise SystemExit(any(not cell.goes_on for cell in cells))


if __name__ == "__main__":
    main()
