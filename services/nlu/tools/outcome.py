"""What the result of a writing tool lets one say."""

from __future__ import annotations

from services.nlu.history import ToolCall
from services.nlu.tools.clinic.diary import NOT_GIVEN, TAKEN
from services.nlu.tools.hotel.register import FULL
from services.nlu.tools.outbox import NOT_NOTED
from services.runtime.json_text import read_json


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
