"""Policy of stages that fail or stall: each is opened again, with pauses that grow, for as long as it is waited for.

A stage that fails while it is not needed is opened again without a prompt. The absence of the STT stage matters only
once the caller says something.
"""

from services.call_gateway.conversation.actions import close_for_failure
from services.call_gateway.conversation.call import Call, StagePhase, open_stream, reopen, reopen_later, say
from services.call_gateway.conversation.commands import Remedy
from services.call_gateway.conversation.events import (
    ReplyClause,
    ReplyEnded,
    Stage,
    StageAlive,
    StageFailed,
    StageReady,
    SttEvent,
    UtteranceSettled,
    VoiceAudio,
    VoiceEnded,
)
from services.call_gateway.conversation.floor import Decisions, Floor
from services.call_gateway.conversation.reply import Reply
from services.call_gateway.conversation.replying import drop_speculation, resend
from services.call_gateway.conversation.turn_taking import TurnTaking
from services.call_gateway.conversation.waiting import STALLED, Waiting
from services.call_gateway.prompts.book import PromptKind
from services.call_gateway.stage_pace import StagePace


class StageHealth:
    """The policy of the three stages' streams."""

    def __init__(self, call: Call, turn_taking: TurnTaking, pace: StagePace) -> None:
        self._call = call
        self._turn_taking = turn_taking
        self.waiting = Waiting(call, pace)
        self._is_nlu_to_be_reopened = False  # once it is known what was heard of the reply
        # Of the STT stage; times are on CallClock.now.
        self._stt_event_at = 0.0  # when it last gave a sign of life
        self._stt_base_sample = 0  # where the caller's clock stood when its stream opened
        self._phrase_at: float | None = None  # it is lost: when its absence is next spoken of
        self._missed_since: float | None = None  # since when the caller waits for it

    # -- events --------------------------------------------------------------------------------------------------------

    def on_stage_event(self, event: StageFailed | StageReady | StageAlive) -> Decisions:
        """News of a stage's stream."""
        match event:
            case StageFailed():
                yield from self._on_failed(event)
            case StageReady(stage):
                self._on_ready(stage)
            case StageAlive(stage):
                self.waiting.on_stage_alive(stage)

    def _on_failed(self, event: StageFailed) -> Decisions:
        call, stage, waiting = self._call, event.stage, self.waiting
        if not call.is_open(stage):  # it could not be reached again
            if not event.is_retryable and waiting.is_needed(stage):
                waiting.report(stage, event.reason, Remedy.GOODBYE)
                yield close_for_failure(call)
            else:
                reopen_later(call, stage)
            return
        call.stages[stage].phase = StagePhase.LOST
        if stage is Stage.STT:
            yield from self._on_stt_lost(event.reason)
            return
        drop_speculation(call)
        if waiting.is_needed(stage):
            yield from waiting.on_reply_failed(stage, event.reason, is_retryable=event.is_retryable)
            return
        waiting.report(stage, event.reason, Remedy.REOPEN)
        if stage is Stage.NLU and call.reply is not None:
            self._is_nlu_to_be_reopened = True
        else:
            reopen(call, stage)

    def _on_ready(self, stage: Stage) -> None:
        call = self._call
        was_open = call.is_open(stage)
        call.stages[stage].phase = StagePhase.OPEN
        if stage is Stage.STT:
            if not was_open:
                self._turn_taking.on_stt_back()
            self._stt_base_sample, self._stt_event_at = call.clock.sample, call.clock.now
            self._phrase_at = None
        elif not was_open:
            if call.reply is not None:
                call.reply.waits_since = max(call.reply.waits_since, call.clock.waiting)
            resend(call, stage)

    def on_reply_event(self, reply: Reply, event: ReplyClause | VoiceAudio | ReplyEnded | VoiceEnded) -> None:
        """A stage has done a part of a reply; once it has done all of its part, what goes wrong is another incident."""
        if isinstance(event, ReplyClause | VoiceAudio):
            self.waiting.on_first_answer(reply, event)
        else:
            self._call.stages[Stage.NLU if isinstance(event, ReplyEnded) else Stage.TTS].end_incident()

    def on_stt_event(self, event: SttEvent) -> None:
        """The STT stage said something. It works once it has listened for a while, or settled an utterance; what a
        stream that is gone still said does not bring the stage back.
        """
        call = self._call
        self._stt_event_at = call.clock.now
        listened = call.clock.sample - self._stt_base_sample
        has_settled = isinstance(event, UtteranceSettled) and event.is_ok
        if call.is_open(Stage.STT) and (has_settled or listened > call.clock.samples(call.settings.company_ms)):
            self._missed_since = None
            call.stages[Stage.STT].end_incident()

    def review(self) -> None:
        """After every event. A fresh NLU stream is told what was heard, so one that died during its reply is opened
        when that is known.
        """
        if self._is_nlu_to_be_reopened and self._call.reply is None:
            self._is_nlu_to_be_reopened = False
            reopen(self._call, Stage.NLU)
        self.waiting.review()

    # -- time ----------------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """Return when `on_timer` has something to do, by the wall."""
        deadlines = [stream.due_at for stream in self._call.stages.values()]
        deadlines.append(None if self._phrase_at is None else self._call.clock.wall_of(self._phrase_at))
        deadlines.append(self.waiting.deadline)
        return min([at for at in deadlines if at is not None], default=None)

    def on_timer(self) -> Decisions:
        """Open what is due, and look which stage is late."""
        for stage, stream in self._call.stages.items():
            if stream.due_at is not None and self._call.clock.wall >= stream.due_at:
                open_stream(self._call, stage)
        if self.waiting.is_late:
            yield from self.waiting.on_timer()
        else:
            yield from self.on_time()

    def on_time(self) -> Decisions:
        """Time has passed. Behind by more than the limit, and without a sign for half of it, the STT stage is stalled:
        one that is fed a file faster than real time is behind too, but keeps giving signs.
        """
        call, now = self._call, self._call.clock.now
        if call.is_open(Stage.STT):
            if now - self._stt_event_at > self._limit_s / 2 and self._is_behind():
                call.stages[Stage.STT].phase = StagePhase.LOST
                yield from self._on_stt_lost(STALLED)
        elif call.floor in (Floor.SPEAKING, Floor.HELD) or not self._is_missed:
            self._phrase_at = max(self._phrase_at or 0.0, now + self._limit_s)  # not missed yet
        elif self._phrase_at is not None and now >= self._phrase_at:
            yield from self._speak_of_it()

    # -- the STT stage is lost -----------------------------------------------------------------------------------------

    @property
    def _limit_s(self) -> float:
        return self._call.settings.stt_stall_ms / 1000

    @property
    def _is_missed(self) -> bool:
        return self._missed_since is not None or self._turn_taking.was_unheard

    def _is_behind(self) -> bool:
        clock = self._call.clock
        heard_sample = max(self._call.user_turn.evidence.heard_sample, self._stt_base_sample)
        return clock.sample - heard_sample > clock.samples(self._limit_s * 1000)

    def _on_stt_lost(self, reason: str) -> Decisions:
        call = self._call
        self._turn_taking.on_stt_lost()
        yield from self._turn_taking.review()
        is_missed = reason == STALLED and self._turn_taking.was_unheard and call.floor is Floor.LISTENING
        self.waiting.report(Stage.STT, reason, Remedy.APOLOGISE if is_missed else Remedy.REOPEN)
        reopen(call, Stage.STT)
        self._phrase_at = call.clock.now + self._limit_s
        if is_missed:
            yield from self._speak_of_it()

    def _speak_of_it(self) -> Decisions:
        """Say that the caller was not heard, again and again until they have waited too long."""
        call, now = self._call, self._call.clock.now
        if self._missed_since is None:
            self._missed_since = now
            phrase = PromptKind.APOLOGY
        elif now - self._missed_since >= call.settings.give_up_ms / 1000:
            self.waiting.report(Stage.STT, STALLED, Remedy.GOODBYE)
            yield close_for_failure(call)
            return
        else:
            phrase = PromptKind.STILL_WITH_YOU
        lasts_s = say(call, phrase)
        self._phrase_at = now + max(call.settings.company_ms / 1000, lasts_s + 1.0)
