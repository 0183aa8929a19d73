"""Barge-in: decides whether a sound of the caller over the agent is an interruption or a false alarm.

The sound pauses the agent at once, then the sound is judged. Sound that lasts, a partial text that tells the agent to
stop, or confident words at a pause that are no backchannel, end the agent's turn. The caller's words then become the
next turn, or continue the last turn when that turn was taken too early. A cough, noise or "uh-huh" is forgotten, and
the agent goes on at the start of the word that was broken off.
"""

from collections.abc import Callable

from services.call_gateway.conversation.call import Call
from services.call_gateway.conversation.commands import LineCause, LineTroubled
from services.call_gateway.conversation.effects import forget_sound
from services.call_gateway.conversation.events import TextStage, TranscriptHeard
from services.call_gateway.conversation.floor import Decision, Decisions, Floor, Interruption, Move, Pause
from services.call_gateway.conversation.user_turn import Overlap, Verdict
from services.language import data
from services.language.words import normalise

ECHO_LOOKS_MS = (100, 140, 180, 240, 300, 360)
"""Lengths of a sound at which it is compared with the agent's voice again: its beginning may be too short to tell."""
LONGEST_STOP_COMMAND = 8  # words; longer speech is judged by its length
QUESTION_MARKS = ("?", "？", "؟")


@data.cached
def backchannels() -> frozenset[tuple[str, ...]]:
    """Backchannels: normalised words of a listener who has no wish to speak ("uh-huh"). Those of every language at
    once: "mhm" means the same in a Vietnamese call.
    """
    lists = (data.phrases(language, "conversation", "backchannels") for language in data.languages())
    return frozenset(normalise(phrase) for phrases in lists for phrase in phrases)


@data.cached
def stop_commands() -> frozenset[tuple[str, ...]]:
    """Stop commands: normalised words that tell an agent to stop speaking ("wait a second"). Those of every language at
    once: "stop" means the same in a Vietnamese call.
    """
    lists = (data.phrases(language, "conversation", "stop_commands") for language in data.languages())
    return frozenset(normalise(phrase) for phrases in lists for phrase in phrases)


def is_stop_command(words: tuple[str, ...]) -> bool:
    """Return whether the words are a stop command, or several, with nothing else but backchannels: "oh, wait, wait"."""
    if len(words) > LONGEST_STOP_COMMAND:
        return False
    has_command = {0: False}  # by how many words are known phrases: whether one of those is a command
    for end in range(1, len(words) + 1):
        for start in [start for start in has_command if start < end]:
            phrase = words[start:end]
            if phrase in stop_commands() or phrase in backchannels():
                is_command = has_command[start] or phrase in stop_commands()
                has_command[end] = has_command.get(end, False) or is_command
    return has_command.get(len(words), False)


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
        """Words said over the agent: at a pause they are judged, before it only a command to stop is looked for."""
        if event.stage is TextStage.PARTIAL:
            yield from self._on_partial_words(event)
            return
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
        if len(words) < (settings.barge_in_min_words if is_reply_heard else 1) and not is_stop_command(words):
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

    def _on_partial_words(self, event: TranscriptHeard) -> Decisions:
        """Words of speech over the agent that goes on. Those that tell the agent to stop are an interruption before any
        pause; what others mean is seen at the pause.
        """
        overlap = self._call.overlap
        if overlap is None or event.end_sample <= overlap.began_sample or not self._is_stop_command(event):
            return
        if self._is_echo(overlap.began_sample):
            yield Decision(Move.FALSE_ALARM, Verdict.ECHO)
        else:
            yield Decision(Move.CALLER_INTERRUPTED, Interruption(Verdict.STOP_COMMAND))

    def _is_stop_command(self, event: TranscriptHeard) -> bool:
        if event.confidence is not None and event.confidence < self._call.settings.barge_in_min_confidence:
            return False
        return is_stop_command(normalise(event.text))

    @property
    def is_over_echo(self) -> bool:
        """A sound over the agent is being judged, and so far it is the agent's own voice."""
        overlap = self._call.overlap
        return overlap is not None and self._find_echo(overlap.began_sample, self._call.clock.sample)

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
