"""Agent state of one conversation, turn by turn. Sans-IO."""

from __future__ import annotations

import json

from services.nlu.agent.interface import MAX_STATE_BYTES, AgentState
from services.runtime.logs import get_logger

log = get_logger(__name__)

_KEPT_STATES = 8  # turns that one turn may continue


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
