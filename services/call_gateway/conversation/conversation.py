"""One call, from the first word to the last: every event goes in here, and what is to be done comes out.

A call goes like this. It is answered, and the agent greets (`_open`). The floor is the caller's: what they say is tried
as drafts at its pauses and becomes a turn when it is over (`Caller`). The agent is asked, its clauses are given to the
voice, and the voice's sound is played as the line pulls it (`Agent`, `Playout`). A sound from the caller silences the
agent until it is clear whether it was an interruption (`Caller` again). When the answer has been heard, what had to
wait for that is done (`_act`), and the floor is the caller's once more. Stages that fail are mended (`Trouble`);
silence is asked about (`SilenceWatch`); the end is polite (`_close`).

Nothing here waits, sleeps or reads a clock: `now` is seconds, monotonic, and never goes back.
"""

from dataclasses import dataclass

from services.audio.pcm import AudioFormat
from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.barge_in import Verdict
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.events import (
    Action,
    ActionAsked,
    AskAgent,
    CallAnswered,
    CallerAdvanced,
    CallerKeyed,
    CallOpened,
    CloseAsked,
    Command,
    DoAction,
    EarProgressed,
    Event,
    HangUp,
    HangUpCall,
    InputExpected,
    Outcome,
    PromptKind,
    ReplyClause,
    ReplyEnded,
    ReportAction,
    SpeechBegan,
    SpeechStopped,
    StageFailed,
    StageReady,
    SwitchLanguage,
    ToolUsed,
    TranscriptHeard,
    TurnPredicted,
    UpdateEar,
    UtteranceSettled,
    VoiceAudio,
    VoiceEnded,
    VoiceMark,
)
from services.call_gateway.conversation.history import HeardTurn, History
from services.call_gateway.conversation.keys import KeyCollector
from services.call_gateway.conversation.line import (
    CallerAudio,
    CallerStaysSilent,
    EndCause,
    HoldChanged,
    IdleReason,
    KeyPressed,
    LegEnded,
    MediaIdle,
    PlayedUpTo,
)
from services.call_gateway.conversation.media_clock import MediaClock
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.profile import AgentProfile
from services.call_gateway.conversation.prompts import PromptBook
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.conversation.silence import SilenceStep, SilenceWatch
from services.call_gateway.conversation.trouble import Prospect, Trouble
from services.call_gateway.conversation.turn import Floor, Move
from services.call_gateway.conversation.voice import Voice


@dataclass(slots=True)
class Ending:
    """The call is coming to its end."""

    cause: EndCause
    message: str
    deadline: float  # seconds: hung up by then, whatever is still to be heard
    is_final: bool = False  # the last word has been heard: only the tail is left


class Conversation:
    """The one state machine of a call. Not to be used after LegEnded."""

    def __init__(
        self,
        settings: ConversationSettings,
        *,
        language_codes: tuple[str, ...],
        audio_format: AudioFormat,
        prompts: PromptBook,
    ) -> None:
        """`language_codes`: BCP-47, what the caller may speak, likeliest first; empty: the agent's own, once known.
        `audio_format` is the leg's, both ways.
        """
        clock = MediaClock(audio_format.sample_rate_hertz)
        self._state = CallState(settings, clock, language_codes[0] if language_codes else "")
        self._history = History(settings.history_turns)
        self._playout = Playout(audio_format, frame_ms=settings.frame_ms)
        self._agent = Agent(self._state, self._playout, self._history, prompts, audio_format)
        self._caller = Caller(self._state, self._agent, self._playout, self._history)
        self._trouble = Trouble(self._state, self._agent, self._caller, self._playout, self._history)
        self._keys = KeyCollector(settings)
        self._silence = SilenceWatch(settings)
        self._format = audio_format
        self._answered_at: float | None = None
        self._held_at = 0.0
        self._ending: Ending | None = None
        self._is_over = False
        self._left_at_sample: int | None = None  # a program caller says nothing more from here on
        self._ear_knows_agent_speaks = False
        self._expected: InputExpected | None = None

    # -- what the session asks -----------------------------------------------------------------------------------------

    @property
    def floor(self) -> Floor:
        return self._state.floor

    @property
    def turn_id(self) -> int:
        """The last turn begun; 0 before the greeting."""
        return self._state.turn_id

    @property
    def language_code(self) -> str:
        """BCP-47, spoken now; empty when not known."""
        return self._state.language_code

    @property
    def history(self) -> tuple[HeardTurn, ...]:
        """The turns that are over, for a fresh NLU stream."""
        return self._history.turns

    @property
    def last_settled_sample(self) -> int:
        """Where a fresh STT stream must begin to listen."""
        return self._caller.last_settled_sample

    @property
    def counters(self) -> dict[str, int]:
        """What happened how often on this call: drafts, late news, false alarms."""
        return {**self._state.counters, "underruns": self._playout.underruns}

    def heard_offset(self, turn_id: int) -> int:
        """Code points of a live turn's reply that were heard; 0 for any other."""
        turn = self._agent.find(turn_id)
        return self._agent.heard_offset(turn) if turn is not None else 0

    def adopt(self, profile: AgentProfile) -> None:
        """Who the agent is has become known."""
        self._state.settings = self._state.settings.adapted(profile)
        self._keys.settings = self._silence.settings = self._state.settings
        self._caller.adapt()
        if not self._state.language_code and profile.language_codes:
            self._state.language_code = profile.language_codes[0]

    # -- what goes in --------------------------------------------------------------------------------------------------

    def handle(self, event: Event, *, now: float) -> list[Command]:
        """Take in one event; returns what is to be done, in order."""
        self._state.now = now
        if self._is_over:
            self._state.refuse(event)
        elif self._ending is not None:
            self._hear_while_ending(event)
        else:
            self._hear(event)
            self._settle_down()
        return self._state.take_commands()

    def _hear(self, event: Event) -> None:  # noqa: PLR0912, PLR0915 - the table of events
        match event:
            # the line
            case CallAnswered(is_recovered):
                self._open(is_recovered=is_recovered)
            case CallerAdvanced(to_sample):
                self._advance(to_sample)
            case CallerAudio(start_sample, content):
                self._advance(start_sample + len(content) // self._format.bytes_per_sample)
            case MediaIdle(_, to_sample, reason):
                self._advance(to_sample, is_silence=reason not in (IdleReason.HOLD, IdleReason.DTMF))
            case PlayedUpTo(sample):
                self._playout.played_up_to(sample)
            case KeyPressed(digit):
                self._press(digit)
            case HoldChanged(is_held):
                self._hold(is_held=is_held)
            case CallerStaysSilent():
                self._left_at_sample = self._state.clock.sample
            case LegEnded():
                self._end()
            # the ear
            case SpeechBegan() | SpeechStopped() if self.floor is not Floor.HELD:
                self._trouble.ear_progressed()
                self._caller.hear_speech(event)
            case SpeechBegan() | SpeechStopped():
                self._state.refuse(event)
            case TranscriptHeard():
                self._trouble.ear_progressed()
                self._caller.hear_text(event)
            case TurnPredicted():
                self._caller.hear_prediction(event)
            case UtteranceSettled(is_ok=is_ok):
                if is_ok:
                    self._trouble.ear_understood()
                self._caller.hear_settled(event)
            case EarProgressed(processed_sample):
                self._trouble.ear_progressed()
                self._caller.hear_progress(processed_sample)
            # the agent and its voice
            case ToolUsed():
                self._history.note_tool(event)
            case ActionAsked():
                self._hear_action(event)
            case ReplyEnded() | VoiceEnded():
                self._hear_ended(event)
            case InputExpected():
                self._expected = event if self._agent.hear(event) else self._expected
            case ReplyClause() | VoiceMark() | VoiceAudio():
                self._agent.hear(event)
            # the session
            case StageFailed():
                self._consider(self._trouble.stage_failed(event))
            case StageReady(stage):
                self._trouble.stage_ready(stage)
            case CloseAsked(cause, message):
                self._close_after_word(cause, message)

    def on_timer(self, *, now: float) -> list[Command]:
        """Call when `next_deadline` has come, or any time."""
        self._state.now = now
        if self._ending is not None:
            self._watch_ending()
        elif not self._is_over and self._answered_at is not None:
            if now >= self._answered_at + self._state.settings.max_call_s:
                self._close(EndCause.MAX_DURATION, PromptKind.GOODBYE)
            elif self.floor is not Floor.HELD:
                self._watch_clocks(now)
                self._settle_down()
        return self._state.take_commands()

    def next_deadline(self) -> float | None:
        """When `on_timer` is to be called, in seconds; None: not before something else happens."""
        if self._is_over or self._answered_at is None:
            return None
        if self._ending is not None:
            return self._ending.deadline
        deadlines = [self._answered_at + self._state.settings.max_call_s]
        if self.floor is not Floor.HELD:
            others = (self._caller.deadline, self._trouble.deadline(), self._keys.deadline, self._silence.deadline)
            deadlines += [deadline for deadline in others if deadline is not None]
        return min(deadlines)

    def _watch_clocks(self, now: float) -> None:
        self._caller.on_timer()
        self._consider(self._trouble.on_timer())
        if self._keys.deadline is not None and now >= self._keys.deadline:
            self._take_keys(self._keys.take())
        match self._silence.due(now=now):
            case SilenceStep.ASK if self._left_at_sample is None:
                self._agent.say(PromptKind.STILL_THERE)
            case SilenceStep.GIVE_UP:
                self._close(EndCause.SILENCE, PromptKind.SILENCE_GOODBYE)
            case SilenceStep.ASK:
                self._close(EndCause.CALLER, None)

    # -- what goes out -------------------------------------------------------------------------------------------------

    def next_frame(self, *, now: float) -> tuple[bytes | None, list[Command]]:
        """The frame that is due on the line, in the leg's format; None: comfort silence. Pulled every 20 ms."""
        self._state.now = now
        if not self._may_play():
            self._playout.pass_silence()
            return None, []
        pulled = self._playout.pull()
        for voice in pulled.finished:
            self._was_heard(voice)
        if pulled.began is not None:
            self._is_heard_first(pulled.began)
        self._trouble.watch_playout()
        if self._ending is not None:
            self._watch_ending()
        elif pulled.finished or pulled.began is not None:
            self._settle_down()
        return pulled.content, self._state.take_commands()

    def _may_play(self) -> bool:
        if self._is_over or self._answered_at is None or self.floor in (Floor.HELD, Floor.PAUSED):
            return False
        return self._state.now >= self._answered_at + self._state.settings.greeting_delay_ms / 1000

    def _is_heard_first(self, voice: Voice) -> None:
        """The first frame of a voice goes out."""
        answer = self._agent.answer
        if answer is not None and answer.voice is voice:
            answer.notes.first_frame_at = answer.notes.first_frame_at or self._state.now
            self._state.move(Move.ANSWER_BEGAN)
        elif self.floor is Floor.LISTENING:
            self._state.move(Move.ANSWER_BEGAN)

    def _was_heard(self, voice: Voice) -> None:
        """A voice was heard to its end."""
        if self._agent.finish_prompt(voice):
            if self._agent.answer is None and not self._agent.is_saying_prompt:
                self._state.move(Move.ANSWER_DONE)
            return
        answer = self._agent.answer
        if answer is None or answer.voice is not voice:
            return
        self._trouble.turn_succeeded()
        self._state.move(Move.ANSWER_DONE)
        for asked in self._agent.finish_answer("completed"):
            self._act(asked.action_id, asked.action)

    # -- the call's own story ------------------------------------------------------------------------------------------

    def _open(self, *, is_recovered: bool) -> None:
        """Media flow: greet, or say sorry for having been away."""
        if self._answered_at is not None:
            return
        self._answered_at = self._state.now
        if is_recovered:
            self._agent.say(PromptKind.RECOVERED)
            return
        self._state.move(Move.TURN_ENDED)
        self._agent.ask(CallOpened(), TurnNotes(end_reason="open"))

    def _advance(self, to_sample: int, *, is_silence: bool = True) -> None:
        """The caller's clock went on."""
        before = self._state.clock.sample
        if not self._state.clock.advance(to_sample, now=self._state.now):
            return
        if self.floor is Floor.HELD or not is_silence:
            self._caller.excuse(to_sample - before)
        if self.floor is not Floor.HELD:
            self._caller.advance()
            self._consider(self._trouble.ear_watch())

    def _hold(self, *, is_held: bool) -> None:
        """Nothing is played and no limit runs while the call is on hold."""
        now = self._state.now
        if is_held and self.floor is not Floor.HELD:
            self._caller.put_on_hold()
            self._silence.stop()
            self._held_at = now
            self._state.move(Move.PUT_ON_HOLD)
        elif not is_held and self.floor is Floor.HELD:
            self._state.move(Move.TAKEN_BACK)
            for part in (self._caller, self._trouble, self._keys):
                part.shift(now - self._held_at)

    def _press(self, digit: str) -> None:
        """A key: it stops the agent, and the keys together become a turn."""
        if self.floor in (Floor.SPEAKING, Floor.PAUSED):
            self._caller.insist(Verdict.KEY)
        expected_length = self._expected.length if self._expected is not None else 0
        digits = self._keys.press(digit, expected_length=expected_length, now=self._state.now)
        if digits is not None:
            self._take_keys(digits)

    def _take_keys(self, digits: str) -> None:
        self._silence.caller_took_part()
        self._caller.abandon_turn()
        if self.floor is not Floor.LISTENING:
            self._agent.give_up_answer("interrupted", Verdict.KEY.value)
            self._state.move(Move.CALLER_INSISTED)
        self._state.move(Move.TURN_ENDED)
        notes = TurnNotes(user_text=digits, end_reason="keys")
        self._agent.ask(CallerKeyed(digits), notes)

    def _hear_ended(self, event: ReplyEnded | VoiceEnded) -> None:
        turn = self._agent.hear(event)
        if turn is not None and event.outcome is not Outcome.COMPLETED:
            self._consider(self._trouble.turn_failed(turn, event))

    def _hear_action(self, asked: ActionAsked) -> None:
        turn = self._agent.find(asked.turn_id)
        if turn is None:
            self._state.refuse(asked)
            self._state.command(ReportAction(asked.action_id, is_done=False))
        elif asked.is_after_playout or turn.is_draft:
            turn.actions.append(asked)
        else:
            self._act(asked.action_id, asked.action)

    def _act(self, action_id: str, action: Action) -> None:
        match action:
            case HangUpCall():
                self._state.command(ReportAction(action_id, is_done=True))
                self._close(EndCause.AGENT, None)
            case SwitchLanguage(language_code):
                self._state.language_code = language_code
                update = UpdateEar(self._state.clock.sample, language_codes=(language_code,))
                self._state.command(update, ReportAction(action_id, is_done=True))
            case _:
                self._state.command(DoAction(action_id, action))

    def _consider(self, prospect: Prospect) -> None:
        if prospect is Prospect.HOPELESS:
            self._close(EndCause.FAILURE, PromptKind.GOODBYE)

    def _settle_down(self) -> None:
        """After every event: what depends on the whole picture."""
        self._tell_ear_who_speaks()
        commands_ask = any(isinstance(command, AskAgent) for command in self._state.pending)
        if commands_ask:
            self._silence.caller_took_part()
        is_quiet = (
            self.floor is Floor.LISTENING
            and self._answered_at is not None
            and not self._agent.is_saying_prompt
            and not self._caller.is_busy
            and self._keys.deadline is None
        )
        if not is_quiet:
            self._silence.stop()
            return
        if self._left_at_sample is not None and self._caller.heard_sample >= self._left_at_sample:
            self._close(EndCause.CALLER, None)
        else:
            self._silence.start(now=self._state.now)

    def _tell_ear_who_speaks(self) -> None:
        speaks = self.floor in (Floor.SPEAKING, Floor.PAUSED, Floor.CLOSING) or self._agent.is_saying_prompt
        if speaks is not self._ear_knows_agent_speaks:
            self._ear_knows_agent_speaks = speaks
            self._state.command(UpdateEar(self._state.clock.sample, agent_is_speaking=speaks))

    # -- the end -------------------------------------------------------------------------------------------------------

    def _close(self, cause: EndCause, prompt: PromptKind | None, message: str = "") -> None:
        """The last words, then the hang-up."""
        if self._ending is not None:
            return
        self._caller.abandon_turn()
        self._silence.stop()
        self._agent.give_up_answer("failed" if cause is EndCause.FAILURE else "interrupted", cause.value)
        self._state.move(Move.CLOSED)
        if prompt is not None:
            self._agent.say(prompt)
        self._ending = Ending(cause, message, self._state.now + self._state.settings.closing_limit_ms / 1000)
        self._watch_ending()

    def _close_after_word(self, cause: EndCause, message: str) -> None:
        """An operator ends the call: the word being spoken is the last."""
        voice = self._playout.current
        if voice is None or self.floor is not Floor.SPEAKING:
            self._close(cause, None, message)
            return
        self._caller.abandon_turn()
        voice.cut(voice.word_end(voice.position))
        self._state.move(Move.CLOSED)
        self._ending = Ending(cause, message, self._state.now + self._state.settings.closing_limit_ms / 1000)

    def _watch_ending(self) -> None:
        ending, now = self._ending, self._state.now
        if ending is None or self._is_over:
            return
        if not ending.is_final and self._playout.current is None:
            ending.is_final = True
            ending.deadline = now + self._state.settings.tail_ms / 1000
        elif now >= ending.deadline:
            self._state.command(HangUp(ending.cause, ending.message))
            self._end()

    def _hear_while_ending(self, event: Event) -> None:
        """The last words are being said: only the line matters now."""
        match event:
            case LegEnded():
                self._end()
            case PlayedUpTo(sample):
                self._playout.played_up_to(sample)
            case CallerAdvanced() | CallerAudio() | MediaIdle() | StageReady() | StageFailed() | EarProgressed():
                pass
            case ReplyEnded() | VoiceEnded() | ReplyClause() | VoiceMark() | VoiceAudio() | InputExpected():
                if self._agent.find(event.turn_id) is not None:
                    self._agent.hear(event)
                else:
                    self._state.refuse(event)
            case ToolUsed():
                self._history.note_tool(event)
            case _:
                self._state.refuse(event)

    def _end(self) -> None:
        """The line is gone: the last reports, nothing more."""
        self._caller.abandon_turn()
        self._agent.give_up_answer("interrupted", "call_ended")
        self._is_over = True
