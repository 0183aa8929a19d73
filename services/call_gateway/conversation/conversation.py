"""One call, from the first word to the last: every event goes in here, and what is to be done comes out.

A call goes like this. It is answered, and the agent greets (`_open`). The floor is the caller's: what they say is tried
as drafts at its pauses, and becomes a turn when it is over (`Caller`). The agent is asked, its clauses are given to the
voice, and the voice's sound is played as the line pulls it (`Agent`, `Playout`). A sound of the caller's silences the
agent until it is clear whether it was an interruption (`Caller` again). When the answer has been heard, what had to
wait for that is done (`Actions`), and the floor is the caller's once more. Stages that fail are mended (`Trouble`),
silence is asked about (`SilenceWatch`), and the end is polite (`Ending`).

Nothing here waits, sleeps or reads a clock: `now` is seconds, monotonic, and never goes back.
"""

from collections.abc import Callable

from services.audio.pcm import AudioFormat
from services.call_gateway import line
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.actions import Actions
from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller, EarNews
from services.call_gateway.conversation.ending import Ending
from services.call_gateway.conversation.history import HeardTurn, History
from services.call_gateway.conversation.keys import Keypad
from services.call_gateway.conversation.line_sound import LineSound
from services.call_gateway.conversation.line_watch import LineWatch
from services.call_gateway.conversation.media_clock import MediaClock
from services.call_gateway.conversation.pace import StagePace
from services.call_gateway.conversation.playing import Playing
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.profile import AgentProfile
from services.call_gateway.conversation.prompts import PromptBook
from services.call_gateway.conversation.prospect import Prospect
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.recordings import Recordings
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.conversation.silence import SilenceWatch
from services.call_gateway.conversation.trouble import Trouble
from services.call_gateway.conversation.turn import Floor, Move

NO_SILENCE = (line.IdleReason.HOLD, line.IdleReason.DTMF)


class Conversation:
    """The one state machine of a call."""

    def __init__(
        self,
        settings: ConversationSettings,
        *,
        language_codes: tuple[str, ...],
        audio_format: AudioFormat,
        prompts: PromptBook,
        is_echo: Callable[[int, int], bool],
        pace: StagePace | None = None,
        has_fallback: bool = False,
    ) -> None:
        """`language_codes`: BCP-47, what the caller may speak, likeliest first; empty: the agent's own, once known.
        `audio_format` is the leg's, both ways. `is_echo(from_sample, to_sample)`: whether the caller's line carried the
        agent's own voice alone there. `pace` is shared by the calls of a process. `has_fallback`: somebody else takes
        a caller whose call cannot go on.
        """
        clock = MediaClock(audio_format.sample_rate_hertz)
        state = CallState(settings, clock, language_codes[0] if language_codes else "")
        self._state = state
        self._history = History(settings.history_turns)
        self._playout = Playout(audio_format, frame_ms=settings.frame_ms)
        self._announcer = Announcer(
            state, playout=self._playout, history=self._history, prompts=prompts, audio_format=audio_format
        )
        self._agent = Agent(
            state,
            playout=self._playout,
            history=self._history,
            announcer=self._announcer,
            audio_format=audio_format,
        )
        sound = LineSound(clock)
        self._recordings = Recordings(state, sound)
        self._caller = Caller(
            state,
            recordings=self._recordings,
            agent=self._agent,
            announcer=self._announcer,
            playout=self._playout,
            history=self._history,
            is_echo=is_echo,
        )
        self._trouble = Trouble(
            state,
            agent=self._agent,
            caller=self._caller,
            announcer=self._announcer,
            playout=self._playout,
            history=self._history,
            pace=pace or StagePace(),
        )
        self._ending = Ending(
            state,
            agent=self._agent,
            caller=self._caller,
            announcer=self._announcer,
            playout=self._playout,
            has_fallback=has_fallback,
        )
        self._actions = Actions(
            state, agent=self._agent, caller=self._caller, history=self._history, ending=self._ending
        )
        self._playing = Playing(
            state,
            agent=self._agent,
            announcer=self._announcer,
            playout=self._playout,
            trouble=self._trouble,
            ending=self._ending,
            actions=self._actions,
        )
        self._keypad = Keypad(state, agent=self._agent, caller=self._caller)
        self._line_watch = LineWatch(
            state,
            caller=self._caller,
            announcer=self._announcer,
            ending=self._ending,
            sound=sound,
            recordings=self._recordings,
        )
        self._silence = SilenceWatch(
            state,
            agent=self._agent,
            announcer=self._announcer,
            caller=self._caller,
            keypad=self._keypad,
            ending=self._ending,
            recordings=self._recordings,
        )
        self._held_at = 0.0
        self._ear_knows_agent_speaks = False

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
        """The turns that are over, oldest first, for a fresh NLU stream."""
        return self._history.turns

    @property
    def is_over(self) -> bool:
        """Nothing more will be asked for: the line is gone, or has been told to hang up."""
        return self._ending.is_over

    @property
    def counters(self) -> dict[str, int]:
        """What happened how often on this call: drafts, late news, false alarms, underruns."""
        return {**self._state.counters, "underruns": self._playout.underruns}

    @property
    def is_echo_suspected(self) -> bool:
        """The line has returned the agent's own voice."""
        return self._state.counters["echoes"] > 0

    def adopt(self, profile: AgentProfile) -> None:
        """Who the agent is has become known."""
        self._state.settings = self._state.settings.adapted(profile)
        self._state.spoken = profile.language_codes
        self._state.acts = profile.acts
        self._caller.adapt()
        if not self._state.language_code and profile.language_codes:
            self._state.language_code = profile.language_codes[0]

    # -- what goes in --------------------------------------------------------------------------------------------------

    def handle(self, event: ev.Event, *, now: float) -> list[cmd.Command]:
        """Take in one event; returns what is to be done, in order."""
        self._state.now = now
        if self._ending.is_over or self._ending.is_begun:
            self._hear_last_words(event)
        else:
            self._hear(event)
            self._look_around()
        return self._state.take_commands()

    def _hear(self, event: ev.Event) -> None:
        match event:
            case ev.CallerAdvanced() | line.MediaIdle():  # fifty times a second: asked first
                self._hear_line(event)
            case ev.SpeechBegan() | ev.SpeechStopped() | ev.TranscriptHeard() | ev.TurnPredicted():
                self._hear_ear(event)
            case ev.EarProgressed() | ev.UtteranceSettled():
                self._hear_ear(event)
            case ev.ReplyClause() | ev.VoiceAudio() | ev.VoiceMark() | ev.InputExpected():
                self._hear_agent(event)
            case ev.ReplyEnded() | ev.VoiceEnded():
                self._hear_ended(event)
            case ev.ActionAsked():
                self._actions.hear(event)
            case ev.ActionEnded():
                self._actions.ended(event)
            case ev.ToolUsed():
                self._history.note_tool(event)
            case ev.StageFailed() | ev.StageReady() | ev.StageAlive():
                self._consider(self._trouble.hear(event))
            case ev.CallAnswered(is_recovered):
                self._open(is_recovered=is_recovered)
            case ev.CloseAsked(cause, message):
                self._ending.begin_after_word(cause, message)
            case _:
                self._hear_line(event)

    def _hear_ear(self, news: EarNews) -> None:
        self._trouble.ear.gave_sign()
        if isinstance(news, ev.UtteranceSettled) and news.is_ok:
            self._trouble.ear.understood()
        self._caller.hear(news)

    def _hear_agent(self, news: ev.ReplyClause | ev.VoiceAudio | ev.VoiceMark | ev.InputExpected) -> None:
        turn = self._agent.hear(news)
        if turn is not None and isinstance(news, ev.ReplyClause | ev.VoiceAudio):
            self._trouble.stage_answered(turn, news)

    def _hear_ended(self, news: ev.ReplyEnded | ev.VoiceEnded) -> None:
        turn = self._agent.hear(news)
        if turn is None:
            return
        if news.outcome is not ev.Outcome.COMPLETED:
            self._consider(self._trouble.turn_failed(turn, news))
        else:
            self._trouble.stage_worked(ev.Stage.NLU if isinstance(news, ev.ReplyEnded) else ev.Stage.TTS)

    def _hear_line(self, event: ev.Event) -> None:
        match event:
            case ev.CallerAdvanced(to_sample):
                self._advance(to_sample)
            case line.EnergyRose() | line.EnergyFell():
                self._caller.on_energy(event)
            case line.LineMeasured():
                self._line_watch.on_measured(event)
            case line.PacketsMissing():
                self._line_watch.on_packets_missing(event)
            case line.MediaIdle(_, to_sample, reason):
                self._advance(to_sample, is_silence=reason not in NO_SILENCE)
            case line.PlayedUpTo(sample):
                self._playout.played_up_to(sample)
            case line.KeyPressed(digit):
                self._recordings.forget_sound()  # somebody is there
                self._keypad.press(digit)
            case line.HoldChanged(is_held):
                self._hold(is_held=is_held)
            case line.CallerStaysSilent():
                self._silence.caller_left()
            case line.LegEnded():
                self._ending.finish()

    def _hear_last_words(self, event: ev.Event) -> None:
        """The call is ending or over: only the line and the tools still have something to tell."""
        match event:
            case line.LegEnded():
                self._ending.finish()
            case line.PlayedUpTo(sample):
                self._playout.played_up_to(sample)
            case ev.ToolUsed():
                self._history.note_tool(event)
            case ev.ActionEnded():
                self._actions.ended(event)
            case ev.CallerAdvanced() | line.MediaIdle() | ev.EarProgressed():
                pass  # the line and the ear go on until they are told
            case line.EnergyRose() | line.EnergyFell() | line.LineMeasured() | line.PacketsMissing():
                pass  # the line and the ear go on until they are told
            case _:
                self._state.refuse(event)

    # -- what goes out -------------------------------------------------------------------------------------------------

    def next_frame(self, *, now: float) -> tuple[bytes | None, list[cmd.Command]]:
        """The frame that is due on the line, in the leg's format; None: comfort silence. Pulled every 20 ms."""
        self._state.now = now
        frame, is_news = self._playing.next_frame()
        if is_news:
            self._look_around()
        return frame, self._state.take_commands()

    # -- time ----------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `on_timer` is to be called, in seconds; None: not before something else happens."""
        if self._ending.is_over:
            return None
        if self._ending.is_begun:
            return self._ending.deadline
        if self._state.answered_at is None:
            return None
        soonest = self._state.answered_at + self._state.settings.max_call_s
        if self._state.floor is not Floor.HELD:
            for part in (self._caller, self._trouble, self._keypad, self._silence):
                deadline = part.deadline
                if deadline is not None and deadline < soonest:
                    soonest = deadline
        return soonest

    def on_timer(self, *, now: float) -> list[cmd.Command]:
        """Call when `next_deadline` has come, or at any other time."""
        self._state.now = now
        if self._ending.is_begun or self._ending.is_over:
            self._ending.watch()
        elif self._state.answered_at is not None:
            if now >= self._state.answered_at + self._state.settings.max_call_s:
                self._ending.begin(line.EndCause.MAX_DURATION, ev.PromptKind.GOODBYE)
            elif self._state.floor is not Floor.HELD:
                self._caller.on_timer()
                self._consider(self._trouble.on_timer())
                self._keypad.on_timer()
                self._silence.on_timer()
                self._look_around()
        return self._state.take_commands()

    def _look_around(self) -> None:
        """After every event: what depends on the whole picture."""
        if self._ending.is_begun or self._state.answered_at is None:
            return
        self._trouble.look_around()
        self._actions.look_around()
        agent_speaks = self._state.floor in (Floor.SPEAKING, Floor.PAUSED) or self._announcer.is_speaking
        if agent_speaks is not self._ear_knows_agent_speaks:
            self._ear_knows_agent_speaks = agent_speaks
            self._state.command(cmd.UpdateEar(self._state.clock.sample, agent_is_speaking=agent_speaks))
        self._silence.look_around()

    # -- the call's own story ------------------------------------------------------------------------------------------

    def _open(self, *, is_recovered: bool) -> None:
        """Media flow: greet, or say sorry for having been away."""
        if self._state.answered_at is not None:
            return
        self._state.answered_at = self._state.now
        if is_recovered:
            self._announcer.say(ev.PromptKind.RECOVERED)
            return
        self._state.move(Move.TURN_ENDED)
        self._agent.ask(cmd.CallOpened(), TurnNotes(end_reason="open"))

    def _advance(self, to_sample: int, *, is_silence: bool = True) -> None:
        """The caller's clock went on."""
        before = self._state.clock.sample
        if not self._state.clock.advance(to_sample, now=self._state.now):
            return
        if self._state.floor is Floor.HELD or not is_silence:
            self._caller.excuse(to_sample - before)
        if self._state.floor is not Floor.HELD:
            self._caller.advance()
            self._consider(self._trouble.ear.check())

    def _hold(self, *, is_held: bool) -> None:
        """Nothing is played and no limit runs while the call is on hold."""
        if is_held and self._state.floor is not Floor.HELD:
            self._caller.put_on_hold()
            self._held_at = self._state.now
            self._state.move(Move.PUT_ON_HOLD)
        elif not is_held and self._state.floor is Floor.HELD:
            self._state.move(Move.TAKEN_BACK)
            for part in (self._caller, self._trouble, self._keypad):
                part.shift(self._state.now - self._held_at)

    def _consider(self, prospect: Prospect) -> None:
        if prospect is Prospect.HOPELESS:
            self._ending.begin_for_failure()
