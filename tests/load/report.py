"""Figures of a run: percentiles, a table with the target beside each figure, and the same as JSON."""

import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OUT_DIR = Path(__file__).parents[2] / "out"


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; a missed turn is infinite and stays so. NaN when there are no values."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """p50, p95, p99 in milliseconds of values in seconds, and how many there are."""
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    figures: dict[str, float | int] = {
        name: round(1000 * percentile(values, share), 1) for name, share in shares.items()
    }
    return {**figures, "n": len(values)}


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that was promised: `row[metric][key] <= limit`, or `row[metric] <= limit` when key is empty."""

    metric: str
    key: str
    limit: float
    at_least: bool = False

    def judge(self, row: dict[str, Any]) -> str | None:
        """A line for the table; None when the row has no such figure."""
        figure = row.get(self.metric)
        if isinstance(figure, dict):
            figure = figure.get(self.key)
        if figure is None:
            return None
        met = figure >= self.limit if self.at_least else figure <= self.limit
        sign = ">=" if self.at_least else "<="
        name = f"{self.metric} {self.key}".strip()
        return f"{name} {figure:g} ({'met' if met else 'MISSED'}: {sign} {self.limit:g})"


@dataclass(slots=True)
class Report:
    """Rows as they are measured, printed at once and kept for the file."""

    name: str
    machine: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: dict[str, Any], targets: Sequence[Target] = ()) -> None:
        """Keep and print one row."""
        judged = [line for target in targets if (line := target.judge(row)) is not None]
        self.rows.append({**row, **({"targets": judged} if judged else {})})
        figures = []
        for key, value in row.items():
            if isinstance(value, dict):
                figures.append(
                    f"{key} " + "/".join(f"{value[p]:g}" for p in ("p50", "p95", "p99")) + f" n={value['n']}"
                )
            elif key not in {"scenario", "calls"}:
                figures.append(f"{key} {value}")
        print(f"{row['scenario']:<22} {row['calls']:>3} calls  " + "  ".join(figures), flush=True)
        for line in judged:
            print(f"{'':<34}{line}", flush=True)

    def write(self) -> Path:
        """Save as JSON under out/."""
        OUT_DIR.mkdir(exist_ok=True)
        path = OUT_DIR / f"{self.name}.json"
        finite = json.loads(json.dumps({"machine": self.machine, "rows": self.rows}), parse_constant=str)
        path.write_text(json.dumps(finite, indent=1) + "\n", encoding="utf-8")
        return path


def machine_speed() -> dict[str, Any]:
    """The machine's name and its speed now: a fixed task, so that runs on different machines can be compared."""
    cpu_lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in cpu_lines if line.startswith("model name")]
    begun_s = time.perf_counter()
    total = 0
    for number in range(5_000_000):
        total += number * number
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "fixed_task_s": round(time.perf_counter() - begun_s, 3),
        "load_1m": round(os.getloadavg()[0], 2),
        "commit": commit.stdout.strip(),
        "date": time.strftime("%Y-%m-%d"),
    }
