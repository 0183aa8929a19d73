"""The agent's side: turns asked, drafts committed or dropped, clauses spoken, and what was heard of them reported.

At most one answer (a committed turn) and one draft live at a time. News of any other turn is late and refused.
"""

from services.audio.pcm import AudioFormat
from services.call_gateway.conversation.agent_turn import AgentTurn
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.commands import (
    CancelTurn,
    CommitTurn,
    DiscardSent,
    ReportAction,
    ReportPlayout,
    StopSpeech,
    TurnInput,
    UpdateEar,
)
from services.call_gateway.conversation.events import (
    ActionAsked,
    ExpectedKind,
    InputExpected,
    Outcome,
    ReplyClause,
    ReplyEnded,
    Stage,
    VoiceAudio,
    VoiceEnded,
    VoiceMark,
)
from services.call_gateway.conversation.history import HeardTurn, History
from services.call_gateway.conversation.news import TurnFinished
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.voice import Voice

TurnNews = ReplyClause | ReplyEnded | InputExpected | VoiceMark | VoiceAudio | VoiceEnded


class Agent:
    """What the agent is asked and what it says."""

    def __init__(
        self, state: CallState, *, playout: Playout, history: History, announcer: Announcer, audio_format: AudioFormat
    ) -> None:
        self._state = state
        self._playout = playout
        self._history = history
        self._announcer = announcer
        self._format = audio_format
        self.answer: AgentTurn | None = None
        self.draft: AgentTurn | None = None
        self._expected = InputExpected(0, ExpectedKind.OPEN)

    @property
    def expected_length(self) -> int:
        """Digits or letters that make the caller's next answer whole; 0: not known."""
        return self._expected.length

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self, turn_input: TurnInput, notes: TurnNotes, *, continues_turn_id: int = 0) -> AgentTurn:
        """Begin a committed turn. An answer that is still there is given up."""
        if self.answer is not None:
            self.give_up_answer("interrupted", "superseded")
        self.answer = turn = self._begin(turn_input, notes, continues_turn_id=continues_turn_id)
        self._take(turn, notes)
        self._send(turn)
        return turn

    def ask_draft(self, turn_input: TurnInput, notes: TurnNotes, *, continues_turn_id: int = 0) -> AgentTurn:
        """Begin a draft beside the answer, if there is one. There must be no other draft."""
        self.draft = turn = self._begin(turn_input, notes, continues_turn_id=continues_turn_id, is_draft=True)
        provisional = None
        if self.answer is not None:
            provisional = ReportPlayout(self.answer.turn_id, self.heard_offset(self.answer), is_final=False)
        self._send(turn, provisional)
        self._state.counters["drafts_made"] += 1
        return turn

    def commit(self, notes: TurnNotes) -> AgentTurn:
        """The draft is the turn: what it has said so far goes out at once. `notes` tell how the turn was taken."""
        turn, self.draft = self.draft, None
        if turn is None:
            raise LookupError("there is no draft to commit")
        notes.take_over_draft(turn.notes)
        turn.notes, turn.is_draft = notes, False
        self.answer = turn
        self._take(turn, notes)
        self._state.command(CommitTurn(turn.turn_id))
        if turn.expected is not None:
            self._expect(turn.expected)
        self._state.counters["drafts_used"] += 1
        return turn

    def _take(self, turn: AgentTurn, notes: TurnNotes) -> None:
        """The turn is the agent's from now on: what the last one expected no longer holds."""
        notes.taken_at = turn.waits_since = self._state.now
        turn.silent_since = notes.taken_at if notes.spoke_last_at is None else notes.spoke_last_at
        self._playout.air(turn.voice)
        if self._expected.kind is not ExpectedKind.OPEN:
            self._expect(InputExpected(turn.turn_id, ExpectedKind.OPEN))

    def drop_draft(self) -> None:
        """The draft is void."""
        draft, self.draft = self.draft, None
        if draft is None:
            return
        self._state.command(CancelTurn(draft.turn_id, only=True), StopSpeech(draft.turn_id, only=True))
        self._state.counters["drafts_dropped"] += 1
        timing = draft.notes.clause_timing
        self._state.counters["drafts_wasted_us"] += timing.compute_us if timing is not None else 0
        for asked in draft.actions:
            self._state.command(ReportAction(asked.action_id, is_done=False))

    def _begin(
        self, turn_input: TurnInput, notes: TurnNotes, *, continues_turn_id: int, is_draft: bool = False
    ) -> AgentTurn:
        turn_id = self._state.new_turn_id()
        return AgentTurn(
            turn_id,
            turn_input,
            self._state.language_code,
            self._voice(turn_id),
            notes,
            is_draft=is_draft,
            continues_turn_id=continues_turn_id,
        )

    def _voice(self, turn_id: int) -> Voice:
        return Voice(turn_id, self._format, max_held_ms=self._state.settings.max_held_audio_ms)

    def _send(self, turn: AgentTurn, provisional_playout: ReportPlayout | None = None) -> None:
        turn.notes.asked_at = turn.notes.asked_at or self._state.now
        if Stage.NLU in self._state.open_stages:
            turn.is_asked = True
            self._state.command(turn.ask(provisional_playout=provisional_playout))

    # -- hearing the agent and its voice -------------------------------------------------------------------------------

    def find(self, turn_id: int) -> AgentTurn | None:
        """The live turn of that id."""
        return next((turn for turn in (self.answer, self.draft) if turn is not None and turn.turn_id == turn_id), None)

    def hear(self, news: TurnNews) -> AgentTurn | None:
        """Take in news of a live turn; returns the turn. None: its turn is over, was cancelled or never begun."""
        turn = self.find(news.turn_id)
        if turn is None or not turn.is_asked or not self._take_in(turn, news):
            self._state.refuse(news)
            return None
        return turn

    def _take_in(self, turn: AgentTurn, news: TurnNews) -> bool:
        match news:
            case ReplyClause():
                return self._hear_clause(turn, news)
            case InputExpected():
                turn.expected = news
                if not turn.is_draft:
                    self._expect(news)
                return True
            case ReplyEnded():
                return self._hear_reply_end(turn, news)
            case VoiceMark():
                turn.voice.mark(news)
                return True
            case VoiceAudio():
                return self._hear_audio(turn, news)
            case VoiceEnded():
                return self._hear_voice_end(turn, news)

    def _hear_clause(self, turn: AgentTurn, clause: ReplyClause) -> bool:
        if turn.has_reply_ended or not clause.text:
            return False
        if not turn.clauses:
            turn.notes.first_clause_at = self._state.now
            turn.notes.clause_timing = clause.timing
        turn.clauses.append(clause)
        turn.voice.write(clause.text)
        self._speak_rest(turn)
        return True

    def _hear_reply_end(self, turn: AgentTurn, end: ReplyEnded) -> bool:
        if turn.has_reply_ended:
            return False
        turn.has_reply_ended = True
        turn.notes.nlu_engine = end.engine
        turn.notes.withheld_rules = end.withheld_rules
        if end.outcome is Outcome.COMPLETED and turn.clauses:
            self._speak_rest(turn)
        elif end.outcome is Outcome.COMPLETED:
            turn.voice.complete()  # an answer without words is heard at once
        return True

    def _hear_voice_end(self, turn: AgentTurn, end: VoiceEnded) -> bool:
        is_completed = end.outcome is Outcome.COMPLETED
        if turn.has_voice_ended or not turn.n_spoken or (is_completed and not turn.is_speech_ended):
            return False  # a voice that completes before it has all the words cannot know that it does
        turn.has_voice_ended = True
        turn.notes.tts_engine = end.engine
        if is_completed:
            turn.voice.complete()
        return True

    def _hear_audio(self, turn: AgentTurn, audio: VoiceAudio) -> bool:
        if turn.has_voice_ended or not turn.n_spoken:
            return False
        for mark in audio.marks:
            turn.voice.mark(mark)
        if not turn.voice.sound(audio):
            return False
        if turn.notes.first_audio_at is None:
            turn.notes.first_audio_at = self._state.now
            turn.notes.audio_timing = audio.timing
        return True

    def _speak_rest(self, turn: AgentTurn) -> None:
        if Stage.TTS in self._state.open_stages:
            self._state.command(*turn.speak_rest())

    def _expect(self, expected: InputExpected) -> None:
        self._expected = expected
        self._state.command(UpdateEar(self._state.clock.sample, expected=expected))

    # -- heard, stopped, finished --------------------------------------------------------------------------------------

    def heard_offset(self, turn: AgentTurn) -> int:
        """Code points of its reply that the caller has heard."""
        return turn.voice.offset_at(self._playout.played(turn.voice))

    def heard_text(self, turn: AgentTurn) -> str:
        """The words of its reply that the caller has heard, an attempt that broke off included."""
        return turn.heard_before + turn.voice.text[: self.heard_offset(turn)]

    def finish_answer(self, outcome: str) -> list[ActionAsked]:
        """Nothing more of the answer will be heard. Returns what was to be done once it was, if it was."""
        turn, self.answer = self.answer, None
        if turn is None:
            return []
        self._playout.take_off(turn.voice)
        self._state.command(ReportPlayout(turn.turn_id, self.heard_offset(turn), is_final=True))
        heard = self.heard_text(turn)
        if outcome != "continued" or heard or self._history.has_tools(turn.turn_id):
            self._history.add(HeardTurn(turn.turn_id, turn.user_text, heard))  # else the next turn holds all of it
        record = turn.notes.finished(
            turn.turn_id, outcome=outcome, heard_text=heard, continues_turn_id=turn.continues_turn_id
        )
        self._state.command(TurnFinished(record))
        self._state.counters["dropped_audio_chunks"] += turn.voice.dropped_chunks
        if outcome == "completed":
            return turn.actions
        for asked in turn.actions:
            self._state.command(ReportAction(asked.action_id, is_done=False))
        return []

    def give_up_answer(self, outcome: str, reason: str) -> None:
        """Stop the answer for good, and whatever the gateway says beside it."""
        turn = self.answer
        if turn is not None:
            turn.notes.stop_reason = reason
            self.stop_making()
        if turn is not None or self._announcer.is_speaking:
            self._state.command(DiscardSent())
        self._playout.discard_sent()
        self._announcer.hush()
        self.finish_answer(outcome)

    def stop_making(self) -> None:
        """No more of the answer is wanted than has been made."""
        if self.answer is not None:
            self._state.command(CancelTurn(self.answer.turn_id), StopSpeech(self.answer.turn_id))

    # -- a stage that failed -------------------------------------------------------------------------------------------

    def begin_reply_again(self, turn: AgentTurn) -> bool:
        """Forget what the NLU stage has said of it. True when the TTS stage had begun it: that stream knows the turn by
        its old words and must be opened anew too.
        """
        had_spoken = turn.n_spoken > 0
        turn.notes.first_audio_at = None
        heard = self.heard_text(turn).rstrip()
        turn.heard_before = f"{heard} " if heard else ""
        self._playout.take_off(turn.voice)
        turn.voice = self._voice(turn.turn_id)
        self._playout.air(turn.voice)
        turn.clauses.clear()
        turn.n_spoken = 0
        turn.is_asked = turn.is_speech_ended = turn.has_reply_ended = turn.has_voice_ended = False
        return had_spoken

    def begin_voice_again(self, turn: AgentTurn) -> None:
        """Forget the sound that was not heard: a fresh TTS stream goes on from the last word that was."""
        if not turn.voice.furthest:
            turn.notes.first_audio_at = None
        turn.voice.go_on_from(self.heard_offset(turn))
        turn.n_spoken = 0
        turn.is_speech_ended = turn.has_voice_ended = False

    def stage_is_back(self, stage: Stage) -> None:
        """Send a fresh stream what the answer still needs."""
        turn = self.answer
        if turn is None:
            return
        if stage is Stage.NLU and not turn.is_asked:
            self._send(turn)
        if stage is Stage.TTS and turn.n_spoken == 0 and turn.clauses:
            self._state.command(*turn.speak_rest(start_offset=turn.voice.start_offset))
