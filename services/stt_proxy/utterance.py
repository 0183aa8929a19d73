"""One call's utterances: which speech belongs to which, what is known of its words, and what is still owed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.stt_proxy.engine import Corrected, Heard, Hints, Partial, Segment, Span, Unheard
from services.stt_proxy.events import (
    Cost,
    Evidence,
    SpeechActivity,
    TextStage,
    Transcript,
    TurnPrediction,
    UtteranceSettled,
)
from services.stt_proxy.phrasebook import phrasebook_of
from services.stt_proxy.prediction import LOOKS_WHOLE, Doubt, PausingHabit, Reason, Waits, judge

LONGEST_PAUSE_MS = 2000  # a longer one is a caller who waits, not one who pauses
REMEMBERED_ENDS = 16  # utterances that may still be corrected
SETTLE_TIMEOUT = "SETTLE_TIMEOUT"


@dataclass(frozen=True, slots=True)
class Endpointing:
    """How quickly this call's ear speaks up."""

    waits: Waits = field(default_factory=Waits)
    max_drafts: int = 4
    max_draft_speech_ms: int = 15000
    learns_pauses: bool = True  # of this caller, in this call
    punctuates: bool = False  # the engine closes sentences, so that an open one says something


@dataclass(frozen=True, slots=True)
class Ask:
    """Have the engine put these spans into words."""

    request_id: int
    utterance_id: int
    spans: tuple[Span, ...]
    not_before: int  # sound before this sample belongs to the utterance before
    is_final: bool
    trigger_ns: int  # when the sound or the request that led to it arrived, monotonic


Output = Evidence | Ask


@dataclass(slots=True)
class _Utterance:
    """One that has not been ended."""

    utterance_id: int
    not_before: int  # where the speech of the one before ended
    spans: list[Span] = field(default_factory=list)  # finished stretches of speech
    speaking_since: int | None = None
    n_drafts: int = 0
    text: Heard | None = None
    text_spans: tuple[Span, ...] = ()  # what the text covers
    draft: Ask | None = None  # asked for and not answered
    sounds_over: float | None = None  # at the last pause, by the voice


@dataclass(slots=True)
class _Settling:
    """One that has been ended and not yet answered."""

    utterance_id: int
    end_sample: int
    not_before: int
    spans: tuple[Span, ...]
    request_id: int
    trigger_ns: int
    is_asked: bool  # False: it waits for the draft that is under way


class Utterances:
    """Takes what happened, gives what to say and what to ask. Knows no clock but what it is told."""

    def __init__(self, endpointing: Endpointing, *, sample_rate_hertz: int) -> None:
        self._endpointing = endpointing
        self._per_ms = sample_rate_hertz // 1000
        self._habit = PausingHabit()
        self._open = _Utterance(1, 0)
        self._settling: dict[int, _Settling] = {}
        self._ends: dict[int, tuple[int, int]] = {}  # by utterance: its first and last sample
        self._n_requests = 0
        self._last_end = 0  # no utterance goes back before this
        self._paused_at: int | None = None  # where speech last ended, if nothing but silence came since
        self._judged_at_pause = Reason.NO_TEXT  # of the words before it
        self.n_drafts_used = 0
        self.n_drafts_dropped = 0

    # -- what the ear hears --------------------------------------------------------------------------------------------

    def begin(self, sample: int, score: float, hints: Hints) -> list[Output]:
        """Speech begins."""
        sample = max(sample, self._last_end)
        if self._paused_at is not None and not hints.agent_is_speaking:
            pause_ms = (sample - self._paused_at) // self._per_ms
            is_pause = pause_ms <= LONGEST_PAUSE_MS and self._endpointing.learns_pauses
            if is_pause and self._judged_at_pause is not Reason.NO_TEXT:
                self._habit.note(pause_ms, is_behind_whole=self._judged_at_pause in LOOKS_WHOLE)
        self._paused_at = None
        self._open.speaking_since = sample
        return [SpeechActivity(self._open.utterance_id, True, sample, score)]

    def pause(self, sample: int, score: float, hints: Hints, *, trigger_ns: int, wants_draft: bool) -> list[Output]:
        """Speech ended at `sample`, and silence has lasted for a draft's pause since."""
        utterance = self._open
        since, utterance.speaking_since = utterance.speaking_since, None
        if since is None or sample <= since:  # the client ended the utterance within the silence
            return [SpeechActivity(utterance.utterance_id, False, sample, score)]
        utterance.spans.append(Span(since, sample))
        utterance.sounds_over = None
        self._paused_at = sample
        outputs: list[Output] = [SpeechActivity(utterance.utterance_id, False, sample, score)]
        outputs.append(self._predict(None, hints))
        if wants_draft and self._is_worth_a_draft(utterance):
            utterance.n_drafts += 1
            utterance.draft = self._ask(utterance, tuple(utterance.spans), trigger_ns, is_final=False)
            outputs.append(utterance.draft)
        return outputs

    def skip(self) -> None:
        """The clock went on without silence: on hold, or a key was pressed."""
        self._paused_at = None

    # -- what the client decides ---------------------------------------------------------------------------------------

    def end(self, end_sample: int, *, trigger_ns: int) -> list[Output]:
        """The utterance is over at `end_sample`; what was said after it belongs to the next."""
        ended = self._open
        self._open = _Utterance(ended.utterance_id + 1, ended.not_before)
        before: list[Span] = []
        for span in ended.spans:
            if span.start_sample < end_sample:
                before.append(Span(span.start_sample, min(span.end_sample, end_sample)))
            if span.end_sample > end_sample:
                self._open.spans.append(Span(max(span.start_sample, end_sample), span.end_sample))
        if ended.speaking_since is not None:
            if ended.speaking_since < end_sample:
                before.append(Span(ended.speaking_since, end_sample))
            self._open.speaking_since = max(ended.speaking_since, end_sample)
        self._last_end = end_sample
        if before:
            self._open.not_before = before[-1].end_sample
        return self._settle(ended, tuple(before), end_sample, trigger_ns)

    def discard(self, from_sample: int, to_sample: int) -> bool:
        """That sound was echo or noise. True when speech that is going on began in it and must be found anew."""
        utterance = self._open
        utterance.spans = [part for span in utterance.spans for part in _without(span, from_sample, to_sample)]
        if self._paused_at is not None and from_sample <= self._paused_at <= to_sample:
            self._paused_at = None
        since = utterance.speaking_since
        if since is None or not from_sample <= since < to_sample:
            return False
        utterance.speaking_since = None
        return True

    # -- what the engine says ------------------------------------------------------------------------------------------

    def heard(self, ask: Ask, heard: Heard, hints: Hints, *, now_ns: int) -> list[Output]:
        """The words of what was asked."""
        settling = self._settling.get(ask.utterance_id)
        if settling is not None:
            return self._settled(settling, heard, now_ns) if settling.request_id == ask.request_id else []
        utterance = self._open
        if utterance.utterance_id != ask.utterance_id:
            return []
        if utterance.draft is not None and utterance.draft.request_id == ask.request_id:
            utterance.draft = None
        if tuple(utterance.spans[: len(ask.spans)]) != ask.spans:
            self.n_drafts_dropped += 1
            return []  # some of it was discarded since
        utterance.text, utterance.text_spans = heard, ask.spans
        is_whole = len(utterance.spans) == len(ask.spans) and utterance.speaking_since is None
        stage = TextStage.DRAFT if is_whole else TextStage.PARTIAL
        cost = Cost(heard.queue_us, heard.compute_us, _us(now_ns - ask.trigger_ns))
        text = self._transcript(
            ask.utterance_id, stage, heard, spans=ask.spans, end_sample=ask.spans[-1].end_sample, cost=cost
        )
        return [text, self._predict(heard, hints)] if is_whole else [text]

    def sounded(self, ask: Ask, sounds_over: float, hints: Hints) -> list[Output]:
        """How the voice sounded where what was asked for ends: 1 as at the end of a turn, 0 as in mid-sentence."""
        utterance = self._open
        is_whole = tuple(utterance.spans) == ask.spans and utterance.speaking_since is None
        if utterance.utterance_id != ask.utterance_id or not is_whole:
            return []
        utterance.sounds_over = sounds_over
        if utterance.text is None or utterance.text_spans != ask.spans:
            return []  # it will count when the words come
        return [self._predict(utterance.text, hints)]

    def unheard(self, ask: Ask, unheard: Unheard) -> list[Output]:
        """No words: a draft that was not made is nothing; an utterance that cannot be settled has failed."""
        settling = self._settling.get(ask.utterance_id)
        if settling is not None and settling.request_id == ask.request_id:
            if settling.is_asked:
                return self._fail(settling, unheard.reason, unheard.message)
            again = self._ask(settling, settling.spans, settling.trigger_ns, is_final=True)
            settling.request_id, settling.is_asked = again.request_id, True
            return [again]
        if self._open.draft is not None and self._open.draft.request_id == ask.request_id:
            self._open.draft = None
        return []

    def partial(self, partial: Partial) -> list[Output]:
        """A guess in mid-speech."""
        utterance = self._open
        since = utterance.spans[0].start_sample if utterance.spans else utterance.speaking_since
        if since is None:
            return []
        return [
            Transcript(
                utterance.utterance_id, TextStage.PARTIAL, partial.text, since, partial.end_sample,
                partial.language_code, partial.confidence,
            )
        ]  # fmt: skip

    def corrected(self, corrected: Corrected) -> list[Output]:
        """A better text of a settled utterance; of one that is forgotten, nothing."""
        place = self._ends.get(corrected.utterance_id)
        if place is None or corrected.utterance_id in self._settling:
            return []
        return [
            Transcript(
                corrected.utterance_id, TextStage.CORRECTED, corrected.text, *place,
                corrected.language_code, corrected.confidence,
            )
        ]  # fmt: skip

    def expire(self, utterance_id: int) -> list[Output]:
        """The engine took too long to settle it."""
        settling = self._settling.get(utterance_id)
        if settling is None:
            return []
        return self._fail(
            settling, SETTLE_TIMEOUT, "the engine gave no text in time: end the turn without it, or retry"
        )

    # -- what is owed --------------------------------------------------------------------------------------------------

    @property
    def utterance_id(self) -> int:
        """The utterance that is open."""
        return self._open.utterance_id

    @property
    def n_settling(self) -> int:
        """Utterances that were ended and not yet answered."""
        return len(self._settling)

    @property
    def has_speech(self) -> bool:
        """Whether the utterance that is open holds any speech."""
        return bool(self._open.spans) or self._open.speaking_since is not None

    @property
    def earliest_wanted(self) -> int | None:
        """The first sample of speech that may yet be asked for; None: nothing before now is wanted."""
        starts = [settling.spans[0].start_sample for settling in self._settling.values()]
        if self._open.spans:
            starts.append(self._open.spans[0].start_sample)
        if self._open.speaking_since is not None:
            starts.append(self._open.speaking_since)
        return min(starts, default=None)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _is_worth_a_draft(self, utterance: _Utterance) -> bool:
        speech_ms = sum(span.end_sample - span.start_sample for span in utterance.spans) // self._per_ms
        return utterance.n_drafts < self._endpointing.max_drafts and speech_ms <= self._endpointing.max_draft_speech_ms

    def _ask(self, whose: _Utterance | _Settling, spans: tuple[Span, ...], trigger_ns: int, *, is_final: bool) -> Ask:
        self._n_requests += 1
        return Ask(self._n_requests, whose.utterance_id, spans, whose.not_before, is_final, trigger_ns)

    def _predict(self, heard: Heard | None, hints: Hints) -> TurnPrediction:
        """What the words make of it; None: they are not known yet."""
        text = None if heard is None else heard.text
        phrasebook = phrasebook_of("" if heard is None else heard.language_code)
        is_left_open = self._endpointing.punctuates and text is not None and phrasebook.is_left_open(text)
        doubt = Doubt(is_left_open, None if heard is None else heard.confidence, self._open.sounds_over)
        judged = judge(text, phrasebook, hints, self._endpointing.waits, self._habit, doubt=doubt)
        self._judged_at_pause = judged.reason
        return TurnPrediction(
            self._open.utterance_id,
            self._open.spans[-1].end_sample,
            judged.probability,
            judged.wait_ms,
            judged.reason.value,
        )

    def _settle(self, ended: _Utterance, spans: tuple[Span, ...], end_sample: int, trigger_ns: int) -> list[Output]:
        """A draft followed only by silence is the settled text; one on its way will be; else the engine is asked."""
        utterance_id = ended.utterance_id
        if not spans:
            nothing = Heard(request_id=0, text="", language_code="")
            settling = _Settling(
                utterance_id, end_sample, end_sample, (Span(end_sample, end_sample),), 0, trigger_ns, is_asked=False
            )
            return self._settled(settling, nothing, trigger_ns)
        settling = _Settling(utterance_id, end_sample, ended.not_before, spans, 0, trigger_ns, is_asked=False)
        if ended.text is not None and ended.text_spans == spans:
            self.n_drafts_used += 1
            return self._settled(settling, ended.text, trigger_ns)
        self._settling[utterance_id] = settling
        if ended.draft is not None and ended.draft.spans == spans:
            self.n_drafts_used += 1
            settling.request_id = ended.draft.request_id
            return []
        if ended.text is not None or ended.draft is not None:
            self.n_drafts_dropped += 1
        ask = self._ask(settling, spans, trigger_ns, is_final=True)
        settling.request_id, settling.is_asked = ask.request_id, True
        return [ask]

    def _settled(self, settling: _Settling, heard: Heard, now_ns: int) -> list[Output]:
        self._close(settling)
        cost = Cost(heard.queue_us, heard.compute_us, _us(now_ns - settling.trigger_ns))
        text = self._transcript(
            settling.utterance_id,
            TextStage.SETTLED,
            heard,
            spans=settling.spans,
            end_sample=settling.end_sample,
            cost=cost,
        )
        return [text, UtteranceSettled(settling.utterance_id, settling.end_sample, cost=cost)]

    def _fail(self, settling: _Settling, reason: str, message: str) -> list[Output]:
        self._close(settling)
        return [UtteranceSettled(settling.utterance_id, settling.end_sample, reason, message)]

    def _close(self, settling: _Settling) -> None:
        self._settling.pop(settling.utterance_id, None)
        self._ends[settling.utterance_id] = (settling.spans[0].start_sample, settling.end_sample)
        if len(self._ends) > REMEMBERED_ENDS:
            del self._ends[min(self._ends)]

    def _transcript(
        self, utterance_id: int, stage: TextStage, heard: Heard, *, spans: Sequence[Span], end_sample: int, cost: Cost
    ) -> Transcript:
        segments = heard.segments
        if heard.text and not segments:
            segments = (Segment(heard.text, spans[0].start_sample, spans[-1].end_sample, heard.confidence),)
        return Transcript(
            utterance_id, stage, heard.text, spans[0].start_sample, end_sample,
            heard.language_code, heard.confidence, segments, cost,
        )  # fmt: skip


def _without(span: Span, from_sample: int, to_sample: int) -> list[Span]:
    parts = [
        Span(span.start_sample, min(span.end_sample, from_sample)),
        Span(max(span.start_sample, to_sample), span.end_sample),
    ]
    return [part for part in parts if part.start_sample < part.end_sample]


def _us(nanoseconds: int) -> int:
    return max(0, nanoseconds) // 1000
