"""The context of one turn on its way through the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.nlu.agent.courtesies import user_text
from services.nlu.agent.graph.captures import Heard, SlotTaken
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.finding import Finding
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.interface import AgentTurn
from services.nlu.history import Entry
from services.nlu.inputs import Dtmf, Text
from services.nlu.tools.clinic.diary import Appointment


@dataclass(slots=True, eq=False)
class Work:
    """One turn on its way through the graph."""

    text: str
    language_code: str
    now: datetime
    dialogue: Dialogue
    before: Dialogue  # at the beginning of the turn
    tenant_id: str = ""
    caller: str = ""  # the number that calls; empty: not known
    history: Sequence[Entry] = ()
    free: Sequence[datetime] | None = None  # times that can be booked
    own: Sequence[Appointment] | None = None  # what stands for the number that calls
    looked_up: tuple[str, ...] = ()  # appointments of the caller's, as JSON
    all_parts: tuple[Part, ...] = ()
    parts: tuple[Part, ...] = ()  # that are still to be answered
    finding: Finding | None = None
    has_effect: bool = False  # something in the turn was answered, or taken up
    said: str = ""
    is_plain: bool = False
    objected: str = ""  # the guard's rule that an earlier reply to this turn broke
    confidence: float | None = None  # of the text, 0 to 1; None: not known
    heard: Heard = field(default_factory=lambda: Heard(""))
    taken: SlotTaken | None = None  # of a turn about a slot that is captured by the letter
    read_back: str = ""  # what is said again of it
    show: Callable[[], None] = lambda: None
    """Shows the bookings what this turn sees: another call's turn may lie between two nodes."""


def heard_of(turn: AgentTurn) -> Heard:
    """Return what was heard in a turn, for the captures."""
    if isinstance(turn.input, Dtmf):
        return Heard(turn.input.digits, is_keys=True)
    return Heard(words_of(turn), confidence=turn.input.confidence if isinstance(turn.input, Text) else None)


def words_of(turn: AgentTurn) -> str:
    """The words of the caller; pressed keys are digits that they say."""
    return turn.input.digits if isinstance(turn.input, Dtmf) else user_text(turn.input)
