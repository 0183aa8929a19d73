"""Guard rules for claimed deeds: a clause that says something was done, or will be, must be true. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable

from services.language.value import Reading
from services.nlu.agent.acts import ACT_NAMES
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.deeds import Tense, claimed_deeds, claims_past
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.grounds import Grounds


def broken_deed(
    reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence, can: frozenset[str]
) -> Verdict | None:
    """The first deed that nothing speaks for; None: there is none. `can`: tools and acts that the agent has."""
    is_question = form.is_question and not form.is_claim_of_caller
    for claim in claimed_deeds(reading.texts, grounds.words, is_question=is_question):
        acts = grounds.words.acts[claim.deed]
        speaks_for_it = {
            Tense.DONE: evidence.done,
            Tense.PROMISED: evidence.done | evidence.asked,
            Tense.POSSIBLE: evidence.done | evidence.asked | can,
        }[claim.tense]
        if not _is_named(acts, speaks_for_it):
            return Verdict(False, claim.tense.value, " ".join(reading.texts[claim.start : claim.end]))
    has_acted = evidence.done or evidence.tools  # "I have looked it up" is so
    past = claims_past(reading, grounds.words) if not (is_question or form.is_ignorance or has_acted) else None
    if past is not None and not form.is_claim_of_caller:
        return Verdict(False, Tense.DONE.value, " ".join(reading.texts[past[0] : past[1]]))
    return None


def _is_named(acts: Iterable[str], names: Iterable[str]) -> bool:
    acts = tuple(acts)
    return any(name in acts if name in ACT_NAMES else any(part in name.lower() for part in acts) for name in names)
