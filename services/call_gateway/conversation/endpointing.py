"""Endpointing: decides when the caller's turn is over, from the STT stage's evidence and the caller's media clock.

The STT stage says where speech stopped and how much silence would make the end certain enough; the silence is counted
here, in samples, so that a file sent faster than real time gets the same answer. Time without packets that is no
silence (hold, a pressed key) does not count. A turn does not end before the text covers its speech, but a late text is
not waited for long.
"""

from dataclasses import dataclass, replace

from services.call_gateway.conversation.events import SpeechBegan, SpeechStopped, TranscriptHeard, TurnPredicted
from services.call_gateway.conversation.record import EndReason, StageReason
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.media_clock import MediaClock

FAST_FEED_MS = 1000
"""Limit on the media clock's lead over the STT stage. Beyond it sound comes faster than real time, and the STT clock
counts.
"""
WINDOW_MS = 40
"""Length of a detector's window. The detector may report speech that goes on beyond a forgotten stretch as
begun up to one window before the end of that stretch.
"""

NO_TEXT = "NO_TEXT"
"""The reason of a prediction where the STT stage expects no words of the sound (protos/README.md)."""

HOLD_NEWS_MS = 300
"""Limit on the delay of the report of a hold behind the beginning of its music."""


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """The end of the caller's turn."""

    end_sample: int
    reason: EndReason | StageReason
    probability: float = 1.0  # of the end, as the STT stage saw it; 1 where it said nothing


@dataclass(slots=True)
class Utterance:
    """The evidence about the utterance under way."""

    began_sample: int | None = None  # None: no speech yet
    stopped_sample: int | None = None  # None: still sounding, or no speech yet
    speech_end_sample: int | None = None  # where speech stopped by the level of the sound, when that was looked up
    prediction: TurnPredicted | None = None
    text: str = ""  # the latest text of any stage
    draft_text: str = ""  # the latest draft, written at a pause
    covered_sample: int = 0  # the text covers the sound up to here
    draft_covered_sample: int = 0  # the draft covers the sound up to here
    excluded_samples: int = 0  # since speech stopped: hold or a pressed key, which is no silence

    @property
    def is_sounding(self) -> bool:
        """The caller is making speech now."""
        return self.began_sample is not None and self.stopped_sample is None


@dataclass(slots=True)
class OnHold:
    """A hold that goes on, with a copy of the utterance that is used if the hold turns out to have been over."""

    since_sample: int
    utterance: Utterance
    is_heard: bool = False  # the STT stage has heard something since


class Endpointing:
    """Collects evidence on one utterance at a time. Evidence from before the last end is late and refused."""

    def __init__(self, settings: ConversationSettings, clock: MediaClock) -> None:
        self.settings = settings
        self._clock = clock
        self.heard_sample = 0  # how far the STT stage says it has listened
        self.ended_sample = 0  # sound before this sample has been judged
        self.utterance = Utterance()
        self._on_hold: OnHold | None = None
        self._late_news = clock.samples(HOLD_NEWS_MS)

    @property
    def is_sounding(self) -> bool:
        """The caller is making speech now."""
        return self.utterance.is_sounding

    @property
    def is_open(self) -> bool:
        """An utterance is under way: something was heard that no turn has taken yet."""
        return self.utterance.began_sample is not None

    # -- evidence ------------------------------------------------------------------------------------------------------

    def on_speech(self, event: SpeechBegan | SpeechStopped) -> bool:
        """Speech began or stopped. False: late news."""
        self.on_progress(event.sample)
        if event.sample < self.ended_sample - (self._clock.samples(WINDOW_MS) if isinstance(event, SpeechBegan) else 0):
            return False
        hold = self._on_hold
        if hold is not None and isinstance(event, SpeechBegan) and event.sample > hold.since_sample - self._late_news:
            hold.is_heard = True
            return self._take_speech(hold.utterance, event)
        return any([self._take_speech(utterance, event) for utterance in self._concerned(event.sample)])

    def _take_speech(self, utterance: Utterance, event: SpeechBegan | SpeechStopped) -> bool:
        if isinstance(event, SpeechBegan):
            if utterance.began_sample is None:
                utterance.began_sample = max(event.sample, self.ended_sample)
            utterance.stopped_sample = utterance.prediction = None
            return True
        if utterance.began_sample is None or event.sample < utterance.began_sample:
            return False
        utterance.stopped_sample, utterance.speech_end_sample = event.sample, event.speech_end_sample
        utterance.excluded_samples = 0
        return True

    def on_text(self, event: TranscriptHeard, *, is_draft: bool) -> bool:
        """Text of the utterance under way. False: late news."""
        self.on_progress(event.end_sample)
        concerned = self._concerned(event.end_sample)
        return any([self._take_text(utterance, event, is_draft=is_draft) for utterance in concerned])

    def _take_text(self, utterance: Utterance, event: TranscriptHeard, *, is_draft: bool) -> bool:
        if event.end_sample <= max(self.ended_sample, utterance.covered_sample - 1):
            return False
        if utterance.began_sample is None:  # words without speech: the STT stage has told less than it heard
            utterance.began_sample, utterance.stopped_sample = event.start_sample, event.end_sample
        utterance.text = event.text
        utterance.covered_sample = event.end_sample
        if is_draft:
            utterance.draft_text, utterance.draft_covered_sample = event.text, event.end_sample
        return True

    def on_prediction(self, event: TurnPredicted) -> bool:
        """The STT stage's view of whether the turn is over. False: late news, or refuted by speech since."""
        return any([self._take_prediction(utterance, event) for utterance in self._concerned(event.end_sample)])

    def _take_prediction(self, utterance: Utterance, event: TurnPredicted) -> bool:
        began = utterance.began_sample or 0
        if event.end_sample <= self.ended_sample or (utterance.is_sounding and event.end_sample <= began):
            return False
        self.on_progress(event.end_sample)
        if utterance.prediction is None or event.end_sample != utterance.prediction.end_sample:
            utterance.excluded_samples = 0
        utterance.prediction = event
        utterance.stopped_sample, utterance.speech_end_sample = event.end_sample, event.speech_end_sample
        if utterance.began_sample is None:
            utterance.began_sample = event.end_sample
        return True

    def on_progress(self, sample: int) -> None:
        """The STT stage has listened up to there."""
        self.heard_sample = max(self.heard_sample, sample)

    def exclude(self, n_samples: int) -> None:
        """Exclude samples of the media clock from the silence: they were hold or a pressed key."""
        self.utterance.excluded_samples += n_samples
        if self._on_hold is not None:
            self._on_hold.utterance.excluded_samples += n_samples

    # -- on hold -------------------------------------------------------------------------------------------------------

    def begin_hold(self) -> None:
        """Take what is heard from here on for music or an announcement, unless it turns out that the hold was over."""
        self._on_hold = OnHold(self._clock.sample, replace(self.utterance))

    def is_on_hold(self, sample: int) -> bool:
        """Return whether that moment lies in a hold that goes on."""
        return self._on_hold is not None and sample > self._on_hold.since_sample

    def end_hold(self, *, was_over: bool) -> int | None:
        """The call is taken back. `was_over`: the hold had ended before its end was known, so the sound since then is
        the caller's. Returns the sample at which sound begins that was not the caller's; None: there is none.
        """
        hold, self._on_hold = self._on_hold, None
        if hold is None:
            return None
        if was_over:
            self.utterance = hold.utterance
            return None
        if self.is_sounding:  # the caller stopped when the hold began; later speech was music
            self.utterance.stopped_sample = hold.since_sample
            self.utterance.excluded_samples = self._clock.sample - hold.since_sample
        return hold.since_sample if hold.is_heard else None

    def _concerned(self, sample: int) -> list[Utterance]:
        """Return the utterances that news of that sample concerns: on hold the caller's own stays as it was."""
        hold = self._on_hold
        if hold is None:
            return [self.utterance]
        if sample > hold.since_sample:
            hold.is_heard = True
            return [hold.utterance]
        return [self.utterance, hold.utterance]

    # -- the decision --------------------------------------------------------------------------------------------------

    def decide(self) -> TurnEnd | None:
        """Return the end of the turn if it is over by now, else None."""
        utterance = self.utterance
        if utterance.stopped_sample is None or utterance.began_sample is None:
            return None
        prediction = utterance.prediction
        wait_ms = self.settings.unfinished_wait_ms if prediction is None else prediction.wait_ms
        probability = 1.0 if prediction is None else prediction.probability
        end = utterance.stopped_sample
        waited = self._now_sample() - utterance.excluded_samples - end - self._clock.samples(wait_ms)
        if waited < 0:
            return None
        if self._is_covered(end) or (prediction is not None and prediction.reason == NO_TEXT):
            return TurnEnd(end, _reason_of(prediction), probability)
        if waited < self._clock.samples(self.settings.text_wait_ms):
            return None
        return TurnEnd(end, _reason_of(prediction, is_text_late=True), probability)

    def _is_covered(self, end_sample: int) -> bool:
        return self.utterance.covered_sample >= end_sample - self._clock.samples(self.settings.text_margin_ms)

    def _now_sample(self) -> int:
        behind = self._clock.sample - self.heard_sample
        return self._clock.sample if behind <= self._clock.samples(FAST_FEED_MS) else self.heard_sample

    def end(self, end_sample: int) -> Utterance:
        """Take the turn and return its utterance. News of sound before `end_sample` is late from here on."""
        ended = self.utterance
        self.ended_sample = max(self.ended_sample, end_sample)
        self.forget_evidence()
        return ended

    def forget_evidence(self) -> None:
        """Forget the utterance under way: a fresh STT stream will hear its sound again."""
        self.utterance = Utterance()
        if self._on_hold is not None:
            self._on_hold.utterance = Utterance()


def _reason_of(prediction: TurnPredicted | None, *, is_text_late: bool = False) -> EndReason | StageReason:
    """The reason of the STT stage in lower case, or silence, each with "_late_text" where the text did not come in
    time.
    """
    if prediction is None:
        return EndReason.SILENCE_LATE_TEXT if is_text_late else EndReason.SILENCE
    return StageReason(prediction.reason.lower() + ("_late_text" if is_text_late else ""))
