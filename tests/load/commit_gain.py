"""The time that committing a turn at its decided end saves: `python -m tests.load.commit_gain [--calls 5] [--turns
20]`.

The gateway takes the caller's turn as over before the STT stage has settled its words, where a speculative reply covers
all that was said. Each such turn's `turn_ended` says in `commit_gain_ms` how long after the commit the settled words
came: the reply would have waited for them. Runs the bench's cells with scripted engines and, with
`--embedded`, the one with models; or reads logs of an earlier bench with `--logs out/bench-logs`. Prints a row a cell.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import uvloop

from tests.load import cells
from tests.load.bench import run
from tests.load.report import OUT_DIR

LOGS = OUT_DIR / "bench-logs"
SCENARIOS = ("turn-1", "mixed")


def turns_of(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The turns that answered a caller, of the lines of a gateway's log."""
    for line in lines:
        if '"turn_ended"' not in line:
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError:  # a line that was cut off when the process was stopped
            continue
        if fields.get("event") == "turn_ended" and "latency_ms" in fields:
            yield fields


def quantile(values: list[float], share: float) -> float:
    """The nearest-rank quantile of values that are not empty; `share` from 0 to 1."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def row(turns: list[dict[str, Any]]) -> str:
    """Return how many turns, how many of them were committed early, and what each of all turns gained."""
    gains = [float(turn["commit_gain_ms"]) for turn in turns if "commit_gain_ms" in turn]
    every = gains + [0.0] * (len(turns) - len(gains))
    early = f"{len(gains)} of {len(turns)} turns committed before their words were settled"
    if not gains:
        return early
    of_these = f"of these p50 {quantile(gains, 0.5):.0f} ms, p95 {quantile(gains, 0.95):.0f} ms"
    return f"{early}; gain of all turns p50 {quantile(every, 0.5):.0f} ms; {of_these}"


def main() -> int:
    """Exit status 1 when no log has a turn that was committed early."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, help="read these logs and run nothing")
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--embedded", action="store_true", help="the cell with real models too, at one call")
    arguments = parser.parse_args()
    logs: list[Path]
    if arguments.logs is None:
        chosen = cells.choose(scenarios=SCENARIOS, calls=[arguments.calls], turns=arguments.turns, cores="any")
        if arguments.embedded:
            chosen += cells.choose(scenarios=["embedded"], calls=[1], turns=arguments.turns, cores="any")
        uvloop.run(run(chosen))
        logs = [LOGS / f"{cell.scenario}-{cell.calls}" / "call_gateway.log" for cell in chosen]
    else:
        logs = sorted(arguments.logs.rglob("call_gateway.log"))
    n_early = 0
    for log in logs:
        with log.open(encoding="utf-8", errors="replace") as lines:
            turns = list(turns_of(lines))
        n_early += sum("commit_gain_ms" in turn for turn in turns)
        print(f"{log.parent.name}: {row(turns)}")
    return 0 if n_early else 1


if __name__ == "__main__":
    sys.exit(main())
