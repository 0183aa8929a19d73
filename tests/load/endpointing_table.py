"""The figures of endpointing runs as rows of a table: false cut-offs, waits, and why turns were taken."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests.load.report import percentile
from tests.load.stt_replay import Outcome

HEAD = (
    "| setting            | cut off, all % | cut off, paused % | wait, all    | wait, plain  | wait, paused |\n"
    "|--------------------|---------------:|------------------:|-------------:|-------------:|-------------:|"
)


def row(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of one setting on one part of the set."""
    paused = [outcome for outcome in outcomes if outcome.item.clip.kind == "pause"]
    plain = [outcome for outcome in outcomes if outcome.item.clip.kind != "pause"]
    return {
        "items": len(outcomes),
        "cut_off_percent": _share(outcomes),
        "cut_off_percent_paused": _share(paused),
        "wait_ms": _waits(outcomes),
        "wait_ms_plain": _waits(plain),
        "wait_ms_paused": _waits(paused),
        "reasons_plain": dict(Counter(outcome.reason for outcome in plain).most_common()),
        "reasons_cut_off": dict(Counter(outcome.reason for outcome in outcomes if outcome.is_cut_off).most_common()),
    }


def line(name: str, figures: dict[str, Any]) -> str:
    """A row of the table that `HEAD` opens."""

    def waits(key: str) -> str:
        return f"{figures[key]['p50']:>5g} /{figures[key]['p95']:>5g}"

    return (
        f"| {name:<18} | {figures['cut_off_percent']:>14.1f} | {figures['cut_off_percent_paused']:>17.1f} "
        f"| {waits('wait_ms')} | {waits('wait_ms_plain')} | {waits('wait_ms_paused')} |"
    )


def reasons(figures: dict[str, Any]) -> str:
    """Return why plain sentences were taken, in percent, and on what turns were cut off, in clips."""
    n_plain = sum(figures["reasons_plain"].values())
    plain = ", ".join(f"{name} {100 * n / n_plain:.0f} %" for name, n in figures["reasons_plain"].items())
    cut_off = ", ".join(f"{name} {n}" for name, n in figures["reasons_cut_off"].items())
    return f"plain sentences taken as {plain}; cut off as {cut_off or 'nothing'}"


def _share(outcomes: Sequence[Outcome]) -> float:
    return round(100 * sum(outcome.is_cut_off for outcome in outcomes) / max(1, len(outcomes)), 1)


def _waits(outcomes: Iterable[Outcome]) -> dict[str, float]:
    waits = [outcome.wait_ms for outcome in outcomes if not outcome.is_cut_off] or [math.inf]
    return {"p50": percentile(waits, 0.5), "p95": percentile(waits, 0.95), "n": len(waits)}
