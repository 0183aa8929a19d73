"""What the conversation is told (events) and what it asks for (commands). The line's own events are in line.py.

The session turns protobuf and callbacks into events, hands them to `Conversation.handle`, and carries out the commands
that come back, in order. Nothing here awaits; samples count from the call's first on the caller's media clock unless a
field says otherwise.
"""

from dataclasses import dataclass, field
from enum import Enum

from services.call_gateway.conversation.line import EndCause, LegEvent


class Stage(Enum):
    """A model server."""

    STT = "stt"
    NLU = "nlu"
    TTS = "tts"


class TextStage(Enum):
    """How firm a transcript is."""

    PARTIAL = "partial"
    DRAFT = "draft"
    SETTLED = "settled"
    CORRECTED = "corrected"


class Outcome(Enum):
    """How a stage ended a turn."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class ExpectedKind(Enum):
    """The shape of the answer the agent asked for."""

    OPEN = "open"
    YES_NO = "yes_no"
    DIGITS = "digits"
    SPELLING = "spelling"


class PromptKind(Enum):
    """What the gateway says by itself."""

    APOLOGY = "apology"
    GOODBYE = "goodbye"
    STILL_THERE = "still_there"
    SILENCE_GOODBYE = "silence_goodbye"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Timing:
    """Where a server's time went, by its own clock."""

    queue_us: int = 0
    compute_us: int = 0
    since_trigger_us: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """W3C trace context of a turn, carried and never read."""

    traceparent: str = ""
    tracestate: str = ""


# -- from the ear ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The caller makes speech."""

    sample: int
    score: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The caller's speech ended."""

    sample: int
    score: float


@dataclass(frozen=True, slots=True)
class TranscriptHeard:
    """What one utterance says, as far as it is known."""

    utterance_id: int
    stage: TextStage
    text: str  # the whole utterance so far
    start_sample: int  # first sample of speech in it
    end_sample: int  # the text covers the sound up to here
    confidence: float | None = None
    language_code: str = ""
    timing: Timing = Timing()
    trace: Trace = Trace()


@dataclass(frozen=True, slots=True)
class TurnPredicted:
    """Evidence on whether the caller has finished."""

    utterance_id: int
    end_sample: int  # where speech last ended; the wait counts from here
    probability: float
    wait_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class UtteranceSettled:
    """The one answer to an EndUtterance."""

    utterance_id: int
    end_sample: int
    is_ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EarProgressed:
    """How far the ear has listened."""

    processed_sample: int


# -- from the agent ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReplyClause:
    """One speakable clause of a reply. The clauses of a turn, joined, are the reply verbatim."""

    turn_id: int
    text: str
    language_code: str
    is_interruptible: bool = True
    timing: Timing | None = None  # on the first clause only


@dataclass(frozen=True, slots=True)
class HangUpCall:
    """End the call."""


@dataclass(frozen=True, slots=True)
class TransferCall:
    """Send the caller elsewhere."""

    destination: str


@dataclass(frozen=True, slots=True)
class PressKeys:
    """Press keys towards the caller."""

    digits: str


@dataclass(frozen=True, slots=True)
class SwitchLanguage:
    """Listen and speak in another language."""

    language_code: str


Action = HangUpCall | TransferCall | PressKeys | SwitchLanguage


@dataclass(frozen=True, slots=True)
class ActionAsked:
    """The agent wants something done to the call."""

    action_id: str
    turn_id: int
    is_after_playout: bool  # when the reply has been heard to its end; else at once
    action: Action


@dataclass(frozen=True, slots=True)
class InputExpected:
    """What the caller will probably say next."""

    turn_id: int
    kind: ExpectedKind
    length: int = 0
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """News of a tool; may come after its turn ended."""

    turn_id: int
    tool_call_id: str
    name: str
    phase: str  # "started", "completed", "failed"
    arguments_json: str = ""
    result_json: str = ""


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The agent's text of a turn is whole, cancelled or failed."""

    turn_id: int
    outcome: Outcome
    reason: str = ""
    is_retryable: bool = False
    timing: Timing = Timing()


# -- from the voice ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoiceMark:
    """Ties sound to words; comes before the sound that holds its last sample."""

    turn_id: int
    text_end_offset: int  # code points of the turn's text, as sent
    end_sample: int  # from the turn's first sample, at the leg's rate
    is_measured: bool


@dataclass(frozen=True, slots=True)
class VoiceAudio:
    """Speech of a turn."""

    turn_id: int
    start_sample: int  # from the turn's first sample, at the leg's rate
    content: bytes  # in the leg's format
    timing: Timing | None = None  # on the first chunk only


@dataclass(frozen=True, slots=True)
class VoiceEnded:
    """The turn is spoken, cancelled or failed."""

    turn_id: int
    outcome: Outcome
    reason: str = ""
    is_retryable: bool = False


# -- from the session --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """Media flow both ways."""

    is_recovered: bool = False  # the call was up before this process was: apologise instead of greeting


@dataclass(frozen=True, slots=True)
class CallerAdvanced:
    """The caller's media clock reached a sample: sound or idle time arrived."""

    to_sample: int


@dataclass(frozen=True, slots=True)
class StageFailed:
    """A stage's stream is dead."""

    stage: Stage
    reason: str
    is_retryable: bool


@dataclass(frozen=True, slots=True)
class StageReady:
    """A stage's stream is open, for the first time or again."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class CloseAsked:
    """End the call politely: an operator asked, or the gateway drains."""

    cause: EndCause
    message: str = ""


Event = (
    LegEvent
    | SpeechBegan
    | SpeechStopped
    | TranscriptHeard
    | TurnPredicted
    | UtteranceSettled
    | EarProgressed
    | ReplyClause
    | ActionAsked
    | InputExpected
    | ToolUsed
    | ReplyEnded
    | VoiceMark
    | VoiceAudio
    | VoiceEnded
    | CallAnswered
    | CallerAdvanced
    | StageFailed
    | StageReady
    | CloseAsked
)


# -- commands to the ear -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndUtterance:
    """The turn is over: settle everything up to here."""

    end_sample: int


@dataclass(frozen=True, slots=True)
class DiscardUtterance:
    """That sound was no speech: forget it."""

    from_sample: int
    to_sample: int


@dataclass(frozen=True, slots=True)
class UpdateEar:
    """Listen differently from here on. A field that is None or empty changes nothing."""

    effective_sample: int
    language_codes: tuple[str, ...] = ()
    expected: InputExpected | None = None
    agent_is_speaking: bool | None = None


# -- commands to the agent ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallerSaid:
    """They said this."""

    text: str


@dataclass(frozen=True, slots=True)
class CallOpened:
    """Greet."""


@dataclass(frozen=True, slots=True)
class CallerKeyed:
    """They pressed these keys."""

    digits: str


@dataclass(frozen=True, slots=True)
class CallerSilent:
    """They said nothing."""

    duration_ms: int
    count: int  # how often in a row, from 1


TurnInput = CallerSaid | CallOpened | CallerKeyed | CallerSilent


@dataclass(frozen=True, slots=True)
class ReportPlayout:
    """What the caller heard of a turn's reply, or of the gateway's own words."""

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
    trace: Trace = Trace()


@dataclass(frozen=True, slots=True)
class CommitTurn:
    """The draft is the turn."""

    turn_id: int


@dataclass(frozen=True, slots=True)
class CancelTurn:
    """Stop generating. Reaches every turn before it too, unless `only` it."""

    turn_id: int
    only: bool = False


@dataclass(frozen=True, slots=True)
class CorrectTurn:
    """A better text of a past turn."""

    turn_id: int
    text: str


@dataclass(frozen=True, slots=True)
class ReportAction:
    """How an act on the call went, when the conversation knows: it died with its turn."""

    action_id: str
    is_done: bool
    reason: str = ""


# -- commands to the voice ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speak:
    """More text of a turn."""

    turn_id: int
    text: str
    language_code: str
    start_offset: int = 0  # on the first text after a stream was opened anew: where in the turn's text it begins
    trace: Trace = Trace()


@dataclass(frozen=True, slots=True)
class EndSpeech:
    """The turn's text is whole."""

    turn_id: int


@dataclass(frozen=True, slots=True)
class StopSpeech:
    """Stop synthesising. Reaches every turn before it too, unless `only` it."""

    turn_id: int
    only: bool = False


# -- commands to the session and the line ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReopenStage:
    """Give up this stage's stream and open a fresh one, which is told the conversation so far."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class DiscardSent:
    """Void what the line was given and may not have played."""


@dataclass(frozen=True, slots=True)
class DoAction:
    """Do this to the call, then report how it went."""

    action_id: str
    action: Action


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call now: everything that should be heard has been."""

    cause: EndCause
    message: str = ""


# -- news: for the log, the metrics, the trace and whoever watches -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class FloorMoved:
    """The floor changed hands."""

    before: str  # Floor's value
    after: str
    cause: str  # the event's name in snake_case
    turn_id: int


@dataclass(frozen=True, slots=True)
class CallerHeard:
    """What the caller was heard to say. Personal data."""

    utterance_id: int
    text: str
    is_settled: bool


@dataclass(frozen=True, slots=True)
class StageTroubled:
    """A stage failed or stalled, and what is done about it."""

    stage: Stage
    reason: str
    remedy: str  # "retry", "apologise", "goodbye", "reopen"


@dataclass(frozen=True, slots=True)
class StageTime:
    """One part of a turn's latency."""

    stage: str  # "endpointing", "stt", "nlu", "tts", "playout"
    queue_us: int = 0
    compute_us: int = 0
    network_us: int = 0


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn from the caller's last word to the last word of the answer. Texts are personal data."""

    turn_id: int
    outcome: str  # "completed", "interrupted", "failed", "continued"
    user_text: str
    heard_text: str
    end_reason: str  # why the caller's turn was taken as over
    stop_reason: str  # why the agent stopped or went on; empty when nothing happened
    drafts_made: int
    drafts_dropped: int
    is_answered_from_draft: bool
    is_gateway_prompt: bool
    continues_turn_id: int
    speech_end_sample: int
    latency_us: int | None  # last speech sample to first answer sample on the wire; None: no answer, or no question
    stage_times: tuple[StageTime, ...] = field(default_factory=tuple)
    unexplained_us: int = 0
    trace: Trace = Trace()


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A turn is over."""

    record: TurnRecord


News = FloorMoved | CallerHeard | StageTroubled | TurnFinished

Command = (
    EndUtterance
    | DiscardUtterance
    | UpdateEar
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
    | DiscardSent
    | DoAction
    | HangUp
    | News
)
