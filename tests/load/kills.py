"""Calls during which a service dies or freezes: a table, from calls through a real Asterisk.

python -m tests.load.kills [--services nlu,tts] [--moments speaking] [--faults kill,stop] [--tries 2] [--write FILE]

`kill -9` of each of the four services at six moments of a call (24 cells), and SIGSTOP of the three model services at
the same moments (18 more). Engines are scripted and speak in tones. A killed service is started again at once, as its
supervisor would; beside the gateway a standby waits, as in `make run-stack`; a stopped one goes on after five seconds.

A caller is owed sound from the fault until the agent has said what it was saying or asked for; on hold, from the moment
it ends; while the agent listens, nothing. A busy machine starts processes late: a cell that is not as it should be is
tried again, up to `--tries` times, and the row says at which try it was so.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from voice.call.v1 import record_pb2

from clients.phone.sip_phone import PhoneFailed, SipCall
from deploy.asterisk.private_pbx import PrivatePbx
from services.audio.g711 import decode_mulaw
from services.audio.pcm import Samples
from tests.integration.asterisk import ROOT, number, running_pbx
from tests.integration.phones import running_phones
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.load.clips import load_clips
from tests.load.kills_watch import Told, watch_calls

SERVICES: Final = ("stt", "nlu", "tts", "call")
MOMENTS: Final = ("greeting", "listening", "thinking", "speaking", "held", "closing")
FAULTS: Final = ("kill", "stop")
GREETING: Final = "Good day, this is the dental clinic beside the post office. How can I help you today?"
CALLER_SAYS: Final = ("Say long, please.", "Say nine, please.", "Say hang up, please.")
AUDIBLE: Final = 330  # -40 dBFS
WINDOW: Final = 160
SHORT: Final = 15  # windows: a pause between words
STOPPED_S: Final = 5.0
WATCHED_S: Final = 30.0  # from the fault, at the longest
QUIET_S: Final = 6.5  # for a caller who is owed nothing: the agent's own question comes after eight
HELD_S: Final = 3.0
MAX_STARTS: Final = 3  # to bring a call to the moment
SAID_TOLERANCE_S: Final = 0.5  # from the end of the sound of words to the news of it
OWED_S: Final = 2.0  # longest silence for a caller who is owed sound
MOMENT_LIMIT_S: Final = 20.0
CELL_LIMIT_S: Final = 240.0  # for all the waits of one call


@dataclass(frozen=True, slots=True)
class Cell:
    """One call with one fault."""

    fault: str
    service: str
    moment: str
    phrases: tuple[str, ...]
    silence_s: float | None  # until sound came again; None: nothing was owed, or it never stopped
    longest_silence_s: float  # while sound was owed
    goes_on: bool  # the call is up and answers the next question, or ended as it was to end

    @property
    def is_owed(self) -> bool:
        return self.moment != "listening"

    @property
    def is_good(self) -> bool:
        """Return whether the call went as it should."""
        if not self.is_owed:
            knows_no_more = (self.fault, self.service) == ("kill", "call")  # a gateway that is new apologises once
            return self.goes_on and len(self.phrases) <= knows_no_more
        return self.goes_on and (self.silence_s or 0.0) <= OWED_S


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


@asynccontextmanager
async def _struck(stack: ScriptedStack, service: str, fault: str) -> AsyncIterator[asyncio.Task[None]]:
    """The fault, and the task that mends it. Nothing is mended behind the end of the body: the stack may be gone, and
    mending would start its services again.
    """
    mending = await _strike(stack, service, fault)
    try:
        yield mending
    finally:
        if fault == "stop":
            mending.cancel()  # the stack lets go on what is stopped
        await asyncio.wait([mending])


async def _strike(stack: ScriptedStack, service: str, fault: str) -> asyncio.Task[None]:
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


def _silences(samples: Samples, *, said_s: float | None) -> tuple[float | None, float]:
    """The first silence that is no pause between words, and the longest, in seconds. `said_s`: when the caller had been
    told to wait; what is silent after that is not the first. None: there was none before.
    """
    silences: list[tuple[float, float]] = []  # when it began, how long it was
    began: int | None = None
    sounds = _sounds(samples)
    for at, is_sound in enumerate([*sounds, True]):
        if not is_sound:
            began = at if began is None else began
        elif began is not None:
            if at - began > SHORT:
                silences.append((began * WINDOW / 8000, (at - began) * WINDOW / 8000))
            began = None
    longest = max((lasted for _, lasted in silences), default=0.0)
    first = next(iter(silences), None)
    if first is None or (said_s is not None and first[0] >= said_s - SAID_TOLERANCE_S):
        return None, longest
    return first[1], longest


async def _cell(call: SipCall, stack: ScriptedStack, told: Told, *, fault: str, service: str, moment: str) -> Cell:
    clips = [decode_mulaw(b"".join(clip.frames)) for clip in load_clips() if clip.kind == "plain"][:4]
    await _bring_to(moment, call, told, clips)
    since, from_s, from_at = len(told.events), call.now_s(), time.monotonic()
    async with _struck(stack, service, fault) as mending:
        silence_s, longest_s = None, 0.0
        if moment == "listening":
            await call.wait_over(QUIET_S)
            phrases = tuple(told.phrases(since))
        else:
            if moment == "held":
                await asyncio.sleep(HELD_S)
                await call.resume()
                from_s, from_at = call.now_s(), time.monotonic()
            await _until_settled(call, told, since, restarted=(fault, service) == ("kill", "call"))
            heard = _heard_until_now(call)[round(from_s * 8000) :]
            sounds = np.flatnonzero(_sounds(heard))
            if len(sounds) and (call.is_over or told.is_settled(since, restarted=service == "call")):
                heard = heard[: (int(sounds[-1]) + 1) * WINDOW]  # what comes behind the last word is not counted
            phrase_at = told.first_phrase_at(since)
            silence_s, longest_s = _silences(heard, said_s=None if phrase_at is None else phrase_at - from_at)
            phrases = tuple(told.phrases(since))
        await mending
        goes_on = _ended_well(told, moment) if call.is_over else await _is_answered(call, told, clips[1])
        return Cell(fault, service, moment, phrases, silence_s, longest_s, goes_on)


async def _until_settled(call: SipCall, told: Told, since: int, *, restarted: bool) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WATCHED_S):
            while not call.is_over and not told.is_settled(since, restarted=restarted):
                await asyncio.sleep(0.02)


def _heard_until_now(call: SipCall) -> Samples:
    """The sound heard until now, with silence where no packets came."""
    missing = round((call.now_s() - call.heard.length_s) * 8000)
    return np.concatenate([call.heard.samples(), np.zeros(max(0, missing), dtype=np.int16)])


def _ended_well(told: Told, moment: str) -> bool:
    return moment == "closing" and record_pb2.CallEnd.CAUSE_FAILURE not in told.ends()


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
    watching = asyncio.create_task(watch_calls(target, told))
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


def _row(cell: Cell, n_tries: int) -> str:
    if not cell.is_owed:
        silence = longest = "nothing owed"
    else:
        silence = "none" if cell.silence_s is None else f"{cell.silence_s:.1f} s"
        longest = f"{cell.longest_silence_s:.1f} s"
        if not cell.is_good:
            silence = f"**{silence}**"
    heard = "; ".join(cell.phrases) or "nothing of the gateway's"
    on = "yes" if cell.goes_on else "**no**"
    name = f"{cell.fault} | {cell.service} | {cell.moment}"
    return f"| {name} | {heard} | {silence} | {longest} | {on} | {n_tries} |"


async def run(services: list[str], moments: list[str], faults: list[str], *, max_tries: int) -> list[str]:
    """Every cell that was asked for, each on a call of its own. Returns the lines of the table and its sum."""
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    tell("| fault | service | at | the gateway said | silent for | longest silence | went on | try |")
    tell("|---|---|---|---|---|---|---|---|")
    cells: list[Cell] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with running_pbx(folder / "pbx") as pbx:
            wanted = [(fault, service, moment) for fault in faults for service in services for moment in moments]
            for fault, service, moment in wanted:
                if fault == "stop" and service == "call":
                    continue
                for n_tries in range(1, max_tries + 1):
                    state = folder / f"{fault}-{service}-{moment}-{n_tries}"
                    cell = await _try(pbx, state, fault=fault, service=service, moment=moment)
                    if cell.is_good:
                        break
                cells.append(cell)
                tell(_row(cell, n_tries))
    lost, late = sum(not cell.goes_on for cell in cells), sum(cell.goes_on and not cell.is_good for cell in cells)
    tell(f"\n{len(cells)} calls, {lost} lost; {late} where sound that was owed came after more than {OWED_S:.0f} s.")
    return lines


async def _try(pbx: PrivatePbx, state: Path, *, fault: str, service: str, moment: str) -> Cell:
    settings = {
        "call": {"GATEWAY_EDGES": "ari,program", "GATEWAY_ARI_URL": pbx.ari_url},
        "nlu": {"NLU_AGENTS_DIR": str(_write_agent(state))},
    }
    says = CALLER_SAYS if moment != "closing" else (*["Say sure, please."] * 2, CALLER_SAYS[-1])
    for n_starts in range(MAX_STARTS):
        with scripted_stack(state / str(n_starts), says, settings, has_standby=True) as stack:
            try:
                async with asyncio.timeout(CELL_LIMIT_S), _called(stack.gateway, number(pbx)) as (call, told):
                    return await _cell(call, stack, told, fault=fault, service=service, moment=moment)
            except* (TimeoutError, PhoneFailed) as slow:  # the machine is too busy to bring the call to the moment
                print(f"{fault} {service} {moment}: {slow.exceptions[0]!r}, once more", file=sys.stderr, flush=True)
    raise SystemExit(f"{fault} {service} {moment}: the call did not come so far in {MAX_STARTS} tries")


def _write_agent(folder: Path) -> Path:
    """The quick agent with a greeting that is long enough to be struck in."""
    agent = yaml.safe_load((ROOT / "tests/integration/agents/quick.yaml").read_text(encoding="utf-8"))
    agent["personas"]["en"]["greeting"] = GREETING
    agents = folder / "agents"
    agents.mkdir(parents=True)
    (agents / "quick.yaml").write_text(yaml.safe_dump(agent), encoding="utf-8")
    return agents


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
    parser.add_argument("--tries", type=int, default=1, help="of a cell that is not as it should be")
    parser.add_argument("--write", type=Path, help="a file for the table")
    told = parser.parse_args()
    lines = asyncio.run(run(told.services, told.moments, told.faults, max_tries=max(1, told.tries)))
    if told.write is not None:
        told.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    raise SystemExit(any("**no**" in line for line in lines))


if __name__ == "__main__":
    main()
