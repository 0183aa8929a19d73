"""Rules for ends of turns that need no prediction: digits and letters are counted, and a yes or no is known."""

from enum import Enum

from services.language.words import normalise
from services.stt_proxy.end_of_turn.evidence import Evidence, Reason
from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.phrasebook import Phrasebook
from services.stt_proxy.telephone import Dictated, dictated

DICTATED_RUN = 2  # so many digits in a row, said one by one, are a number being dictated
SHORTEST_WHOLE_NUMBER = 7
TRUNK_PREFIX = "0"  # a number with it is dialled from anywhere in the country: it is not one of the short local ones
SHORTEST_WITH_PREFIX = 10

_WHILE_UNKNOWN = {  # callers who give a number pause between its groups
    ExpectedKind.DIGITS: Reason.DIGITS_EXPECTED,
    ExpectedKind.SPELLING: Reason.SPELLING_EXPECTED,
}
_AFTER_YES_OR_NO = {
    ExpectedKind.YES_NO: Reason.YES_NO,
    ExpectedKind.ANSWER: Reason.YES_NO,  # a question was asked, and this answers it
    ExpectedKind.OPEN: Reason.MAY_GO_ON,  # no question was asked
}


class Certainty(Enum):
    """Probabilities of an end for what was counted and for words that are not known."""

    WHOLE = 0.95
    EVEN = 0.5  # a yes or no without a question: as often as not more follows
    PART = 0.1
    UNKNOWN = 0.3


CERTAINTIES = {
    Reason.YES_NO: Certainty.WHOLE,
    Reason.DIGITS_COMPLETE: Certainty.WHOLE,
    Reason.SPELLING_COMPLETE: Certainty.WHOLE,
    Reason.DIGITS_EXPECTED: Certainty.PART,
    Reason.SPELLING_EXPECTED: Certainty.PART,
    Reason.MAY_GO_ON: Certainty.EVEN,
    Reason.NO_TEXT: Certainty.UNKNOWN,
}


def counted(evidence: Evidence) -> Reason | None:
    """Return the reason for what can be counted, or for words that are not known; None: the end has to be predicted."""
    text, phrasebook, hints = evidence.text, evidence.phrasebook, evidence.hints
    if text is None or not text.strip():
        return _WHILE_UNKNOWN.get(hints.expected_kind, Reason.NO_TEXT) if text is None else Reason.NO_TEXT
    if hints.expected_kind is ExpectedKind.DIGITS and (digits := phrasebook.digits(text)):
        return _expected_digits(digits, hints, phrasebook)
    if hints.expected_kind is ExpectedKind.SPELLING and (n_letters := phrasebook.n_letters(text)):
        is_whole = 0 < hints.expected_length <= n_letters
        return Reason.SPELLING_COMPLETE if is_whole else Reason.SPELLING_EXPECTED
    if phrasebook.is_yes_or_no(normalise(text)) and hints.expected_kind in _AFTER_YES_OR_NO:
        reason = _AFTER_YES_OR_NO[hints.expected_kind]
        if reason is Reason.YES_NO or not phrasebook.is_question(text):  # "Yes?" asks what the other wants
            return reason
    if phrasebook.is_left_hanging(text):
        return None  # "four one five," is a part by its comma
    return _dictated(text, phrasebook, hints.region)


def _dictated(text: str, phrasebook: Phrasebook, region: str) -> Reason | None:
    """Return the reason for a number that is dictated although none was expected; None: no number is dictated."""
    digits = phrasebook.dictated_digits(text)
    if len(digits) < DICTATED_RUN:
        return None
    match _progress(digits, phrasebook, region):
        case Dictated.WHOLE:
            return Reason.DIGITS_COMPLETE
        case Dictated.PART:
            return Reason.DIGITS_EXPECTED
    return None


def _expected_digits(digits: str, hints: Hints, phrasebook: Phrasebook) -> Reason:
    """Return the reason for a number that was expected."""
    if hints.expected_length:
        is_whole = len(digits) >= hints.expected_length
    else:
        is_long_enough = len(digits) >= SHORTEST_WHOLE_NUMBER
        is_whole = is_long_enough and _progress(digits, phrasebook, hints.region) is Dictated.WHOLE
    return Reason.DIGITS_COMPLETE if is_whole else Reason.DIGITS_EXPECTED


def _progress(digits: str, phrasebook: Phrasebook, region: str) -> Dictated:
    """Return how complete the number is, by the numbering plan of the region or, without one, by the language's
    lengths.
    """
    if region:
        return dictated(digits, region)
    lengths = phrasebook.whole_number_lengths
    if digits.startswith(TRUNK_PREFIX) and len(digits) < SHORTEST_WITH_PREFIX:
        return Dictated.PART
    if len(digits) in lengths:
        return Dictated.WHOLE
    return Dictated.PART if len(digits) < max(lengths, default=0) else Dictated.NONE
