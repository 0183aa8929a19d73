"""Cost of each client: `python -m tests.clients.figures [--rounds N]`, behind `make clients`. Prints a table.

Ten calls at once from one process of each language, and from the program caller of the tests, against the same gateway
with scripted engines, turn about. Compared is what lies between the gateway and the program: the time from the last
frame that the caller sent to the first audible chunk that came back, less the latency that the gateway has in the
turn's record, so that the engines' own variation drops out. CPU is of the whole process, its start included.
Other processes lengthen the tail: on a machine that is not idle, run it under `chrt -r 1` (Linux, as root).
"""

import argparse
import asyncio
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from voice.call.v1 import record_pb2

from tests.clients.conftest import LANGUAGES, run
from tests.clients.stack import ROOT, SAYS
from tests.integration.program_caller import FRAME_S, calling
from tests.integration.scripted_stack import scripted_stack
from tests.load.clips import Clip, load_clips

CALLS = 10
STAGGER_S = 0.1
CLIP = "000-plain"
BASELINE = "program caller"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of all lies, by the nearest rank."""
    ranked = sorted(values)
    return ranked[math.ceil(share * len(ranked)) - 1]


def last_frame_at(spoke_last_at: float, clip: Clip) -> float:
    """The time when the last frame of a clip was due, from when its last frame of speech left; both in seconds.

    Not when `say` returned: it looks every 20 ms whether the frames are gone, so that the clock of the program caller
    would start 10 ms late on average, and every other client would look slower than it is.
    """
    return spoke_last_at + (len(clip.frames) - 1 - clip.end_frame) * FRAME_S


async def answer_baseline(target: str, number: int) -> float:
    """One call of the tests' own program caller: milliseconds beyond the gateway's latency."""
    await asyncio.sleep(number * STAGGER_S)
    clip = next(one for one in load_clips() if one.name == CLIP)
    async with calling(target) as caller:
        await caller.until_floor(record_pb2.FLOOR_LISTENING)
        await caller.say(clip)
        spoke_at = last_frame_at(caller.spoke_last_at, clip)
        caller.half_close()
        await caller.until(lambda one: len(one.turns()) > 1)
        answered_at = caller.first_audible_after(spoke_at)
        assert answered_at is not None
        return 1000 * (answered_at - spoke_at) - caller.turns()[-1].latency_us / 1000


async def baseline(target: str) -> list[float]:
    """Ten calls at once."""
    return await asyncio.gather(*(answer_baseline(target, number) for number in range(CALLS)))


def print_baseline(target: str) -> None:
    """In a process of its own: ten calls, printed as JSON with the CPU they took."""
    beyond = asyncio.run(baseline(target))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"beyond_ms": beyond, "cpu_s": usage.ru_utime + usage.ru_stime}))


def measure(name: str, target: str, folder: Path) -> tuple[list[float], float]:
    """Ten calls of one client: milliseconds beyond the gateway's latency of each, and CPU seconds in all."""
    if name == BASELINE:
        command = [sys.executable, "-m", "tests.clients.figures", "--baseline", target]
        own = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)
        return own["beyond_ms"], own["cpu_s"]
    wav = ROOT / "tests/data/clips" / f"{CLIP}.wav"
    ran = run(name, ["call", str(wav), str(folder / "out.wav"), "--calls", str(CALLS), "--target", target])
    if ran.code != 0:
        raise SystemExit(f"{name}: {ran.out}{ran.err}")
    figures = json.loads(ran.out)
    pairs = zip(figures["answer_ms"], figures["latency_ms"], strict=True)
    return [answer - latency for answer, latency in pairs], figures["cpu_s"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="of ten calls for each client")
    parser.add_argument("--baseline", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.baseline:
        print_baseline(given.baseline)
        return
    names = [BASELINE, *LANGUAGES]
    beyond: dict[str, list[float]] = {name: [] for name in names}
    cpu_s: dict[str, float] = dict.fromkeys(names, 0.0)
    with tempfile.TemporaryDirectory() as folder, scripted_stack(Path(folder) / "stack", [SAYS]) as stack:
        for _ in range(given.rounds):
            for name in names:
                of_calls, spent_s = measure(name, stack.gateway, Path(folder))
                beyond[name] += of_calls
                cpu_s[name] += spent_s
    reference = percentile(beyond[BASELINE], 0.95)
    print(f"{given.rounds} rounds of {CALLS} calls; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'client':16}{'calls':>6}{'p50 ms':>9}{'p95 ms':>9}{'added p95 ms':>14}{'CPU ms a call':>15}")
    for name in names:
        times = beyond[name]
        p50, p95 = statistics.median(times), percentile(times, 0.95)
        cpu_ms = 1000 * cpu_s[name] / (given.rounds * CALLS)
        print(f"{name:16}{len(times):6}{p50:9.1f}{p95:9.1f}{p95 - reference:14.1f}{cpu_ms:15.0f}")


if __name__ == "__main__":
    main()
