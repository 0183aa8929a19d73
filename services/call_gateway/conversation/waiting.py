"""Policy of late and failed replies: which stage owes the reply, how long the stage may take, what the caller hears.

A late stage is asked whether it serves. A stage that answers is slow, and is waited for as its pace allows; a stage
that does not answer is opened again. The caller hears a short phrase within two seconds and another every five. A
caller who has waited too long goes to the fallback, or hears goodbye. The limit counts the caller's time, not the tries
of a turn. All times are on CallClock.waiting unless said otherwise.
"""

from dataclasses import dataclass
from typing import Final

from services.call_gateway.conversation.actions import close_for_failure
from services.call_gateway.conversation.call import Call, finish_prompt, say
from services.call_gateway.conversation.commands import ProbeStage, Remedy, StageTroubled
from services.call_gateway.conversation.events import (
    ActionEnded,
    Outcome,
    ReplyClause,
    ReplyEnded,
    Stage,
    TransferCall,
    VoiceAudio,
    VoiceEnded,
)
from services.call_gateway.conversation.floor import Decision, Decisions, Floor, Loss, Move
from services.call_gateway.conversation.record import TurnOutcome
from services.call_gateway.conversation.reply import Reply, SpeechPhase, TextPhase
from services.call_gateway.conversation.replying import drop_speculation
from services.call_gateway.conversation.voice import Voice
from services.call_gateway.prompts.book import PromptKind
from services.call_gateway.stage_pace import StagePace

SLOW: Final = "SLOW"
STALLED: Final = "STALLED"  # the reason where a stage gave none: it said nothing in its time
TOOL_RUNS: Final = "TOOL_RUNS"
MAX_LOST_TURNS: Final = 1  # in a row, of turns that could not be tried again


@dataclass(frozen=True, slots=True)
class Due:
    """The lateness of a stage."""

    stage: Stage
    at: float


@dataclass(slots=True)
class ReplyWait:
    """The caller waits for a reply, and has been told so."""

    since: float
    phrase_at: float  # when the next phrase is due
    dead_at: float | None = None  # until when the stage may answer the health request
    probe_at: float | None = None  # when to ask a stage again that has answered
    late_at: float | None = None  # until when a stage that has answered may take


class Waiting:
    """The policy of late and failed replies."""

    def __init__(self, call: Call, pace: StagePace) -> None:
        self._call = call
        self._pace = pace
        self._wait: ReplyWait | None = None
        self._waited_s = 0.0  # before, for the stages that still owe proof that they work
        self._dry_since: float | None = None  # the reply should be heard and there is nothing to play
        self._lost_turns = 0

    # -- events of the reply -------------------------------------------------------------------------------------------

    def on_first_answer(self, reply: Reply, event: ReplyClause | VoiceAudio) -> None:
        """Words or sound of a reply came: the first of them tell the stage's pace."""
        notes, wall = reply.notes, self._call.clock.wall
        if reply.retries or reply.is_greeting:
            return
        if isinstance(event, ReplyClause):
            if len(reply.clauses) == 1 and notes.asked_at is not None:
                self._pace.note(Stage.NLU, wall - notes.asked_at, now=wall)
        elif event.timing is not None and notes.first_clause_at is not None:
            self._pace.note(Stage.TTS, wall - notes.first_clause_at, now=wall)

    def on_first_frame(self, voice: Voice) -> Decisions:
        """The first frame of a voice goes out. A prompt said while the agent thinks leaves the floor as it is."""
        call, reply = self._call, self._call.reply
        is_reply = reply is not None and reply.voice is voice
        if reply is not None and is_reply and reply.notes.first_frame_at is None:
            reply.notes.first_frame_at = call.clock.wall
        if call.floor is Floor.LISTENING or (is_reply and call.floor is Floor.THINKING):
            yield Decision(Move.REPLY_BEGAN)

    def on_heard(self, voice: Voice) -> Decisions:
        """A voice was heard to its end."""
        call = self._call
        if finish_prompt(call, voice):
            if call.reply is None and call.floor is Floor.SPEAKING and not call.is_gateway_speaking:
                yield Decision(Move.PROMPT_HEARD)
        elif call.reply is not None and call.reply.voice is voice and call.floor is Floor.CLOSING:
            yield Decision(Move.REPLY_HEARD, TurnOutcome.INTERRUPTED)  # its last word was cut off from the rest
        elif call.reply is not None and call.reply.voice is voice:
            self._lost_turns, self._waited_s = 0, 0.0  # a turn went well
            yield Decision(Move.REPLY_HEARD, TurnOutcome.COMPLETED)

    def on_turn_failed(self, reply: Reply, event: ReplyEnded | VoiceEnded) -> Decisions:
        """A stage could not make its part of a turn."""
        stage = Stage.NLU if isinstance(event, ReplyEnded) else Stage.TTS
        if reply.is_speculative:
            drop_speculation(self._call)
        elif event.is_retryable or event.outcome is Outcome.CANCELLED:
            yield from self.on_reply_failed(stage, event.reason, is_retryable=True)
        elif isinstance(reply.input, ActionEnded):
            self.report(stage, event.reason, Remedy.APOLOGISE)
            yield Decision(Move.REPLY_LOST, Loss(event.reason, _prompt_for(reply.input)))
        else:
            self._lost_turns += 1
            if self._lost_turns > MAX_LOST_TURNS:
                self.report(stage, event.reason, Remedy.GOODBYE)
                yield close_for_failure(self._call)
                return
            self.report(stage, event.reason, Remedy.APOLOGISE)
            yield Decision(Move.REPLY_LOST, Loss(event.reason, PromptKind.APOLOGY))

    def on_reply_failed(self, stage: Stage, reason: str, *, is_retryable: bool) -> Decisions:
        """A stage that owes the reply something failed: it is opened again and asked once more. The pauses between two
        tries grow, and the caller's wait ends them all.
        """
        call, reply = self._call, self._call.reply
        if reply is None:
            return
        if not is_retryable:
            self.report(stage, reason, Remedy.GOODBYE)
            yield close_for_failure(call)
            return
        self.report(stage, reason, Remedy.RETRY)
        self._dry_since = None
        yield Decision(Move.REPLY_BROKEN, stage)
        if self._wait is None:
            self._begin_wait(PromptKind.APOLOGY)
        else:
            self._wait.dead_at = self._wait.probe_at = self._wait.late_at = None

    def on_stage_alive(self, stage: Stage) -> None:
        """A late stage says that it serves."""
        call, wait, reply = self._call, self._wait, self._call.reply
        if wait is None or wait.dead_at is None or reply is None:
            return
        clock, settings = call.clock, call.settings
        wait.dead_at = None
        wait.probe_at = clock.waiting + settings.probe_again_ms / 1000
        if wait.late_at is None:
            self.report(stage, SLOW, Remedy.WAIT)
            self._pace.note(stage, clock.waiting - reply.waits_since, now=clock.wall)
            timing = reply.notes.clause_timing
            queued_s = timing.queue_us / 1e6 if timing is not None else 0.0
            least_s = settings.slow_limit_ms / 1000
            wait.late_at = clock.waiting + self._pace.limit_s(stage, least_s, now=clock.wall, queued_s=queued_s)

    def is_needed(self, stage: Stage) -> bool:
        """The reply still wants something from the stage."""
        reply = self._call.reply
        if reply is None or stage is Stage.STT:
            return False
        if stage is Stage.NLU:
            return reply.text is not TextPhase.WRITTEN
        return reply.speech is not SpeechPhase.SPOKEN and not reply.is_silent

    def report(self, stage: Stage, reason: str, remedy: Remedy) -> None:
        """Publish the remedy for a stage to the listeners of the call."""
        self._call.command(StageTroubled(stage, reason, remedy))

    # -- time ----------------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """Return when `on_timer` has something to do, by the wall."""
        due, wait = self._due(), self._wait
        if due is None:
            return None
        soonest = due.at
        if wait is not None:
            soonest = min(wait.phrase_at, self._gives_up_at(wait))
            if self._call.is_open(due.stage):
                times = (wait.dead_at, wait.probe_at, wait.late_at)
                soonest = min([soonest, *[at for at in times if at is not None]])
                if wait.dead_at is None and wait.probe_at is None:
                    soonest = min(soonest, due.at)
        return self._call.clock.wall_of_waiting(soonest)

    def on_timer(self) -> Decisions:
        """Look for a stage that is late, and begin or continue the wait."""
        call, due = self._call, self._due()
        if due is None:
            return
        if self._wait is None:
            if call.clock.waiting < due.at:
                return
            if due.stage is Stage.NLU and self._is_tool_running():
                self._wait_for_tool(call.reply)
                return
            self._begin_wait(PromptKind.ONE_MOMENT if call.is_open(due.stage) else PromptKind.APOLOGY)
        if self._wait is not None:
            yield from self._go_on_waiting(self._wait, due)

    @property
    def is_late(self) -> bool:
        """A stage is late, or was and the caller still waits."""
        due = self._due()
        return due is not None and (self._wait is not None or self._call.clock.waiting >= due.at)

    def watch_playout(self) -> bool:
        """Look, after each frame, for a reply that has run dry. Returns whether the deadline changed."""
        call, reply, dry_since, wait = self._call, self._call.reply, self._dry_since, self._wait
        if reply is None or call.playout.current is not reply.voice:
            self._dry_since = None
        elif not call.playout.is_dry:
            self._dry_since = None
            self._end_wait()
        elif self._dry_since is None:
            self._dry_since = call.clock.waiting
        return self._dry_since != dry_since or self._wait is not wait

    def review(self) -> None:
        """End the wait, after any event, when there is no reply to wait for."""
        if self._call.reply is None:
            self._end_wait()

    # -- the caller waits ----------------------------------------------------------------------------------------------

    def _begin_wait(self, phrase: PromptKind) -> None:
        """Say why nothing comes; from here on the caller hears a phrase now and then."""
        now = self._call.clock.waiting
        self._wait = ReplyWait(now, now)
        self._say_phrase(self._wait, phrase)

    def _say_phrase(self, wait: ReplyWait, phrase: PromptKind) -> None:
        lasts_s = say(self._call, phrase)
        wait.phrase_at = self._call.clock.waiting + max(self._call.settings.company_ms / 1000, lasts_s + 1.0)

    def _end_wait(self) -> None:
        """Sound comes, or there is no reply to wait for any more."""
        call = self._call
        if self._wait is not None:
            self._waited_s += call.clock.waiting - self._wait.since
            self._wait = None
        if call.reply is None and not any(stream.has_incident for stream in call.stages.values()):
            self._waited_s = 0.0

    def _gives_up_at(self, wait: ReplyWait) -> float:
        return wait.since + self._call.settings.give_up_ms / 1000 - self._waited_s

    def _go_on_waiting(self, wait: ReplyWait, due: Due) -> Decisions:
        """Go on with a wait that the caller knows of: give up, say a phrase, ask the stage, or open it again."""
        call, now = self._call, self._call.clock.waiting
        if now >= self._gives_up_at(wait):
            self.report(due.stage, STALLED, Remedy.GOODBYE)
            yield close_for_failure(call)
            return
        if now >= wait.phrase_at:
            self._say_phrase(wait, PromptKind.STILL_WITH_YOU)
        if not call.is_open(due.stage):
            return
        if (wait.dead_at is not None and now >= wait.dead_at) or (wait.late_at is not None and now >= wait.late_at):
            yield from self.on_reply_failed(due.stage, STALLED, is_retryable=True)
        elif wait.dead_at is None and now >= (due.at if wait.probe_at is None else wait.probe_at):
            wait.probe_at = None
            wait.dead_at = now + call.settings.probe_limit_ms / 1000
            call.command(ProbeStage(due.stage))

    # -- what is due ---------------------------------------------------------------------------------------------------

    def _due(self) -> Due | None:
        """Return which stage owes the reply its next sound, and until when; None: no stage does."""
        reply, settings = self._call.reply, self._call.settings
        if reply is None or self._call.floor in (Floor.HELD, Floor.PAUSED):
            return None
        if not reply.clauses:
            if reply.text is TextPhase.WRITTEN:
                return None
            return self._due_at(Stage.NLU, reply, reply.waits_since, settings.first_clause_limit_ms)
        if reply.notes.first_audio_at is None:
            since = max(reply.waits_since, reply.written_since)
            return self._due_at(Stage.TTS, reply, since, settings.first_audio_limit_ms)
        if self._dry_since is None or not self._call.playout.is_dry:
            return None
        is_all_spoken = reply.voice.marked_offset >= len(reply.voice.text)
        stage = Stage.NLU if is_all_spoken and reply.text is not TextPhase.WRITTEN else Stage.TTS
        return self._due_at(stage, reply, max(reply.waits_since, self._dry_since), settings.dry_limit_ms)

    def _due_at(self, stage: Stage, reply: Reply, since: float, limit_ms: int) -> Due:
        settings = self._call.settings
        at = since + limit_ms / 1000
        if reply.notes.first_audio_at is None and reply.retries == 0:
            silent_long = reply.silent_since + settings.dead_air_limit_ms / 1000
            at = min(at, max(silent_long, reply.waits_since + settings.least_limit_ms / 1000))
        return Due(stage, at)

    def _wait_for_tool(self, reply: Reply | None) -> None:
        """Tell the caller that it takes a moment. An agent that has spoken says so itself, unless it falls silent."""
        call = self._call
        if reply is None:
            return
        if reply.clauses and self._dry_since is not None:
            quiet_until = self._dry_since + call.settings.company_ms / 1000
            if call.clock.waiting < quiet_until:
                reply.waits_since = quiet_until - call.settings.dry_limit_ms / 1000
                return
        self.report(Stage.NLU, TOOL_RUNS, Remedy.WAIT)
        reply.waits_since = call.clock.waiting + say(call, PromptKind.ONE_MOMENT)

    def _is_tool_running(self) -> bool:
        """The NLU stage is late because it waits for a tool, which has its own, longer limit."""
        call, reply = self._call, self._call.reply
        if reply is None or reply.notes.taken_at is None or not call.history.runs_tool(reply.turn_id):
            return False
        return call.clock.wall < reply.notes.taken_at + call.settings.tool_limit_ms / 1000


def _prompt_for(ended: ActionEnded) -> PromptKind | None:
    """The prompt that tells the caller that an action failed, when the agent cannot."""
    if ended.is_done:
        return None
    return PromptKind.TRANSFER_FAILED if isinstance(ended.action, TransferCall) else PromptKind.SAY_AGAIN
