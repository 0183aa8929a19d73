"""Prompt book: the gateway's own words as sound, which can be played when every stage is down."""

from dataclasses import dataclass
from enum import Enum


class PromptKind(Enum):
    """The kinds of prompts, the gateway's own words."""

    APOLOGY = "apology"
    GOODBYE = "goodbye"
    STILL_THERE = "still_there"
    SILENCE_GOODBYE = "silence_goodbye"
    RECOVERED = "recovered"
    ONE_MOMENT = "one_moment"
    STILL_WITH_YOU = "still_with_you"
    SAY_AGAIN = "say_again"
    TRANSFER_FAILED = "transfer_failed"


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A sentence as words and as sound."""

    text: str
    content: bytes  # in the leg's format


class PromptBook:
    """Rendered prompts by kind and language, added by the prompt library. It finds one while it has any of a kind."""

    def __init__(self, fallback_language_code: str = "en") -> None:
        self._fallback = fallback_language_code
        self._prompts: dict[tuple[PromptKind, str], RenderedPrompt] = {}

    def add(self, kind: PromptKind, language_code: str, prompt: RenderedPrompt) -> None:
        """Keep a prompt. A later one of the same kind and language replaces it."""
        self._prompts[kind, language_code.lower()] = prompt

    def find(self, kind: PromptKind, language_code: str) -> RenderedPrompt | None:
        """The prompt in that language ("vi-VN", else "vi"), else in the fallback's; None when the book has none."""
        primary = language_code.split("-", maxsplit=1)[0]
        for code in (language_code, primary, self._fallback):
            prompt = self._prompts.get((kind, code.lower()))
            if prompt is not None:
                return prompt
        return next((prompt for (of, _), prompt in self._prompts.items() if of is kind), None)
