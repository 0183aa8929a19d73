"""Outcome of a writing tool: what its result allows the agent to say."""

from __future__ import annotations

from services.nlu.history import ToolCall
from services.nlu.tools.clinic.diary import NOT_GIVEN, TAKEN
from services.nlu.tools.hotel.register import FULL
from services.nlu.tools.outbox import NOT_NOTED
from services.nlu.tools.proof import Proof, proof_in
from services.runtime.json_text import read_json

_MOST_CHARS = 64 * 1024  # of a result that is read; a model is told far less


def is_done(result_json: str, *, tool: str = "") -> bool:
    """Return whether the result of a tool says that what was asked for was done. What has another shape than an object
    proves nothing, nor does an object that was cut for the model's prompt and lost fields.
    """
    if len(result_json) > _MOST_CHARS:
        return False
    try:
        result = read_json(result_json)
    except ValueError:
        return False
    if isinstance(result, dict) and "cut" in result:  # as tool_results has it
        result = result.get("result")
    return isinstance(result, dict) and "..." not in result and proof_in(result, tool=tool) is Proof.DONE


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
    """Return whether a deed is noted and will be tried again."""
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
