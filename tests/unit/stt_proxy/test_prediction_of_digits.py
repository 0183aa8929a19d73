"""Turns that hold numbers or spelled letters: the wait for their end."""

import pytest

from services.stt_proxy.end_of_turn.evidence import Reason
from services.stt_proxy.engine import ExpectedKind, Hints
from tests.unit.stt_proxy.judged_texts import OPEN, WAITS, expecting, judged


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(ExpectedKind.DIGITS, Reason.DIGITS_EXPECTED), (ExpectedKind.SPELLING, Reason.SPELLING_EXPECTED)],
)
def test_until_the_words_of_an_expected_number_are_known_the_wait_is_that_of_a_group(kind, reason):
    unknown = judged(None, hints=expecting(kind))
    assert (unknown.reason, unknown.wait_ms) == (reason, 1200)
    assert judged("", hints=expecting(kind)).reason is Reason.NO_TEXT


@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("en", "four one five", Reason.DIGITS_EXPECTED),
        ("en", "four one five, two six seven", Reason.DIGITS_COMPLETE),
        ("en", "415-267", Reason.DIGITS_COMPLETE),
        ("en", "double five, triple two, one", Reason.DIGITS_COMPLETE),
        ("en", "forty two, sixteen, thirty", Reason.DIGITS_COMPLETE),
        ("vi", "không chín một hai ba bốn", Reason.DIGITS_COMPLETE),
        ("vi", "không chín một", Reason.DIGITS_EXPECTED),
        ("ru", "двадцать один, ноль пять, сорок", Reason.DIGITS_COMPLETE),
        ("zh", "一三八二零幺", Reason.DIGITS_COMPLETE),
        ("zh", "一三八", Reason.DIGITS_EXPECTED),
    ],
)
def test_expected_digits_are_counted_in_words_and_numerals(language, text, reason):
    assert judged(text, language, expecting(ExpectedKind.DIGITS, 6)).reason is reason


def test_missing_digits_are_waited_for():
    assert judged("four one five", hints=expecting(ExpectedKind.DIGITS, 6)).wait_ms == 1200


def test_an_answer_without_digits_is_judged_as_any_other():
    text = "I don't have it with me."
    assert judged(text, hints=expecting(ExpectedKind.DIGITS, 6)) == judged(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("My number is four one five five five five", Reason.DIGITS_EXPECTED),
        ("My number is 415 555 0134", Reason.DIGITS_COMPLETE),
        ("It is 415.", Reason.DIGITS_EXPECTED),
        ("The code is nine three", Reason.DIGITS_EXPECTED),
    ],
)
def test_a_number_being_dictated_is_noticed_without_being_expected(text, reason):
    assert judged(text).reason is reason


IN_VIETNAM = Hints(region="VN")


@pytest.mark.parametrize("hints", [OPEN, IN_VIETNAM, Hints(expected_kind=ExpectedKind.DIGITS)])
@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("en", "0912", Reason.DIGITS_EXPECTED),
        ("en", "It's 0 912-345", Reason.DIGITS_EXPECTED),
        ("en", "0 912-345", Reason.DIGITS_EXPECTED),
        ("en", "It's 0912 345.", Reason.DIGITS_EXPECTED),
        ("en", "It's 0 912-345-678.", Reason.DIGITS_COMPLETE),
        ("en", "zero nine one two, three four five", Reason.DIGITS_EXPECTED),
        ("en", "zero nine one two, three four five, six seven eight", Reason.DIGITS_COMPLETE),
        ("vi", "không chín một hai ba bốn năm", Reason.DIGITS_EXPECTED),
        ("vi", "không chín một hai ba bốn năm sáu bảy tám", Reason.DIGITS_COMPLETE),
    ],
)
def test_a_number_given_in_groups_is_waited_for_to_its_end(language, text, reason, hints):
    judgement = judged(text, language, hints)
    assert judgement.reason is reason
    assert judgement.wait_ms == (1200 if reason is Reason.DIGITS_EXPECTED else WAITS.complete_ms)


@pytest.mark.parametrize(
    ("region", "text", "reason"),
    [
        ("VN", "It's 5 5 5 1 2 3 4", Reason.DIGITS_EXPECTED),
        ("VN", "84 912 345 678", Reason.DIGITS_COMPLETE),
        ("VN", "028 3823 4567", Reason.DIGITS_COMPLETE),
        ("VN", "028 3823 456", Reason.DIGITS_EXPECTED),
        ("VN", "1900 1234", Reason.DIGITS_EXPECTED),
        ("VN", "1900 123 456", Reason.DIGITS_COMPLETE),
        ("US", "415 555", Reason.DIGITS_EXPECTED),
        ("US", "415 555 2671", Reason.DIGITS_COMPLETE),
        ("US", "555 234 5678", Reason.DIGITS_COMPLETE),
        ("RU", "8 912 345 67 89", Reason.DIGITS_COMPLETE),
        ("RU", "8 912 345 67", Reason.DIGITS_EXPECTED),
        ("CN", "138 1234 5678", Reason.DIGITS_COMPLETE),
        ("CN", "138 1234", Reason.DIGITS_EXPECTED),
    ],
)
def test_a_number_is_whole_by_the_plan_of_its_region(region, text, reason):
    assert judged(text, hints=Hints(region=region)).reason is reason
    assert judged(text, hints=Hints(expected_kind=ExpectedKind.DIGITS, region=region)).reason is reason


@pytest.mark.parametrize(
    "text",
    [
        "I am in room 415.",
        "I came in at ten",
        "I will come at nine thirty",
        "I was born in nineteen eighty five",
        "It was in 2019.",
        "Is it 5 5 5?",
    ],
)
def test_a_number_in_a_sentence_is_not_dictated(text):
    assert judged(text).reason not in (Reason.DIGITS_EXPECTED, Reason.DIGITS_COMPLETE)
    assert judged(text, hints=IN_VIETNAM) == judged(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("S, M, I", Reason.SPELLING_EXPECTED),
        ("S-M-I-T-H", Reason.SPELLING_COMPLETE),
        ("sierra mike india tango hotel", Reason.SPELLING_COMPLETE),
    ],
)
def test_expected_letters_are_counted(text, reason):
    assert judged(text, hints=expecting(ExpectedKind.SPELLING, 5)).reason is reason


def test_spelling_of_unknown_length_waits():
    assert judged("S M I T H", hints=expecting(ExpectedKind.SPELLING)).reason is Reason.SPELLING_EXPECTED
