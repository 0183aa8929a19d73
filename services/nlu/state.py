"""Opaque state of a conversation: what a fresh stream must know beyond the typed history. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from services.nlu.errors import BadState
from services.runtime.json_text import read_json

_VERSION = 1


@dataclass(frozen=True, slots=True)
class State:
    """State that a call takes to another stream."""

    language_code: str = ""  # of the last reply
    agent: Mapping[str, object] = field(default_factory=dict)  # what the agent remembers


def write_state(state: State) -> bytes:
    """Return the bytes for turn_end; the agent's part is bounded (MAX_STATE_BYTES), so they are under the 16 KiB
    allowed.
    """
    return json.dumps({"version": _VERSION, **asdict(state)}, separators=(",", ":"), ensure_ascii=False).encode()


def read_state(content: bytes) -> State:
    """Read the state of a config; empty content, and one of a later version, give an empty state. Raises BadState."""
    if not content:
        return State()
    try:
        parsed = read_json(content)
        if parsed["version"] > _VERSION:
            return State()
        agent = parsed.get("agent", {})
        if not isinstance(agent, dict):
            raise TypeError("agent is no object")
        return State(language_code=str(parsed["language_code"]), agent=agent)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadState(
            "this state is none that a turn_end gave: hand back its bytes, or none", field="config.state"
        ) from error
