"""Turn-taking: makes turns of the STT stage's texts, and revises them when a better text comes.

The gateway decides the end of a turn by the caller's media clock and tells the STT stage, which settles the words; then
the turn is taken. A turn that was taken too early is opened again: its words go before what the caller says next.
"""

from dataclasses import replace

from services.call_gateway.conversation.barge_in import BargeIn
from services.call_gateway.conversation.call import Call, say
from services.call_gateway.conversation.commands import CallerHeard, CorrectTurn, DiscardUtterance, EndUtterance
from services.call_gateway.conversation.endpointing import WINDOW_MS
from services.call_gateway.conversation.events import (
    Keyword,
    SpeechBegan,
    SpeechStopped,
    Stage,
    SttEvent,
    SttProgressed,
    TextStage,
    TranscriptHeard,
    TurnPredicted,
    UtteranceSettled,
)
from services.call_gateway.conversation.floor import (
    Decision,
    Decisions,
    Floor,
    LateWords,
    Move,
    NoPerson,
    Pause,
    Revision,
)
from services.call_gateway.conversation.line_watch import Origin, Recordings
from services.call_gateway.conversation.replying import drop_speculation, heard_text
from services.call_gateway.conversation.user_turn import EndedTurn, TakenTurn, TurnPhase, Wait
from services.call_gateway.line import EnergyFell, EnergyRose
from services.call_gateway.prompts.book import PromptKind
from services.language.words import joined, normalise, word_ends

CLICK_MS = 60
"""Loud sound that is shorter is no speech."""


class TurnTaking:
    """The policy of the caller's turns."""

    def __init__(self, call: Call, barge_in: BargeIn, recordings: Recordings) -> None:
        self._call = call
        self._turn = call.user_turn
        self._barge_in = barge_in
        self._recordings = recordings
        self._loud_since: int | None = None  # in samples; None: the line is not loud
        self._loud_until = 0  # in samples: where loud sound last ended
        self._was_unheard = False

    @property
    def was_unheard(self) -> bool:
        """The caller has said something since the STT stage was lost, or as it was lost."""
        return self._was_unheard or self._turn.evidence.is_open

    # -- events of the STT stage ---------------------------------------------------------------------------------------

    def on_stt_event(self, event: SttEvent) -> Decisions:
        """Take in an event of the STT stage."""
        match event:
            case SttProgressed(processed_sample):
                self._turn.evidence.on_progress(processed_sample)
            case SpeechBegan() | SpeechStopped():
                yield from self._on_speech(event)
            case TranscriptHeard(stage=TextStage.CORRECTED):
                yield from self._revise(event)
            case TranscriptHeard(stage=TextStage.SETTLED):
                yield from self._on_settled_text(event)
            case TranscriptHeard():
                yield from self._on_text(event)
            case Keyword(text, _, end) if (text, end) == self._turn.last_text and not self._barge_in.is_over_echo:
                self._call.command(event)
            case TurnPredicted():
                if not self._turn.evidence.on_prediction(event):
                    self._call.refuse(event)
            case UtteranceSettled():
                self._on_settled(event)
        yield from self.review()

    def _on_speech(self, event: SpeechBegan | SpeechStopped) -> Decisions:
        call, overlap = self._call, self._call.overlap
        if not self._turn.evidence.on_speech(event):
            call.refuse(event)
        elif call.floor is Floor.HELD:
            return
        elif isinstance(event, SpeechStopped):
            if overlap is not None:
                overlap.on_speech_stopped(event.sample)
        elif overlap is not None:
            overlap.on_speech_began(event.sample)
        elif self._barge_in.is_vetoed(event.sample):
            return
        elif call.floor is Floor.LISTENING:
            yield Decision(Move.CALLER_SPOKE)
        else:
            yield from self._barge_in.on_sound()

    def _on_text(self, event: TranscriptHeard) -> Decisions:
        is_at_pause = event.stage is TextStage.DRAFT
        if self._spans_awaited_end(event) or not self._turn.evidence.on_text(event, is_draft=is_at_pause):
            self._call.refuse(event)
            return
        if self._turn.evidence.is_on_hold(event.end_sample):
            return
        self._note_text(event)
        if is_at_pause and self._call.floor is Floor.LISTENING:
            yield Decision(Move.PAUSE_HEARD, Pause(event.text, event.start_sample, event.end_sample))
        else:
            yield from self._barge_in.on_words(event)

    def _spans_awaited_end(self, event: TranscriptHeard) -> bool:
        """Return whether the text spans the end of a turn whose words are awaited."""
        # A fresh STT stream that hears again what was missed may make one utterance of the ended turn and of later
        # speech, until it has reached that end. The words of the turn would come twice.
        end_sample = self._turn.awaited_end
        margin = self._call.clock.samples(WINDOW_MS)
        return end_sample is not None and event.start_sample + margin < end_sample < event.end_sample

    def _note_text(self, event: TranscriptHeard) -> None:
        self._turn.on_text(event)
        if event.stage is not TextStage.PARTIAL and event.language_code and event.text:
            self._call.language_code = event.language_code
        self._call.command(CallerHeard(event.utterance_id, event.text, event.stage is TextStage.SETTLED))

    def _on_settled_text(self, event: TranscriptHeard) -> Decisions:
        """Take the settled words of an ended turn. Words that come after the turn was taken revise it."""
        ended = self._turn.ended
        if ended is not None and ended.owns(event):
            self._note_text(event)
            ended.settled_text = event.text
        elif (unheard := self._turn.take_unheard(event)) is not None:
            yield from self._take_unheard(unheard, event)
        else:
            yield from self._revise(event)

    def _take_unheard(self, unheard: EndedTurn, event: TranscriptHeard) -> Decisions:
        """Words that were given up come after all. They make the turn while nothing else has been said, and begin it
        when the caller has gone on. Where there were none, what was said before them is the turn.
        """
        has_words = bool(normalise(event.text))
        if has_words:
            self._note_text(event)
        if self._turn.phase is not TurnPhase.SILENT:
            if has_words and unheard.wait is not Wait.ASKED_AGAIN:
                self._turn.put_right(unheard, event.text)
                drop_speculation(self._call)
        elif self._call.reply is None and (has_words or (unheard.said_before and self._turn.unheard is None)):
            yield Decision(Move.LATE_WORDS, LateWords(unheard, event.text))

    def _on_settled(self, event: UtteranceSettled) -> None:
        """The STT stage has said all it will say of an ended turn."""
        if event.end_sample != self._turn.awaited_end:
            self._call.refuse(event)
            return
        self._turn.awaited_end = None
        ended = self._turn.ended
        if ended is None or ended.settled_text is not None:
            return
        if event.is_ok:
            ended.settled_text = ""
        else:
            self._settle_without(ended)

    # -- the end of the turn -------------------------------------------------------------------------------------------

    def on_time(self) -> Decisions:
        """The caller's media clock went on."""
        yield from self._barge_in.on_time()
        yield from self.review()

    def review(self) -> Decisions:
        """Take the turn whose words are known, unless a sound of the caller is being judged, and end the one that is
        over. While the STT stage is lost none ends: a fresh stream will hear it again.
        """
        call = self._call
        yield from self._take_turn()
        if call.floor is Floor.LISTENING and call.is_open(Stage.STT):
            end = self._turn.evidence.decide()
            if end is not None:
                yield Decision(Move.TURN_ENDED, end)
                yield from self._take_turn()

    def _take_turn(self) -> Decisions:
        ended = self._turn.ended
        if ended is not None and ended.settled_text is not None and self._call.floor is not Floor.PAUSED:
            yield self._decide_on_words(ended, ended.settled_text)

    def _decide_on_words(self, ended: EndedTurn, text: str) -> Decision:
        if ended.wait is Wait.ASKED_AGAIN and not normalise(text):
            return Decision(Move.NOTHING_SAID)  # the words of the caller from before are kept
        if self._turn.prefix:
            return Decision(Move.WORDS_KNOWN)
        if not normalise(text):
            return Decision(Move.NOTHING_SAID)
        speech_end = min(ended.notes.speech_end_sample, ended.end_sample)
        origin = self._recordings.judge(text, ended.began_sample, speech_end)
        if origin is Origin.PERSON:
            return Decision(Move.WORDS_KNOWN)
        self._call.counters[f"words_of_{origin.value}"] += 1
        return Decision(Move.NOTHING_SAID, NoPerson(is_doubtful=origin is Origin.DOUBT))

    @property
    def deadline(self) -> float | None:
        """Return when `on_timer` has something to decide, by the wall."""
        verdict_at = self._barge_in.deadline
        if self._turn.phase is not TurnPhase.ENDED or self._turn.ended is None:
            return verdict_at
        words_at = self._call.clock.wall_of(self._turn.ended.deadline)
        return words_at if verdict_at is None else min(words_at, verdict_at)

    def on_timer(self) -> Decisions:
        """The words of the ended turn may not have come in time. A text that covers it stands; what was said and not
        written down is waited for, and then asked for again: it is never taken for silence.
        """
        yield from self._barge_in.on_timer()
        yield from self.review()
        ended, call = self._turn.ended, self._call
        if ended is None or ended.settled_text is not None or call.clock.now < ended.deadline:
            return
        if ended.is_whole:
            ended.settled_text = ended.best_text
        elif ended.wait is Wait.LATE:
            self._settle_without(ended)
        else:
            ended.wait = Wait.LATE
            ended.deadline = call.clock.now + call.settings.late_text_limit_ms / 1000
            if not self._recordings.is_left_alone(ended.end_sample):
                say(call, PromptKind.ONE_MOMENT)
        yield from self.review()

    def _settle_without(self, ended: EndedTurn) -> None:
        """The STT stage will not say what was said: a text that covers it stands. One that covers less of it, or none,
        does not, and the caller says it once more; what they had said before still goes before it.
        """
        if ended.is_covered and normalise(ended.best_text):
            ended.settled_text = ended.best_text
            return
        ended.settled_text = ""
        if not self._recordings.is_left_alone(ended.end_sample):
            ended.wait = Wait.ASKED_AGAIN
            self._call.counters["asked_again"] += 1
            say(self._call, PromptKind.SAY_AGAIN)
        self._turn.await_words(ended, "")

    # -- better texts of past turns ------------------------------------------------------------------------------------

    def _revise(self, event: TranscriptHeard) -> Decisions:
        """A better text changes history and record. It changes the reply too when it changes the meaning, comes at
        once, and the caller has heard a word of the reply at most.
        """
        call, words = self._call, normalise(event.text)
        taken = next((turn for turn in reversed(self._turn.taken) if turn.owns(event)), None)
        reply = call.reply
        if taken is None or not words:
            if taken is not None and event.stage is TextStage.SETTLED and self._is_revisable(taken):
                yield Decision(Move.NOTHING_SAID)
            else:
                call.refuse(event)
            return
        self._turn.last_text = event.utterance_id, event.end_sample
        if event.stage is TextStage.SETTLED:
            call.command(CallerHeard(event.utterance_id, event.text, is_settled=True))
            if reply is not None and reply.turn_id == taken.turn_id and reply.notes.settled_at is None:
                reply.notes.settled_at = call.clock.wall
        has_other_words = words != normalise(taken.text)
        self._turn.taken.remove(taken)
        self._turn.taken.append(replace(taken, text=event.text))
        whole = joined(taken.prefix, event.text)
        if has_other_words:
            call.command(CorrectTurn(taken.turn_id, whole))
            if self._turn.correct(taken.turn_id, joined(taken.prefix, taken.text), whole):
                drop_speculation(call)
        if reply is None or reply.turn_id != taken.turn_id:
            call.history.correct(taken.turn_id, whole)
        elif has_other_words and self._is_revisable(taken):
            yield Decision(Move.TEXT_REVISED, Revision(whole))
        else:
            reply.notes.user_text = whole

    def _is_revisable(self, taken: TakenTurn) -> bool:
        """The turn is being answered, was taken a moment ago, and a word of the reply was heard at most."""
        call, reply = self._call, self._call.reply
        taken_at = None if reply is None else reply.notes.taken_at
        return (
            reply is not None
            and reply.turn_id == taken.turn_id
            and call.floor in (Floor.THINKING, Floor.SPEAKING)
            and taken_at is not None
            and call.clock.wall - taken_at <= call.settings.recovery_window_ms / 1000
            and len(word_ends(heard_text(call, reply))) <= 1
        )

    # -- after a hold --------------------------------------------------------------------------------------------------

    def on_taken_back(self, *, was_over: bool) -> None:
        """Take back speech heard on hold that was music or an announcement. `was_over`: the hold was over before that
        was known, and it was the caller.
        """
        since_sample = self._turn.evidence.end_hold(was_over=was_over)
        if since_sample is not None:
            self._call.command(DiscardUtterance(since_sample, self._call.clock.sample))

    # -- while the STT stage is lost -----------------------------------------------------------------------------------

    def on_energy(self, event: EnergyRose | EnergyFell) -> Decisions:
        """The caller's line became loud, or quiet again. It stands for speech only while the STT stage is lost."""
        is_rise = isinstance(event, EnergyRose)
        if is_rise:
            self._loud_since = event.sample
        else:
            self._loud_since, self._loud_until = None, event.sample
        if self._call.is_open(Stage.STT) or self._call.floor is Floor.HELD:
            return
        if is_rise and self._call.floor is Floor.LISTENING:
            self._was_unheard = True  # there is nothing to pause, and no words will come
        else:
            yield from self._on_speech(SpeechBegan(event.sample, 0.5) if is_rise else SpeechStopped(event.sample, 0.5))

    def on_stt_lost(self) -> None:
        """Forget what the lost STT stream knew of utterances that it had not settled: a fresh stream hears their sound
        again. A text that covers an ended turn stands.
        """
        call, evidence, ended = self._call, self._turn.evidence, self._turn.ended
        least = evidence.heard_sample + call.clock.samples(CLICK_MS)
        self._was_unheard = evidence.is_open or self._loud_since is not None or self._loud_until > least
        evidence.forget_evidence()
        if ended is None or ended.settled_text is not None:
            return
        if ended.is_whole:
            ended.settled_text = ended.best_text
        else:
            ended.deadline = max(ended.deadline, call.clock.now + call.settings.first_clause_limit_ms / 1000)

    def on_stt_back(self) -> None:
        """A fresh stream hears again what the old one had not settled; what is judged by now it must not take for new,
        and the words the old one still owed it is asked for.
        """
        self._was_unheard = False
        self._turn.evidence.forget_evidence()
        if self._turn.settled_sample > 0:
            self._call.command(DiscardUtterance(0, self._turn.settled_sample))
        if self._turn.phase is TurnPhase.ENDED and self._turn.ended is not None:
            self._call.command(EndUtterance(self._turn.ended.end_sample))
