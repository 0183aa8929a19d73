"""Has the caller finished? Judged from the words, what was expected, and how this caller pauses."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from services.language.words import normalise
from services.stt_proxy.conversation_context import log_odds_of_context, shifted
from services.stt_proxy.endings.model import ending_model_of
from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.grammar import Closure, grammar_of
from services.stt_proxy.phrasebook import Phrasebook
from services.stt_proxy.telephone import Dictated, dictated

REMEMBERED_PAUSES = 8
PAUSES_THAT_MAKE_A_HABIT = 2
HABIT_MARGIN_MS = 64
LONGEST_HABIT_WAIT_MS = 900
DICTATED_RUN = 2  # so many digits in a row, said one by one, are a number being dictated
SHORTEST_WHOLE_NUMBER = 7
TRUNK_PREFIX = "0"  # a number with it is dialled from anywhere in the country: it is not one of the short local ones
SHORTEST_WITH_PREFIX = 10
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
    CONCLUDED = "CONCLUDED"  # whole, and something says that no more comes: thanks, a question, a closing particle
    MAY_GO_ON = "MAY_GO_ON"  # it may be whole, and often more comes
    UNSURE = "UNSURE"  # whole by its words, but something else speaks against it: see Doubt
    NO_TEXT = "NO_TEXT"


_WHILE_UNKNOWN = {  # whoever gives a number pauses between its groups
    ExpectedKind.DIGITS: Reason.DIGITS_EXPECTED,
    ExpectedKind.SPELLING: Reason.SPELLING_EXPECTED,
}
LOOKS_WHOLE = frozenset((Reason.COMPLETE, Reason.CONCLUDED, Reason.YES_NO))

_PROBABILITIES = {
    Reason.COMPLETE: 0.85,
    Reason.UNFINISHED: 0.1,
    Reason.YES_NO: 0.95,
    Reason.DIGITS_COMPLETE: 0.95,
    Reason.DIGITS_EXPECTED: 0.15,
    Reason.SPELLING_COMPLETE: 0.95,
    Reason.SPELLING_EXPECTED: 0.15,
    Reason.CONCLUDED: 0.95,
    Reason.MAY_GO_ON: 0.5,
    Reason.UNSURE: 0.5,
    Reason.NO_TEXT: 0.3,
}

# From which probability of an end on, as the language's model sees it, a text ...
SURELY_OVER = 0.9  # ... is taken for whole whatever the caller's habit
OVER = 0.72  # ... is taken for whole
OVER_WHERE_CONCLUDED = 0.5  # ... is taken for whole where the patterns say so too
PERHAPS_OVER = 0.3  # ... may go on


@dataclass(frozen=True, slots=True)
class Waits:
    """Silence, in milliseconds of audio, that makes an end certain enough."""

    complete_ms: int = 224
    unfinished_ms: int = 1200
    no_text_ms: int = 700

    @property
    def half_way_ms(self) -> int:
        """Half way between a whole sentence and one that is not."""
        return (self.complete_ms + self.unfinished_ms) // 2

    @property
    def may_go_on_ms(self) -> int:
        """Longer than nearly all pauses in mid-sentence, where a sentence that is none may be one."""
        return (self.complete_ms + 2 * self.unfinished_ms) // 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely the turn is over (0 to 1), and the silence to wait for."""

    probability: float
    wait_ms: int
    reason: Reason


class PausingHabit:
    """How long this caller pauses before going on, in this call."""

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
        """The same for words that may go on: every pause tells."""
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
    reason = _plain_reason(text, phrasebook, hints)
    probability = None
    if reason is None:
        context = log_odds_of_context(text or "", phrasebook, hints, is_left_open=doubt.is_left_open)
        reason, probability = _by_ending(text or "", phrasebook, context)
    if reason in (Reason.COMPLETE, Reason.CONCLUDED) and doubt.is_reasonable:
        reason, probability = Reason.UNSURE, None
    if probability is None:
        probability = _PROBABILITIES[reason]
    return Judgement(probability, _wait_ms(reason, waits, habit), reason)


def _plain_reason(text: str | None, phrasebook: Phrasebook, hints: Hints) -> Reason | None:
    """What needs no weighing; None: the ending must be looked at."""
    if text is None or not text.strip():
        return _WHILE_UNKNOWN.get(hints.expected_kind, Reason.NO_TEXT) if text is None else Reason.NO_TEXT
    if hints.expected_kind is ExpectedKind.DIGITS and (digits := phrasebook.digits(text)):
        return _counted(digits, hints, phrasebook)
    if hints.expected_kind is ExpectedKind.SPELLING and (n_letters := phrasebook.n_letters(text)):
        is_whole = 0 < hints.expected_length <= n_letters
        return Reason.SPELLING_COMPLETE if is_whole else Reason.SPELLING_EXPECTED
    words = normalise(text)
    if hints.expected_kind is ExpectedKind.YES_NO and phrasebook.is_yes_or_no(words):
        return Reason.YES_NO
    if phrasebook.is_left_hanging(text) or phrasebook.trails_off(words):
        return Reason.UNFINISHED
    return _dictated(text, phrasebook, hints.region)


def _by_ending(text: str, phrasebook: Phrasebook, context: float) -> tuple[Reason, float | None]:
    """What the patterns of the language and its model make of it: one finds what is open, the other weighs the rest.
    With the model's probability of an end, where it was asked, to whose log odds `context` is added.
    """
    words = normalise(text)
    closure = grammar_of(phrasebook.language).closure(text)
    if closure is Closure.OPEN and not phrasebook.has_whole_ending(words):
        return Reason.UNFINISHED, None
    tokens = phrasebook.tokens(text)
    leads_on = phrasebook.leads_on(tokens)
    model = ending_model_of(phrasebook.language)
    if model is None:  # nothing was learnt: the lists of the language decide alone
        return (Reason.UNFINISHED if leads_on else Reason.COMPLETE), None
    probability = shifted(model.probability(tokens, leads_on=leads_on), context)
    is_answer = phrasebook.is_yes_or_no(words)
    is_concluded = closure is Closure.CONCLUDED or is_answer
    if probability >= SURELY_OVER or (is_concluded and probability >= OVER):
        return Reason.CONCLUDED, probability
    if probability >= (OVER_WHERE_CONCLUDED if is_concluded else OVER):
        return Reason.COMPLETE, probability
    return Reason.MAY_GO_ON if probability >= PERHAPS_OVER or is_answer else Reason.UNFINISHED, probability


def _dictated(text: str, phrasebook: Phrasebook, region: str) -> Reason | None:
    """What becomes of a number that is dictated although none was expected; None: none is."""
    digits = phrasebook.dictated_digits(text)
    if len(digits) < DICTATED_RUN:
        return None
    match _progress(digits, phrasebook, region):
        case Dictated.WHOLE:
            return Reason.DIGITS_COMPLETE
        case Dictated.PART:
            return Reason.DIGITS_EXPECTED
    return None


def _counted(digits: str, hints: Hints, phrasebook: Phrasebook) -> Reason:
    """What becomes of a number that was expected."""
    if hints.expected_length:
        is_whole = len(digits) >= hints.expected_length
    else:
        is_long_enough = len(digits) >= SHORTEST_WHOLE_NUMBER
        is_whole = is_long_enough and _progress(digits, phrasebook, hints.region) is Dictated.WHOLE
    return Reason.DIGITS_COMPLETE if is_whole else Reason.DIGITS_EXPECTED


def _progress(digits: str, phrasebook: Phrasebook, region: str) -> Dictated:
    """How far the number is, by the numbering plan of the region; where none is known, by the language's lengths."""
    if region:
        return dictated(digits, region)
    lengths = phrasebook.whole_number_lengths
    if digits.startswith(TRUNK_PREFIX) and len(digits) < SHORTEST_WITH_PREFIX:
        return Dictated.PART
    if len(digits) in lengths:
        return Dictated.WHOLE
    return Dictated.PART if len(digits) < max(lengths, default=0) else Dictated.NONE


def _wait_ms(reason: Reason, waits: Waits, habit: PausingHabit) -> int:
    longest_ms = max(waits.complete_ms, waits.unfinished_ms)
    match reason:
        case Reason.NO_TEXT:
            return waits.no_text_ms
        case Reason.UNFINISHED | Reason.DIGITS_EXPECTED | Reason.SPELLING_EXPECTED:
            return max(waits.unfinished_ms, habit.wait_ms)
        case Reason.UNSURE:
            return max(waits.half_way_ms, habit.wait_ms)
        case Reason.MAY_GO_ON:
            return min(max(waits.may_go_on_ms, habit.any_wait_ms), longest_ms)
        case Reason.COMPLETE:
            return min(max(waits.complete_ms, habit.wait_ms), longest_ms)
    return waits.complete_ms
