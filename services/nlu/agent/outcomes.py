"""Outcomes of acts: what the agent says when an act on the call has ended. Sans-IO."""

from __future__ import annotations

from enum import StrEnum

from services.language import data
from services.nlu.outputs import Act, ActionOutcome, HangUp, SendDtmf, SwitchLanguage, Transfer

FILE = "call_actions"


class OutcomeKind(StrEnum):
    """An outcome that has words of its own."""

    TRANSFER_BUSY = "transfer_busy"
    TRANSFER_NO_ANSWER = "transfer_no_answer"
    TRANSFER_UNKNOWN = "transfer_unknown"  # there is no such destination, or it is not this agent's
    TRANSFER_FAILED = "transfer_failed"
    KEYS_FAILED = "keys_failed"
    LANGUAGE_FAILED = "language_failed"
    HANG_UP_FAILED = "hang_up_failed"
    DONE = "done"  # of an act whose turn had no words


_TRANSFER_REASONS = {
    "BUSY": OutcomeKind.TRANSFER_BUSY,
    "NO_ANSWER": OutcomeKind.TRANSFER_NO_ANSWER,
    "UNKNOWN_DESTINATION": OutcomeKind.TRANSFER_UNKNOWN,
    "NOT_ALLOWED": OutcomeKind.TRANSFER_UNKNOWN,  # the agent's file does not list it
}


def kind_of(act: Act, outcome: ActionOutcome, reason: str) -> OutcomeKind:
    """Return which words an outcome wants. `reason`: UPPER_SNAKE_CASE, one not known here says only that it failed."""
    if outcome is ActionOutcome.DONE:
        return OutcomeKind.DONE
    match act:
        case Transfer():
            return _TRANSFER_REASONS.get(reason, OutcomeKind.TRANSFER_FAILED)
        case SendDtmf():
            return OutcomeKind.KEYS_FAILED
        case SwitchLanguage():
            return OutcomeKind.LANGUAGE_FAILED
        case HangUp():
            return OutcomeKind.HANG_UP_FAILED


def words_of(kind: OutcomeKind, language_code: str) -> str:
    """The language's own words; English where it has none."""
    return data.first(language_with_outcomes(language_code), FILE, kind.value)


def language_with_outcomes(language_code: str) -> str:
    """The language itself where it has the file of these words, else English."""
    language = data.primary(language_code)
    return language if _has_file(language) else "en"


def load_outcomes() -> None:
    """Read the words of every language, so that no call waits for it. Raises LanguageDataError."""
    for language in data.languages():
        for kind in OutcomeKind:
            words_of(kind, language)


def _has_file(language: str) -> bool:
    return language in data.languages() and (data.folder_of(language) / f"{FILE}.toml").is_file()
