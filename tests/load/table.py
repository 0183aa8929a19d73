"""Figures of bench runs for the documentation: `python -m tests.load.table [out/bench.json ...]` prints Markdown and
draws docs/turns.svg, latency against the number of calls, with the knee named.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tests.load.report import OUT_DIR

KNEE = 1.5
"""A scenario's knee: the first number of calls whose p95 is past so many times its value at one call."""
PLOT = Path(__file__).parents[2] / "docs" / "turns.svg"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 860, 420, 60, 50, 30, 170
COLOURS = ("#1565c0", "#c62828", "#2e7d32", "#6a1b9a", "#ef6c00", "#00838f")

Row = Mapping[str, Any]


def markdown(report: Mapping[str, Any]) -> str:
    """The table, and the machine below it."""
    head = (
        "scenario", "calls", "turns", "turn p50/p95/p99 ms", "as recorded p50/p95", "barge-in p50/p95 ms", "cut off %",
        "went on %", "CPU s a call-min (front)", "MB a call", "sent RTP off 20 ms, p99", "underruns", "drops",
    )  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in report["rows"]]
    machine = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    knees = [
        f"- `{scenario}`: {_knee(rows)}" for scenario, rows in _by_scenario(report["rows"]).items() if len(rows) > 1
    ]
    return "\n".join([*lines, "", f"Machine: {machine}.", "", *knees]) + "\n"


def _cells(row: Row) -> list[str]:
    turn, recorded, barge_in = row.get("turn_ms"), row.get("recorded_turn_ms"), row.get("barge_in_ms")
    return [
        str(row["scenario"]),
        str(row["calls"]),
        str((turn or barge_in or {"n": ""})["n"]),
        f"{turn['p50']} / {turn['p95']} / {turn['p99']}" if turn else "",
        f"{recorded['p50']} / {recorded['p95']}" if recorded else "",
        f"{barge_in['p50']} / {barge_in['p95']}" if barge_in else "",
        str(row.get("cut_off_percent", "")),
        str(row.get("resumed_percent", "")),
        f"{row['cpu_s_per_call_min']} ({row['front_cpu_s_per_call_min']})",
        str(row["rss_mb_per_call"]),
        str(row["pacing_off_ms"]["p99"]),
        f"{row['underruns']:g}",
        f"{row['drops']:g}",
    ]


def _by_scenario(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["calls"])):
        if "turn_ms" in row:
            found.setdefault(str(row["scenario"]), []).append(row)
    return found


def _knee(rows: Sequence[Row]) -> str:
    first = float(rows[0]["turn_ms"]["p95"])
    for row in rows:
        if float(row["turn_ms"]["p95"]) > KNEE * first:
            return f"knee at {row['calls']} calls (p95 {row['turn_ms']['p95']} ms, {first} ms at {rows[0]['calls']})"
    return f"no knee up to {rows[-1]['calls']} calls"


def plot(report: Mapping[str, Any]) -> str:
    """Turn latency against calls, p50 dashed and p95 solid, as an SVG."""
    scenarios = {name: rows for name, rows in _by_scenario(report["rows"]).items() if len(rows) > 1}
    most_calls = max((int(row["calls"]) for rows in scenarios.values() for row in rows), default=1)
    finite = [min(float(row["turn_ms"]["p95"]), 2000.0) for rows in scenarios.values() for row in rows]
    most_ms = max([*finite, 600.0]) * 1.1

    def x(calls: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * calls / most_calls, 1)

    def y(ms: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(ms, most_ms) / most_ms, 1)

    shapes = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for ms in range(0, int(most_ms) + 1, 100):
        shapes.append(f'<path d="M{LEFT} {y(ms)}H{x(most_calls)}" stroke="#ddd"/>')
        shapes.append(_text(LEFT - 8, y(ms) + 4, str(ms), anchor="end"))
    every = sorted({int(row["calls"]) for rows in scenarios.values() for row in rows})
    shapes += [_text(x(calls), HEIGHT - BOTTOM + 18, str(calls), anchor="middle") for calls in every]
    shapes.append(_text((LEFT + x(most_calls)) / 2, HEIGHT - 10, "calls at once", anchor="middle"))
    shapes.append(_text(LEFT, TOP - 10, "ms from the last word to the first of the answer; solid p95, dashed p50"))
    for index, (name, rows) in enumerate(scenarios.items()):
        colour = COLOURS[index % len(COLOURS)]
        for share, dash in (("p95", ""), ("p50", ' stroke-dasharray="5 4"')):
            points = " ".join(f"{x(int(row['calls']))},{y(float(row['turn_ms'][share]))}" for row in rows)
            shapes.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        shapes.append(_text(WIDTH - RIGHT + 20, TOP + 18 * index, name, colour=colour))
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n' + "\n".join(shapes) + "\n</svg>\n"


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#333") -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}"'
    return f'<text {place} font-family="sans-serif" font-size="12">{escape(text)}</text>'


def main() -> None:
    """Print the table, draw the plot."""
    paths = [Path(name) for name in sys.argv[1:]] or [OUT_DIR / "bench.json"]
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    report = {"machine": reports[0]["machine"], "rows": [row for each in reports for row in each["rows"]]}
    print(markdown(report))
    PLOT.write_text(plot(report), encoding="utf-8")


if __name__ == "__main__":
    main()
