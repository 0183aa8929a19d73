"""Stages that fail, stall or are slow: who is waited for, for how long, and what the caller hears meanwhile.

A stage that fails is opened anew with growing pauses for as long as anybody waits for it; what is counted is the time
the caller was kept waiting, not the tries of a turn. A stage that is late is asked whether it serves: one that does is
slow, and is waited for as its own pace allows; one that does not answer is opened anew. The caller hears a short phrase
within two seconds and another every five, and when they have waited too long the call goes to somebody else. A stage
that fails while nobody needs it is opened anew without a word.
"""

from dataclasses import dataclass
from typing import Final

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.agent_turn import AgentTurn
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.commands import ProbeStage
from services.call_gateway.conversation.ear_watch import EarWatch
from services.call_gateway.conversation.events import (
    ActionEnded,
    Outcome,
    PromptKind,
    ReplyClause,
    ReplyEnded,
    Stage,
    StageAlive,
    StageFailed,
    StageReady,
    TransferCall,
    VoiceAudio,
    VoiceEnded,
)
from services.call_gateway.conversation.history import History
from services.call_gateway.conversation.news import StageTroubled
from services.call_gateway.conversation.pace import StagePace
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.prospect import STALLED, Prospect
from services.call_gateway.conversation.reopening import Reopening
from services.call_gateway.conversation.turn import Floor, Move

SLOW: Final = "SLOW"
TOOL_RUNS: Final = "TOOL_RUNS"
MAX_LOST_TURNS: Final = 1  # in a row, that could not be tried again
MAX_RETRIES: Final = 12  # of a turn: a stage that fails at once each time is as good as away


@dataclass(frozen=True, slots=True)
class Due:
    """When a stage is late."""

    stage: Stage
    at: float  # seconds


@dataclass(slots=True)
class Wait:
    """The caller waits for an answer, and has been told so."""

    since: float  # seconds
    phrase_at: float  # when the next phrase is due
    dead_at: float | None = None  # the stage was asked whether it serves: until then it may answer
    probe_at: float | None = None  # it does: when to ask again
    late_at: float | None = None  # it does: how long it may go on


class Trouble:
    """Watches the stages and mends what can be mended."""

    def __init__(
        self,
        state: CallState,
        *,
        agent: Agent,
        caller: Caller,
        announcer: Announcer,
        playout: Playout,
        history: History,
        pace: StagePace,
    ) -> None:
        self._state = state
        self._agent = agent
        self._caller = caller
        self._announcer = announcer
        self._playout = playout
        self._history = history
        self._pace = pace
        self._reopening = Reopening(state)
        self.ear = EarWatch(state, caller, announcer, self._reopening)
        self._wait: Wait | None = None
        self._waited_s = 0.0  # before, for the stages that still owe proof that they work
        self._dry_since: float | None = None  # the answer should be heard and there is nothing to play
        self._paused_since: float | None = None
        self._lost_turns = 0
        self._is_agent_to_be_reopened = False

    # -- news ----------------------------------------------------------------------------------------------------------

    def hear(self, event: StageFailed | StageReady | StageAlive) -> Prospect:
        """News of a stage's stream."""
        match event:
            case StageFailed():
                return self._stage_failed(event)
            case StageReady(stage):
                self._stage_ready(stage)
            case StageAlive(stage):
                self._stage_alive(stage)
        return Prospect.GOES_ON

    def _stage_failed(self, event: StageFailed) -> Prospect:
        """A stream is dead."""
        stage = event.stage
        if stage not in self._state.open_stages:
            return self._attempt_failed(event)
        self._state.open_stages.discard(stage)
        if stage is Stage.STT:
            return self.ear.failed(event.reason)
        if self._agent.draft is not None:
            self._caller.draft_failed()
        if self._is_needed(stage):
            return self._answer_failed(stage, event.reason, is_retryable=event.is_retryable)
        if stage is Stage.NLU and self._agent.answer is not None:
            self._tell(stage, event.reason, "reopen")
            self._is_agent_to_be_reopened = True
        else:
            self._reopen(stage, event.reason, "reopen")
        return Prospect.GOES_ON

    def look_around(self) -> None:
        """After every event. A fresh agent is told what was heard, so one that died during its answer is opened when
        that is known; and what the caller's own sound takes is no silence of a stage.
        """
        if self._is_agent_to_be_reopened and self._agent.answer is None:
            self._is_agent_to_be_reopened = False
            self._reopening.begin(Stage.NLU)
        if self._agent.answer is None:
            self._end_wait()
        if self._state.floor is Floor.PAUSED:
            self._paused_since = self._state.now if self._paused_since is None else self._paused_since
        elif self._paused_since is not None:
            self._shift_answer(self._state.now - self._paused_since)
            self._paused_since = None

    def _attempt_failed(self, event: StageFailed) -> Prospect:
        """A stage that was given up could not be reached again: try on, while the caller is kept company."""
        if not event.is_retryable and self._is_needed(event.stage):
            self._tell(event.stage, event.reason, "goodbye")
            return Prospect.HOPELESS
        self._reopening.failed(event.stage)
        return Prospect.GOES_ON

    def _stage_ready(self, stage: Stage) -> None:
        """A stream is open."""
        was_closed = stage not in self._state.open_stages
        self._state.open_stages.add(stage)
        if stage is Stage.STT:
            self.ear.opened(was_closed=was_closed)
        elif was_closed:
            if self._agent.answer is not None:
                self._agent.answer.waits_since = max(self._agent.answer.waits_since, self._state.now)
            self._agent.stage_is_back(stage)

    def _stage_alive(self, stage: Stage) -> None:
        """A late stage says that it serves."""
        wait, turn, settings = self._wait, self._agent.answer, self._state.settings
        if wait is None or wait.dead_at is None or turn is None:
            return
        wait.dead_at = None
        wait.probe_at = self._state.now + settings.probe_again_ms / 1000
        if wait.late_at is None:
            self._tell(stage, SLOW, "wait")
            self._pace.note(stage, self._state.now - turn.waits_since, now=self._state.now)
            timing = turn.notes.clause_timing
            queued_s = timing.queue_us / 1e6 if timing is not None else 0.0
            least_s = settings.slow_limit_ms / 1000
            patience_s = self._pace.patience_s(stage, least_s, now=self._state.now, queued_s=queued_s)
            wait.late_at = self._state.now + patience_s

    def turn_failed(self, turn: AgentTurn, event: ReplyEnded | VoiceEnded) -> Prospect:
        """A stage could not make its part of a turn."""
        if turn.is_draft:
            self._caller.draft_failed()
            return Prospect.GOES_ON
        stage = Stage.NLU if isinstance(event, ReplyEnded) else Stage.TTS
        if event.is_retryable or event.outcome is Outcome.CANCELLED:
            return self._answer_failed(stage, event.reason, is_retryable=True)
        if isinstance(turn.input, ActionEnded):
            return self._outcome_is_untold(stage, event.reason, turn.input)
        return self._turn_is_lost(stage, event.reason)

    def stage_answered(self, turn: AgentTurn, event: ReplyClause | VoiceAudio) -> None:
        """Words or sound of a turn came: the first of them tell the stage's pace."""
        notes = turn.notes
        if turn.retries or turn.is_greeting:
            return
        if isinstance(event, ReplyClause):
            if len(turn.clauses) == 1 and notes.asked_at is not None:
                self._pace.note(Stage.NLU, self._state.now - notes.asked_at, now=self._state.now)
        elif event.timing is not None and notes.first_clause_at is not None:
            self._pace.note(Stage.TTS, self._state.now - notes.first_clause_at, now=self._state.now)

    def stage_worked(self, stage: Stage) -> None:
        """It has done its part of a turn: what goes wrong from now on is another incident."""
        self._reopening.is_over(stage)

    def answer_was_heard(self) -> None:
        """A turn went well."""
        self._lost_turns = 0
        self._waited_s = 0.0

    # -- the clock -----------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `on_timer` has something to do, in seconds."""
        deadlines = [self._reopening.deadline, self.ear.deadline, self._wait_deadline()]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _wait_deadline(self) -> float | None:
        due, wait = self._answer_due(), self._wait
        if due is None:
            return None
        if wait is None:
            return due.at
        soonest = min(wait.phrase_at, self._gives_up_at(wait))
        if due.stage in self._state.open_stages:
            for at in (wait.dead_at, wait.probe_at, wait.late_at):
                soonest = soonest if at is None else min(soonest, at)
            if wait.dead_at is None and wait.probe_at is None:
                soonest = min(soonest, due.at)
        return soonest

    def on_timer(self) -> Prospect:
        """Look who is late."""
        self._reopening.on_timer()
        due = self._answer_due()
        if due is None:
            return self.ear.check()
        if self._wait is None:
            if self._state.now < due.at:
                return self.ear.check()
            if due.stage is Stage.NLU and self._is_tool_running():
                self._plead_for_patience()
                return Prospect.GOES_ON
            is_away = due.stage not in self._state.open_stages
            self._begin_wait(PromptKind.APOLOGY if is_away else PromptKind.ONE_MOMENT)
        return self._go_on_waiting(due)

    def watch_playout(self) -> None:
        """A frame was pulled: does the answer run dry?"""
        answer = self._agent.answer
        if answer is None or self._playout.current is not answer.voice:
            self._dry_since = None
        elif not self._playout.is_dry:
            self._dry_since = None
            self._end_wait()
        elif self._dry_since is None:
            self._dry_since = self._state.now

    def shift(self, held_s: float) -> None:
        """The call was on hold for so long."""
        self._shift_answer(held_s)
        self.ear.shift(held_s)

    def _shift_answer(self, paused_s: float) -> None:
        if self._agent.answer is not None:
            self._agent.answer.waits_since += paused_s
            self._agent.answer.silent_since += paused_s
        if self._dry_since is not None:
            self._dry_since += paused_s
        wait = self._wait
        if wait is not None:
            wait.since += paused_s
            wait.phrase_at += paused_s
            wait.dead_at = None if wait.dead_at is None else wait.dead_at + paused_s
            wait.probe_at = None if wait.probe_at is None else wait.probe_at + paused_s
            wait.late_at = None if wait.late_at is None else wait.late_at + paused_s

    # -- the caller waits ----------------------------------------------------------------------------------------------

    def _begin_wait(self, phrase: PromptKind) -> None:
        """Say why nothing comes; from here on the caller is kept company."""
        if self._wait is not None:
            return
        self._wait = Wait(self._state.now, self._state.now)
        self._keep_company(self._wait, phrase)

    def _keep_company(self, wait: Wait, phrase: PromptKind) -> None:
        lasts_s = self._announcer.say(phrase)
        wait.phrase_at = self._state.now + max(self._state.settings.company_ms / 1000, lasts_s + 1.0)

    def _end_wait(self) -> None:
        """Sound comes, or nobody waits for it any more."""
        if self._wait is not None:
            self._waited_s += self._state.now - self._wait.since
            self._wait = None
        if self._agent.answer is None and self._reopening.is_all_well:
            self._waited_s = 0.0

    def _gives_up_at(self, wait: Wait) -> float:
        return wait.since + self._state.settings.give_up_ms / 1000 - self._waited_s

    def _go_on_waiting(self, due: Due) -> Prospect:
        """The caller has been told to wait: for how long, and is the stage alive?"""
        wait, now = self._wait, self._state.now
        if wait is None:
            return Prospect.GOES_ON
        if now >= self._gives_up_at(wait):
            self._tell(due.stage, STALLED, "goodbye")
            return Prospect.HOPELESS
        if now >= wait.phrase_at:
            self._keep_company(wait, PromptKind.STILL_WITH_YOU)
        if due.stage not in self._state.open_stages:
            return Prospect.GOES_ON
        if (wait.dead_at is not None and now >= wait.dead_at) or (wait.late_at is not None and now >= wait.late_at):
            return self._answer_failed(due.stage, STALLED, is_retryable=True)
        if wait.dead_at is None and now >= (due.at if wait.probe_at is None else wait.probe_at):
            wait.probe_at = None
            wait.dead_at = now + self._state.settings.probe_limit_ms / 1000
            self._state.command(ProbeStage(due.stage))
        return Prospect.GOES_ON

    # -- the answer ----------------------------------------------------------------------------------------------------

    def _answer_due(self) -> Due | None:
        """Who owes the answer its next sound, and until when."""
        turn, settings = self._agent.answer, self._state.settings
        if turn is None or self._state.floor in (Floor.HELD, Floor.PAUSED):
            return None
        if not turn.clauses:
            if turn.has_reply_ended:
                return None
            return self._due(Stage.NLU, turn, since=turn.waits_since, limit_ms=settings.first_clause_limit_ms)
        if turn.notes.first_audio_at is None:
            since = max(turn.waits_since, turn.notes.first_clause_at or 0.0)
            return self._due(Stage.TTS, turn, since=since, limit_ms=settings.first_audio_limit_ms)
        if self._dry_since is None or not self._playout.is_dry:
            return None
        is_all_spoken = turn.voice.marked_offset >= len(turn.voice.text)
        stage = Stage.NLU if is_all_spoken and not turn.has_reply_ended else Stage.TTS
        since = max(turn.waits_since, self._dry_since)
        return self._due(stage, turn, since=since, limit_ms=settings.dry_limit_ms)

    def _due(self, stage: Stage, turn: AgentTurn, *, since: float, limit_ms: int) -> Due:
        settings = self._state.settings
        at = since + limit_ms / 1000
        if turn.notes.first_audio_at is None and turn.retries == 0:
            silent_long = turn.silent_since + settings.dead_air_limit_ms / 1000
            at = min(at, max(silent_long, turn.waits_since + settings.least_patience_ms / 1000))
        return Due(stage, at)

    def _is_tool_running(self) -> bool:
        """The agent is late because it waits for a tool, which has its own, longer limit."""
        turn = self._agent.answer
        if turn is None or turn.notes.taken_at is None or not self._history.runs_tool(turn.turn_id):
            return False
        return self._state.now < turn.notes.taken_at + self._state.settings.tool_limit_ms / 1000

    def _plead_for_patience(self) -> None:
        """Break the silence without breaking off the work."""
        self._tell(Stage.NLU, TOOL_RUNS, "wait")
        if self._agent.answer is not None:
            self._agent.answer.waits_since = self._state.now + self._announcer.say(PromptKind.ONE_MOMENT)

    def _is_needed(self, stage: Stage) -> bool:
        """The answer still wants something from it."""
        turn = self._agent.answer
        if turn is None or stage is Stage.STT:
            return False
        if stage is Stage.NLU:
            return not turn.has_reply_ended
        return not turn.has_voice_ended and not (turn.has_reply_ended and not turn.clauses)

    def _answer_failed(self, stage: Stage, reason: str, *, is_retryable: bool) -> Prospect:
        turn = self._agent.answer
        if turn is None:
            return Prospect.GOES_ON
        if not is_retryable or turn.retries >= MAX_RETRIES:
            self._tell(stage, reason, "goodbye")
            return Prospect.HOPELESS
        turn.retries += 1
        self._reopen(stage, reason, "retry")
        if stage is Stage.TTS:
            self._agent.begin_voice_again(turn)
        elif self._agent.begin_reply_again(turn):
            self._state.open_stages.discard(Stage.TTS)
            self._reopening.begin(Stage.TTS)
        self._dry_since = None
        self._state.move(Move.ANSWER_BROKEN)
        if self._wait is None:
            self._begin_wait(PromptKind.APOLOGY)
        else:
            self._wait.dead_at = self._wait.probe_at = self._wait.late_at = None
        turn.waits_since = self._state.now
        return Prospect.GOES_ON

    def _turn_is_lost(self, stage: Stage, reason: str) -> Prospect:
        """It would fail again: the caller hears that, and may say something else."""
        self._lost_turns += 1
        if self._lost_turns > MAX_LOST_TURNS:
            self._tell(stage, reason, "goodbye")
            return Prospect.HOPELESS
        self._tell(stage, reason, "apologise")
        self._agent.give_up_answer("failed", reason.lower())
        self._announcer.say(PromptKind.APOLOGY)
        self._state.move(Move.ANSWER_DONE)
        return Prospect.GOES_ON

    def _outcome_is_untold(self, stage: Stage, reason: str, ended: ActionEnded) -> Prospect:
        """The agent cannot say how an act on the call went: the gateway does, where the caller would wait in vain."""
        self._tell(stage, reason, "apologise")
        self._agent.give_up_answer("failed", reason.lower())
        if not ended.is_done:
            is_transfer = isinstance(ended.action, TransferCall)
            self._announcer.say(PromptKind.TRANSFER_FAILED if is_transfer else PromptKind.SAY_AGAIN)
        self._state.move(Move.ANSWER_DONE)
        return Prospect.GOES_ON

    # -- what is said and done -----------------------------------------------------------------------------------------

    def _reopen(self, stage: Stage, reason: str, remedy: str) -> None:
        self._state.open_stages.discard(stage)
        self._tell(stage, reason, remedy)
        self._reopening.begin(stage)

    def _tell(self, stage: Stage, reason: str, remedy: str) -> None:
        self._state.command(StageTroubled(stage, reason, remedy))
