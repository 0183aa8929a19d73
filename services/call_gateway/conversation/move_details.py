"""Details of moves: what the effects of the table in `floor.py` are told beside the move."""

from dataclasses import dataclass

from services.call_gateway.conversation.commands import TurnInput
from services.call_gateway.conversation.events import PromptKind
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.user_turn import EndedTurn, Verdict


@dataclass(frozen=True, slots=True)
class Pause:
    """Detail of PAUSE_HEARD: the words at a pause of the caller."""

    text: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class NextTurn:
    """Detail of REPLY_DUE: the input of the agent's turn."""

    input: TurnInput
    notes: TurnNotes


@dataclass(frozen=True, slots=True)
class LateWords:
    """Detail of LATE_WORDS: the words of a turn that was given up."""

    turn: EndedTurn
    text: str


@dataclass(frozen=True, slots=True)
class NoPerson:
    """Detail of NOTHING_SAID: the words came from a recording, not from a person."""

    is_doubtful: bool  # the gateway asks whether a person is there


@dataclass(frozen=True, slots=True)
class Interruption:
    """Detail of CALLER_INTERRUPTED: why the agent is stopped."""

    verdict: Verdict
    is_by_keys: bool = False  # the keys are the next turn: no earlier words are continued


@dataclass(frozen=True, slots=True)
class Loss:
    """Detail of REPLY_LOST: why there will be no reply."""

    reason: str
    prompt: PromptKind | None  # that tells the caller


@dataclass(frozen=True, slots=True)
class Revision:
    """Detail of TEXT_REVISED: a better text of the turn that is being answered."""

    text: str
