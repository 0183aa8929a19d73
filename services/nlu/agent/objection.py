"""What an agent is told about a clause of its own that was not spoken. Sans-IO."""

from __future__ import annotations

from services.nlu.agent.evidence import Verdict

_REASONS = {
    "price": "no such price of that is known",
    "hours": "the opening hours are otherwise",
    "free_time": "that time is not known to be free",
    "time": "no such time is known",
    "day": "nothing is known of that day",
    "date": "nothing is known of that date",
    "person_day": "it is not known who works on which day",
    "name": "nobody of that name is known",
    "person": "that person is not known to do that",
    "thing": "nothing is known of that",
    "deed": "that has not been done",
    "promise": "nothing was asked for that would do that",
    "ability": "you have no means to do that",
    "human": "you are no human being",
}
_OTHER = "nothing speaks for that"


def objection_to(clause: str, verdict: Verdict, *, said: str) -> str:
    """The objection for the agent: the words, what is wrong with them, and what was spoken before them."""
    reason = _REASONS.get(verdict.rule.removeprefix("affirmed_"), _OTHER)
    spoken = f" The caller has heard {said.strip()!r}; go on from there." if said.strip() else ""
    return f"{clause.strip()!r} was not spoken, because of {verdict.offending!r}: {reason}. Say what is known.{spoken}"
