"""Stages that fail or stall: who is waited for, for how long, and what the caller hears meanwhile.

A turn gets one apology and one more try on a fresh stream; then the call ends politely. A stage that fails while nobody
needs it is opened anew without a word. The limits add up so that there is never a silence of more than three seconds.
"""

from dataclasses import dataclass
from enum import Enum

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.agent_turn import AgentTurn
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.events import (
    Outcome,
    PromptKind,
    ReopenStage,
    ReplyEnded,
    Stage,
    StageFailed,
    StageTroubled,
    VoiceEnded,
)
from services.call_gateway.conversation.history import History
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.turn import Floor, Move

MAX_RETRIES = 1
MAX_FAILED_TURNS = 1  # in a row, that could not be tried again
MAX_EAR_APOLOGIES = 1  # before a word was understood again
STALLED = "STALLED"


class Prospect(Enum):
    """What becomes of the call."""

    GOES_ON = "goes_on"
    HOPELESS = "hopeless"  # say goodbye


@dataclass(frozen=True, slots=True)
class Due:
    """When a stage is late."""

    stage: Stage
    at: float  # seconds


class Trouble:
    """Watches the stages and mends what can be mended."""

    def __init__(self, state: CallState, agent: Agent, caller: Caller, playout: Playout, history: History) -> None:
        self._state = state
        self._agent = agent
        self._caller = caller
        self._playout = playout
        self._history = history
        self._reopen_at: dict[Stage, float] = {}  # stages whose last attempt failed
        self._dry_since: float | None = None  # the answer should be heard and there is nothing to play
        self._failed_turns = 0
        self._ear_news_at = 0.0  # when the ear last came forward
        self._ear_base_sample = 0  # where the caller's clock stood when the ear's stream opened
        self._ear_apologies = 0
        self._ear_lost_at: float | None = None  # since when the caller is not heard, while it matters

    # -- news ----------------------------------------------------------------------------------------------------------

    def stage_failed(self, event: StageFailed) -> Prospect:
        """A stream is dead."""
        stage = event.stage
        if stage not in self._state.open_stages:  # another attempt to reach it
            self._reopen_at[stage] = self._state.now + self._state.settings.reopen_pause_ms / 1000
            is_final = not event.is_retryable and self._is_needed(stage)
            return Prospect.HOPELESS if is_final else Prospect.GOES_ON
        self._state.open_stages.discard(stage)
        if stage is Stage.STT:
            return self._ear_failed(event.reason)
        if self._is_needed(stage):
            return self._answer_failed(stage, event.reason, is_retryable=event.is_retryable)
        if self._agent.draft is not None:
            self._caller.draft_failed()
        self._reopen(stage, event.reason, "reopen")
        return Prospect.GOES_ON

    def stage_ready(self, stage: Stage) -> None:
        """A stream is open."""
        self._reopen_at.pop(stage, None)
        was_closed = stage not in self._state.open_stages
        self._state.open_stages.add(stage)
        if stage is Stage.STT:
            self._ear_base_sample, self._ear_news_at = self._state.clock.sample, self._state.now
            self._ear_lost_at = None
        if was_closed:
            self._agent.stage_is_back(stage)

    def turn_failed(self, turn: AgentTurn, event: ReplyEnded | VoiceEnded) -> Prospect:
        """A stage could not make its part of a turn."""
        if turn.is_draft:
            self._caller.draft_failed()
            return Prospect.GOES_ON
        stage = Stage.NLU if isinstance(event, ReplyEnded) else Stage.TTS
        if event.is_retryable or event.outcome is Outcome.CANCELLED:
            self._state.open_stages.discard(stage)
            return self._answer_failed(stage, event.reason, is_retryable=True)
        return self._turn_is_lost(stage, event.reason)

    def turn_succeeded(self) -> None:
        """An answer was heard to its end."""
        self._failed_turns = 0

    def ear_progressed(self) -> None:
        """The ear gave a sign of life."""
        self._ear_news_at = self._state.now

    def ear_understood(self) -> None:
        """The ear settled an utterance."""
        self._ear_apologies = 0

    # -- the clock -----------------------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When `on_timer` has something to do, in seconds."""
        due = self._answer_due()
        times = [*self._reopen_at.values()]
        if due is not None:
            times.append(due.at)
        if self._ear_lost_at is not None:
            times.append(self._ear_due(self._ear_lost_at))
        return min(times, default=None)

    def on_timer(self) -> Prospect:
        """Look who is late."""
        now = self._state.now
        for stage, at in tuple(self._reopen_at.items()):
            if now >= at:
                del self._reopen_at[stage]
                self._state.command(ReopenStage(stage))
        due = self._answer_due()
        if due is not None and now >= due.at:
            self._state.open_stages.discard(due.stage)
            return self._answer_failed(due.stage, STALLED, is_retryable=True)
        return self._check_ear()

    def watch_playout(self) -> None:
        """A frame was pulled: is the answer running dry?"""
        answer = self._agent.answer
        is_dry = answer is not None and self._playout.current is answer.voice and self._playout.is_dry
        if not is_dry:
            self._dry_since = None
        elif self._dry_since is None:
            self._dry_since = self._state.now

    def shift(self, held_s: float) -> None:
        """The call was on hold for so long."""
        if self._agent.answer is not None:
            self._agent.answer.waits_since += held_s
        if self._dry_since is not None:
            self._dry_since += held_s
        self._ear_news_at += held_s

    # -- the answer ----------------------------------------------------------------------------------------------------

    def _answer_due(self) -> Due | None:
        """Who owes the answer its next sound, and until when."""
        turn, settings = self._agent.answer, self._state.settings
        if turn is None or self._state.floor in (Floor.HELD, Floor.PAUSED):
            return None
        if not turn.clauses and not turn.has_reply_ended:
            limit_ms = settings.first_clause_limit_ms
            if self._history.runs_tool(turn.turn_id):
                limit_ms = settings.tool_limit_ms
            return Due(Stage.NLU, turn.waits_since + limit_ms / 1000)
        if turn.notes.first_audio_at is None and turn.clauses:
            since = max(turn.waits_since, turn.notes.first_clause_at or 0.0)
            return Due(Stage.TTS, since + settings.first_audio_limit_ms / 1000)
        if self._dry_since is None:
            return None
        limit_ms = settings.dry_limit_ms
        is_all_spoken = turn.voice.marked_offset >= len(turn.voice.text)
        if is_all_spoken and not turn.has_reply_ended:
            if self._history.runs_tool(turn.turn_id):
                limit_ms = settings.tool_limit_ms
            return Due(Stage.NLU, max(turn.waits_since, self._dry_since) + limit_ms / 1000)
        return Due(Stage.TTS, max(turn.waits_since, self._dry_since) + limit_ms / 1000)

    def _is_needed(self, stage: Stage) -> bool:
        """The answer still wants something from it."""
        turn = self._agent.answer
        if turn is None:
            return stage is Stage.STT
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
        turn.waits_since = self._state.now + self._agent.say(PromptKind.APOLOGY)
        turn.notes.first_audio_at = None if not turn.voice.position else turn.notes.first_audio_at
        return Prospect.GOES_ON

    def _turn_is_lost(self, stage: Stage, reason: str) -> Prospect:
        """It would fail again: the caller hears that, and may say something else."""
        self._failed_turns += 1
        if self._failed_turns > MAX_FAILED_TURNS:
            self._tell(stage, reason, "goodbye")
            return Prospect.HOPELESS
        self._tell(stage, reason, "apologise")
        self._agent.give_up_answer("failed", reason.lower())
        self._agent.say(PromptKind.APOLOGY)
        self._state.move(Move.ANSWER_DONE)
        return Prospect.GOES_ON

    # -- the ear -------------------------------------------------------------------------------------------------------

    def _ear_failed(self, reason: str) -> Prospect:
        needs_apology = self._caller.ear_was_lost()
        self._reopen(Stage.STT, reason, "apologise" if needs_apology else "reopen")
        self._ear_lost_at = self._state.now
        return self._apologise_for_ear() if needs_apology else Prospect.GOES_ON

    def _check_ear(self) -> Prospect:
        """Is it listening? Behind by more than the limit, and without a step forward for half of it, it is stalled: an
        ear that is fed a file faster than real time is behind, but comes forward.
        """
        limit_s = self._state.settings.ear_stall_ms / 1000
        if Stage.STT in self._state.open_stages:
            behind = self._state.clock.sample - max(self._caller.heard_sample, self._ear_base_sample)
            is_behind = behind > self._state.clock.samples(limit_s * 1000)
            if is_behind and self._state.now - self._ear_news_at > limit_s / 2:
                self._state.open_stages.discard(Stage.STT)
                return self._ear_failed(STALLED)
            return Prospect.GOES_ON
        if self._state.floor in (Floor.SPEAKING, Floor.HELD):
            self._ear_lost_at = self._state.now  # it is not missed yet
        elif self._ear_lost_at is not None and self._state.now >= self._ear_due(self._ear_lost_at):
            return self._apologise_for_ear()
        return Prospect.GOES_ON

    def ear_watch(self) -> Prospect:
        """The caller's clock went on."""
        return self._check_ear()

    def _ear_due(self, lost_at: float) -> float:
        return lost_at + self._state.settings.ear_stall_ms / 1000

    def _apologise_for_ear(self) -> Prospect:
        if self._ear_apologies >= MAX_EAR_APOLOGIES:
            self._tell(Stage.STT, STALLED, "goodbye")
            return Prospect.HOPELESS
        self._ear_apologies += 1
        self._ear_lost_at = self._state.now + self._agent.say(PromptKind.APOLOGY)
        return Prospect.GOES_ON

    # -- both ----------------------------------------------------------------------------------------------------------

    def _reopen(self, stage: Stage, reason: str, remedy: str) -> None:
        self._tell(stage, reason, remedy)
        self._state.command(ReopenStage(stage))

    def _tell(self, stage: Stage, reason: str, remedy: str) -> None:
        self._state.command(StageTroubled(stage, reason, remedy))
