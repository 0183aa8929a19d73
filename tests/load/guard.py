"""Prints what the guard stops of clauses that are right, what it lets through of replies that are false, and its cost.

    python -m tests.load.guard [--verbose]

tests/data/guard/ has both sets, a line a reply: "asked|reply". `right_*.txt` and `false_*.txt` are written by hand, and
the rules were mended on them; `model_*.txt` are replies of a model, labelled by hand ("right|asked|reply"), and
`unseen_*.txt` were written after the rules and five of them mended rules since. `blind_*.txt`, `fresh_*.txt`,
`sight_*.txt` and `second_*.txt` were written last, one after the other: docs/AGENTS.md has what the guard made of them
at first sight, the rates to expect of unseen replies; all have mended rules since. `claims_*.txt` are claims
without a figure, `half_*.txt` replies of Qwen2.5-0.5B-Instruct, `after_*.txt` and `polite_*.txt` were written after the
rule for such claims. `free-1_*` and `free-2_*` are phrased as free-writing models do, of both agents: the sets
`hotel-*` are the hotel's; `sheet-1_*` to `sheet-3_*` came after them. Exit status 1 past the limits.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.nlu.agent.evidence import Evidence
from services.nlu.agent.guard import Guard
from services.nlu.agent.guarding import guard_of
from services.nlu.agent.profile import read_agents
from services.nlu.clauses import ClauseCutter
from services.nlu.settings import NluSettings

DATA = Path(__file__).parents[1] / "data" / "guard"
MOST_STOPPED = 0.01  # of the right clauses
MOST_MS = 2.0  # a clause, p95, of processor time
MONDAY = datetime(2026, 11, 30, 9, 0)  # by the clinic's clock


@dataclass(frozen=True, slots=True)
class Case:
    """A reply to a question, right or false."""

    source: str
    language: str
    is_right: bool
    asked: str
    reply: str
    agent: str = "clinic"

    @property
    def clauses(self) -> list[str]:
        cutter = ClauseCutter()
        return [clause.text for clause in cutter.push(self.reply) + cutter.finish()]


@dataclass(frozen=True, slots=True)
class Judged:
    """The guard's result for a case: the stopped clauses, with the rule, and the time each check took."""

    case: Case
    n_clauses: int
    stopped: tuple[tuple[str, str], ...]
    spent_ms: tuple[float, ...]


def cases() -> Iterator[Case]:
    """Every case of the sets."""
    for path in sorted(DATA.glob("*.txt")):
        source, _, language = path.stem.partition("_")
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            fields = line.split("|")
            label = fields.pop(0) if len(fields) == 3 else source
            asked, reply = fields
            agent = "hotel" if source.startswith("hotel-") else "clinic"
            name = "written" if source in ("right", "false") else source
            yield Case(name, language, label == "right", asked, reply, agent)


def guards() -> dict[str, Guard]:
    """The guards of the agents that the sets are of, by the agent."""
    profiles = read_agents(NluSettings().agents_dir)
    return {name: guard_of(profiles[name]) for name in ("clinic", "hotel")}


def clinic_guard() -> Guard:
    """The guard of the clinic's agent."""
    return guard_of(read_agents(NluSettings().agents_dir)["clinic"])


def judge(guard: Guard, case: Case) -> Judged:
    """Put a reply before the guard clause by clause, as a turn does."""
    reply = waiting = ""
    stopped: list[tuple[str, str]] = []
    spent: list[float] = []
    clauses = case.clauses
    for at, clause in enumerate(clauses):
        text, waiting = waiting + clause, ""
        evidence = Evidence(caller=(case.asked,), reply=reply, now=MONDAY, is_written_by_model=True)
        began = time.thread_time()
        verdict = guard.check(text, language=case.language, evidence=evidence)
        spent.append((time.thread_time() - began) * 1000)
        if not verdict.ok and verdict.may_mend and at + 1 < len(clauses):
            waiting = text
            continue
        if not verdict.ok:
            stopped.append((text.strip(), f"{verdict.rule}: {verdict.offending}"))
        reply += text
    return Judged(case, len(clauses), tuple(stopped), tuple(spent))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--verbose", action="store_true", help="print each right clause stopped and false one let through"
    )
    is_verbose = parser.parse_args().verbose
    by_agent = guards()
    for case in cases():  # the first look of each text reads it; calls find most of them read
        judge(by_agent[case.agent], case)
    judged = [judge(by_agent[case.agent], case) for case in cases()]
    print(f"{'set':12} {'language':8} {'right clauses':>14} {'stopped':>8} {'false replies':>14} {'let through':>12}")
    groups = dict.fromkeys((each.case.source, each.case.language) for each in judged)
    for source, language in groups:
        _print_row(source, language, [e for e in judged if (e.case.source, e.case.language) == (source, language)])
    n_right, n_stopped, n_false, n_through = _print_row("all", "", judged)
    spent = sorted(spent_ms for each in judged for spent_ms in each.spent_ms)
    p50, p95 = spent[len(spent) // 2], spent[len(spent) * 95 // 100]
    print(
        f"right clauses stopped {n_stopped / n_right:.2%} (limit {MOST_STOPPED:.0%}), "
        f"false replies let through {n_through / n_false:.2%}; "
        f"a clause costs {p50:.2f} ms p50, {p95:.2f} ms p95, {spent[-1]:.2f} ms at most of processor time"
    )
    if is_verbose:
        for each in judged:
            if each.case.is_right and each.stopped:
                print("stopped:", each.case.asked, "|", *each.stopped)
            elif not each.case.is_right and not each.stopped:
                print("let through:", each.case.asked, "|", each.case.reply)
    return int(n_stopped / n_right > MOST_STOPPED or p95 > MOST_MS)


def _print_row(source: str, language: str, judged: list[Judged]) -> tuple[int, int, int, int]:
    right, wrong = [e for e in judged if e.case.is_right], [e for e in judged if not e.case.is_right]
    n_right, n_stopped = sum(e.n_clauses for e in right), sum(len(e.stopped) for e in right)
    n_through = sum(not e.stopped for e in wrong)
    print(f"{source:12} {language:8} {n_right:14} {n_stopped:8} {len(wrong):14} {n_through:12}")
    return n_right, n_stopped, len(wrong), n_through


if __name__ == "__main__":
    sys.exit(main())
