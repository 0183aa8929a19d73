"""Outcome of a writing tool: what its result allows the agent to say."""

from __future__ import annotations

from collections.abc import Iterator

from services.nlu.history import ToolCall
from services.nlu.tools.clinic.diary import NOT_GIVEN, TAKEN
from services.nlu.tools.hotel.register import FULL
from services.nlu.tools.outbox import NOT_NOTED
from services.nlu.tools.proof import Proof, field_name, is_identifier, proof_in
from services.runtime.json_text import read_json

NOT_KNOWN = "whether it was done is not known"  # in the error of a writing tool whose result is late
_SAID_OF_REQUEST = frozenset({"message", "messages", "msg", "detail", "details", "reason"})
_DEEPEST = 6
_MOST_CHARS = 64 * 1024  # of a result that is read; a model is told far less


def is_done(result_json: str, *, tool: str = "") -> bool:
    """Return whether the result of a tool says that what was asked for was done. What has another shape than an object
    proves nothing, nor does an object that was cut for the model's prompt and lost fields.
    """
    return _proof(result_json, tool) is Proof.DONE


def is_unclear(result_json: str, *, tool: str = "") -> bool:
    """Return whether what a tool was asked for may be done, though its result does not say so."""
    return NOT_KNOWN in result_json or _proof(result_json, tool) is Proof.UNKNOWN


def _proof(result_json: str, tool: str) -> Proof:
    if len(result_json) > _MOST_CHARS:
        return Proof.UNKNOWN
    try:
        result = read_json(result_json)
    except ValueError:
        return Proof.UNKNOWN
    if isinstance(result, dict) and "cut" in result:  # as tool_results has it
        result = result.get("result")
    if not isinstance(result, dict) or "..." in result:
        return Proof.UNKNOWN
    proof = proof_in(result, tool=tool)
    return Proof.UNKNOWN if proof is Proof.DONE and _rests_on_a_key(result, tool) else proof


def _rests_on_a_key(result: dict[str, object], tool: str) -> bool:
    """Return whether a key of what was made is all the proof, beside a message that cannot be read: an order has its
    number where it came too late as well.
    """
    answer = result.get("result")
    if result.get("status") == "done" and isinstance(answer, dict):  # as operations.py has it
        result = answer
    is_unread = any(proof_in({"message": text}, tool=tool) is Proof.UNKNOWN for text in _messages(result))
    return is_unread and proof_in(_without_keys(result), tool=tool) is not Proof.DONE


def _messages(value: object, depth: int = 0) -> Iterator[str]:
    """The texts of an answer that are said of the request; a title or a note is the content of what was made."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _messages(each, depth + 1)
    if isinstance(value, dict):
        for name, inside in value.items():
            if isinstance(inside, str) and name.casefold() in _SAID_OF_REQUEST and inside.strip():
                yield inside
            yield from _messages(inside, depth + 1)


def _without_keys(value: object, depth: int = 0) -> object:
    if isinstance(value, dict) and depth <= _DEEPEST:
        kept = {name: each for name, each in value.items() if not is_identifier(field_name(str(name)))}
        return {name: _without_keys(each, depth + 1) for name, each in kept.items()}
    if isinstance(value, list) and depth <= _DEEPEST:
        return [_without_keys(each, depth + 1) for each in value]
    return value


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
