"""Has the caller finished? Judged from the words, what was expected, and how this caller pauses."""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.phrasebook import Phrasebook, normalise

REMEMBERED_PAUSES = 8
PAUSES_THAT_MAKE_A_HABIT = 2
HABIT_MARGIN_MS = 64
LONGEST_HABIT_WAIT_MS = 900
DICTATED_RUN = 3  # so many digits in a row, said one by one, are a number being dictated
SHORTEST_WHOLE_NUMBER = 7
SOUNDS_UNFINISHED = 0.3
UNCERTAIN_WORDS = 0.76  # Whisper's score: half of the sentences it hears broken off lie below, a seventh of whole ones


class Reason(Enum):
    """Why a wait is what it is; the names go out as they stand."""

    COMPLETE = "COMPLETE"
    UNFINISHED = "UNFINISHED"
    YES_NO = "YES_NO"
    DIGITS_COMPLETE = "DIGITS_COMPLETE"
    DIGITS_EXPECTED = "DIGITS_EXPECTED"
    SPELLING_COMPLETE = "SPELLING_COMPLETE"
    SPELLING_EXPECTED = "SPELLING_EXPECTED"
    UNSURE = "UNSURE"  # whole by its words, but something else speaks against it: see Doubt
    NO_TEXT = "NO_TEXT"


_PROBABILITIES = {
    Reason.COMPLETE: 0.85,
    Reason.UNFINISHED: 0.1,
    Reason.YES_NO: 0.95,
    Reason.DIGITS_COMPLETE: 0.95,
    Reason.DIGITS_EXPECTED: 0.15,
    Reason.SPELLING_COMPLETE: 0.95,
    Reason.SPELLING_EXPECTED: 0.15,
    Reason.UNSURE: 0.5,
    Reason.NO_TEXT: 0.3,
}


@dataclass(frozen=True, slots=True)
class Waits:
    """Silence, in milliseconds of audio, that makes an end certain enough."""

    complete_ms: int = 224
    unfinished_ms: int = 1200
    no_text_ms: int = 700

    @property
    def unsure_ms(self) -> int:
        """Half way between a whole sentence and one that is not."""
        return (self.complete_ms + self.unfinished_ms) // 2


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely the turn is over (0 to 1), and the silence to wait for."""

    probability: float
    wait_ms: int
    reason: Reason


class PausingHabit:
    """The pauses after which this caller went on although their words looked whole: only those fool a text."""

    def __init__(self) -> None:
        self._pauses_ms: deque[int] = deque(maxlen=REMEMBERED_PAUSES)

    def note(self, pause_ms: int) -> None:
        """The caller paused so long and went on."""
        self._pauses_ms.append(pause_ms)

    @property
    def wait_ms(self) -> int:
        """The silence that is longer than all but the longest fifth of those pauses; 0 while there is no habit."""
        if len(self._pauses_ms) < PAUSES_THAT_MAKE_A_HABIT:
            return 0
        ordered = sorted(self._pauses_ms)
        usual = ordered[(len(ordered) * 4) // 5 if len(ordered) > 4 else len(ordered) - 1]
        return min(usual + HABIT_MARGIN_MS, LONGEST_HABIT_WAIT_MS)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What else than the words speaks about the end."""

    is_left_open: bool = False  # the engine writes punctuation and closed the sentence with none
    confidence: float | None = None  # 0 to 1, of the words; None: the engine does not say
    sounds_over: float | None = None  # 0 to 1, by the voice; None: nobody judged it

    @property
    def is_reasonable(self) -> bool:
        """Whether a whole sentence should be doubted."""
        if self.confidence is not None and self.confidence < UNCERTAIN_WORDS:
            return True
        return self.is_left_open or (self.sounds_over is not None and self.sounds_over < SOUNDS_UNFINISHED)


NO_DOUBT = Doubt()


def judge(
    text: str | None,
    phrasebook: Phrasebook,
    hints: Hints,
    waits: Waits,
    habit: PausingHabit,
    *,
    doubt: Doubt = NO_DOUBT,
) -> Judgement:
    """Weigh the evidence. `text` is None while it is not known, empty when there were no words."""
    reason = _reason(text, phrasebook, hints)
    if reason is Reason.COMPLETE and doubt.is_reasonable:
        reason = Reason.UNSURE
    return Judgement(_PROBABILITIES[reason], _wait_ms(reason, hints, waits, habit), reason)


def _reason(text: str | None, phrasebook: Phrasebook, hints: Hints) -> Reason:  # noqa: PLR0911 - one rule a line
    if not text or not text.strip():
        return Reason.NO_TEXT
    if hints.expected_kind is ExpectedKind.DIGITS and (digits := phrasebook.digits(text)):
        return _counted(len(digits), hints.expected_length, phrasebook, Reason.DIGITS_COMPLETE, Reason.DIGITS_EXPECTED)
    if hints.expected_kind is ExpectedKind.SPELLING and (n_letters := phrasebook.n_letters(text)):
        is_whole = 0 < hints.expected_length <= n_letters
        return Reason.SPELLING_COMPLETE if is_whole else Reason.SPELLING_EXPECTED
    words = normalise(text)
    if phrasebook.is_yes_or_no(words):
        return Reason.YES_NO
    if phrasebook.is_unfinished(text, words):
        return Reason.UNFINISHED
    dictated = phrasebook.dictated_digits(text)
    if len(dictated) >= DICTATED_RUN:
        if len(dictated) in phrasebook.whole_number_lengths:
            return Reason.DIGITS_COMPLETE
        if len(dictated) < max(phrasebook.whole_number_lengths, default=0):
            return Reason.DIGITS_EXPECTED
    return Reason.COMPLETE


def _counted(n_digits: int, length: int, phrasebook: Phrasebook, whole: Reason, part: Reason) -> Reason:
    if length:
        return whole if n_digits >= length else part
    is_whole = n_digits in phrasebook.whole_number_lengths and n_digits >= SHORTEST_WHOLE_NUMBER
    return whole if is_whole else part


def _wait_ms(reason: Reason, hints: Hints, waits: Waits, habit: PausingHabit) -> int:
    match reason:
        case Reason.NO_TEXT:
            return waits.no_text_ms
        case Reason.UNFINISHED | Reason.DIGITS_EXPECTED | Reason.SPELLING_EXPECTED:
            return max(waits.unfinished_ms, habit.wait_ms)
        case Reason.UNSURE:
            return max(waits.unsure_ms, habit.wait_ms)
        case Reason.DIGITS_COMPLETE | Reason.SPELLING_COMPLETE:
            return waits.complete_ms
        case Reason.YES_NO if hints.expected_kind is ExpectedKind.YES_NO:
            return waits.complete_ms
        case _:
            return min(max(waits.complete_ms, habit.wait_ms), max(waits.complete_ms, waits.unfinished_ms))
