"""News of a call for its listeners: the log, the metrics, the trace, the call record, and watching programs."""

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NewType

from services.call_gateway.conversation.events import NO_TRACE, Keyword, Stage, ToolState, Trace


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


class TurnOutcome(StrEnum):
    """The outcome of a turn for the caller. The values are those of metrics and of logs."""

    COMPLETED = "completed"  # the reply was heard to its end
    INTERRUPTED = "interrupted"  # by the caller, a newer turn or the end of the call
    FAILED = "failed"  # a stage failed
    CONTINUED = "continued"  # the caller went on, and the next turn holds all of it


StageReason = NewType("StageReason", str)
"""A reason that a stage gave, in lower case. The set is open: a stage in another language may have its own."""


class EndReason(StrEnum):
    """The reason why the caller's turn was taken as over, where the gateway decided it. The values are those of the
    wire.
    """

    NONE = ""  # no turn of the caller
    OPEN = "open"  # the call was answered: the greeting is due
    SILENCE = "silence"  # the STT stage predicted nothing
    SILENCE_LATE_TEXT = "silence_late_text"  # the STT stage predicted nothing, and the text did not come in time
    KEYS = "keys"  # the keyed entry is complete
    ACTION_ENDED = "action_ended"  # an action on the call has an outcome that the agent has to say
    CORRECTED = "corrected"  # a better text of the turn before has another meaning


class StopReason(StrEnum):
    """The reason why the agent stopped or went on, where the gateway decided it. The values are those of the wire."""

    NONE = ""  # nothing happened
    SUSTAINED_SPEECH = "sustained_speech"
    WORDS = "words"
    STOP_COMMAND = "stop_command"  # words that tell the agent to stop, before any pause
    KEY = "key"
    BACKCHANNEL = "backchannel"
    NO_WORDS = "no_words"
    LOW_CONFIDENCE = "low_confidence"
    TOO_FEW_WORDS = "too_few_words"
    PAUSE_LIMIT = "pause_limit"
    HOLD = "hold"
    ECHO = "echo"
    CORRECTED = "corrected"  # a better text of the turn has another meaning
    NOTHING_SAID = "nothing_said"  # the words of the turn were withdrawn
    SUPERSEDED = "superseded"  # a newer turn is asked for
    CALL_ENDED = "call_ended"
    CALLER = "caller"  # from here on EndCause: the call is being ended, by whom or by what
    AGENT = "agent"
    TRANSFER = "transfer"
    FAILURE = "failure"
    SILENCE = "silence"
    MAX_DURATION = "max_duration"
    OPERATOR = "operator"


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
class StageTime:
    """One part of a turn's latency."""

    stage: str  # "endpointing", "stt", "nlu", "tts", "playout"
    queue_us: int = 0
    compute_us: int = 0
    network_us: int = 0
    engine: str = ""  # of the stage's chain


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool that the agent called for a turn. Arguments and result are personal data."""

    tool_call_id: str
    name: str  # as the model wrote it
    state: ToolState
    took_us: int
    arguments_json: str
    result_json: str


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn from the caller's last word to the last word of the answer. Texts are personal data."""

    turn_id: int
    outcome: TurnOutcome
    user_text: str
    heard_text: str
    end_reason: EndReason | StageReason  # why the caller's turn was taken as over
    stop_reason: StopReason | StageReason  # why the agent stopped or went on; empty when nothing happened
    drafts_made: int
    drafts_dropped: int
    is_answered_from_draft: bool
    is_gateway_prompt: bool
    continues_turn_id: int
    speech_end_sample: int
    latency_us: int | None  # last speech sample to first answer sample on the wire; None: no answer, or no question
    stage_times: tuple[StageTime, ...] = field(default_factory=tuple)
    unexplained_us: int = 0
    commit_gain_us: int | None = None  # committed so long before its settled words came; None: not before them
    trace: Trace = NO_TRACE
    nlu_engine: str = ""  # that made the reply, where the stage has a chain; "a>b": b went on where a broke off
    tts_engine: str = ""  # that spoke it
    withheld_rules: tuple[str, ...] = ()  # of the guard: clauses that were not spoken
    tools: tuple[ToolUse, ...] = ()  # each in its state at the turn's end
    end_probability: float = 1.0  # that the caller was through, when the turn was taken


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A turn is over."""

    record: TurnRecord


News = FloorMoved | CallerHeard | Keyword | StageTroubled | LineTroubled | TurnFinished
