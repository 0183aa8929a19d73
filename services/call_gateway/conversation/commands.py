"""The commands of the conversation, and its news. The session carries them out in order; none waits for an answer.

Samples count from the call's first on the caller's media clock.
"""

from dataclasses import dataclass, field
from enum import Enum, StrEnum

from services.call_gateway.conversation.events import (
    NO_TRACE,
    Action,
    ActionEnded,
    InputExpected,
    Keyword,
    Stage,
    Trace,
)
from services.call_gateway.conversation.record import TurnRecord
from services.call_gateway.line import EndCause

# -- to the STT stage --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndUtterance:
    """The caller's turn is over: the STT stage settles the words up to this sample."""

    end_sample: int


@dataclass(frozen=True, slots=True)
class DiscardUtterance:
    """The sound between two samples was no speech: the STT stage forgets it."""

    from_sample: int
    to_sample: int


@dataclass(frozen=True, slots=True)
class UpdateStt:
    """Change how the STT stage listens from this sample on. A field that is None or empty changes nothing."""

    effective_sample: int
    language_codes: tuple[str, ...] = ()
    expected: InputExpected | None = None
    agent_is_speaking: bool | None = None


# -- to the NLU stage --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallerSaid:
    """Input of a turn: the caller said these words."""

    text: str
    confidence: float | None = field(default=None, compare=False)  # 0 to 1, of the least sure utterance


@dataclass(frozen=True, slots=True)
class CallOpened:
    """Input of a turn: the call was opened, and the agent greets."""


@dataclass(frozen=True, slots=True)
class CallerKeyed:
    """Input of a turn: the caller pressed these keys."""

    digits: str


TurnInput = CallerSaid | CallOpened | CallerKeyed | ActionEnded


@dataclass(frozen=True, slots=True)
class ReportPlayout:
    """The report of what the caller heard of a turn's reply, or of the gateway's own words."""

    turn_id: int
    heard_offset: int  # code points of the reply as sent
    is_final: bool
    gateway_text: str = ""  # the words themselves, when the gateway made them


@dataclass(frozen=True, slots=True)
class AskAgent:
    """Begin a turn, or a draft of one."""

    turn_id: int
    input: TurnInput
    language_code: str = ""
    is_draft: bool = False
    continues_turn_id: int = 0
    provisional_playout: ReportPlayout | None = None
    trace: Trace = NO_TRACE


@dataclass(frozen=True, slots=True)
class CommitTurn:
    """Commit a draft: it becomes the turn."""

    turn_id: int


@dataclass(frozen=True, slots=True)
class CancelTurn:
    """Stop generating a turn's text. Without `only`, every earlier turn is cancelled too."""

    turn_id: int
    only: bool = False


@dataclass(frozen=True, slots=True)
class CorrectTurn:
    """A better text of a past turn."""

    turn_id: int
    text: str


@dataclass(frozen=True, slots=True)
class ReportAction:
    """Tell the NLU stage how an action ended, where the conversation itself knows, as of one dropped with its turn."""

    action_id: str
    is_done: bool
    reason: str = ""


# -- to the TTS stage --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speak:
    """More text of a turn."""

    turn_id: int
    text: str
    language_code: str
    start_offset: int = 0  # on the first text after a stream was opened again: where in the turn's text it begins
    trace: Trace = NO_TRACE


@dataclass(frozen=True, slots=True)
class EndSpeech:
    """The turn's text is whole."""

    turn_id: int


@dataclass(frozen=True, slots=True)
class StopSpeech:
    """Stop synthesising a turn's speech. Without `only`, every earlier turn is stopped too."""

    turn_id: int
    only: bool = False


# -- to the session and the line ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReopenStage:
    """Give up this stage's stream and open a fresh one, which is told the conversation so far."""

    stage: Stage
    judged_sample: int = 0  # of the STT stage: the caller's sound before it is judged, and not heard again


@dataclass(frozen=True, slots=True)
class ProbeStage:
    """Ask the health service of a stage's server. StageAlive is the answer; a server that does not serve gives none."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class DiscardSent:
    """Discard the sound that the line was given and may not have played."""


@dataclass(frozen=True, slots=True)
class DoAction:
    """Carry out an action on the call, then report its outcome."""

    action_id: str
    action: Action


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call now: every word that should be heard has been heard."""

    cause: EndCause
    message: str = ""


@dataclass(frozen=True, slots=True)
class SendOn:
    """Give the caller to the dialplan's fallback, which takes calls that cannot be served here: a person, where
    configured.
    """

    message: str = ""


# -- to the log, the metrics, the trace, the call record, and watching programs ----------------------------------------


@dataclass(frozen=True, slots=True)
class FloorMoved:
    """The floor changed hands."""

    before: str  # Floor's value
    after: str
    cause: str  # the event's name in snake_case
    turn_id: int


@dataclass(frozen=True, slots=True)
class CallerHeard:
    """A transcript of the caller's words. Personal data."""

    utterance_id: int
    text: str
    is_settled: bool


class Remedy(StrEnum):
    """The remedy for a stage that failed or stalled. The values are those of the wire, of metrics and of logs."""

    WAIT = "wait"  # the caller is told that it takes a moment
    RETRY = "retry"  # the same turn on a fresh stream
    REOPEN = "reopen"  # a fresh stream, nothing of a turn being lost
    APOLOGISE = "apologise"  # the caller is told that something was missed
    GOODBYE = "goodbye"  # the caller hears goodbye, and the call ends


@dataclass(frozen=True, slots=True)
class StageTroubled:
    """A stage failed or stalled, and what is done about it."""

    stage: Stage
    reason: str
    remedy: Remedy


class LineCause(Enum):
    """The probable cause of a line that does not behave like a caller."""

    NEVER_CAME = "never_came"  # no packet since the answer
    STOPPED = "stopped"  # packets came, and have stopped
    HOLD = "hold"  # packets have stopped, and the call is known to be on hold
    NO_CONVERSATION = "no_conversation"  # sound without a word
    TONE = "tone"  # sound without a word, always the same tone
    ECHO = "echo"  # the agent's own voice comes back


@dataclass(frozen=True, slots=True)
class LineTroubled:
    """The caller's line is dead, carries no person, or returns the agent's voice. Sent once a call for each cause."""

    cause: LineCause
    lasted_ms: int  # so far


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A turn is over."""

    record: TurnRecord


News = FloorMoved | CallerHeard | Keyword | StageTroubled | LineTroubled | TurnFinished

Command = (
    EndUtterance
    | DiscardUtterance
    | UpdateStt
    | ReportPlayout
    | AskAgent
    | CommitTurn
    | CancelTurn
    | CorrectTurn
    | ReportAction
    | Speak
    | EndSpeech
    | StopSpeech
    | ReopenStage
    | ProbeStage
    | DiscardSent
    | DoAction
    | HangUp
    | SendOn
    | News
)
