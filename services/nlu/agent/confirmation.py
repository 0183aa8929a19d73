"""Confirmation of a model's deeds: what a turn may confirm, and the refusals of unconfirmed deeds. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.nlu.history import Entry, ToolCall
from services.nlu.inputs import TurnInput

ASK = "nothing was done. Read the arguments back in one question, and call the tool again when the caller says yes"
SPENT = "one confirmation is for one deed of a tool, and this one has been used: read the next one back, and ask"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The evidence for a confirmation: what came before the turn, as it was heard, and what the caller says now."""

    input: TurnInput
    history: Sequence[Entry]
    language_codes: tuple[str, ...]  # that of the turn first
    now: datetime  # aware of the agent's zone


def as_refusal(call: ToolCall) -> str:
    """The reason in a result of a call that was not run; empty: it is another result."""
    try:
        result = json.loads(call.result_json or "{}")
    except ValueError:
        return ""
    error = result.get("error", "") if isinstance(result, dict) else ""
    return error if isinstance(error, str) and (ASK in error or SPENT in error) else ""
