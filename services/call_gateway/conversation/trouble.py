"""Stages that fail or stall: who is waited for, for how long, and what the caller hears meanwhile.

A turn gets one apology and one more try on a fresh stream; then the call ends politely. A stage that fails while nobody
needs it is opened anew without a word. The limits add up so that there is never a silence of more than three seconds.
"""

from dataclasses import dataclass

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.agent_turn import AgentTurn
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.commands import ReopenStage
from services.call_gateway.conversation.ear_watch import EarWatch
from services.call_gateway.conversation.events import Outcome, PromptKind, ReplyEnded, Stage, StageFailed, VoiceEnded
from services.call_gateway.conversation.history import History
from services.call_gateway.conversation.news import StageTroubled
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.prospect import STALLED, Prospect
from services.call_gateway.conversation.turn import Floor, Move

MAX_RETRIES = 1  # of a turn
TOOL_RUNS = "TOOL_RUNS"
MAX_LOST_TURNS = 1  # in a row, that could not be tried again


@dataclass(frozen=True, slots=True)
class Due:
    """When a stage is late."""

    stage: Stage
    at: float  # seconds


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
    ) -> None:
        self._state = state
        self._agent = agent
        self._caller = caller
        self._announcer = announcer
        self._playout = playout
        self._history = history
        self.ear = EarWatch(state, caller, announcer)
        self._reopen_at: dict[Stage, float] = {}  # stages whose last attempt failed: when to try again, in seconds
        self._dry_since: float | None = None  # the answer should be heard and there is nothing to play
        self._lost_turns = 0
        self._is_agent_to_be_reopened = False

    # -- news ----------------------------------------------------------------------------------------------------------

    def stage_failed(self, event: StageFailed) -> Prospect:
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
        """A fresh agent is told what was heard, so one that died during its answer is opened when that is known."""
        if self._is_agent_to_be_reopened and self._agent.answer is None:
            self._is_agent_to_be_reopened = False
            self._state.command(ReopenStage(Stage.NLU))

    def _attempt_failed(self, event: StageFailed) -> Prospect:
        """A stage that was given up could not be reached again: try on, while somebody's patience lasts."""
        if not event.is_retryable and self._is_needed(event.stage):
            self._tell(event.stage, event.reason, "goodbye")
            return Prospect.HOPELESS
        self._reopen_at[event.stage] = self._state.now + self._state.settings.reopen_pause_ms / 1000
        return Prospect.GOES_ON

    def stage_ready(self, stage: Stage) -> None:
        """A stream is open."""
        self._reopen_at.pop(stage, None)
        was_closed = stage not in self._state.open_stages
        self._state.open_stages.add(stage)
        if stage is Stage.STT:
            self.ear.opened(was_closed=was_closed)
        elif was_closed:
            self._agent.stage_is_back(stage)

    def turn_failed(self, turn: AgentTurn, event: ReplyEnded | VoiceEnded) -> Prospect:
        """A stage could not make its part of a turn."""
        if turn.is_draft:
            self._caller.draft_failed()
            return Prospect.GOES_ON
        stage = Stage.NLU if isinstance(event, ReplyEnded) else Stage.TTS
        if event.is_retryable or event.outcome is Outcome.CANCELLED:
            return self._answer_failed(stage, event.reason, is_retryable=True)
        return self._turn_is_lost(stage, event.reason)

    def answer_was_heard(self) -> None:
        """A turn went well."""
        self._lost_turns = 0

    # -- the clock -----------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `on_timer` has something to do, in seconds."""
        due = self._answer_due()
        deadlines = [*self._reopen_at.values(), due.at if due else None, self.ear.deadline]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def on_timer(self) -> Prospect:
        """Look who is late."""
        for stage, at in tuple(self._reopen_at.items()):
            if self._state.now >= at:
                del self._reopen_at[stage]
                self._state.command(ReopenStage(stage))
        due = self._answer_due()
        if due is None or self._state.now < due.at:
            return self.ear.check()
        if due.stage is Stage.NLU and self._is_tool_running():
            self._plead_for_patience()
            return Prospect.GOES_ON
        return self._answer_failed(due.stage, STALLED, is_retryable=True)

    def watch_playout(self) -> None:
        """A frame was pulled: does the answer run dry?"""
        answer = self._agent.answer
        if answer is None or self._playout.current is not answer.voice or not self._playout.is_dry:
            self._dry_since = None
        elif self._dry_since is None:
            self._dry_since = self._state.now

    def shift(self, held_s: float) -> None:
        """The call was on hold for so long."""
        if self._agent.answer is not None:
            self._agent.answer.waits_since += held_s
            self._agent.answer.silent_since += held_s
        if self._dry_since is not None:
            self._dry_since += held_s
        self.ear.shift(held_s)

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
        if self._dry_since is None:
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
        self._tell(Stage.NLU, TOOL_RUNS, "apologise")
        if self._agent.answer is not None:
            self._agent.answer.waits_since = self._state.now + self._announcer.say(PromptKind.APOLOGY)

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
            self._state.command(ReopenStage(Stage.TTS))
        self._dry_since = None
        self._state.move(Move.ANSWER_BROKEN)
        turn.waits_since = self._state.now + self._announcer.say(PromptKind.APOLOGY)
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

    # -- what is said and done -----------------------------------------------------------------------------------------

    def _reopen(self, stage: Stage, reason: str, remedy: str) -> None:
        self._state.open_stages.discard(stage)
        self._tell(stage, reason, remedy)
        self._state.command(ReopenStage(stage))

    def _tell(self, stage: Stage, reason: str, remedy: str) -> None:
        self._state.command(StageTroubled(stage, reason, remedy))
