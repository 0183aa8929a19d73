"""Who has the floor: the states of a conversation and every move between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Floor(Enum):
    """Whose turn it is to make a sound."""

    LISTENING = "listening"  # the caller may speak
    HELD = "held"  # the call is on hold: nobody
    THINKING = "thinking"  # the caller's turn is over, the answer is being made
    SPEAKING = "speaking"  # the agent speaks
    PAUSED = "paused"  # the caller made a sound: is it an interruption?
    CLOSING = "closing"  # the last words are being heard


class Move(Enum):
    """What changes the floor. The values name the cause in logs and records."""

    TURN_ENDED = "turn_ended"  # the caller has finished, or there was nothing to wait for
    NOTHING_SAID = "nothing_said"  # they had said nothing after all
    ANSWER_BEGAN = "answer_began"  # the first frame of agent or gateway goes out
    ANSWER_DONE = "answer_done"  # heard to its end, or given up
    ANSWER_BROKEN = "answer_broken"  # a stage failed in mid-answer: it is made again
    CALLER_SOUNDED = "caller_sounded"
    FALSE_ALARM = "false_alarm"  # a cough, a backchannel, our own echo
    CALLER_INSISTED = "caller_insisted"  # a real interruption
    PUT_ON_HOLD = "put_on_hold"
    TAKEN_BACK = "taken_back"
    CLOSED = "closed"  # nothing but the last words from here on


class Covered(Enum):
    """Where PAUSED and HELD lead back to."""

    FLOOR = "the floor that was covered"


TRANSITIONS: Mapping[tuple[Floor, Move], Floor | Covered] = {
    (Floor.LISTENING, Move.TURN_ENDED): Floor.THINKING,
    (Floor.LISTENING, Move.ANSWER_BEGAN): Floor.SPEAKING,  # the gateway speaks by itself
    (Floor.LISTENING, Move.PUT_ON_HOLD): Floor.HELD,
    (Floor.LISTENING, Move.CLOSED): Floor.CLOSING,
    (Floor.THINKING, Move.ANSWER_BEGAN): Floor.SPEAKING,
    (Floor.THINKING, Move.NOTHING_SAID): Floor.LISTENING,
    (Floor.THINKING, Move.ANSWER_DONE): Floor.LISTENING,  # an answer without words
    (Floor.THINKING, Move.CALLER_SOUNDED): Floor.PAUSED,
    (Floor.THINKING, Move.CALLER_INSISTED): Floor.LISTENING,  # a key, or a correction that changes the meaning
    (Floor.THINKING, Move.PUT_ON_HOLD): Floor.HELD,
    (Floor.THINKING, Move.CLOSED): Floor.CLOSING,
    (Floor.SPEAKING, Move.ANSWER_DONE): Floor.LISTENING,
    (Floor.SPEAKING, Move.ANSWER_BROKEN): Floor.THINKING,
    (Floor.SPEAKING, Move.CALLER_SOUNDED): Floor.PAUSED,
    (Floor.SPEAKING, Move.CALLER_INSISTED): Floor.LISTENING,
    (Floor.SPEAKING, Move.PUT_ON_HOLD): Floor.HELD,
    (Floor.SPEAKING, Move.CLOSED): Floor.CLOSING,
    (Floor.PAUSED, Move.FALSE_ALARM): Covered.FLOOR,
    (Floor.PAUSED, Move.CALLER_INSISTED): Floor.LISTENING,
    (Floor.PAUSED, Move.PUT_ON_HOLD): Floor.HELD,
    (Floor.PAUSED, Move.CLOSED): Floor.CLOSING,
    (Floor.HELD, Move.TAKEN_BACK): Covered.FLOOR,
    (Floor.HELD, Move.CLOSED): Floor.CLOSING,
}


@dataclass(frozen=True, slots=True)
class FloorChange:
    """The floor changed hands."""

    before: Floor
    after: Floor
    move: Move


class FloorHolder:
    """Holds the floor and lets it change only as the table says.

    PAUSED and HELD cover the floor they came from. A move that is not theirs but legal on the covered floor changes
    what they lead back to: an answer that ends during a hold leaves the caller listening to nothing afterwards.
    """

    def __init__(self) -> None:
        self.floor = Floor.LISTENING
        self.covered = Floor.LISTENING  # meaningful under PAUSED and HELD

    def handle(self, move: Move) -> FloorChange | None:
        """Make a move. None: it is not legal here, or it changed only what is covered."""
        before = self.floor
        after = TRANSITIONS.get((before, move))
        if after is None:
            self._move_beneath(move)
            return None
        if after is Covered.FLOOR:
            after = self.covered
        elif after in (Floor.PAUSED, Floor.HELD) and before is not Floor.PAUSED:
            self.covered = before
        assert isinstance(after, Floor)  # noqa: S101  for the type checker: the one Covered is replaced above
        self.floor = after
        return FloorChange(before, after, move)

    def _move_beneath(self, move: Move) -> None:
        if self.floor not in (Floor.PAUSED, Floor.HELD):
            return
        after = TRANSITIONS.get((self.covered, move))
        if isinstance(after, Floor) and after not in (Floor.PAUSED, Floor.HELD):
            self.covered = after
