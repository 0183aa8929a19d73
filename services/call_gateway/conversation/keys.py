"""Keypad entry (DTMF, RFC 4733): keys that the caller presses stop the agent and become one turn together.

An entry is complete at #, at its expected length, or when no key follows in time.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from services.call_gateway.conversation.call import Call
from services.call_gateway.conversation.commands import CallerKeyed
from services.call_gateway.conversation.floor import Decision, Decisions, Floor, Interruption, Move, NextTurn
from services.call_gateway.conversation.record import EndReason, TurnNotes
from services.call_gateway.conversation.user_turn import Verdict

TERMINATOR: Final = "#"
MAX_KEYS: Final = 64  # more keys come from a stuck key
SAME_KEY_S: Final = 1.0  # between two reports of one key: a PBX reports at its end, the STT stage when it is certain


@dataclass(frozen=True, slots=True)
class _ReportedKey:
    """A key that was reported."""

    digit: str
    is_in_band: bool
    at: float  # on CallClock.now


class Keypad:
    """Gathers keys until they make a number."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._digits = ""
        self._reported: deque[_ReportedKey] = deque(maxlen=MAX_KEYS)  # reported one way and not yet the other
        self._whole_at: float | None = None  # on CallClock.now: when the keys so far are whole; None: no key waits

    @property
    def is_waiting(self) -> bool:
        """Keys were pressed that make no turn yet."""
        return self._whole_at is not None

    @property
    def deadline(self) -> float | None:
        """Return when `on_timer` has something to do, by the wall."""
        return None if self._whole_at is None else self._call.clock.wall_of(self._whole_at)

    def on_key(self, digit: str, *, is_in_band: bool = False) -> Decisions:
        """A key was let go of. A lone # is a key; a # after other keys ends the entry. `is_in_band`: found in the
        sound.
        """
        call = self._call
        if self._is_reported_twice(digit, is_in_band=is_in_band):
            return
        if call.floor in (Floor.SPEAKING, Floor.PAUSED):
            yield Decision(Move.CALLER_INTERRUPTED, Interruption(Verdict.KEY))
        self._whole_at = call.clock.now + call.settings.key_gap_ms / 1000
        if digit != TERMINATOR or not self._digits:
            self._digits += digit
        if digit == TERMINATOR or len(self._digits) >= (call.expected.length or MAX_KEYS):
            yield from self._take_turn()

    def _is_reported_twice(self, digit: str, *, is_in_band: bool) -> bool:
        """Return whether this key was reported the other way already: a PBX may report a key and let its tone pass.
        Each report is matched with one of the other way, so that a key pressed twice counts twice.
        """
        now = self._call.clock.now
        while self._reported and now - self._reported[0].at > SAME_KEY_S:
            self._reported.popleft()
        for other in self._reported:
            if other.digit == digit and other.is_in_band is not is_in_band:
                self._reported.remove(other)
                return True
        self._reported.append(_ReportedKey(digit, is_in_band, now))
        return False

    def on_timer(self) -> Decisions:
        """The entry is complete when no key has followed in time."""
        if self._whole_at is not None and self._call.clock.now >= self._whole_at:
            yield from self._take_turn()

    def _take_turn(self) -> Decisions:
        """Make the keys a turn."""
        digits, self._digits, self._whole_at = self._digits, "", None
        # A pause is over too, also one from which the reply has been lost: its sound is not judged any more.
        if self._call.resting_floor is not Floor.LISTENING or self._call.floor is Floor.PAUSED:
            yield Decision(Move.CALLER_INTERRUPTED, Interruption(Verdict.KEY, is_by_keys=True))
        yield Decision(
            Move.REPLY_DUE, NextTurn(CallerKeyed(digits), TurnNotes(user_text=digits, end_reason=EndReason.KEYS))
        )
