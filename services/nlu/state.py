"""The conversation's opaque state: what a fresh stream must know beyond the typed history. Sans-IO."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from services.nlu.errors import BadState

_VERSION = 1


@dataclass(frozen=True, slots=True)
class State:
    """What goes on when a call moves to another stream."""

    language_code: str = ""  # of the last reply


def write_state(state: State) -> bytes:
    """The bytes for turn_end; some dozens, far under the 16 KiB allowed."""
    return json.dumps({"version": _VERSION, **asdict(state)}, separators=(",", ":")).encode()


def read_state(content: bytes) -> State:
    """The state in a config; empty content, and one of a later version, say nothing. Raises BadState."""
    if not content:
        return State()
    try:
        parsed = json.loads(content)
        if parsed["version"] > _VERSION:
            return State()
        return State(language_code=str(parsed["language_code"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BadState(
            "this state is none that a turn_end gave: hand back its bytes, or none", field="config.state"
        ) from error
