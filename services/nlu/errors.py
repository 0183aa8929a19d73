"""Errors of a conversation's config, and the stream error of a failed turn."""

from __future__ import annotations

from services.runtime.errors import EngineFailed, RequestError, ServiceError, TurnFailed, UnavailableError


class UnknownAgent(RequestError):
    """No agent has this name."""

    reason = "UNKNOWN_AGENT"


class UnknownLanguage(RequestError):
    """The agent speaks none of the languages asked for."""

    reason = "UNKNOWN_LANGUAGE"


class HistoryTooLong(RequestError):
    """More history and state than a config may carry."""

    reason = "HISTORY_TOO_LONG"


class BadState(RequestError):
    """The state was not made by this service."""

    reason = "BAD_STATE"


class InstructionsTooLong(RequestError):
    """Instructions longer than the prompt should hold."""

    reason = "INSTRUCTIONS_TOO_LONG"


class BadTurnId(RequestError):
    """Turn ids begin at 1."""

    reason = "BAD_TURN_ID"


BAD_TURN_REASONS = frozenset(
    {"INPUT_MISSING", "TEXT_TOO_LONG", "CONTROL_CHARACTERS", "EMPTY_TEXT", "BAD_DTMF", "BAD_SILENCE", "BAD_REASON"}
)


def as_stream_error(failed: TurnFailed) -> ServiceError:
    """Return the failure of a turn as the status of its stream, for tools that count statuses only."""
    if failed.reason in BAD_TURN_REASONS:
        field, _, _ = failed.message.partition(" ")
        error: ServiceError = RequestError(failed.message, field=field)
    elif failed.is_retryable:
        error = UnavailableError(failed.message, retry_delay_ms=failed.retry_delay_ms)
    else:
        error = EngineFailed(failed.message)
    error.reason = failed.reason  # type: ignore[misc] # the turn's own reason under its family's status
    return error
