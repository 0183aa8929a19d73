"""One turn of the agent: what was asked, what it said so far, and what is still owed."""

from dataclasses import dataclass, field

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


@dataclass(slots=True)
class AgentTurn:
    """A committed turn, or a draft of one."""

    turn_id: int
    input: TurnInput
    language_code: str
    voice: Voice
    notes: TurnNotes
    is_draft: bool = False
    continues_turn_id: int = 0
    is_asked: bool = False  # on the NLU stream that is in use
    clauses: list[ReplyClause] = field(default_factory=list)
    n_spoken: int = 0  # clauses given to the TTS stage
    is_speech_ended: bool = False  # and that there are no more
    has_reply_ended: bool = False
    has_voice_ended: bool = False
    actions: list[ActionAsked] = field(default_factory=list)  # to be done once the reply is heard
    expected: InputExpected | None = None
    retries: int = 0
    heard_before: str = ""  # of a reply that broke off and was begun again
    waits_since: float = 0.0  # from when on the stages are waited for, in seconds
    silent_since: float = 0.0  # since when nobody has made a sound, in seconds

    @property
    def user_text(self) -> str:
        return self.notes.user_text

    @property
    def is_greeting(self) -> bool:
        return isinstance(self.input, CallOpened)

    @property
    def is_speech(self) -> bool:
        """The caller said it, so that they can go on saying it."""
        return isinstance(self.input, CallerSaid)

    def ask(self, *, provisional_playout: ReportPlayout | None = None) -> AskAgent:
        """The command that begins it."""
        return AskAgent(
            self.turn_id,
            self.input,
            language_code=self.language_code,
            is_draft=self.is_draft,
            continues_turn_id=self.continues_turn_id,
            provisional_playout=provisional_playout,
            trace=self.notes.trace,
        )

    def speak_rest(self, *, start_offset: int = 0) -> list[Speak | EndSpeech]:
        """The commands that give the voice what it has not been given. `start_offset`: where in the reply a fresh
        stream goes on.
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
        if self.has_reply_ended and self.clauses and not self.is_speech_ended:
            self.is_speech_ended = True
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
