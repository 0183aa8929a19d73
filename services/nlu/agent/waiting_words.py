"""Filler words that the agent says while a tool keeps the caller waiting. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from services.language import data
from services.language.words import normalise
from services.nlu.agent.outcomes import FILE, language_with_outcomes
from services.nlu.agent.profile import AgentProfile, PromptKind

_FIRST, _LATER = "tool_waits", "tool_waits_longer"


@dataclass(frozen=True, slots=True)
class WaitingWords:
    """One language's, the agent's own before the language's."""

    first: tuple[str, ...]  # the answer takes a moment
    later: tuple[str, ...]  # it takes longer

    def phrase(self, n_said: int, *, reply: str) -> str:
        """The phrase behind so many of one wait: one that the reply does not hold yet, while there is one."""
        phrases = self.later if n_said else self.first
        said = f" {' '.join(normalise(reply))} "
        new = [phrase for phrase in phrases if f" {' '.join(normalise(phrase))} " not in said]
        return new[0] if new else phrases[n_said % len(phrases)]


def waiting_words(profile: AgentProfile, language_code: str) -> WaitingWords:
    """Of an agent: its prompts `one_moment` and `still_with_you`, then what the language has."""
    return WaitingWords(
        (*_own(profile, PromptKind.ONE_MOMENT, language_code), *_words(_FIRST, language_code)),
        (*_own(profile, PromptKind.STILL_WITH_YOU, language_code), *_words(_LATER, language_code)),
    )


def load_waiting_words() -> None:
    """Read the words of every language, so that no call waits for it. Raises LanguageDataError."""
    for language in data.languages():
        for key in (_FIRST, _LATER):
            _words(key, language)


def _own(profile: AgentProfile, kind: PromptKind, language_code: str) -> tuple[str, ...]:
    return (profile.prompt(kind, language_code),) if kind in profile.prompts else ()


def _words(key: str, language_code: str) -> tuple[str, ...]:
    return data.phrases(language_with_outcomes(language_code), FILE, key)
