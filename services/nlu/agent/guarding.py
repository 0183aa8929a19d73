"""The guard of an agent, from its profile. One for all calls that use the profile as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from services.nlu.agent.acts import ACT_NAMES
from services.nlu.agent.guard import Guard
from services.nlu.agent.profile import AgentProfile, PromptKind


def guard_of(profile: AgentProfile, *, instructions: str = "") -> Guard:
    """The guard of a profile; `instructions` stand in place of its personas' own, and only what they name is known."""
    codes = profile.language_codes
    prose = {code: instructions or "\n".join(_prose(profile, code)) for code in codes}
    return Guard(
        profile.facts,
        languages=codes,
        texts={code: tuple(_texts(profile, code)) for code in codes},
        prose=prose,
        can=(*profile.tools, *ACT_NAMES),
    )


def _texts(profile: AgentProfile, code: str) -> Iterator[str]:
    """What is said as it stands."""
    persona = profile.personas[code]
    yield persona.greeting
    yield persona.farewell
    for kind in PromptKind:
        yield profile.prompt(kind, code)


def _prose(profile: AgentProfile, code: str) -> Iterator[str]:
    persona = profile.personas[code]
    yield persona.instructions
    for example in persona.examples:
        yield example.agent


