"""Keys the caller presses: they stop the agent, and together they become one turn.

A number is whole at #, at its expected length, or when no key follows.
"""

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.barge_in import Verdict
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.commands import CallerKeyed
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.turn import Floor, Move

TERMINATOR = "#"
MAX_KEYS = 64  # more is a stuck key


class Keypad:
    """Gathers keys until they make a number."""

    def __init__(self, state: CallState, *, agent: Agent, caller: Caller) -> None:
        self._state = state
        self._agent = agent
        self._caller = caller
        self._digits = ""
        self.deadline: float | None = None  # seconds: when the keys so far are whole; None: no key waits

    def press(self, digit: str) -> None:
        """A key was let go of. A lone # is a key, one after others ends them."""
        if self._state.floor in (Floor.SPEAKING, Floor.PAUSED):
            self._caller.stop_agent_for_key()
        self.deadline = self._state.now + self._state.settings.key_gap_ms / 1000
        if digit != TERMINATOR or not self._digits:
            self._digits += digit
        if digit == TERMINATOR or len(self._digits) >= (self._agent.expected_length or MAX_KEYS):
            self._take_turn()

    def on_timer(self) -> None:
        """No key may have followed."""
        if self.deadline is not None and self._state.now >= self.deadline:
            self._take_turn()

    def _take_turn(self) -> None:
        digits, self._digits, self.deadline = self._digits, "", None
        self._caller.give_way_to_keys()
        if self._state.floor is not Floor.LISTENING:
            self._agent.give_up_answer("interrupted", Verdict.KEY.value)
            self._state.move(Move.CALLER_INSISTED)
        self._state.move(Move.TURN_ENDED)
        self._agent.ask(CallerKeyed(digits), TurnNotes(user_text=digits, end_reason="keys"))

    def shift(self, held_s: float) -> None:
        """The call was on hold for so long: nobody could press."""
        if self.deadline is not None:
            self.deadline += held_s
