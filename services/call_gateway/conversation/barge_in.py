"""Barge-in: decides whether a sound of the caller over the agent is an interruption or a false alarm.

The sound pauses the agent at once, then the sound is judged. Sound that lasts, or confident words that are no
backchannel, end the agent's turn. The caller's words then become the next turn, or continue the last turn when that
turn was taken too early. A cough, noise or "uh-huh" is forgotten, and the agent goes on at the start of the word that
was broken off.
"""

from collections.abc import Callable

from services.call_gateway.conversation.call import Call
from services.call_gateway.conversation.commands import LineCause, LineTroubled
from services.call_gateway.conversation.effects import forget_sound
from services.call_gateway.conversation.events import TranscriptHeard
from services.call_gateway.conversation.floor import Decision, Decisions, Floor, Interruption, Move, Pause
from services.call_gateway.conversation.user_turn import Overlap, Verdict
from services.language import data
from services.language.words import normalise

ECHO_LOOKS_MS = (100, 140, 180, 240, 300, 360)
"""Lengths of a sound at which it is compared with the agent's voice again: its beginning may be too short to tell."""
QUESTION_MARKS = ("?", "？", "؟")


@data.cached
def backchannels() -> frozenset[tuple[str, ...]]:
    """Backchannels: normalised words of a listener who has no wish to speak ("uh-huh"). Those of every language at
    once: "mhm" means the same in a Vietnamese call.
    """
    lists = (data.phrases(language, "conversation", "backchannels") for language in data.languages())
    return frozenset(normalise(phrase) for phrases in lists for phrase in phrases)


class BargeIn:
    """Policy of barge-in: from the sound that pauses the agent to the verdict on that sound."""

    def __init__(self, call: Call, *, is_echo: Callable[[int, int], bool]) -> None:
        self._call = call
        self._find_echo = is_echo

    # -- the sound -----------------------------------------------------------------------------------------------------

    @property
    def is_agent_protected(self) -> bool:
        """The agent's words are protected now: a sound does not interrupt them."""
        reply = self._call.reply
        if reply is None or self._call.playout.current is not reply.voice:
            return False
        position = reply.voice.position
        if reply.is_greeting and position < self._call.clock.samples(self._call.settings.protected_greeting_ms):
            return True
        clause = reply.clause_at(reply.voice.offset_at(position))
        return clause is not None and not clause.is_interruptible

    def is_vetoed(self, from_sample: int) -> bool:
        """Return whether the sound that began at that sample is the echo of the agent's own voice. An echo is forgotten
        here. Sound that continues an utterance under way is no echo.
        """
        began = self._call.user_turn.evidence.utterance.began_sample
        if began is None or began < from_sample or not self._is_echo(from_sample):
            return False
        forget_sound(self._call, from_sample, self._call.clock.sample)
        return True

    def _is_echo(self, from_sample: int) -> bool:
        call = self._call
        if not self._find_echo(from_sample, call.clock.sample):
            return False
        if not call.counters["echoes"]:
            lasted = call.clock.sample - from_sample
            call.command(LineTroubled(LineCause.ECHO, lasted * 1000 // call.clock.sample_rate_hertz))
        call.counters["echoes"] += 1
        return True

    def on_sound(self) -> Decisions:
        """The caller makes a sound over the agent."""
        if self._call.user_turn.evidence.is_open and not self.is_agent_protected:
            yield Decision(Move.CALLER_SPOKE)

    # -- the evidence --------------------------------------------------------------------------------------------------

    def on_time(self) -> Decisions:
        """The caller's media clock went on: sound that lasts is an interruption; protection may have ended."""
        call = self._call
        if call.overlap is not None:
            yield from self._judge_sound(call.overlap)
        elif call.floor in (Floor.THINKING, Floor.SPEAKING) and call.user_turn.evidence.is_sounding:
            yield from self.on_sound()

    def _judge_sound(self, overlap: Overlap) -> Decisions:
        clock, settings = self._call.clock, self._call.settings
        lasted = clock.sample - overlap.began_sample
        looks_due = sum(lasted >= clock.samples(ms) for ms in ECHO_LOOKS_MS)
        if looks_due > overlap.echo_looks:
            overlap.echo_looks = looks_due
            if self._is_echo(overlap.began_sample):
                yield Decision(Move.FALSE_ALARM, Verdict.ECHO)
                return
        if overlap.speech_samples(clock.sample) >= clock.samples(settings.barge_in_min_speech_ms):
            yield Decision(Move.CALLER_INTERRUPTED, Interruption(Verdict.SUSTAINED_SPEECH))

    def on_words(self, event: TranscriptHeard) -> Decisions:
        """Words said over the agent, at a pause."""
        call, overlap = self._call, self._call.overlap
        verdict = self._verdict_on_words(event)
        if overlap is None:  # the words began while the agent was protected, or come late
            if call.floor is Floor.SPEAKING and not self.is_agent_protected and verdict.stops_agent:
                yield Decision(Move.CALLER_INTERRUPTED, Interruption(verdict))
        elif event.end_sample <= overlap.began_sample:
            return
        elif verdict.stops_agent:
            yield Decision(Move.CALLER_INTERRUPTED, Interruption(verdict))
        elif verdict is Verdict.TOO_FEW_WORDS:  # in case no more words come
            yield Decision(Move.PAUSE_HEARD, Pause(event.text, event.start_sample, event.end_sample))
        elif not overlap.is_sounding:
            yield Decision(Move.FALSE_ALARM, verdict)

    def _verdict_on_words(self, event: TranscriptHeard) -> Verdict:
        """An STT engine that gives no confidence is trusted. Where an answer is awaited, a backchannel is one."""
        call, settings = self._call, self._call.settings
        is_reply_heard = Floor.SPEAKING in (call.floor, call.table.covered)
        words = normalise(event.text)
        if not words:
            return Verdict.NO_WORDS
        if words in backchannels():
            return Verdict.WORDS if self._is_answer_awaited else Verdict.BACKCHANNEL
        if event.confidence is not None and event.confidence < settings.barge_in_min_confidence:
            return Verdict.LOW_CONFIDENCE
        if len(words) < (settings.barge_in_min_words if is_reply_heard else 1):
            return Verdict.TOO_FEW_WORDS
        return Verdict.WORDS

    @property
    def _is_answer_awaited(self) -> bool:
        """The agent has nearly finished its question, or only the gateway speaks: "mhm" is an answer then."""
        reply = self._call.reply
        if reply is None:
            return True
        voice = reply.voice
        rest = voice.received - voice.position
        is_ending = voice.is_complete and rest <= self._call.clock.samples(self._call.settings.question_tail_ms)
        return is_ending and voice.text.rstrip().endswith(QUESTION_MARKS)

    # -- time ----------------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """Return when `on_timer` has something to decide, by the wall."""
        overlap = self._call.overlap
        if overlap is None:
            return None
        return self._call.clock.wall_of(overlap.deadline(self._call.settings.pause_limit_ms / 1000))

    def on_timer(self) -> Decisions:
        """The time for a verdict may be up."""
        call, overlap = self._call, self._call.overlap
        if overlap is not None and call.clock.now >= overlap.deadline(call.settings.pause_limit_ms / 1000):
            yield Decision(Move.FALSE_ALARM, Verdict.PAUSE_LIMIT)
