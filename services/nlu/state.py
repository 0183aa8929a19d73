"""State of a conversation: the agent's state turn by turn, and the opaque bytes that a fresh stream gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from services.nlu.agent.interface import MAX_STATE_BYTES, AgentState
from services.nlu.errors import BadState
from services.runtime.json_text import read_json
from services.runtime.logs import get_logger

log = get_logger(__name__)

_VERSION = 1
_KEPT_STATES = 8  # turns that one turn may continue


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


class AgentStates:
    """Agent states by turn. When a turn is continued, the state before it is used again."""

    def __init__(self, first: AgentState) -> None:
        """`first`: the state at the end of an earlier stream."""
        self._states: list[tuple[int, AgentState]] = [(0, first)]

    @property
    def last(self) -> AgentState:
        return self._states[-1][1]

    def before(self, turn_id: int) -> AgentState:
        """Return the state before a turn."""
        return next((state for left_by, state in reversed(self._states) if left_by < turn_id), self._states[0][1])

    def stand(self, turn_id: int, state: AgentState) -> None:
        """Keep the state after a turn that stands. A state that is too long to hand over is not kept."""
        n_bytes = len(json.dumps(state, ensure_ascii=False).encode())
        if n_bytes > MAX_STATE_BYTES:
            log.warning("agent_state_too_long", turn_id=turn_id, n_bytes=n_bytes)
            return
        kept = [(left_by, earlier) for left_by, earlier in self._states if left_by < turn_id]
        self._states = [*kept, (turn_id, state)][-_KEPT_STATES:]
