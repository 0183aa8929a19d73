"""Evidence on one pause of the caller, and the judgement on it."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum

from services.stt_proxy.engine import Hints
from services.stt_proxy.phrasebook import Phrasebook

REMEMBERED_PAUSES = 8
PAUSES_THAT_MAKE_A_HABIT = 2
HABIT_MARGIN_MS = 64
LONGEST_HABIT_WAIT_MS = 900


class Reason(Enum):
    """Reason of a wait. The names are those of the wire (protos/README.md)."""

    COMPLETE = "COMPLETE"  # an end is likely
    CONCLUDED = "CONCLUDED"  # so likely that the caller's habit does not count
    MAY_GO_ON = "MAY_GO_ON"  # it may be whole, and often more comes
    UNSURE = "UNSURE"  # the same, where the words alone would be whole and something else speaks against it
    UNFINISHED = "UNFINISHED"  # an end is unlikely
    YES_NO = "YES_NO"
    DIGITS_COMPLETE = "DIGITS_COMPLETE"
    DIGITS_EXPECTED = "DIGITS_EXPECTED"
    SPELLING_COMPLETE = "SPELLING_COMPLETE"
    SPELLING_EXPECTED = "SPELLING_EXPECTED"
    NO_TEXT = "NO_TEXT"
    TOO_LONG = "TOO_LONG"  # the caller speaks on, and no more of one utterance is kept


LOOKS_WHOLE = frozenset((Reason.COMPLETE, Reason.CONCLUDED, Reason.YES_NO))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The probability that the turn is over (0 to 1), and the silence to wait for."""

    probability: float
    wait_ms: int
    reason: Reason


class PausingHabit:
    """Durations of this caller's pauses within turns, in this call."""

    def __init__(self) -> None:
        self._all_ms: deque[int] = deque(maxlen=REMEMBERED_PAUSES)
        self._behind_whole_ms: deque[int] = deque(maxlen=REMEMBERED_PAUSES)

    def note(self, pause_ms: int, *, is_behind_whole: bool) -> None:
        """The caller paused so long and went on. `is_behind_whole`: although the words looked whole."""
        self._all_ms.append(pause_ms)
        if is_behind_whole:
            self._behind_whole_ms.append(pause_ms)

    @property
    def wait_ms(self) -> int:
        """Silence for words that look whole: pauses behind such alone fool a text; 0 while there is no habit."""
        return _usual_ms(self._behind_whole_ms)

    @property
    def any_wait_ms(self) -> int:
        """Silence for words that may go on, from all pauses; 0 while there is no habit."""
        return _usual_ms(self._all_ms)


def _usual_ms(pauses_ms: Collection[int]) -> int:
    """The silence that is longer than all but the longest fifth of the pauses."""
    if len(pauses_ms) < PAUSES_THAT_MAKE_A_HABIT:
        return 0
    ordered = sorted(pauses_ms)
    usual = ordered[(len(ordered) * 4) // 5 if len(ordered) > 4 else len(ordered) - 1]
    return min(usual + HABIT_MARGIN_MS, LONGEST_HABIT_WAIT_MS)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Evidence beside the words."""

    is_left_open: bool = False  # the engine writes punctuation and closed the sentence with none
    confidence: float | None = None  # 0 to 1, of the words; None: the engine does not say
    sounds_over: float | None = None  # 0 to 1, by the voice; None: the voice was not judged


NO_DOUBT = Doubt()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All evidence by which one pause is judged."""

    text: str | None  # of the utterance so far; None while it is not known, empty when there were no words
    phrasebook: Phrasebook  # of the language the text is in
    hints: Hints = field(default_factory=Hints)  # what the agent asked and what it expects
    doubt: Doubt = NO_DOUBT
    habit: PausingHabit = field(default_factory=PausingHabit)  # of this caller
