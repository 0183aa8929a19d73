"""Output events of the STT stage: evidence on one call. Positions are samples of the call's clock."""

from dataclasses import dataclass
from enum import Enum

from services.stt_proxy.engine import Segment
from services.stt_proxy.line_sounds.detector import LineSound


class TextStage(Enum):
    """The stage of a text, from draft to settled."""

    PARTIAL = "partial"
    DRAFT = "draft"
    SETTLED = "settled"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Cost:
    """Time that a text took, in microseconds."""

    queue_us: int = 0
    compute_us: int = 0
    since_trigger_us: int = 0


@dataclass(frozen=True, slots=True)
class SpeechActivity:
    """An edge of speech."""

    utterance_id: int
    is_begin: bool
    sample: int
    score: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """The whole utterance as far as it is known."""

    utterance_id: int
    stage: TextStage
    text: str
    start_sample: int
    end_sample: int
    language_code: str = ""
    confidence: float | None = None
    segments: tuple[Segment, ...] = ()
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Keyword:
    """A phrase of the hints, in the words of an utterance."""

    utterance_id: int
    phrase: str  # as the client wrote it
    end_sample: int  # of the text that has it
    stage: TextStage
    confidence: float | None = None  # 0 to 1, of that text


@dataclass(frozen=True, slots=True)
class TurnPrediction:
    """The probability that the caller has finished, and the silence that makes it certain enough."""

    utterance_id: int
    end_sample: int
    probability: float
    wait_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class UtteranceSettled:
    """The one answer to an end of utterance. `reason` and `message` say why it failed, if it did."""

    utterance_id: int
    end_sample: int
    reason: str = ""
    message: str = ""
    cost: Cost = Cost()

    @property
    def is_ok(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Progress:
    """First sample not yet listened to."""

    processed_sample: int


Evidence = SpeechActivity | Transcript | Keyword | TurnPrediction | UtteranceSettled | Progress | LineSound
