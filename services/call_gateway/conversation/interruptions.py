"""A sound of the caller while the agent has the floor: it silences the agent at once, then it is judged.

An interruption stops the agent for good, and what the caller says becomes the next turn, or goes on with the last one
when that was taken too early. Anything else is forgotten, and the agent goes on at the start of the word it broke off.
"""

from collections.abc import Callable

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.barge_in import Overlap, Verdict, judge_words
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.commands import DiscardSent, DiscardUtterance
from services.call_gateway.conversation.endpointing import Endpointing
from services.call_gateway.conversation.events import TranscriptHeard
from services.call_gateway.conversation.news import LineCause, LineTroubled
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.turn import Floor, Move
from services.call_gateway.conversation.turn_taking import TurnTaking
from services.language.words import word_ends

ECHO_LOOKS_MS = (100, 140, 180, 240, 300, 360)
"""Of sound, to look again: its first moment may be too short to tell an echo."""
QUESTION_MARKS = ("?", "？", "؟")


class Interruptions:
    """From the sound that silences the agent to the verdict on it."""

    def __init__(
        self,
        state: CallState,
        *,
        agent: Agent,
        announcer: Announcer,
        playout: Playout,
        is_echo: Callable[[int, int], bool],
        endpointing: Endpointing,
        turns: TurnTaking,
    ) -> None:
        self._state = state
        self._agent = agent
        self._announcer = announcer
        self._playout = playout
        self._find_echo = is_echo
        self._endpointing = endpointing
        self._turns = turns
        self.overlap: Overlap | None = None  # there while the floor is PAUSED

    # -- the sound -----------------------------------------------------------------------------------------------------

    @property
    def is_agent_protected(self) -> bool:
        """What the agent says now must not be interrupted by a sound."""
        answer = self._agent.answer
        if answer is None or self._playout.current is not answer.voice:
            return False
        position = answer.voice.position
        if answer.is_greeting and position < self._state.clock.samples(self._state.settings.protected_greeting_ms):
            return True
        clause = answer.clause_at(answer.voice.offset_at(position))
        return clause is not None and not clause.is_interruptible

    def veto_echo(self, from_sample: int) -> bool:
        """Whether the sound that began there is our own voice coming back; then it is forgotten. What goes on with an
        utterance is no echo.
        """
        began = self._endpointing.utterance.began_sample
        if began is None or began < from_sample or not self._is_echo(from_sample):
            return False
        self._forget(from_sample, self._state.clock.sample)
        return True

    def _is_echo(self, from_sample: int) -> bool:
        if not self._find_echo(from_sample, self._state.clock.sample):
            return False
        if not self._state.counters["echoes"]:
            lasted = self._state.clock.sample - from_sample
            self._state.command(LineTroubled(LineCause.ECHO, lasted * 1000 // self._state.clock.sample_rate_hertz))
        self._state.counters["echoes"] += 1
        return True

    def _forget(self, from_sample: int, to_sample: int) -> None:
        """That stretch was no speech. Should it go on, the ear says so at once."""
        self._endpointing.forget(to_sample)
        self._state.command(DiscardUtterance(from_sample, to_sample))

    def begin(self) -> None:
        """The caller sounds over the agent: silence it, unless it is protected."""
        began = self._endpointing.utterance.began_sample
        if began is None or self.is_agent_protected or not self._state.move(Move.CALLER_SOUNDED):
            return
        samples_per_ms = self._state.clock.sample_rate_hertz / 1000
        self.overlap = Overlap(self._state.settings, began, self._state.now, samples_per_ms)
        if self._playout.discard_sent():
            self._state.command(DiscardSent())

    # -- the evidence --------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """The caller's clock went on: sound that lasts is an interruption; protection may have ended."""
        if self.overlap is not None:
            self._judge_by_clock(self.overlap)
        elif self._endpointing.is_sounding and self._state.floor in (Floor.THINKING, Floor.SPEAKING):
            self.begin()

    def _judge_by_clock(self, overlap: Overlap) -> None:
        lasted = self._state.clock.sample - overlap.began_sample
        looks_due = sum(lasted >= self._state.clock.samples(ms) for ms in ECHO_LOOKS_MS)
        if looks_due > overlap.echo_looks:
            overlap.echo_looks = looks_due
            if self._is_echo(overlap.began_sample):
                self.resume(Verdict.ECHO)
                return
        verdict = overlap.by_clock(self._state.clock.sample)
        if verdict is not None:
            self.stop_agent(verdict)

    def hear_words(self, event: TranscriptHeard) -> None:
        """A draft of the words said over the agent."""
        is_answer_heard = Floor.SPEAKING in (self._state.floor, self._state.covered_floor)
        verdict = judge_words(
            event.text,
            event.confidence,
            self._state.settings,
            min_words=self._state.settings.barge_in_min_words if is_answer_heard else 1,
            is_answer_awaited=self._is_answer_awaited,
        )
        overlap = self.overlap
        if overlap is None:  # they began while the agent was protected, or come late
            if self._state.floor is Floor.SPEAKING and not self.is_agent_protected and verdict.stops_agent:
                self.stop_agent(verdict)
        elif event.end_sample <= overlap.began_sample:
            return
        elif verdict.stops_agent:
            self.stop_agent(verdict)
        elif verdict is Verdict.TOO_FEW_WORDS:
            self._turns.try_draft(event.text, event.start_sample, event.end_sample)  # in case there are no more
        elif not overlap.is_sounding:
            self.resume(verdict)

    @property
    def _is_answer_awaited(self) -> bool:
        """The agent has all but asked its question, or only the gateway speaks: then "mhm" is an answer."""
        answer = self._agent.answer
        if answer is None:
            return True
        voice = answer.voice
        rest = voice.received - voice.position
        is_ending = voice.is_complete and rest <= self._state.clock.samples(self._state.settings.question_tail_ms)
        return is_ending and voice.text.rstrip().endswith(QUESTION_MARKS)

    def on_timer(self) -> None:
        """Time may be up."""
        if self.overlap is not None and (verdict := self.overlap.by_wall(self._state.now)) is not None:
            self.resume(verdict)

    # -- the verdict ---------------------------------------------------------------------------------------------------

    def resume(self, verdict: Verdict) -> None:
        """It was no interruption. Does nothing when there was no doubt."""
        overlap, self.overlap = self.overlap, None
        if overlap is None:
            return
        self._state.counters[f"resumed_{verdict.value}"] += 1
        stopped = self._endpointing.utterance.stopped_sample
        to_sample = self._state.clock.sample if stopped is None else stopped
        self._forget(overlap.began_sample, to_sample)
        if self._turns.settlement is None:
            self._turns.drop_draft()
        if (voice := self._playout.current) is not None:
            voice.rewind(voice.word_start(voice.position))
        if self._agent.answer is not None:
            self._agent.answer.notes.stop_reason = verdict.value
        self._state.move(Move.FALSE_ALARM)
        self._turns.take_settled_turn()

    def stop_agent(self, verdict: Verdict) -> None:
        """It is an interruption."""
        overlap, self.overlap = self.overlap, None
        self._state.counters[f"stopped_{verdict.value}"] += 1
        answer = self._agent.answer
        if self._turns.reopen_settlement():
            self._announcer.hush()
        elif answer is not None and self._was_taken_too_early(overlap):
            self._turns.go_on_from(answer.user_text, answer.turn_id)
            self._agent.give_up_answer("continued", verdict.value)
        else:
            self._agent.give_up_answer("interrupted", verdict.value)
        self._state.move(Move.CALLER_INSISTED)
        self._turns.try_draft_of_utterance()
        self._turns.decide()

    def _was_taken_too_early(self, overlap: Overlap | None) -> bool:
        """Nothing was heard of the answer yet, or one word at most and the caller went on at once."""
        answer = self._agent.answer
        if answer is None or not answer.is_speech or len(word_ends(self._agent.heard_text(answer))) > 1:
            return False
        if answer.notes.first_frame_at is None:
            return True
        began = self._state.clock.wall_time(overlap.began_sample) if overlap is not None else self._state.now
        return began - answer.notes.first_frame_at <= self._state.settings.recovery_window_ms / 1000
