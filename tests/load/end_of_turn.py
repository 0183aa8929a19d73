"""The worth of each kind of evidence on the end of a turn, with intervals; on the texts of the labelled set.

    python -m tests.load.end_of_turn [--part development]

Each sentence is judged at its `|` and at its end as the STT stage judges it, by the predictor with some of its members
left out and at several wait curves. A pause is taken to last 300 to 880 ms, each length alike, as in the clips; a turn
is cut off at a pause that outlasts the wait and the detector's lag. Nothing depends on the machine or on an engine: a
difference between two rows comes from the evidence alone. Intervals are of 95 %, from 2000 bootstrap samples of
sentences; a difference is paired, sentence by sentence. `python -m tests.load.endpointing` measures the clips.
"""

import argparse
import math
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.stt_proxy.end_of_turn import predictor as members
from services.stt_proxy.end_of_turn import wait_curve
from services.stt_proxy.end_of_turn.countable import counted
from services.stt_proxy.end_of_turn.evidence import Evidence
from services.stt_proxy.end_of_turn.judging import judge
from services.stt_proxy.end_of_turn.predictor import EvidenceMember, Predictor, SumOfLogOdds
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.phrasebook import phrasebook_of

SENTENCES = Path(__file__).parents[1] / "data" / "endpointing_sentences.toml"
PAUSES_MS = np.arange(300, 900, 20)
LAG_MS = 116  # from the true end of speech to where the wait begins to count, and to the frame at which it is over
SAMPLES = 2000
WAITS = Waits()
SOON_MS = WAITS.complete_ms + LAG_MS
BUDGETS_MS = (300, 600)  # of latency, at which livekit's eot-bench tells the share of false cut-offs
FALSE_SHARE = 0.05  # at which it tells the latency
COMMON: tuple[EvidenceMember, ...] = (members.Hesitation(), members.Conversation())

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pause:
    """A place where a caller stops, at the end of the turn or inside it."""

    wait_ms: float  # at the curve in use
    log_odds: float | None  # of an end; None: it was counted


class Even:
    """Says of every text that an end is likely, so that only the other members speak."""

    def log_odds(self, evidence: Evidence) -> float:
        return 1.5


@dataclass(frozen=True, slots=True)
class Only:
    """A member of which one side counts: what speaks for an end, or what speaks against it."""

    member: EvidenceMember
    is_for: bool

    def log_odds(self, evidence: Evidence) -> float:
        said = self.member.log_odds(evidence)
        return said if (said > 0) is self.is_for else 0.0


PREDICTORS: dict[str, Predictor] = {
    "words": SumOfLogOdds((members.Words(), *COMMON)),
    "patterns": SumOfLogOdds((Even(), members.SentencePatterns(), *COMMON)),
    "words, open patterns": SumOfLogOdds((members.Words(), Only(members.SentencePatterns(), is_for=False), *COMMON)),
    "words, concluded patterns": SumOfLogOdds(
        (members.Words(), Only(members.SentencePatterns(), is_for=True), *COMMON)
    ),
    "words, patterns": SumOfLogOdds((members.Words(), members.SentencePatterns(), *COMMON)),
}
CURVES = (
    (0.6, 0.58, 0.5, 0.4), (0.62, 0.6, 0.5, 0.4), (0.62, 0.6, 1.0, 0.4), (0.62, 0.4, 1.0, 0.3), (0.66, 0.64, 0.5, 0.4),
    (0.68, 0.66, 0.5, 0.4), (0.7, 0.68, 0.5, 0.4), (0.7, 0.68, 1.0, 0.5), (0.72, 0.7, 0.5, 0.4), (0.72, 0.3, 1.0, 0.29),
    (0.74, 0.72, 0.5, 0.4), (0.74, 0.73, 0.7, 0.3), (0.745, 0.735, 0.6, 0.3), (0.77, 0.75, 0.5, 0.4),
)  # fmt: skip
"""Over, knee, its share, unlikely; see `wait_curve`."""


def sentences(parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Language and sentence."""
    read = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    for part in parts:
        for language, kinds in read[part].items():
            for texts in kinds.values():
                yield from ((language, text) for text in texts)


def pauses_of(language: str, sentence: str, predictor: Predictor) -> list[Pause]:
    """Return the clip's inner pauses and, last, its end."""
    parts = [part.strip() for part in sentence.split("|")]
    found = []
    for n_parts in range(1, len(parts) + 1):
        evidence = Evidence(" ".join(parts[:n_parts]), phrasebook_of(language))
        judged = judge(evidence, WAITS, predictor)
        is_counted = counted(evidence) is not None
        found.append(Pause(judged.wait_ms, None if is_counted else wait_curve.log_odds(judged.probability)))
    return found


def outcomes(turns: Sequence[Sequence[Pause]], wait_ms: Callable[[Pause], float]) -> tuple[Floats, Floats]:
    """The probability that each sentence is cut off, and the wait from its true end in ms."""
    cut, waits = [], []
    for *inner, end in turns:
        kept = math.prod(1 - float((wait_ms(pause) + LAG_MS < PAUSES_MS).mean()) for pause in inner)
        cut.append(1 - kept)
        waits.append(wait_ms(end) + LAG_MS)
    return np.array(cut), np.array(waits)


def by_curve(over: float, knee: float, share: float, unlikely: float) -> Callable[[Pause], float]:
    """The wait of a curve with these points."""
    places = [wait_curve.log_odds(probability) for probability in (unlikely, knee, over)]
    heights = [WAITS.complete_ms + at * (WAITS.unfinished_ms - WAITS.complete_ms) for at in (1.0, share, 0.0)]

    def wait_ms(pause: Pause) -> float:
        return pause.wait_ms if pause.log_odds is None else float(np.interp(pause.log_odds, places, heights))

    return wait_ms


def interval(values: Floats) -> str:
    """The mean in percent and its interval."""
    drawn = np.random.default_rng(20).integers(0, len(values), (SAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), (2.5, 97.5))
    return f"{100 * values.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def eot_measures(turns: Sequence[Sequence[Pause]]) -> str:
    """Shares of false cut-offs at a mean latency of 300 and 600 ms, and the latency at 5 % of them.

    The threshold of the curve is moved through its range, all else as served; between two of its points it is straight.
    A latency is counted from the true end of speech.
    """
    points = []
    for over in np.linspace(0.02, 0.995, 60):
        knee, unlikely = (float(over) * point / wait_curve.OVER for point in (wait_curve.KNEE, wait_curve.UNLIKELY))
        cut, waits = outcomes(turns, by_curve(float(over), knee, wait_curve.KNEE_SHARE, unlikely))
        points.append((float(waits.mean()), float(cut.mean())))
    latency, cut_off = (np.array(column) for column in zip(*sorted(points), strict=True))
    shares = [_share(ms, latency, cut_off) for ms in BUDGETS_MS]
    at_share = float(np.interp(-FALSE_SHARE, -cut_off, latency))
    return f"false cut-offs at 300 / 600 ms: {shares[0]} / {shares[1]}; latency at 5 % false: {at_share:.0f} ms"


def _share(budget_ms: float, latency: Floats, cut_off: Floats) -> str:
    if budget_ms < latency[0]:
        return f"never so soon as that, {latency[0]:.0f} ms at the least"
    return f"{100 * float(np.interp(budget_ms, latency, cut_off)):.1f} %"


def report(parts: Sequence[str]) -> None:
    """Print the tables."""
    listed = list(sentences(parts))
    print(f"{', '.join(parts)}: {len(listed)} sentences; cut off in % with its interval of 95 %")
    turns = {name: [pauses_of(*one, predictor) for one in listed] for name, predictor in PREDICTORS.items()}
    served = {name: outcomes(of_name, lambda pause: pause.wait_ms) for name, of_name in turns.items()}
    cut_of_words, soon_of_words = served["words"][0], served["words"][1] <= SOON_MS
    print("| members | cut off, % | beside words alone | ends waited for shortest, % | wait p50 / p95 |")
    print("|---|---:|---:|---:|---:|")
    for name, (cut, waits) in served.items():
        soon = waits <= SOON_MS
        print(
            f"| {name} | {interval(cut)} | {interval(cut - cut_of_words)} | {100 * soon.mean():.0f}, "
            f"{interval(soon.astype(float) - soon_of_words)} "
            f"| {np.median(waits):.0f} / {np.percentile(waits, 95):.0f} |"
        )
    print(
        "\n| curve: over, knee, share, unlikely | cut off, % | ends waited for shortest, % | wait p50 / p95 |\n"
        "|---|---:|---:|---:|"
    )
    full = turns["words, patterns"]
    for points in CURVES:
        cut, waits = outcomes(full, by_curve(*points))
        soon_percent = 100 * float((waits <= SOON_MS + 1).mean())
        figures = f"{soon_percent:.0f} | {np.median(waits):.0f} / {np.percentile(waits, 95):.0f}"
        print(f"| {', '.join(f'{point:g}' for point in points)} | {interval(cut)} | {figures} |")
    for name in ("words", "words, patterns"):
        print(f"\nas eot-bench counts, {name}: {eot_measures(turns[name])}")


def main() -> None:
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", default="development", help="parts of the set, separated by commas")
    report(parser.parse_args().part.split(","))


if __name__ == "__main__":
    main()
