"""Details of moves: what an effect of the table in `floor.py` is told beside the move itself."""

from dataclasses import dataclass

from services.call_gateway.conversation.commands import TurnInput
from services.call_gateway.conversation.events import PromptKind
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.user_turn import EndedTurn, Verdict


@dataclass(frozen=True, slots=True)
class Pause:
    """Words at a pause of the caller's (PAUSE_HEARD)."""

    text: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class NextTurn:
    """What the agent is to be asked (REPLY_DUE)."""

    input: TurnInput
    notes: TurnNotes


@dataclass(frozen=True, slots=True)
class LateWords:
    """Words of a turn that was given up (LATE_WORDS)."""

    turn: EndedTurn
    text: str


@dataclass(frozen=True, slots=True)
class NobodySpoke:
    """The words were a recording's (NOTHING_SAID)."""

    is_doubtful: bool  # ask whether a person is there


@dataclass(frozen=True, slots=True)
class Interruption:
    """Why the agent is stopped (CALLER_INTERRUPTED)."""

    verdict: Verdict
    is_by_keys: bool = False  # keys are the next turn: nothing that was said goes on


@dataclass(frozen=True, slots=True)
class Loss:
    """Why there will be no reply (REPLY_LOST)."""

    reason: str
    prompt: PromptKind | None  # that tells the caller


@dataclass(frozen=True, slots=True)
class Revision:
    """A better text of the turn that is being answered (TEXT_REVISED)."""

    text: str
