"""How what the caller says becomes a turn.

Drafts are tried at the pauses of an utterance. Its end is decided by the caller's clock and told to the ear; the ear
settles the words, and the turn is taken: the draft is committed when it has the same words, else the agent is asked
anew. A turn that was taken too early is opened again: its words go before what the caller says next.
"""

from dataclasses import dataclass

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.commands import CallerSaid, EndUtterance
from services.call_gateway.conversation.corrections import Corrections
from services.call_gateway.conversation.drafts import DraftAdvice, DraftDesk
from services.call_gateway.conversation.endpointing import Endpointing, TurnEnd
from services.call_gateway.conversation.events import (
    PromptKind,
    Stage,
    TextStage,
    Timing,
    Trace,
    TranscriptHeard,
    UtteranceSettled,
)
from services.call_gateway.conversation.news import CallerHeard
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.recordings import Origin, Recordings
from services.call_gateway.conversation.turn import Floor, Move
from services.language.words import joined, normalise


@dataclass(slots=True)
class Settlement:
    """An utterance that was ended and whose words are awaited."""

    end_sample: int
    after_sample: int  # where the one before ended
    began_sample: int  # where the speech began
    best_text: str  # so far; it stands when the ear takes too long
    notes: TurnNotes
    deadline: float  # seconds
    is_whole: bool = True  # the best text covers all that was said
    is_late: bool = False  # the caller has been told to wait
    is_asked_again: bool = False  # the caller has been asked to say it once more
    settled_text: str | None = None  # known, but a sound of the caller keeps the turn from being taken

    @property
    def is_awaited(self) -> bool:
        return self.settled_text is None


class TurnTaking:
    """Drafts, ends, settlements."""

    def __init__(
        self,
        state: CallState,
        agent: Agent,
        *,
        endpointing: Endpointing,
        corrections: Corrections,
        announcer: Announcer,
        recordings: Recordings,
    ) -> None:
        self._state = state
        self._announcer = announcer
        self._recordings = recordings
        self._agent = agent
        self._endpointing = endpointing
        self._corrections = corrections
        self.desk = DraftDesk(state.settings)
        self.settlement: Settlement | None = None
        self._unheard: Settlement | None = None  # the last one whose words never came, while they may be taken
        self._awaited_end: int | None = None  # of the utterance the ear still owes its one answer for
        self._prefix = ""  # said before, of a turn that was taken too early
        self._continues_turn_id = 0
        self._utterance_id: int | None = None  # of the latest text
        self._text_timing = Timing()
        self._confidences: dict[int, float] = {}  # of the turn's texts, by utterance
        self._trace = Trace()

    def note_text(self, event: TranscriptHeard) -> None:
        """Words of the utterance under way, however firm."""
        self._utterance_id = event.utterance_id
        if event.stage is not TextStage.PARTIAL:
            self._text_timing, self._trace = event.timing, event.trace
            self._confidences.pop(event.utterance_id, None)
            if event.text and event.confidence is not None:
                self._confidences[event.utterance_id] = event.confidence
            if event.language_code and event.text:
                self._state.language_code = event.language_code
        self._state.command(CallerHeard(event.utterance_id, event.text, event.stage is TextStage.SETTLED))

    # -- drafts --------------------------------------------------------------------------------------------------------

    def try_draft(self, text: str, start_sample: int, end_sample: int) -> None:
        """The ear's text at a pause: worth an answer ahead?"""
        if self._endpointing.is_sounding:
            return  # they go on already
        whole = joined(self._prefix, text)
        speech_ms = (end_sample - start_sample) * 1000 / self._state.clock.sample_rate_hertz
        can_make = {Stage.NLU, Stage.TTS} <= self._state.open_stages
        advice = self.desk.consider(whole, speech_ms=speech_ms, can_make=can_make)
        if advice in (DraftAdvice.REPLACE, DraftAdvice.DROP):
            self.drop_draft()
        if advice in (DraftAdvice.REPLACE, DraftAdvice.MAKE):
            self.desk.note_made(whole)
            notes = TurnNotes(user_text=whole, text_timing=self._text_timing, trace=self._trace)
            self._agent.ask_draft(self._said(whole), notes, continues_turn_id=self._continues_turn_id)

    def _said(self, whole: str) -> CallerSaid:
        return CallerSaid(whole, min(self._confidences.values(), default=None))

    def try_draft_of_utterance(self) -> None:
        """The same with what is known of the utterance under way."""
        utterance = self._endpointing.utterance
        if utterance.draft_text and utterance.began_sample is not None:
            self.try_draft(utterance.draft_text, utterance.began_sample, utterance.covered_sample)

    def drop_draft(self) -> None:
        """The draft is void, if there is one."""
        if self.desk.live_words is not None:
            self.desk.note_dropped()
        self._agent.drop_draft()

    # -- the end of the turn -------------------------------------------------------------------------------------------

    def decide(self) -> None:
        """End the turn if it is over. While the ear is lost none ends: a fresh one will hear it again."""
        if self._state.floor is not Floor.LISTENING or Stage.STT not in self._state.open_stages:
            return
        end = self._endpointing.decide()
        if end is not None:
            self._end(end)

    def _end(self, end: TurnEnd) -> None:
        after_sample = self._endpointing.ended_sample
        utterance = self._endpointing.end(end.end_sample)
        settings, clock = self._state.settings, self._state.clock
        voice_end = end.end_sample if utterance.speech_end_sample is None else utterance.speech_end_sample
        ear_lag_ms = (end.end_sample - voice_end) * 1000 // clock.sample_rate_hertz
        best_text = utterance.draft_text or utterance.text
        uncovered = voice_end - utterance.covered_sample
        is_whole = bool(utterance.draft_text) and uncovered <= clock.samples(settings.text_margin_ms)
        limit_ms = settings.settle_limit_ms if is_whole else settings.settle_hard_limit_ms
        if self._unheard is not None and self._unheard.is_asked_again:
            self._unheard = None  # they have said it once more
        self.settlement = Settlement(
            end.end_sample,
            after_sample,
            after_sample if utterance.began_sample is None else utterance.began_sample,
            best_text,
            TurnNotes(
                end_reason=end.reason,
                speech_end_sample=voice_end,
                spoke_last_at=clock.wall_time(voice_end),
                draft_pause_ms=settings.draft_pause_ms + ear_lag_ms,
            ),
            self._state.now + limit_ms / 1000,
            is_whole=is_whole,
        )
        self._awaited_end = end.end_sample
        self._state.command(EndUtterance(end.end_sample))
        self._state.move(Move.TURN_ENDED)

    def hear_settled_text(self, event: TranscriptHeard) -> None:
        """The words of an ended utterance; when they come too late they are a correction."""
        settlement = self.settlement
        if settlement is not None and settlement.after_sample < event.end_sample <= settlement.end_sample:
            self.note_text(event)
            self.settle(event.text)
        elif self._is_of_unheard(event):
            self._take_unheard(event)
        else:
            self._corrections.hear(event)

    def _is_of_unheard(self, event: TranscriptHeard) -> bool:
        lost = self._unheard
        return lost is not None and lost.after_sample < event.end_sample <= lost.end_sample

    def _take_unheard(self, event: TranscriptHeard) -> None:
        """Words that were given up come after all. They make the turn while nothing else has been said, and begin it
        when the caller has gone on.
        """
        lost, self._unheard = self._unheard, None
        if lost is None or not normalise(event.text):
            return
        self.note_text(event)
        if self.settlement is not None or self._endpointing.is_open:
            if not lost.is_asked_again:
                self._prefix = joined(event.text, self._prefix)
                self.drop_draft()
        elif self._agent.answer is None:
            self._announcer.hush()
            self._state.move(Move.ANSWER_DONE)
            self._state.move(Move.TURN_ENDED)
            self.settlement = lost
            lost.settled_text = None
            self.settle(event.text)

    def hear_settled(self, event: UtteranceSettled) -> None:
        """The ear has said all it will say of an ended utterance."""
        settlement = self.settlement
        if event.end_sample != self._awaited_end:
            self._state.refuse(event)
            return
        self._awaited_end = None
        if settlement is None or not settlement.is_awaited:
            return
        if event.is_ok:
            self.settle("")
        else:
            self._ask_again()

    def give_up_waiting(self) -> None:
        """The words of the ended utterance do not come in time. A text that covers it stands; what was said and not
        written down is waited for, and then asked for again: it is never taken for silence.
        """
        settlement = self.settlement
        if settlement is None:
            return
        if settlement.is_whole:
            self.settle(settlement.best_text)
        elif settlement.is_late:
            self._ask_again()
        else:
            settlement.is_late = True
            settlement.deadline = self._state.now + self._state.settings.late_text_limit_ms / 1000
            if not self._recordings.is_left_alone(settlement.end_sample):
                self._announcer.say(PromptKind.ONE_MOMENT)

    def _ask_again(self) -> None:
        """The ear will not say what was said: what is known of it stands, or the caller says it once more."""
        settlement = self.settlement
        if settlement is None:
            return
        if normalise(settlement.best_text) or self._prefix:
            self.settle(settlement.best_text)
            return
        self._unheard = settlement
        is_left_alone = self._recordings.is_left_alone(settlement.end_sample)
        settlement.is_asked_again = not is_left_alone
        self.settle("")
        if not is_left_alone:
            self._state.counters["asked_again"] += 1
            self._announcer.say(PromptKind.SAY_AGAIN)

    def ear_was_lost(self) -> None:
        """It will not settle what it was asked to. A text that covers it stands; else a fresh ear hears it again."""
        settlement = self.settlement
        if settlement is None or not settlement.is_awaited:
            return
        if settlement.is_whole:
            self.settle(settlement.best_text)
        else:
            limit_s = self._state.settings.first_clause_limit_ms / 1000
            settlement.deadline = max(settlement.deadline, self._state.now + limit_s)

    def ear_is_back(self) -> None:
        """A fresh ear is asked for the words the old one still owed."""
        settlement = self.settlement
        if settlement is not None and settlement.is_awaited:
            self._state.command(EndUtterance(settlement.end_sample))

    def settle(self, text: str) -> None:
        """The words of the ended utterance are known, or will not become better."""
        if self.settlement is None:
            return
        self.settlement.settled_text = text
        if self._state.floor is not Floor.PAUSED:
            self.take_settled_turn()

    def take_settled_turn(self) -> None:
        """Make the settled words the turn. Does nothing when none are settled."""
        settlement = self.settlement
        if settlement is None or settlement.settled_text is None:
            return
        self.settlement = None
        text = settlement.settled_text
        if not normalise(text) and not self._prefix:
            self.drop_draft()
            self.desk.begin_turn()
            self._state.move(Move.NOTHING_SAID)
            return
        if not self._prefix and self._is_of_a_recording(settlement, text):
            return
        whole = joined(self._prefix, text)
        notes = settlement.notes
        notes.user_text, notes.text_timing, notes.trace = whole, self._text_timing, self._trace
        if self._agent.draft is not None and self.desk.matches(whole):
            turn = self._agent.commit(notes)
        else:
            self.drop_draft()
            turn = self._agent.ask(self._said(whole), notes, continues_turn_id=self._continues_turn_id)
        notes.drafts_made, notes.drafts_dropped = self.desk.made, self.desk.dropped
        self._corrections.note_turn(turn, settlement.end_sample, self._utterance_id, text=text, prefix=self._prefix)
        self.begin_anew()

    def _is_of_a_recording(self, settlement: Settlement, text: str) -> bool:
        """Nobody said it: no turn comes of it, and perhaps the question whether anybody is there."""
        speech_end = min(settlement.notes.speech_end_sample, settlement.end_sample)
        origin = self._recordings.judge(text, settlement.began_sample, speech_end)
        if origin is Origin.PERSON:
            return False
        self._state.counters[f"words_of_{origin.value}"] += 1
        self.drop_draft()
        self.begin_anew()
        self._state.move(Move.NOTHING_SAID)
        if origin is Origin.DOUBT:
            self._announcer.say(PromptKind.STILL_THERE)
        return True

    # -- opened again, or given up -------------------------------------------------------------------------------------

    def reopen_settlement(self) -> bool:
        """The caller goes on before their turn was taken: no turn was begun, its words are simply not all. False when
        there is none to reopen.
        """
        settlement, self.settlement = self.settlement, None
        if settlement is None:
            return False
        text = settlement.best_text if settlement.settled_text is None else settlement.settled_text
        if not normalise(text):
            self._unheard = settlement  # its words go before the rest, should they still come
        self._prefix = joined(self._prefix, text)
        self.drop_draft()
        return True

    def go_on_from(self, user_text: str, turn_id: int) -> None:
        """The caller goes on after their turn was taken: what they say next is the rest of it."""
        self._prefix, self._continues_turn_id = user_text, turn_id
        self.drop_draft()

    def begin_anew(self) -> None:
        """What comes next is a turn of its own."""
        self._unheard = None
        self._prefix, self._continues_turn_id = "", 0
        self._confidences.clear()
        self.desk.begin_turn()

    def abandon(self) -> None:
        """Something else became the turn: what was being said is void."""
        self.settlement = self._unheard = None
        self.drop_draft()
        self.begin_anew()
