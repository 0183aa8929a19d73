"""The caller's side: what they say, when their turn is over, and whether a sound over the agent is an interruption.

One utterance at a time goes this way: speech begins, drafts are tried at its pauses, its end is decided and told to the
ear, the ear settles the words, and the turn is taken: the draft is committed, or the agent is asked anew.
"""

from collections import deque
from dataclasses import dataclass

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.barge_in import Overlap, Verdict, judge_words
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.drafts import DraftAdvice, DraftDesk
from services.call_gateway.conversation.endpointing import Endpointing, TurnEnd
from services.call_gateway.conversation.events import (
    CallerHeard,
    CallerSaid,
    CorrectTurn,
    DiscardSent,
    DiscardUtterance,
    EndUtterance,
    SpeechBegan,
    SpeechStopped,
    Stage,
    TextStage,
    Timing,
    Trace,
    TranscriptHeard,
    TurnPredicted,
    UtteranceSettled,
)
from services.call_gateway.conversation.history import History
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.turn import Floor, Move
from services.call_gateway.conversation.words import joined, normalised, word_ends

REMEMBERED_ENDS = 16  # utterances whose text may still be corrected


@dataclass(slots=True)
class Settlement:
    """An utterance that was ended and whose words are awaited."""

    end_sample: int
    after_sample: int  # where the one before ended
    text: str  # the best so far
    has_draft_text: bool
    notes: TurnNotes
    deadline: float  # seconds: when the text so far stands
    settled_text: str | None = None  # came while the floor was paused


@dataclass(frozen=True, slots=True)
class PastTurn:
    """Which words made which turn."""

    turn_id: int
    end_sample: int
    utterance_id: int | None
    text: str  # of the utterance alone
    prefix: str  # of the turn it continued


class Caller:
    """What the caller does with their voice."""

    def __init__(self, state: CallState, agent: Agent, playout: Playout, history: History) -> None:
        self._state = state
        self._agent = agent
        self._playout = playout
        self._history = history
        self._endpointing = Endpointing(state.settings, state.clock)
        self._desk = DraftDesk(state.settings)
        self._overlap: Overlap | None = None
        self._settlement: Settlement | None = None
        self._prefix = ""  # said before, of a turn that was taken too early
        self._continues_turn_id = 0
        self._past: deque[PastTurn] = deque(maxlen=REMEMBERED_ENDS)
        self._utterance_id: int | None = None  # of the latest text
        self._text_timing = Timing()
        self._trace = Trace()

    def adapt(self) -> None:
        """The settings have changed: the agent's own came."""
        self._endpointing.settings = self._desk.settings = self._state.settings

    # -- what others ask -----------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """The caller says something, or said something that no turn has taken yet."""
        return self._endpointing.is_open or self._settlement is not None

    @property
    def is_awaiting_words(self) -> bool:
        """The ear owes the words of an ended utterance."""
        return self._settlement is not None and self._settlement.settled_text is None

    @property
    def last_settled_sample(self) -> int:
        """Everything before needs no listening to any more."""
        return self._settlement.after_sample if self._settlement is not None else self._endpointing.ended_sample

    @property
    def heard_sample(self) -> int:
        """How far the ear has said to have come."""
        return self._endpointing.heard_sample

    @property
    def deadline(self) -> float | None:
        """When `on_timer` has something to decide, in seconds."""
        if self._overlap is not None:
            return self._overlap.deadline
        return self._settlement.deadline if self.is_awaiting_words and self._settlement is not None else None

    # -- the ear's news ------------------------------------------------------------------------------------------------

    def hear_speech(self, event: SpeechBegan | SpeechStopped) -> None:
        """Speech began or stopped."""
        if not self._endpointing.hear_speech(event):
            self._state.refuse(event)
            return
        if isinstance(event, SpeechStopped):
            if self._overlap is not None:
                self._overlap.speech_stopped(event.sample)
            self.decide()
        elif self._overlap is not None:
            self._overlap.speech_began(event.sample)
        elif self._state.floor is Floor.LISTENING:
            self._drop_draft()
        else:
            self._pause_agent()

    def hear_text(self, event: TranscriptHeard) -> None:
        """Words, more or less firm."""
        if event.stage is TextStage.CORRECTED:
            self._correct(event)
        elif event.stage is TextStage.SETTLED:
            self._hear_settled(event)
        elif not self._endpointing.hear_text(event, is_draft=event.stage is TextStage.DRAFT):
            self._state.refuse(event)
        else:
            self._note_text(event)
            if event.stage is TextStage.DRAFT:
                self._hear_draft(event)
            self.decide()

    def hear_prediction(self, event: TurnPredicted) -> None:
        """The ear's view of whether the turn is over."""
        if self._endpointing.hear_prediction(event):
            self.decide()
        else:
            self._state.refuse(event)

    def hear_settled(self, event: UtteranceSettled) -> None:
        """The ear has said all it will say of an ended utterance."""
        settlement = self._settlement
        if settlement is None or settlement.end_sample != event.end_sample:
            self._state.refuse(event)
        elif settlement.settled_text is None:
            self._settle(settlement.text if not event.is_ok else "")

    def hear_progress(self, sample: int) -> None:
        """The ear has listened up to there."""
        self._endpointing.hear_progress(sample)
        self.decide()

    def excuse(self, n_samples: int) -> None:
        """So much of the clock was hold or a pressed key."""
        self._endpointing.excuse(n_samples)

    def _note_text(self, event: TranscriptHeard) -> None:
        self._utterance_id = event.utterance_id
        if event.stage is not TextStage.PARTIAL:
            self._text_timing = event.timing
            self._trace = event.trace
        if event.language_code:
            self._state.language_code = event.language_code
        self._state.command(CallerHeard(event.utterance_id, event.text, event.stage is TextStage.SETTLED))

    # -- drafts --------------------------------------------------------------------------------------------------------

    def _hear_draft(self, event: TranscriptHeard) -> None:
        floor = self._state.floor
        if floor is Floor.LISTENING:
            self._consider_draft(event.text, event.start_sample, event.end_sample)
        elif floor is Floor.PAUSED:
            self._judge(event)
        elif floor is Floor.SPEAKING and not self.is_agent_protected:
            verdict = judge_words(event.text, event.confidence, self._state.settings)
            if verdict.stops_agent:
                self.insist(verdict)

    def _consider_draft(self, text: str, start_sample: int, end_sample: int) -> None:
        whole = joined(self._prefix, text)
        speech_ms = (end_sample - start_sample) * 1000 / self._state.clock.sample_rate_hertz
        can_make = {Stage.NLU, Stage.TTS} <= self._state.open_stages
        advice = self._desk.consider(whole, speech_ms=speech_ms, can_make=can_make)
        if advice in (DraftAdvice.REPLACE, DraftAdvice.DROP):
            self._drop_draft()
        if advice in (DraftAdvice.REPLACE, DraftAdvice.MAKE):
            self._desk.note_made(whole)
            notes = TurnNotes(user_text=whole, text_timing=self._text_timing, trace=self._trace)
            self._agent.ask_draft(CallerSaid(whole), notes, continues_turn_id=self._continues_turn_id)

    def _drop_draft(self) -> None:
        if self._desk.live_words is not None:
            self._desk.note_dropped()
        self._agent.drop_draft()

    def draft_failed(self) -> None:
        """A stage gave the draft up."""
        self._drop_draft()

    # -- the end of the turn -------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """The caller's clock went on."""
        if self._overlap is not None:
            verdict = self._overlap.by_clock(self._state.clock.sample)
            if verdict is not None:
                self.insist(verdict)
        elif self._endpointing.is_sounding and self._state.floor in (Floor.THINKING, Floor.SPEAKING):
            self._pause_agent()  # it was protected when the sound began
        self.decide()

    def decide(self) -> None:
        """End the turn if it is over."""
        if self._state.floor is Floor.LISTENING and (end := self._endpointing.decide()) is not None:
            self._end_turn(end)

    def _end_turn(self, end: TurnEnd) -> None:
        after_sample = self._endpointing.ended_sample
        utterance = self._endpointing.end(end.end_sample)
        settings, now = self._state.settings, self._state.now
        limit_ms = settings.settle_limit_ms if utterance.draft_text else settings.settle_hard_limit_ms
        notes = TurnNotes(
            end_reason=end.reason,
            speech_end_sample=end.end_sample,
            spoke_last_at=self._state.clock.wall_time(end.end_sample),
            draft_pause_ms=settings.draft_pause_ms,
        )
        self._settlement = Settlement(
            end.end_sample,
            after_sample,
            utterance.draft_text or utterance.text,
            bool(utterance.draft_text),
            notes,
            now + limit_ms / 1000,
        )
        self._state.command(EndUtterance(end.end_sample))
        self._state.move(Move.TURN_ENDED)
        if Stage.STT not in self._state.open_stages:
            self._settle(self._settlement.text)

    def _hear_settled(self, event: TranscriptHeard) -> None:
        settlement = self._settlement
        if settlement is not None and settlement.after_sample < event.end_sample <= settlement.end_sample:
            self._note_text(event)
            self._settle(event.text)
        else:
            self._correct(event)

    def _settle(self, text: str) -> None:
        """The words of the ended utterance are known, or will not become better."""
        settlement = self._settlement
        if settlement is None:
            return
        settlement.settled_text = text
        if self._state.floor is not Floor.PAUSED:
            self._take_turn(settlement, text)

    def _take_turn(self, settlement: Settlement, text: str) -> None:
        self._settlement = None
        if not normalised(text) and not self._prefix:
            self._drop_draft()
            self._desk.begin_turn()
            self._state.move(Move.NOTHING_SAID)
            return
        whole = joined(self._prefix, text)
        notes = settlement.notes
        notes.user_text, notes.text_timing, notes.trace = whole, self._text_timing, self._trace
        if self._agent.draft is not None and self._desk.matches(whole):
            turn = self._agent.commit(notes)
        else:
            self._drop_draft()
            turn = self._agent.ask(CallerSaid(whole), notes, continues_turn_id=self._continues_turn_id)
        notes.drafts_made, notes.drafts_dropped = self._desk.made, self._desk.dropped
        self._past.append(PastTurn(turn.turn_id, settlement.end_sample, self._utterance_id, text, self._prefix))
        self.forget_unfinished()

    def forget_unfinished(self) -> None:
        """What comes next is a turn of its own."""
        self._prefix, self._continues_turn_id = "", 0
        self._desk.begin_turn()

    def abandon_turn(self) -> None:
        """Something else became the turn (a key, the end of the call): what was being said is void."""
        self._overlap = None
        self._settlement = None
        self._drop_draft()
        self.forget_unfinished()

    # -- over the agent's voice ----------------------------------------------------------------------------------------

    @property
    def is_agent_protected(self) -> bool:
        """What the agent says now must not be interrupted by a sound."""
        answer = self._agent.answer
        if answer is None or self._playout.current is not answer.voice:
            return False
        position = answer.voice.position
        if answer.is_greeting and position < self._state.clock.samples(self._state.settings.protected_greeting_ms):
            return True
        clause = answer.clause_at(answer.voice.offset_at(position))
        return clause is not None and not clause.is_interruptible

    def _pause_agent(self) -> None:
        began = self._endpointing.utterance.began_sample
        if began is None or self.is_agent_protected or not self._state.move(Move.CALLER_SOUNDED):
            return
        samples_per_ms = self._state.clock.sample_rate_hertz / 1000
        self._overlap = Overlap(self._state.settings, began, self._state.now, samples_per_ms)
        if self._playout.discard_sent():
            self._state.command(DiscardSent())

    def _judge(self, event: TranscriptHeard) -> None:
        overlap = self._overlap
        if overlap is None or event.end_sample <= overlap.began_sample:
            return
        verdict = judge_words(event.text, event.confidence, self._state.settings)
        if verdict.stops_agent:
            self.insist(verdict)
        elif verdict is Verdict.TOO_FEW_WORDS:
            self._consider_draft(event.text, event.start_sample, event.end_sample)  # in case they go on
        elif not overlap.is_sounding:
            self.resume(verdict)

    def on_timer(self) -> None:
        """A deadline has come."""
        now = self._state.now
        if self._overlap is not None and (verdict := self._overlap.by_wall(now)) is not None:
            self.resume(verdict)
        settlement = self._settlement
        if settlement is not None and settlement.settled_text is None and now >= settlement.deadline:
            self._settle(settlement.text)

    def resume(self, verdict: Verdict) -> None:
        """It was no interruption: the agent goes on at the start of the word it broke off."""
        overlap, self._overlap = self._overlap, None
        if overlap is None:
            return
        stopped = self._endpointing.utterance.stopped_sample
        to_sample = self._state.clock.sample if stopped is None else stopped
        self._endpointing.forget(to_sample)
        self._state.command(DiscardUtterance(overlap.began_sample, to_sample))
        if self._settlement is None:
            self._drop_draft()
        if (voice := self._playout.current) is not None:
            voice.rewind(voice.word_start(voice.position))
        if self._agent.answer is not None:
            self._agent.answer.notes.stop_reason = verdict.value
        self._state.counters[f"resumed_{verdict.value}"] += 1
        self._state.move(Move.FALSE_ALARM)
        if self._settlement is not None and self._settlement.settled_text is not None:
            self._take_turn(self._settlement, self._settlement.settled_text)

    def insist(self, verdict: Verdict) -> None:
        """It is an interruption: the agent stops for good, and what the caller says becomes the next turn, or goes on
        with the last one when that was taken too early.
        """
        overlap, self._overlap = self._overlap, None
        settlement, self._settlement = self._settlement, None
        answer = self._agent.answer
        self._state.counters[f"stopped_{verdict.value}"] += 1
        if settlement is not None:  # not asked yet: no turn was begun, its words are simply not all
            text = settlement.text if settlement.settled_text is None else settlement.settled_text
            self._prefix = joined(self._prefix, text)
            self._drop_draft()
            self._agent.hush()
        elif answer is not None and self._was_taken_too_early(overlap):
            self._prefix, self._continues_turn_id = answer.user_text, answer.turn_id
            self._drop_draft()
            self._agent.give_up_answer("continued", verdict.value)
        else:
            self._agent.give_up_answer("interrupted", verdict.value)
        self._state.move(Move.CALLER_INSISTED)
        self._draft_what_was_said()
        self.decide()

    def _was_taken_too_early(self, overlap: Overlap | None) -> bool:
        """Nothing was heard of the answer yet, or one word at most and the caller went on at once."""
        answer = self._agent.answer
        if answer is None or not answer.is_speech:
            return False
        n_words = len(word_ends(self._agent.heard_text(answer)))
        if n_words > 1:
            return False
        if answer.notes.first_frame_at is None or answer.notes.taken_at is None:
            return True
        began = self._state.clock.wall_time(overlap.began_sample) if overlap is not None else self._state.now
        return began - answer.notes.taken_at <= self._state.settings.recovery_window_ms / 1000

    def _draft_what_was_said(self) -> None:
        """The interruption's words so far may be all of it."""
        utterance = self._endpointing.utterance
        if utterance.draft_text and not self._endpointing.is_sounding and utterance.began_sample is not None:
            self._consider_draft(utterance.draft_text, utterance.began_sample, utterance.covered_sample)

    # -- second thoughts of the ear ------------------------------------------------------------------------------------

    def _correct(self, event: TranscriptHeard) -> None:
        """A better text of a past utterance: history and record, and a new answer if it changes the meaning at once."""
        past = next((turn for turn in reversed(self._past) if self._is_of(event, turn)), None)
        if past is None:
            self._state.refuse(event)
            return
        if not normalised(event.text) or normalised(event.text) == normalised(past.text):
            return
        whole = joined(past.prefix, event.text)
        self._past.remove(past)
        self._state.command(CorrectTurn(past.turn_id, whole))
        answer = self._agent.answer
        if answer is None or answer.turn_id != past.turn_id:
            self._history.correct(past.turn_id, whole)
            return
        is_at_once = (
            answer.notes.taken_at is not None
            and self._state.now - answer.notes.taken_at <= self._state.settings.recovery_window_ms / 1000
            and len(word_ends(self._agent.heard_text(answer))) <= 1
        )
        if is_at_once and self._state.floor in (Floor.THINKING, Floor.SPEAKING):
            self._answer_anew(answer.turn_id, whole)
        else:
            answer.notes.user_text = whole

    @staticmethod
    def _is_of(event: TranscriptHeard, turn: PastTurn) -> bool:
        if event.stage is TextStage.SETTLED:
            return event.end_sample == turn.end_sample
        return event.utterance_id == turn.utterance_id

    def _answer_anew(self, turn_id: int, text: str) -> None:
        old = self._agent.answer
        if old is None:
            return
        notes = TurnNotes(
            user_text=text,
            end_reason="corrected",
            speech_end_sample=old.notes.speech_end_sample,
            spoke_last_at=old.notes.spoke_last_at,
        )
        self._agent.give_up_answer("continued", "corrected")
        self._state.move(Move.CALLER_INSISTED)
        self._state.move(Move.TURN_ENDED)
        self._agent.ask(CallerSaid(text), notes, continues_turn_id=turn_id)

    # -- the ear itself ------------------------------------------------------------------------------------------------

    def ear_was_lost(self) -> bool:
        """The ear died: what it knew of the utterance under way it will hear again. True when words that were awaited
        will not come and there are none to stand for them.
        """
        self._endpointing.forget_evidence()
        if self._settlement is None:
            if self._state.floor is Floor.LISTENING:
                self._drop_draft()
            return False
        if normalised(self._settlement.text):
            self._settle(self._settlement.text)
            return False
        self._settle("")
        return True

    def shift(self, held_s: float) -> None:
        """The call was on hold for so long."""
        if self._settlement is not None:
            self._settlement.deadline += held_s

    def put_on_hold(self) -> None:
        """A doubt cannot be settled on hold."""
        if self._overlap is not None:
            self.resume(Verdict.HOLD)
