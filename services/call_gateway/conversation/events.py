"""Events of the conversation: what the stages and the session tell it. Events of the line are in line.py.

The session hands them to `Conversation.handle`, which answers with the commands of commands.py. Samples count from the
call's first sample on the caller's media clock unless a field says otherwise.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from services.call_gateway import line


class Stage(StrEnum):
    """A model server."""

    STT = "stt"
    NLU = "nlu"
    TTS = "tts"


class TextStage(Enum):
    """The stage of a transcript, from draft to settled."""

    PARTIAL = "partial"
    DRAFT = "draft"
    SETTLED = "settled"
    CORRECTED = "corrected"


class Outcome(Enum):
    """The outcome of a turn in one stage."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class ExpectedKind(Enum):
    """The shape of the answer the agent asked for."""

    OPEN = "open"
    YES_NO = "yes_no"
    DIGITS = "digits"
    SPELLING = "spelling"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Timing:
    """Time that a server spent, by its own clock."""

    queue_us: int = 0
    compute_us: int = 0
    since_trigger_us: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """W3C trace context of a turn, carried and never read."""

    traceparent: str = ""
    tracestate: str = ""


NO_TRACE = Trace()


# -- from the STT stage ------------------------------------------------------------------------------------------------


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
    speech_end_sample: int | None = None  # the end by the level of the sound; None: not looked up


@dataclass(frozen=True, slots=True)
class TranscriptHeard:
    """The text of one utterance so far."""

    utterance_id: int
    stage: TextStage
    text: str  # the whole utterance so far
    start_sample: int  # first sample of speech in it
    end_sample: int  # the text covers the sound up to here
    confidence: float | None = None
    language_code: str = ""
    timing: Timing = Timing()
    trace: Trace = NO_TRACE


@dataclass(frozen=True, slots=True)
class Keyword:
    """A phrase of the agent's in the caller's words, which may still change. Personal data where it is a name."""

    utterance_id: int
    phrase: str
    end_sample: int  # of the text that has it


@dataclass(frozen=True, slots=True)
class TurnPredicted:
    """Evidence on whether the caller has finished."""

    utterance_id: int
    end_sample: int  # where speech last ended; the wait counts from here
    probability: float
    wait_ms: int
    reason: str
    speech_end_sample: int | None = None  # the end by the level of the sound; None: not looked up


@dataclass(frozen=True, slots=True)
class UtteranceSettled:
    """The one answer to an EndUtterance."""

    utterance_id: int
    end_sample: int
    is_ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SttProgressed:
    """The STT stage has listened up to this sample."""

    processed_sample: int


# -- from the NLU stage ------------------------------------------------------------------------------------------------


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
    """The agent asks for an action on the call."""

    action_id: str
    turn_id: int
    is_after_playout: bool  # when the reply has been heard to its end; else at once
    action: Action


@dataclass(frozen=True, slots=True)
class InputExpected:
    """The input that the agent expects next."""

    turn_id: int
    kind: ExpectedKind
    length: int = 0
    phrases: tuple[str, ...] = ()


class ToolState(StrEnum):
    """The progress of a tool that the agent called."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """News of a tool; may come after its turn ended."""

    turn_id: int
    tool_call_id: str
    name: str
    state: ToolState
    arguments_json: str = ""
    result_json: str = ""
    took_us: int = 0  # of the tool alone


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The agent's text of a turn is whole, cancelled or failed."""

    turn_id: int
    outcome: Outcome
    reason: str = ""
    is_retryable: bool = False
    timing: Timing = Timing()
    engine: str = ""  # that made the reply, where the stage has a chain of engines
    withheld_rules: tuple[str, ...] = ()  # that clauses broke which were not spoken


# -- from the TTS stage ------------------------------------------------------------------------------------------------


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
    marks: tuple[VoiceMark, ...] = ()  # of the words that end in it, where the voice sends them so


@dataclass(frozen=True, slots=True)
class VoiceEnded:
    """The turn is spoken, cancelled or failed."""

    turn_id: int
    outcome: Outcome
    reason: str = ""
    is_retryable: bool = False
    engine: str = ""  # that spoke it, where the stage has a chain of engines


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
    is_request_at_fault: bool = False  # no replica of the stage serves what the call asks for


@dataclass(frozen=True, slots=True)
class StageReady:
    """A stage's stream is open, for the first time or again."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class StageAlive:
    """A late stage has answered the health request: it is slow, not dead."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """An action that the agent asked for was done, or could not be done."""

    action_id: str
    action: Action
    is_done: bool
    reason: str = ""  # UPPER_SNAKE_CASE, when it was not done


@dataclass(frozen=True, slots=True)
class CloseAsked:
    """End the call politely: an operator asked, or the gateway drains."""

    cause: line.EndCause
    message: str = ""


SttEvent = SpeechBegan | SpeechStopped | TranscriptHeard | Keyword | TurnPredicted | UtteranceSettled | SttProgressed
ReplyEvent = ReplyClause | ReplyEnded | InputExpected | VoiceMark | VoiceAudio | VoiceEnded
StageEvent = StageFailed | StageReady | StageAlive
Event = (
    line.LineEvent | line.SoundEvent | SttEvent | ReplyEvent | StageEvent
    | ActionAsked | ActionEnded | ToolUsed | CallAnswered | CallerAdvanced | CloseAsked
)  # fmt: skip
