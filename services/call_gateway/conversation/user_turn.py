"""The caller's turn, from the first sound to the settled words."""

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum

from services.call_gateway.conversation.commands import CallerSaid
from services.call_gateway.conversation.endpointing import Endpointing
from services.call_gateway.conversation.events import TextStage, Timing, Trace, TranscriptHeard
from services.call_gateway.conversation.record import StopReason, TurnNotes
from services.language.words import has_words, joined, normalise

REMEMBERED_TURNS = 16
MOST_UNHEARD = 4  # stretches of one turn whose words are late


class TurnPhase(Enum):
    """The phase of the caller's turn."""

    SILENT = "silent"
    SPEAKING = "speaking"  # an utterance is under way that no turn has taken yet
    ENDED = "ended"  # the STT stage owes the words
    SETTLED = "settled"  # the words are known; a sound of the caller may keep the turn from being taken


class Wait(Enum):
    """The phase of the wait for an ended turn's words."""

    USUAL = "usual"
    LATE = "late"  # the caller has been told to wait
    ASKED_AGAIN = "asked_again"  # the caller has been asked to say it once more


@dataclass(slots=True)
class EndedTurn:
    """A turn whose end is decided and whose words are awaited."""

    end_sample: int
    after_sample: int  # where the one before ended
    began_sample: int  # where the speech began
    best_text: str  # so far; it stands when the STT stage takes too long
    notes: TurnNotes
    deadline: float  # on CallClock.now
    is_whole: bool  # the best text was written at a pause, and covers all that was said
    is_covered: bool  # the best text covers all that was said, however firm it is
    wait: Wait = Wait.USUAL
    said_before: str = ""  # of the same turn; known of one whose words are awaited no more
    settled_text: str | None = None

    def owns(self, event: TranscriptHeard) -> bool:
        """Return whether the text is about this turn's speech."""
        return self.after_sample < event.end_sample <= self.end_sample


@dataclass(frozen=True, slots=True)
class TakenTurn:
    """A turn that was taken, and its words."""

    turn_id: int
    end_sample: int
    utterance_id: int | None
    text: str  # of the utterance alone
    prefix: str  # of the turn it continued

    def owns(self, event: TranscriptHeard) -> bool:
        """Return whether the text is about this turn's utterance."""
        if event.stage is TextStage.SETTLED:
            return event.end_sample == self.end_sample
        return event.utterance_id == self.utterance_id


@dataclass(slots=True)
class UserTurn:
    """The caller's turn under way, and which words made the last ones."""

    evidence: Endpointing
    ended: EndedTurn | None = None
    _unheard: list[EndedTurn] = field(default_factory=list)  # whose words never came, while they may still be taken
    awaited_end: int | None = None  # of the utterance the STT stage still owes its one answer for
    prefix: str = ""  # said before, of a turn that was taken too early
    continues_turn_id: int = 0
    utterance_id: int | None = None  # of the latest text
    last_text: tuple[int, int] | None = None  # utterance and end of the latest text that counts
    text_timing: Timing = field(default_factory=Timing)
    trace: Trace = field(default_factory=Trace)
    taken: deque[TakenTurn] = field(default_factory=lambda: deque(maxlen=REMEMBERED_TURNS))
    _confidences: dict[int, float] = field(default_factory=dict)  # of the turn's texts, by utterance

    @property
    def phase(self) -> TurnPhase:
        """Return how far the turn is. An ended turn comes before what is said meanwhile."""
        if self.ended is not None:
            return TurnPhase.ENDED if self.ended.settled_text is None else TurnPhase.SETTLED
        return TurnPhase.SPEAKING if self.evidence.is_open else TurnPhase.SILENT

    @property
    def unheard(self) -> EndedTurn | None:
        """The last turn whose words were given up, while they may still be taken."""
        return self._unheard[-1] if self._unheard else None

    @property
    def owes_earlier_words(self) -> bool:
        """Words of an earlier utterance of the turn are still to come, and the caller was not asked to repeat them."""
        return any(unheard.wait is not Wait.ASKED_AGAIN for unheard in self._unheard)

    def take_unheard(self, event: TranscriptHeard) -> EndedTurn | None:
        """The turn whose words that text has after all; they are not waited for any more."""
        found = next((unheard for unheard in self._unheard if unheard.owns(event)), None)
        if found is not None:
            self._unheard.remove(found)
        return found

    def forget_unheard(self) -> None:
        """Words that were given up will not be taken any more."""
        self._unheard.clear()

    @property
    def has_words(self) -> bool:
        """Something in the utterance under way, or in the ended turn, was understood."""
        return has_words(self.evidence.utterance.text) or (self.ended is not None and has_words(self.ended.best_text))

    @property
    def settled_sample(self) -> int:
        """The sample of the caller's clock before which nothing is listened to any more."""
        return self.evidence.ended_sample if self.ended is None else self.ended.after_sample

    def on_text(self, event: TranscriptHeard) -> None:
        """Words of the turn, however firm."""
        self.utterance_id, self.last_text = event.utterance_id, (event.utterance_id, event.end_sample)
        if event.stage is not TextStage.PARTIAL:
            self.text_timing, self.trace = event.timing, event.trace
            self._confidences.pop(event.utterance_id, None)
            if event.text and event.confidence is not None:
                self._confidences[event.utterance_id] = event.confidence

    def said(self, whole_text: str) -> CallerSaid:
        """The turn as the agent is asked it, with the confidence of the least sure utterance."""
        return CallerSaid(whole_text, min(self._confidences.values(), default=None))

    def go_on_from(self, user_text: str, turn_id: int) -> None:
        """The caller goes on after their turn was taken: what they say next is the rest of it."""
        self.prefix, self.continues_turn_id = user_text, turn_id

    def reopen(self, ended: EndedTurn) -> None:
        """The caller goes on before their turn was taken: its words are simply not all."""
        text = ended.best_text if ended.settled_text is None else ended.settled_text
        self.ended = None
        if not (ended.is_whole or normalise(ended.settled_text or "")):
            self.await_words(ended, text)  # they go before the rest, should they still come
        self.prefix = joined(self.prefix, text)

    def await_words(self, ended: EndedTurn, known_text: str) -> None:
        """The words of a turn that is not waited for any more may still come. They stand behind what was said before
        it, in the place of what is known of them.
        """
        awaited = replace(ended, said_before=self.prefix, best_text=known_text)
        self._unheard = [*self._unheard[1 - MOST_UNHEARD :], awaited]

    def put_right(self, unheard: EndedTurn, text: str) -> None:
        """The words have come: what goes before the rest of the turn has them."""
        known = joined(unheard.said_before, unheard.best_text)
        self.prefix = _put_right(self.prefix, known, joined(unheard.said_before, text))
        for later in self._unheard:
            if later.end_sample > unheard.end_sample:
                later.said_before = _put_right(later.said_before, known, joined(unheard.said_before, text))

    def correct(self, turn_id: int, old_text: str, text: str) -> bool:
        """A better text of a turn. Returns whether this one continues it, and begins with the better text now."""
        is_continued = self.continues_turn_id == turn_id and self.prefix.startswith(old_text)
        if is_continued:
            self.prefix = joined(text, self.prefix[len(old_text) :].strip())
        return is_continued

    def begin_next(self) -> None:
        """Make what comes next a turn of its own."""
        self.forget_unheard()
        self.prefix, self.continues_turn_id = "", 0
        self._confidences.clear()


def _put_right(text: str, beginning: str, right: str) -> str:
    """The text with another beginning in the place of what it begins with."""
    return joined(right, text[len(beginning) :].strip()) if text.startswith(beginning) else text


class Verdict(Enum):
    """The verdict on a sound of the caller over the agent. The values are the reasons in the turn record."""

    SUSTAINED_SPEECH = StopReason.SUSTAINED_SPEECH
    WORDS = StopReason.WORDS
    STOP_COMMAND = StopReason.STOP_COMMAND
    KEY = StopReason.KEY
    BACKCHANNEL = StopReason.BACKCHANNEL
    NO_WORDS = StopReason.NO_WORDS
    LOW_CONFIDENCE = StopReason.LOW_CONFIDENCE
    TOO_FEW_WORDS = StopReason.TOO_FEW_WORDS
    PAUSE_LIMIT = StopReason.PAUSE_LIMIT
    HOLD = StopReason.HOLD
    ECHO = StopReason.ECHO

    @property
    def stops_agent(self) -> bool:
        """Return whether the verdict is an interruption."""
        return self in (Verdict.SUSTAINED_SPEECH, Verdict.WORDS, Verdict.STOP_COMMAND, Verdict.KEY)


@dataclass(slots=True)
class Overlap:
    """A stretch of doubt: from the sound that paused the agent to the verdict on it."""

    began_sample: int
    paused_at: float  # on CallClock.now
    echo_looks: int = 0  # how often it was compared with the agent's own voice since it began
    _sounding_since: int | None = field(init=False)
    _sounded: int = field(init=False, default=0)  # samples of speech in bursts that are over

    def __post_init__(self) -> None:
        self._sounding_since = self.began_sample

    @property
    def is_sounding(self) -> bool:
        """The caller makes speech now."""
        return self._sounding_since is not None

    def on_speech_began(self, sample: int) -> None:
        """Another burst of speech begins."""
        if self._sounding_since is None:
            self._sounding_since = sample

    def on_speech_stopped(self, sample: int) -> None:
        """The burst is over."""
        if self._sounding_since is not None:
            self._sounded += max(0, sample - self._sounding_since)
            self._sounding_since = None

    def speech_samples(self, sample: int) -> int:
        """Return how many samples of speech the utterance has, up to that sample of the caller's clock."""
        going_on = 0 if self._sounding_since is None else max(0, sample - self._sounding_since)
        return self._sounded + going_on

    def deadline(self, pause_limit_s: float) -> float:
        """Return when the time for a verdict is up, in seconds on CallClock.now.

        While the sound goes on its length decides; should the media clock stand still meanwhile, it gets as long again
        and no longer.
        """
        return self.paused_at + (2 * pause_limit_s if self.is_sounding else pause_limit_s)
