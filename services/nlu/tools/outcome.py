"""What the result of a writing tool lets one say."""

from __future__ import annotations

from services.nlu.history import ToolCall
from services.nlu.tools.clinic.diary import NOT_GIVEN, TAKEN
from services.nlu.tools.hotel.register import FULL
from services.nlu.tools.outbox import NOT_NOTED
from services.runtime.json_text import read_json

_FAILED = ("error", "failed", "cancelled", "pending")  # as a text anywhere in it: what was asked for was not done
_NOT_DONE = frozenset(
    {"refused", "rejected", "denied", "declined", "invalid", "unavailable", "unknown", "fail", "failure", "not_found"}
    | {"not found", "conflict", "queued", "canceled", "expired", "timeout", "no", "none", "null", "false", ""}
)
_SAYS_HOW = ("status", "state")
_SAYS_WHETHER = ("ok", "success", "succeeded", "done")
_FIRST_BAD_STATUS = 400  # of HTTP


def is_done(result_json: str) -> bool:
    """Whether a result says that what was asked for was done: it is an object of JSON that says something, no failure
    among it. What has another shape proves nothing.
    """
    if any(f'"{sign}"' in result_json for sign in _FAILED):
        return False
    try:
        result = read_json(result_json)
    except ValueError:
        return False
    if not isinstance(result, dict) or not result or result.get("errors"):
        return False
    whether = [result[name] for name in _SAYS_WHETHER if name in result]
    return all(_is_good(result[name]) for name in _SAYS_HOW if name in result) and all(whether)


def _is_good(status: object) -> bool:
    match status:
        case bool():
            return status
        case int():
            return 0 < status < _FIRST_BAD_STATUS
        case str():
            return status.strip().casefold() not in _NOT_DONE
    return False


def outcome_of(call: ToolCall | None) -> str:
    """done, taken, failed; anything else, a result that never came too, is pending: it may yet be done."""
    try:
        result = read_json(call.result_json) if call else {}
    except ValueError:
        result = {}
    match result:
        case {"status": "done"}:
            return "done"
        case {"error": str(why)} if why in (TAKEN, FULL) or why.startswith(NOT_GIVEN):
            return "taken"
        case {"error": str(why)} if why == NOT_NOTED:
            return "failed"
        case _:
            return "pending"


def is_pending(call: ToolCall | None) -> bool:
    """Whether a deed is noted and will be tried again."""
    return bool(reference_of(call))


def reference_of(call: ToolCall | None) -> str:
    """The key of a deed that is noted and will be tried again; empty: it is not."""
    try:
        result = read_json(call.result_json) if call and call.result_json else {}
    except ValueError:
        return ""
    match result:
        case {"status": "pending", "reference": str(key)}:
            return key
        case _:
            return ""
