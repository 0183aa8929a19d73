"""Guarded reply: collects the evidence of a turn, asks the guard, counts and logs the clauses withheld."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from prometheus_client import Counter

from services.language.claims import asked_sentence
from services.language.values import read_values
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.facts import Facts
from services.nlu.agent.guard import Guard
from services.nlu.agent.objection import known_facts, objection_to
from services.nlu.history import Entry, ToolCall
from services.nlu.outputs import WithheldClause
from services.nlu.tools.outcome import is_done, is_unclear
from services.runtime.logs import get_logger

log = get_logger(__name__)

_WITHHELD = Counter(
    "voice_nlu_withheld_clauses_total", "Clauses the guard did not let be spoken, by the rule they broke.", ["rule"]
)
PUT_DOWN = "note_for_later"


@dataclass(slots=True)
class GuardedReply:
    """Evidence and guard of one turn's reply."""

    guard: Guard
    language_code: str
    evidence: Evidence
    turn_id: int
    facts: Facts
    reads: Callable[[str], bool] = lambda name: False  # whether a tool only looks something up
    withheld: list[WithheldClause] = field(default_factory=list)
    _has_unclear_deed: bool = False  # the last tool of this turn that writes may have done it, and does not say so

    def check(self, clause: str, *, reply: str) -> Verdict:
        """Return whether a clause may be spoken behind what the turn has said."""
        return self.guard.check(clause, language=self.language_code, evidence=replace(self.evidence, reply=reply))

    def withhold(self, clause: str, verdict: Verdict) -> None:
        """Count and log a clause that is not spoken."""
        self.withheld.append(WithheldClause(verdict.rule, clause.strip()))
        _WITHHELD.labels(verdict.rule).inc()
        log.warning(
            "clause_withheld",
            turn_id=self.turn_id,
            rule=verdict.rule,
            **{"pii.clause": clause.strip(), "pii.offending": verdict.offending},
        )

    def objection(self, clause: str, verdict: Verdict, *, said: str) -> str:
        """Return the objection for the agent when it is asked once more."""
        return objection_to(clause, verdict, said=said, facts=known_facts(self.facts, self.language_code))

    def ask(self, name: str) -> None:
        """Note that a tool or an act is asked for."""
        if self.reads(name):
            return
        self.evidence = replace(self.evidence, asked=self.evidence.asked | {name})

    def on_author(self, *, is_written_by_model: bool) -> None:
        """Note whether a model or code writes the next clauses."""
        if self.evidence.is_written_by_model is not is_written_by_model:
            self.evidence = replace(self.evidence, is_written_by_model=is_written_by_model)

    def reckon(self, numbers: tuple[Decimal, ...]) -> None:
        """Note numbers of the reply that code has computed."""
        if numbers:
            self.evidence = replace(self.evidence, computed=(*self.evidence.computed, *numbers))

    def capture(self, said: str) -> None:
        """Note a value that code has put together from what the caller spelled, in several turns and with
        corrections.
        """
        if not said or said in self.evidence.caller:
            return
        names = tuple(piece for piece in said.split(". ") if piece and not any(map(str.isdecimal, piece)))
        self.evidence = replace(self.evidence, caller=(said, *self.evidence.caller), names=names)
        self.reckon(tuple(value.number for value in read_values(said, self.language_code).values))

    def look_up(self, results: tuple[str, ...]) -> None:
        """Note results that code has looked up for the reply. They are evidence of times and names, not of deeds."""
        if results:
            self.evidence = replace(self.evidence, tools=(*self.evidence.tools, *results))

    def put_down(self) -> None:
        """Note a deed that was recorded for later: the reply may say that it is recorded."""
        self.evidence = replace(self.evidence, done=self.evidence.done | {PUT_DOWN})

    def note(self, call: ToolCall) -> None:
        """Note the result of a tool of this turn."""
        self.evidence = _with_results(self.evidence, [call], self.reads)
        if not self.reads(call.name):
            self._has_unclear_deed = is_unclear(call.result_json, tool=call.name)

    def honest(self, otherwise: str) -> str:
        """Return what is said where nothing else may be: of a deed whose result is unclear, that it was asked for."""
        return asked_sentence(self.language_code) if self._has_unclear_deed else otherwise


def behind_opening(sentence: str, reply: str) -> str:
    """Return a sentence without the clause it opens with, where the reply has just said that: "I'm sorry,"."""
    opening, comma, rest = sentence.partition(",")
    is_said = bool(comma) and reply.rstrip().endswith(f"{opening},")
    return rest.strip() if is_said and rest.strip() else sentence


def evidence_of(
    history: Iterable[Entry],
    *,
    user_text: str,
    clock: Callable[[], datetime],
    reads: Callable[[str], bool] = lambda name: False,
) -> Evidence:
    """Return the evidence at the beginning of a turn: what was said and done before, and what the caller says now.
    Tools of which `reads` is true have looked something up, and done nothing.
    """
    entries = list(history)
    caller = [entry.user_text for entry in entries if entry.user_text]
    evidence = Evidence(
        caller=tuple([*caller, user_text] if user_text else caller),
        earlier=tuple(entry.heard_text for entry in entries if entry.heard_text),
        now=clock(),
    )
    return _with_results(evidence, [call for entry in entries for call in entry.tool_calls], reads)


def _is_looked_up(call: ToolCall, reads: Callable[[str], bool]) -> bool:
    """Return whether a result may be told from, though it is of no deed: a list of free times is one."""
    is_failure = any(sign in call.result_json for sign in ('"error"', '"failed"', '"cancelled"', '"pending"'))
    return bool(call.result_json) and reads(call.name) and not is_failure


def _with_results(evidence: Evidence, calls: Iterable[ToolCall], reads: Callable[[str], bool]) -> Evidence:
    ended = [call for call in calls if is_done(call.result_json, tool=call.name) or _is_looked_up(call, reads)]
    deeds = [call for call in ended if not reads(call.name)]
    return replace(
        evidence,
        tools=(*evidence.tools, *(call.result_json for call in ended)),
        deeds=(*evidence.deeds, *(call.result_json for call in deeds)),
        done=evidence.done | {call.name for call in deeds},
    )
