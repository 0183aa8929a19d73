"""Evidence for a clause beside the agent's facts. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Evidence:
    """The call up to a clause. Texts are in order, the newest last."""

    caller: tuple[str, ...] = ()  # what the caller said; the last is what is being answered
    names: tuple[str, ...] = ()  # that code took down from what the caller said
    reply: str = ""  # what this turn has said before the clause
    earlier: tuple[str, ...] = ()  # the agent's replies of earlier turns, as heard
    tools: tuple[str, ...] = ()  # results of tools in this call, as JSON
    deeds: tuple[str, ...] = ()  # those of `tools` that have done something, and not only looked it up
    done: frozenset[str] = frozenset()  # names of tools and acts that have done what they were asked to
    asked: frozenset[str] = frozenset()  # names of tools and acts asked for in this turn
    computed: tuple[Decimal, ...] = ()  # sums and differences from a calculating node
    now: datetime | None = None  # by the tenant's clock
    is_written_by_model: bool = False  # the clause: it may make a claim of an unknown kind


@dataclass(frozen=True, slots=True)
class Verdict:
    """The guard's verdict on a clause: it may be spoken; else the rule that it breaks and the words that break it."""

    ok: bool
    rule: str = ""
    offending: str = ""
    may_mend: bool = False  # what the sentence says next may make it right: "it's 20 dollars" "for a check-up"


PASSED = Verdict(True)
