"""Utterances of one call: which speech belongs to which, and the words known of them."""

from dataclasses import dataclass, field, replace

from services.stt_proxy.end_of_turn.evidence import LOOKS_WHOLE, Doubt, Evidence, Judgement, PausingHabit, Reason
from services.stt_proxy.end_of_turn.judging import judge
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.engine import Corrected, Heard, Hints, Partial, Span, Unheard
from services.stt_proxy.events import Cost, SpeechActivity, TextStage, Transcript, TurnPrediction
from services.stt_proxy.open_utterance import Ask, OpenUtterance
from services.stt_proxy.phrasebook import phrasebook_of
from services.stt_proxy.settling import Output, Settlements, cost_of, transcript_of

LONGEST_PAUSE_MS = 2000  # a longer one is a caller who waits, not one who pauses

CLOSED = Judgement(1.0, 0, Reason.TOO_LONG)
SPEECH_PER_DRAFTS_MS = 15_000  # each such stretch of one utterance may cost the same number of drafts


@dataclass(frozen=True, slots=True)
class Endpointing:
    """Endpointing of one call: how quickly its evidence is told."""

    waits: Waits = field(default_factory=Waits)
    max_drafts: int = 4
    max_draft_speech_ms: int = 120_000
    learns_pauses: bool = True  # of this caller, in this call
    punctuates: bool = False  # the engine closes sentences, so that an open one says something


class Utterances:
    """Takes events, gives evidence to send and requests to the engine. It reads no clock: the time is given to it."""

    def __init__(self, endpointing: Endpointing, *, sample_rate_hertz: int) -> None:
        self._endpointing = endpointing
        self._per_ms = sample_rate_hertz // 1000
        self._habit = PausingHabit()
        self._open = OpenUtterance(1, 0)
        self._settlements = Settlements()
        self._last_end = 0  # no utterance goes back before this
        self._paused_at: int | None = None  # where speech last ended, if only silence came since
        self._judged_at_pause = Reason.NO_TEXT  # of the words before it

    # -- events of the speech gate -------------------------------------------------------------------------------------

    def begin(self, sample: int, score: float, hints: Hints) -> list[Output]:
        """Speech begins."""
        sample = max(sample, self._last_end)
        if self._paused_at is not None and not hints.agent_is_speaking:
            pause_ms = (sample - self._paused_at) // self._per_ms
            is_pause = pause_ms <= LONGEST_PAUSE_MS and self._endpointing.learns_pauses
            if is_pause and self._judged_at_pause is not Reason.NO_TEXT:
                self._habit.note(pause_ms, is_behind_whole=self._judged_at_pause in LOOKS_WHOLE)
        self._paused_at = None
        self._open.speaking_since, self._open.is_too_long = sample, False
        return [SpeechActivity(self._open.utterance_id, True, sample, score)]

    def pause(
        self, sample: int, score: float, hints: Hints, *, trigger_ns: int, wants_draft: bool, is_too_long: bool = False
    ) -> list[Output]:
        """Speech ended at `sample`, and silence has lasted for a draft's pause since; or it is closed in mid-speech."""
        utterance = self._open
        since, utterance.speaking_since = utterance.speaking_since, None
        if since is None or sample <= since:  # the client ended the utterance within the silence
            return [SpeechActivity(utterance.utterance_id, False, sample, score)]
        utterance.spans.append(Span(since, sample))
        utterance.sounds_over = None
        utterance.is_too_long = is_too_long
        self._paused_at = None if is_too_long else sample
        outputs: list[Output] = [SpeechActivity(utterance.utterance_id, False, sample, score)]
        outputs.append(self._predict(None, hints))
        if wants_draft and (is_too_long or self._is_worth_a_draft(utterance)):
            utterance.n_drafts += 1
            utterance.draft = self._settlements.ask(
                utterance.utterance_id,
                tuple(utterance.spans),
                not_before=utterance.not_before,
                is_final=False,
                trigger_ns=trigger_ns,
            )
            outputs.append(utterance.draft)
        return outputs

    def skip(self) -> None:
        """The clock went on without silence: on hold, or a key was pressed."""
        self._paused_at = None

    # -- what the client decides ---------------------------------------------------------------------------------------

    def end(self, end_sample: int, *, sent_sample: int, trigger_ns: int) -> list[Output]:
        """The utterance is over at `end_sample`; what was said after it, or after the sound that had been sent by then,
        belongs to the next.
        """
        ended = self._open
        self._last_end = min(end_sample, sent_sample)
        before, self._open = ended.split(self._last_end)
        return self._settlements.settle(ended, before, end_sample, trigger_ns)

    def discard(self, from_sample: int, to_sample: int) -> bool:
        """The stretch was echo or noise. True when speech that is going on began in it and must be detected again."""
        if self._paused_at is not None and from_sample <= self._paused_at <= to_sample:
            self._paused_at = None
        return self._open.forget(from_sample, to_sample)

    # -- reports of the engine -----------------------------------------------------------------------------------------

    def heard(self, ask: Ask, heard: Heard, hints: Hints, *, now_ns: int) -> list[Output]:
        """Take the words of a request."""
        if self._settlements.owes(ask.utterance_id):
            return self._settlements.heard(ask, heard, now_ns=now_ns)
        utterance = self._open
        if utterance.utterance_id != ask.utterance_id:
            return []
        self._forget_draft(ask)
        if tuple(utterance.spans[: len(ask.spans)]) != ask.spans:
            self._settlements.n_drafts_dropped += 1
            return []  # some of it was discarded since
        utterance.text, utterance.text_spans = heard, ask.spans
        is_whole = utterance.is_all(ask.spans)
        stage = TextStage.DRAFT if is_whole else TextStage.PARTIAL
        cost = cost_of(heard, since_ns=ask.trigger_ns, now_ns=now_ns)
        end_sample = ask.spans[-1].end_sample
        text = transcript_of(ask.utterance_id, stage, heard, spans=ask.spans, end_sample=end_sample, cost=cost)
        if is_whole:
            return [text, self._predict(heard, hints)]
        self._judge(heard, hints)
        return [text]

    def sounded(self, ask: Ask, sounds_over: float, hints: Hints) -> list[Output]:
        """Take the acoustic probability that the turn ended where the request ends: 1 at the end of a turn, 0 in
        mid-sentence.
        """
        utterance = self._open
        if utterance.utterance_id != ask.utterance_id or not utterance.is_all(ask.spans):
            return []
        utterance.sounds_over = sounds_over
        if utterance.text is None or utterance.text_spans != ask.spans:
            return []  # it will count when the words come
        return [self._predict(utterance.text, hints)]

    def unheard(self, ask: Ask, unheard: Unheard) -> list[Output]:
        """Take a refusal: a draft that was not made is dropped; an utterance that cannot be settled has failed."""
        outputs = self._settlements.unheard(ask, unheard)
        if outputs is None:
            if self._open.draft is not None and self._open.draft.request_id == ask.request_id:
                self._open.n_drafts -= 1  # the draft has cost nothing
            self._forget_draft(ask)
        return outputs or []

    def partial(self, partial: Partial) -> list[Output]:
        """Take a partial text in mid-speech."""
        since = self._open.first_sample
        if since is None or partial.end_sample <= since:  # of speech that is over, or was none
            return []
        return [
            Transcript(
                self._open.utterance_id, TextStage.PARTIAL, partial.text, since, partial.end_sample,
                partial.language_code, partial.confidence,
            )
        ]  # fmt: skip

    def corrected(self, corrected: Corrected, hints: Hints) -> list[Output]:
        """Take a better text: of a settled utterance a correction, of the open one's draft a new draft."""
        utterance = self._open
        if corrected.utterance_id != utterance.utterance_id:
            return self._settlements.corrected(corrected)
        if utterance.text is None or not utterance.is_all(utterance.text_spans):
            return []  # the caller went on: the next draft will hold it
        spans = utterance.text_spans
        heard = replace(
            utterance.text, text=corrected.text, language_code=corrected.language_code,
            confidence=corrected.confidence, segments=(), compute_us=0, queue_us=0,
        )  # fmt: skip
        utterance.text = heard
        end_sample = spans[-1].end_sample
        draft = transcript_of(
            utterance.utterance_id, TextStage.DRAFT, heard, spans=spans, end_sample=end_sample, cost=Cost()
        )
        return [draft, self._predict(heard, hints)]

    def expire(self, utterance_id: int) -> list[Output]:
        """The engine took too long to settle the utterance."""
        return self._settlements.expire(utterance_id)

    # -- state ---------------------------------------------------------------------------------------------------------

    @property
    def utterance_id(self) -> int:
        """The utterance that is open."""
        return self._open.utterance_id

    @property
    def n_settling(self) -> int:
        """Utterances that were ended and not yet answered."""
        return len(self._settlements)

    @property
    def n_drafts_used(self) -> int:
        return self._settlements.n_drafts_used

    @property
    def n_drafts_dropped(self) -> int:
        return self._settlements.n_drafts_dropped

    def so_far(self, to_sample: int) -> Ask | None:
        """Return the open utterance up to here, with the speech that goes on; None without speech."""
        utterance = self._open
        since = utterance.speaking_since
        if since is None or to_sample <= since:
            return None
        spans = (*utterance.spans, Span(since, to_sample))
        return Ask(0, utterance.utterance_id, spans, utterance.not_before, is_final=False, trigger_ns=0)

    @property
    def first_sample(self) -> int | None:
        """Of the open utterance's speech; None: it holds none."""
        return self._open.first_sample

    @property
    def has_speech(self) -> bool:
        """Return whether the open utterance holds any speech."""
        return self._open.first_sample is not None

    @property
    def earliest_wanted(self) -> int | None:
        """The first sample of speech that may yet be asked for; None: nothing before now is wanted."""
        starts = list(self._settlements.first_samples)
        if self._open.first_sample is not None:
            starts.append(self._open.first_sample)
        return min(starts, default=None)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _is_worth_a_draft(self, utterance: OpenUtterance) -> bool:
        speech_ms = utterance.n_samples // self._per_ms
        max_drafts = self._endpointing.max_drafts * (1 + speech_ms // SPEECH_PER_DRAFTS_MS)
        return utterance.n_drafts < max_drafts and speech_ms <= self._endpointing.max_draft_speech_ms

    def _forget_draft(self, ask: Ask) -> None:
        """The draft is not under way any more."""
        if self._open.draft is not None and self._open.draft.request_id == ask.request_id:
            self._open.draft = None

    def _predict(self, heard: Heard | None, hints: Hints) -> TurnPrediction:
        """Return the prediction by the words; None: the words are not known yet."""
        judged = CLOSED if self._open.is_too_long else self._judge(heard, hints)
        self._judged_at_pause = judged.reason
        if (
            heard is None
            and (last := self._open.last_judgement) is not None
            and last.wait_ms > judged.wait_ms
            and judged is not CLOSED
        ):
            judged = last  # the words before were unfinished, and that holds until the new words are known
        return TurnPrediction(
            self._open.utterance_id,
            self._open.spans[-1].end_sample,
            judged.probability,
            judged.wait_ms,
            judged.reason.value,
        )

    def _judge(self, heard: Heard | None, hints: Hints) -> Judgement:
        text = None if heard is None else heard.text
        phrasebook = phrasebook_of("" if heard is None else heard.language_code)
        punctuates = self._endpointing.punctuates
        if heard is not None and heard.is_punctuated is not None:
            punctuates = heard.is_punctuated
        is_left_open = punctuates and text is not None and phrasebook.is_left_open(text)
        doubt = Doubt(is_left_open, None if heard is None else heard.confidence, self._open.sounds_over)
        judged = judge(Evidence(text, phrasebook, hints, doubt, self._habit), self._endpointing.waits)
        if heard is not None:
            self._open.last_judgement = judged
        return judged
