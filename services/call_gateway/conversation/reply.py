"""The reply: one turn of the agent, committed or speculative, from the request to the last word heard."""

from dataclasses import dataclass, field
from enum import Enum

from services.call_gateway.conversation.commands import (
    AskAgent,
    CallerSaid,
    CallOpened,
    EndSpeech,
    ReportPlayout,
    Speak,
    TurnInput,
)
from services.call_gateway.conversation.events import ActionAsked, InputExpected, ReplyClause
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.voice import Voice
from services.language.words import normalise


class TextPhase(Enum):
    """The phase of a reply's text in the NLU stage."""

    UNSENT = "unsent"  # the stream that is in use was not asked
    ASKED = "asked"
    WRITING = "writing"  # a clause has come
    WRITTEN = "written"


class SpeechPhase(Enum):
    """The phase of a reply's speech in the TTS stage."""

    UNSENT = "unsent"
    SPEAKING = "speaking"  # it was given a clause
    WHOLE = "whole"  # it was given all of them
    SPOKEN = "spoken"  # it says that it has done its part


@dataclass(slots=True)
class Reply:
    """One turn of the agent."""

    turn_id: int
    input: TurnInput
    language_code: str
    voice: Voice
    notes: TurnNotes
    is_speculative: bool = False
    continues_turn_id: int = 0
    text: TextPhase = TextPhase.UNSENT
    speech: SpeechPhase = SpeechPhase.UNSENT
    clauses: list[ReplyClause] = field(default_factory=list)
    n_spoken: int = 0  # clauses given to the TTS stage
    actions: list[ActionAsked] = field(default_factory=list)  # to be done once the reply is heard
    expected: InputExpected | None = None
    retries: int = 0
    heard_before: str = ""  # the text that was heard of an attempt that broke off
    waits_since: float = 0.0  # from when on the stages are waited for, on CallClock.waiting
    written_since: float = 0.0  # when the first clause came, on CallClock.waiting
    silent_since: float = 0.0  # since when the line has been silent, on CallClock.waiting

    @property
    def is_greeting(self) -> bool:
        """The caller has not said anything yet."""
        return isinstance(self.input, CallOpened)

    @property
    def is_to_speech(self) -> bool:
        """The reply answers spoken words, which the caller can continue."""
        return isinstance(self.input, CallerSaid)

    @property
    def is_silent(self) -> bool:
        """The reply is whole and has no words."""
        return self.text is TextPhase.WRITTEN and not self.clauses

    def request(self, *, provisional_playout: ReportPlayout | None = None) -> AskAgent:
        """Return the command that begins the turn."""
        return AskAgent(
            self.turn_id,
            self.input,
            language_code=self.language_code,
            is_draft=self.is_speculative,
            continues_turn_id=self.continues_turn_id,
            provisional_playout=provisional_playout,
            trace=self.notes.trace,
        )

    def speak_rest(self, *, start_offset: int = 0) -> list[Speak | EndSpeech]:
        """Return the commands that give the TTS stage the clauses it has not been given. `start_offset`: the code point
        of the reply at which a fresh stream goes on.
        """
        commands: list[Speak | EndSpeech] = []
        begin = 0
        for index, clause in enumerate(self.clauses):
            end = begin + len(clause.text)
            if index >= self.n_spoken and end > start_offset:
                skipped = max(0, start_offset - begin)
                is_middle = begin + skipped == start_offset
                commands.append(
                    Speak(
                        self.turn_id,
                        clause.text[skipped:],
                        clause.language_code,
                        start_offset=start_offset if is_middle else 0,
                        trace=self.notes.trace,
                    )
                )
            begin = end
        self.n_spoken = len(self.clauses)
        if self.clauses and self.speech is SpeechPhase.UNSENT:
            self.speech = SpeechPhase.SPEAKING
        if self.text is TextPhase.WRITTEN and self.speech is SpeechPhase.SPEAKING:
            self.speech = SpeechPhase.WHOLE
            commands.append(EndSpeech(self.turn_id))
        return commands

    def clause_at(self, offset: int) -> ReplyClause | None:
        """The clause that holds that code point of the reply."""
        end = 0
        for clause in self.clauses:
            end += len(clause.text)
            if offset < end:
                return clause
        return None


@dataclass(slots=True)
class Speculation:
    """The owner of the speculative reply, which answers a guess at the caller's turn and may be dropped."""

    reply: Reply | None = None
    words: tuple[str, ...] = ()  # that it answers
    made: int = 0  # in this turn of the caller's
    dropped: int = 0

    def answers(self, text: str) -> bool:
        """Return whether the speculative reply answers the same words."""
        return self.reply is not None and self.words == normalise(text)

    def make(self, reply: Reply, text: str) -> None:
        """There is a speculative reply now."""
        self.reply, self.words = reply, normalise(text)
        self.made += 1

    def take(self) -> Reply | None:
        """Take the speculative reply out, to be committed or dropped; None: there is none."""
        reply, self.reply = self.reply, None
        return reply

    def begin_turn(self) -> None:
        """Begin the caller's next turn, whose speculative replies are counted from 0."""
        self.made = self.dropped = 0
