"""The conversation of one call: events go in, commands for the session come out.

An event goes to the policies that it concerns: `turn_taking` (with `endpointing` and `barge_in`), `keys`,
`stage_health` (with `waiting`), `line_watch`, `actions`. A policy that decides something returns a move. The table in
`floor` says whether the move is possible now, to which floor it leads, and which function of `effects` it calls. A
policy says when, the table says what, an effect says how.

Nothing here waits, sleeps or reads a clock: `now` is in seconds, monotonic, and never goes back.
"""

from collections.abc import Callable, Iterable

from services.audio.pcm import AudioFormat
from services.call_gateway import line
from services.call_gateway.conversation import actions
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.barge_in import BargeIn
from services.call_gateway.conversation.call import Call, say
from services.call_gateway.conversation.commands import FloorMoved
from services.call_gateway.conversation.effects import EFFECTS
from services.call_gateway.conversation.floor import Decision, Decisions, Floor, Move, NextTurn
from services.call_gateway.conversation.keys import Keypad
from services.call_gateway.conversation.line_watch import LineWatch, SilenceWatch
from services.call_gateway.conversation.record import EndReason, HeardTurn, TurnNotes
from services.call_gateway.conversation.replying import on_reply_event
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.conversation.stage_health import StageHealth
from services.call_gateway.conversation.turn_taking import TurnTaking
from services.call_gateway.conversation.user_turn import Verdict
from services.call_gateway.profile import AgentProfile
from services.call_gateway.prompts.book import PromptBook, PromptKind
from services.call_gateway.stage_pace import StagePace

NO_SILENCE = (line.IdleReason.HOLD, line.IdleReason.DTMF)


class Conversation:
    """The state machine of one call."""

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
        `audio_format` is the leg's, both ways. `is_echo(from_sample, to_sample)` returns whether the caller's line
        carried the agent's own voice alone between those samples. `pace` is shared by the calls of a process.
        `has_fallback`: the dialplan takes a caller whose call cannot go on.
        """
        code = language_codes[0] if language_codes else ""
        self._call = call = Call(settings, code, audio_format=audio_format, prompts=prompts)
        call.has_fallback = has_fallback
        self._line_watch = LineWatch(call)
        self._turn_taking = TurnTaking(call, BargeIn(call, is_echo=is_echo), self._line_watch.recordings)
        self._stage_health = StageHealth(call, self._turn_taking, pace or StagePace())
        self._keypad = Keypad(call)
        self._hang_up = actions.HangUpWatch(call, self._keypad)
        self._silence = SilenceWatch(call, self._keypad, self._line_watch.recordings)
        self._timed = (self._turn_taking, self._stage_health, self._keypad, self._hang_up, self._silence)
        self._stt_knows_agent_speaks = False
        self._deadline: float | None = None
        self._is_deadline_known = False

    # -- what the session asks -----------------------------------------------------------------------------------------

    @property
    def floor(self) -> Floor:
        """Return who has the floor."""
        return self._call.floor

    @property
    def turn_id(self) -> int:
        """The last turn begun; 0 before the greeting."""
        return self._call.turn_id

    @property
    def language_code(self) -> str:
        """BCP-47, spoken now; empty when not known."""
        return self._call.language_code

    @property
    def history(self) -> tuple[HeardTurn, ...]:
        """The turns that are over, oldest first, for a fresh NLU stream."""
        return self._call.history.turns

    @property
    def is_over(self) -> bool:
        """No more commands will come: the line is gone, or has been told to hang up."""
        return self._call.is_over

    @property
    def counters(self) -> dict[str, int]:
        """Counts of this call by name: speculative replies, late events, illegal moves, underruns."""
        return {**self._call.counters, "underruns": self._call.playout.underruns}

    @property
    def is_echo_suspected(self) -> bool:
        """The line has returned the agent's own voice."""
        return self._call.counters["echoes"] > 0

    def adopt(self, profile: AgentProfile) -> None:
        """The agent's profile has become known."""
        self._call.adopt(profile)
        self._is_deadline_known = False

    # -- what goes in --------------------------------------------------------------------------------------------------

    def handle(self, event: ev.Event, *, now: float) -> list[cmd.Command]:
        """Take in one event. Returns the commands to carry out, in order."""
        call = self._call
        call.clock.set(now)
        if call.is_over or call.floor is Floor.CLOSING:
            self._on_last_event(event)
        elif type(event) is ev.CallerAdvanced:  # fifty times a second
            is_changed = self._apply(self._on_advanced(event.to_sample))
            if not is_changed and not call.has_commands:
                return []
            self._review()
        else:
            self._apply(self._on_event(event))
            self._review()
        self._is_deadline_known = False
        return call.take_commands()

    def _apply(self, decisions: Iterable[Decision]) -> bool:
        """Make a policy's moves, each before the policy is asked for the next. Only this calls the table. A move
        without a row is counted and has no effect. Returns whether there was a decision.
        """
        call, is_changed = self._call, False
        for decision in decisions:
            is_changed = True
            moved = call.table.move(decision.move)
            if moved is None:
                call.counters[f"illegal_{decision.move.value}"] += 1
                continue
            if moved.before is not moved.after:
                call.clock.follow(moved.after)
                call.command(FloorMoved(moved.before.value, moved.after.value, decision.move.cause, call.turn_id))
            if (further := EFFECTS[moved.effect](call, decision.detail)) is not None:
                self._apply(further)
        return is_changed

    def _on_event(self, event: ev.Event) -> Decisions:
        call = self._call
        match event:
            case line.MediaIdle(_, to_sample, reason):
                yield from self._on_advanced(to_sample, is_silence=reason not in NO_SILENCE)
            case _ if isinstance(event, ev.SttEvent):
                self._stage_health.on_stt_event(event)
                yield from self._turn_taking.on_stt_event(event)
            case _ if isinstance(event, ev.ReplyEvent):
                yield from self._on_reply_event(event)
            case ev.ActionAsked():
                yield from actions.on_action_asked(call, event)
            case ev.ActionEnded():
                actions.on_action_ended(call, event)
            case ev.ToolUsed():
                call.history.on_tool(event)
            case ev.StageFailed() | ev.StageReady() | ev.StageAlive():
                yield from self._stage_health.on_stage_event(event)
            case _:
                yield from self._on_call_event(event)

    def _on_call_event(self, event: ev.Event) -> Decisions:
        call = self._call
        match event:
            case line.EnergyRose() | line.EnergyFell():
                yield from self._turn_taking.on_energy(event)
            case line.LineMeasured():
                self._line_watch.on_measured(event)
            case line.PacketsMissing():
                self._line_watch.on_packets_missing(event)
            case ev.CallAnswered(is_recovered):
                yield from self._open(is_recovered=is_recovered)
            case ev.CloseAsked(cause, message):
                yield actions.close_after_word(call, cause, message)
            case line.PlayedUpTo(sample):
                call.playout.played_up_to(sample)
            case line.KeyPressed() as key:
                self._line_watch.recordings.reset()  # a person is there
                yield from self._keypad.on_key(key.digit, is_in_band=key.is_in_band)
            case line.HoldChanged(is_held, was_missed):
                yield from self._hold(is_held=is_held, was_missed=was_missed)
            case line.CallerStaysSilent():
                self._silence.on_caller_left()
            case line.LegEnded():
                actions.end_call(call)

    def _on_reply_event(self, event: ev.ReplyEvent) -> Decisions:
        reply = on_reply_event(self._call, event)
        if reply is None:
            return
        if isinstance(event, ev.ReplyEnded | ev.VoiceEnded) and event.outcome is not ev.Outcome.COMPLETED:
            yield from self._stage_health.waiting.on_turn_failed(reply, event)
        elif isinstance(event, ev.ReplyEnded | ev.VoiceEnded | ev.ReplyClause | ev.VoiceAudio):
            self._stage_health.on_reply_event(reply, event)

    def _on_last_event(self, event: ev.Event) -> None:
        """Take in an event of a call that is ending or over: only the line, tools and actions still count."""
        call = self._call
        match event:
            case line.LegEnded():
                actions.end_call(call)
            case line.PlayedUpTo(sample):
                call.playout.played_up_to(sample)
            case ev.ToolUsed():
                call.history.on_tool(event)
            case ev.ActionEnded():
                actions.on_action_ended(call, event)
            case _ if not isinstance(event, ev.CallerAdvanced | line.MediaIdle | line.SoundEvent | ev.SttProgressed):
                call.refuse(event)  # the excepted kinds go on until the line and the STT stage are told

    # -- what goes out -------------------------------------------------------------------------------------------------

    def next_frame(self, *, now: float) -> tuple[bytes | None, list[cmd.Command]]:
        """The frame that is due on the line, in the leg's format; None: comfort silence. Pulled every 20 ms."""
        call = self._call
        call.clock.set(now)
        if not self._may_play():
            call.playout.pass_silence()
            return None, call.take_commands()
        waiting, pulled = self._stage_health.waiting, call.playout.pull()
        for voice in pulled.finished:
            self._apply(waiting.on_heard(voice))
        if pulled.began is not None:
            self._apply(waiting.on_first_frame(pulled.began))
        if call.floor is Floor.CLOSING:
            actions.watch_closing(call)
        elif waiting.watch_playout():
            self._is_deadline_known = False
        if pulled.finished or pulled.began is not None:
            self._review()
            self._is_deadline_known = False
        return pulled.content, call.take_commands()

    def _may_play(self) -> bool:
        call = self._call
        if call.is_over or call.answered_at is None or call.floor in (Floor.HELD, Floor.PAUSED):
            return False
        return call.clock.wall >= call.answered_at + call.settings.greeting_delay_ms / 1000

    # -- time ----------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when `on_timer` is to be called, in seconds; None: not before another event. The policies' deadlines
        are merged once after each event that may change one; a packet that changes nothing costs no merge.
        """
        if not self._is_deadline_known:
            self._deadline, self._is_deadline_known = self._soonest_deadline(), True
        return self._deadline

    def _soonest_deadline(self) -> float | None:
        call = self._call
        if call.is_over:
            return None
        if call.closing is not None:
            return call.closing.deadline
        if call.answered_at is None:
            return None
        deadlines = [call.answered_at + call.settings.max_call_s]
        if call.floor is not Floor.HELD:
            deadlines += [at for part in self._timed if (at := part.deadline) is not None]
        return min(deadlines)

    def on_timer(self, *, now: float) -> list[cmd.Command]:
        """Call when `next_deadline` has come, or at any other time."""
        call = self._call
        call.clock.set(now)
        if call.closing is not None:
            actions.watch_closing(call)
        elif call.answered_at is not None and not call.is_over:
            self._apply(self._on_time())
            self._review()
        self._is_deadline_known = False
        return call.take_commands()

    def _on_time(self) -> Decisions:
        call = self._call
        if call.answered_at is not None and call.clock.wall >= call.answered_at + call.settings.max_call_s:
            yield actions.close(line.EndCause.MAX_DURATION, PromptKind.GOODBYE)
        elif call.floor is not Floor.HELD:
            for part in self._timed:
                if call.floor is not Floor.CLOSING:
                    yield from part.on_timer()

    def _on_advanced(self, to_sample: int, *, is_silence: bool = True) -> Decisions:
        """The caller's media clock went on."""
        call = self._call
        before = call.clock.sample
        if not call.clock.advance(to_sample, now=call.clock.wall):
            return
        if call.floor is Floor.HELD or not is_silence:
            call.user_turn.evidence.exclude(to_sample - before)
        if call.floor is not Floor.HELD:
            yield from self._turn_taking.on_time()
            yield from self._stage_health.on_time()

    def _review(self) -> None:
        """Look, after every event, at what depends on more than one policy: due outcomes, hang-up, silence."""
        call = self._call
        if call.answered_at is None or call.is_over or call.floor is Floor.CLOSING:
            return
        self._stage_health.review()
        if (outcome := actions.outcome_due(call)) is not None:
            self._apply([Decision(Move.REPLY_DUE, NextTurn(outcome, TurnNotes(end_reason=EndReason.ACTION_ENDED)))])
        agent_speaks = call.floor in (Floor.SPEAKING, Floor.PAUSED) or call.is_gateway_speaking
        if agent_speaks is not self._stt_knows_agent_speaks:
            self._stt_knows_agent_speaks = agent_speaks
            call.command(cmd.UpdateStt(call.clock.sample, agent_is_speaking=agent_speaks))
        self._hang_up.review()
        self._apply(self._silence.review())

    # -- the beginning, and holds --------------------------------------------------------------------------------------

    def _open(self, *, is_recovered: bool) -> Decisions:
        """Media flow: the agent greets, or the gateway apologises for the interruption of a recovered call."""
        call = self._call
        if call.answered_at is not None:
            return
        call.answered_at = call.clock.wall
        if is_recovered:
            say(call, PromptKind.RECOVERED)
        else:
            yield Decision(Move.REPLY_DUE, NextTurn(cmd.CallOpened(), TurnNotes(end_reason=EndReason.OPEN)))

    def _hold(self, *, is_held: bool, was_missed: bool) -> Decisions:
        """The call is put on hold or taken back. On hold nothing is played, and no limit runs but that of the longest
        call. A sound that is still being judged counts as a false alarm, since it cannot be judged on hold.
        """
        call = self._call
        if is_held and call.floor is not Floor.HELD:
            if call.floor is Floor.PAUSED:
                yield Decision(Move.FALSE_ALARM, Verdict.HOLD)
                yield from self._turn_taking.review()
            call.user_turn.evidence.begin_hold()
            yield Decision(Move.PUT_ON_HOLD)
        elif not is_held and call.floor is Floor.HELD:
            self._turn_taking.on_taken_back(was_over=was_missed)
            yield Decision(Move.TAKEN_BACK)
