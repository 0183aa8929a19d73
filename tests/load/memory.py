"""Does memory stay flat? `python -m tests.load.memory [--calls 500] [--lanes 10]`

Calls follow one another on each of some lanes: greeting, one question, its answer, hang-up. What the four services hold
is read after every tenth of the calls, once the lanes have met. The first tenth warms up; from then on nothing should
grow. Prints a row a tenth and writes out/memory.json.
"""

import argparse
import asyncio
import random

import uvloop

from tests.load import cells
from tests.load.bench import ARI_PORT, CLOSING_S, CONNECT_LIMIT_S
from tests.load.caller import Caller
from tests.load.cells import Cell
from tests.load.report import OUT_DIR, Report, machine_speed
from tests.load.scenarios import Measured, greet
from tests.load.stack import run_stack
from tests.load.stand_in_pbx import StandInPbx

TENTHS = 10


async def _calls(pbx: StandInPbx, cell: Cell, names: list[str], measured: Measured) -> None:
    """Hold the calls one after the other."""
    for name in names:
        chance = random.Random(name)
        line = await pbx.call(name, ssrc=chance.getrandbits(32))
        caller = Caller(line, phase_s=chance.uniform(0.0, 0.02))
        try:
            await greet(caller)
            measured.add(await cell.play(caller, 1, chance))
        finally:
            await pbx.hang_up(line)
            line.wire.close()


async def run(n_calls: int, n_lanes: int) -> None:
    """All calls, a tenth at a time."""
    (cell,) = cells.choose(scenarios=["turn-1"], calls=[1], turns=1, cores="any")
    report = Report("memory", machine_speed())
    print(f"machine: {report.machine}", flush=True)
    measured, share = Measured(), n_calls // TENTHS // n_lanes
    log_dir = OUT_DIR / "bench-logs" / "memory"
    async with (
        StandInPbx(ARI_PORT, cells.APPLICATION) as pbx,
        run_stack(cell.services(ARI_PORT), log_dir) as running,
    ):
        await asyncio.wait_for(pbx.connected.wait(), CONNECT_LIMIT_S)
        for tenth in range(TENTHS):
            async with asyncio.TaskGroup() as tasks:
                for lane in range(n_lanes):
                    names = [f"lane-{lane}-call-{tenth}-{number}" for number in range(share)]
                    tasks.create_task(_calls(pbx, cell, names, measured))
            await asyncio.sleep(CLOSING_S)
            held = {name: round(each.rss_mb(), 1) for name, each in running.items()}
            row = {"scenario": "sequential", "calls": (tenth + 1) * share * n_lanes, **held}
            report.add({**row, "rss_mb": round(sum(held.values()), 1), "answered": len(measured.turn_s)})
    print(f"wrote {report.write()}")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--lanes", type=int, default=10, help="calls at once")
    arguments = parser.parse_args()
    uvloop.run(run(arguments.calls, arguments.lanes))


if __name__ == "__main__":
    main()
