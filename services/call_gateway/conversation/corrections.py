"""Second thoughts of the ear: a better text of a past turn.

It changes history and record. It changes the answer too when it changes the meaning, comes at once, and the caller has
heard a word of the answer at most.
"""

from collections import deque
from dataclasses import dataclass

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.agent_turn import AgentTurn
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.commands import CallerSaid, CorrectTurn
from services.call_gateway.conversation.events import TextStage, TranscriptHeard
from services.call_gateway.conversation.history import History
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.turn import Floor, Move
from services.language.words import joined, normalise, word_ends

REMEMBERED_TURNS = 16


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """Which words made which turn."""

    turn_id: int
    end_sample: int
    utterance_id: int | None
    text: str  # of the utterance alone
    prefix: str  # of the turn it continued

    def is_of(self, event: TranscriptHeard) -> bool:
        """Whether the text is about its utterance."""
        if event.stage is TextStage.SETTLED:
            return event.end_sample == self.end_sample
        return event.utterance_id == self.utterance_id


class Corrections:
    """Knows which utterances made the last turns."""

    def __init__(self, state: CallState, agent: Agent, history: History) -> None:
        self._state = state
        self._agent = agent
        self._history = history
        self._turns: deque[SpokenTurn] = deque(maxlen=REMEMBERED_TURNS)

    def note_turn(self, turn: AgentTurn, end_sample: int, utterance_id: int | None, *, text: str, prefix: str) -> None:
        """A turn was taken."""
        self._turns.append(SpokenTurn(turn.turn_id, end_sample, utterance_id, text, prefix))

    def hear(self, event: TranscriptHeard) -> None:
        """A better text, or one that came too late to be the turn's."""
        spoken = next((turn for turn in reversed(self._turns) if turn.is_of(event)), None)
        words = normalise(event.text)
        if spoken is None or not words:
            self._state.refuse(event)
            return
        if words == normalise(spoken.text):
            return
        self._turns.remove(spoken)
        self._turns.append(
            SpokenTurn(spoken.turn_id, spoken.end_sample, spoken.utterance_id, event.text, spoken.prefix)
        )
        whole = joined(spoken.prefix, event.text)
        self._state.command(CorrectTurn(spoken.turn_id, whole))
        answer = self._agent.answer
        if answer is None or answer.turn_id != spoken.turn_id:
            self._history.correct(spoken.turn_id, whole)
        elif self._comes_at_once(answer):
            self._answer_anew(answer, whole)
        else:
            answer.notes.user_text = whole

    def _comes_at_once(self, answer: AgentTurn) -> bool:
        taken_at = answer.notes.taken_at
        return (
            self._state.floor in (Floor.THINKING, Floor.SPEAKING)
            and taken_at is not None
            and self._state.now - taken_at <= self._state.settings.recovery_window_ms / 1000
            and len(word_ends(self._agent.heard_text(answer))) <= 1
        )

    def _answer_anew(self, old: AgentTurn, text: str) -> None:
        notes = TurnNotes(
            user_text=text,
            end_reason="corrected",
            speech_end_sample=old.notes.speech_end_sample,
            spoke_last_at=old.notes.spoke_last_at,
        )
        self._agent.give_up_answer("continued", "corrected")
        self._state.move(Move.CALLER_INSISTED)
        self._state.move(Move.TURN_ENDED)
        self._agent.ask(CallerSaid(text), notes, continues_turn_id=old.turn_id)
