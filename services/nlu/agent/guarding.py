"""Guarding of an agent: the guard made of its profile, the tenant's clock, and the sentence said in place of a false
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from services.language import data
from services.language.capture_words import capture_words, has_capture
from services.language.claims import asked_sentence, honest_sentence
from services.nlu.agent.acts import ACT_NAMES
from services.nlu.agent.ending import offer
from services.nlu.agent.guard import Guard
from services.nlu.agent.outcomes import OutcomeKind
from services.nlu.agent.profile import AgentProfile


@dataclass(frozen=True, slots=True)
class Guarding:
    """One agent's."""

    guard: Guard
    profile: AgentProfile
    clock: Callable[[], datetime]  # by the tenant's zone

    def honest(self, language_code: str) -> str:
        """Return what is said where nothing else may be."""
        persona = self.profile.personas.get(language_code)
        return (persona.unknown if persona else "") or honest_sentence(language_code)


def guarding_of(profile: AgentProfile, *, instructions: str = "") -> Guarding:
    """Return how the calls of an agent are guarded; `instructions` of a client stand in place of the personas' own."""
    zone = profile.zone
    return Guarding(guard_of(profile, instructions=instructions), profile, lambda: datetime.now(zone))


def guard_of(profile: AgentProfile, *, instructions: str = "") -> Guard:
    """The guard of a profile; what `instructions` of a client name is known besides."""
    codes = profile.language_codes
    prose = {code: instructions for code in codes}
    if not instructions and not profile.facts:
        prose = {code: "\n".join(_prose(profile, code)) for code in codes}
    return Guard(
        profile.facts,
        languages=codes,
        texts={code: tuple(_texts(profile, code)) for code in codes},
        prose=prose,
        can=(*profile.tools, *ACT_NAMES),
    )


def _texts(profile: AgentProfile, code: str) -> Iterator[str]:
    """Yield what is said as it stands."""
    persona = profile.personas[code]
    yield persona.greeting
    yield persona.farewell
    yield persona.unknown or honest_sentence(code)
    yield asked_sentence(code)
    yield offer(code)
    yield from _language_names(profile, code)
    if has_capture(code):
        words = capture_words(code)
        yield from (text for text in (*words.asks.values(), *words.says.values()) if "{" not in text)
    yield from (slot.ask[code] for slot in profile.slots if code in slot.ask)
    for prompt in profile.prompts:
        yield profile.prompt(prompt, code)
    for outcome in OutcomeKind:
        yield profile.outcome(outcome, code)


def _language_names(profile: AgentProfile, code: str) -> Iterator[str]:
    """Yield what the agent speaks, as its answers name it."""
    try:
        names = data.table(data.primary(code), "answering", "languages")
    except data.LanguageDataError:  # a language without answers is for agents of other kinds
        return
    for tag in profile.language_codes:
        if name := names.get(data.primary(tag)):
            yield str(name)


def _prose(profile: AgentProfile, code: str) -> Iterator[str]:
    persona = profile.personas[code]
    yield persona.instructions
    for example in persona.examples:
        yield example.agent
