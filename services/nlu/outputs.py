"""Outputs of a conversation as plain values; wire.py makes protobuf of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from services.runtime.clock import Timing


@dataclass(frozen=True, slots=True)
class ReplyText:
    """One speakable clause, with the white space that follows it where that is known in time."""

    turn_id: int
    text: str
    language_code: str
    timing: Timing | None = None  # on the turn's first clause


class ToolPhase(Enum):
    """Phase of a tool call."""

    STARTED = 1
    COMPLETED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class ToolActivity:
    """Activity of a tool."""

    turn_id: int
    tool_call_id: str
    name: str
    phase: ToolPhase
    arguments_json: str
    result_json: str = ""
    took_us: int = 0  # by the tool alone


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Send the caller elsewhere."""

    destination: str  # an extension, an E.164 number or a SIP URI


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Press keys towards the caller."""

    digits: str


@dataclass(frozen=True, slots=True)
class SwitchLanguage:
    """Listen and speak in another language."""

    language_code: str


Act = HangUp | Transfer | SendDtmf | SwitchLanguage


@dataclass(frozen=True, slots=True)
class CallAction:
    """An act on the call."""

    action_id: str
    turn_id: int
    act: Act
    is_now: bool  # else after the reply has been heard to its end


class ActionOutcome(Enum):
    """Outcome of an act on the call."""

    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class ExpectedKind(Enum):
    """The shape of the caller's next answer."""

    OPEN = 1
    YES_NO = 2
    DIGITS = 3
    SPELLING = 4
    ANSWER = 5  # to a question, of no shape of its own


@dataclass(frozen=True, slots=True)
class Expectation:
    """Expectation of the caller's next words. A turn without one expects anything."""

    turn_id: int
    kind: ExpectedKind
    length: int = 0  # digits or letters of a whole answer; 0: not known
    phrases: tuple[str, ...] = ()


class Outcome(Enum):
    """The outcome of a turn."""

    COMPLETED = 1
    CANCELLED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class WithheldClause:
    """A clause that was not spoken, and the rule of the guard that it breaks."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """The one end of a begun turn."""

    turn_id: int
    outcome: Outcome
    timing: Timing
    reason: str = ""
    message: str = ""
    is_retryable: bool = False
    retry_delay_ms: int = 0
    state: bytes = b""
    withheld: tuple[WithheldClause, ...] = ()
    engine: str = ""  # of a chain; several that took over from one another joined by ">"


Output = ReplyText | ToolActivity | CallAction | Expectation | TurnEnd
