"""Short answers and questions back are whole where the conversation says so, and words that lead on are not."""

import pytest

from services.stt_proxy.end_of_turn.evidence import Doubt, Evidence
from services.stt_proxy.end_of_turn.judging import judge
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.phrasebook import phrasebook_of


def wait_ms(text: str, language: str, kind: ExpectedKind, doubt: Doubt = Doubt()) -> int:  # noqa: B008
    hints = Hints((language,), expected_kind=kind)
    return judge(Evidence(text, phrasebook_of(language), hints, doubt), Waits()).wait_ms


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Tuesday.", "en"), ("Thursday.", "en"), ("Anna.", "en"), ("Minh Tran.", "en"), ("No.", "en"), ("Yes.", "en"),
        ("Th\u1ee9 ba.", "vi"), ("Kh\u00f4ng.", "vi"), ("V\u00e2ng.", "vi"),
        ("\u0412\u0442\u043e\u0440\u043d\u0438\u043a.", "ru"), ("\u661f\u671f\u4e8c\u3002", "zh"),
    ],
)  # fmt: skip
def test_a_short_answer_to_a_question_waits_as_a_whole_turn(text: str, language: str) -> None:
    assert wait_ms(text, language, ExpectedKind.ANSWER) == Waits().complete_ms


@pytest.mark.parametrize("text", ["Hello?", "Sorry?", "What?", "Pardon?"])
def test_a_question_back_does_not_wait_as_if_more_came(text: str) -> None:
    assert wait_ms(text, "en", ExpectedKind.OPEN) == Waits().complete_ms


LONGEST_MS = 874  # the wait behind a lone yes that was not asked for
HALF_WAY_MS = 900  # words that may be all or a beginning


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("At half past nine", "en"), ("Doctor Brown", "en"), ("Friday afternoon", "en"), ("Any day.", "en"),
        ("Nguy\u1ec5n Th\u1ecb Minh Khai", "vi"), ("Ng\u00e0y m\u00f9ng n\u0103m th\u00e1ng n\u0103m.", "vi"),
        ("S\u00e1ng th\u1ee9 s\u00e1u tu\u1ea7n sau", "vi"),
        ("\u0412 \u043f\u044f\u0442\u043d\u0438\u0446\u0443", "ru"),
    ],
)  # fmt: skip
def test_an_answer_may_be_a_few_words_of_its_language(text: str, language: str) -> None:
    assert wait_ms(text, language, ExpectedKind.ANSWER) <= LONGEST_MS


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("pardon", "en"), ("sorry what", "en"), ("what was that", "en"), ("come again", "en"),
        ("can you hear me", "en"),
        ("g\u00ec c\u01a1", "vi"), ("nghe r\u00f5 kh\u00f4ng \u1ea1", "vi"), ("h\u1ea3", "vi"), ("sao", "vi"),
        ("\u043f\u0440\u043e\u0441\u0442\u0438\u0442\u0435", "ru"), ("\u4ec0\u4e48", "zh"),
    ],
)  # fmt: skip
def test_an_engine_that_writes_no_marks_tells_a_question_back_by_its_words(text: str, language: str) -> None:
    assert wait_ms(text, language, ExpectedKind.OPEN) == Waits().complete_ms


@pytest.mark.parametrize(("text", "language"), [("hello", "en"), ("alo", "vi"), ("sorry", "en")])
def test_words_that_ask_back_or_begin_a_sentence_wait_half_way(text: str, language: str) -> None:
    assert Waits().complete_ms < wait_ms(text, language, ExpectedKind.OPEN) <= HALF_WAY_MS


@pytest.mark.parametrize(("text", "language"), [("Yes?", "en"), ("D\u1ea1?", "vi"), ("Hello?!", "en")])
def test_a_yes_that_asks_is_over(text: str, language: str) -> None:
    assert wait_ms(text, language, ExpectedKind.OPEN) == Waits().complete_ms


@pytest.mark.parametrize("text", ["I need a", "my name is", "next Tuesday at", "and"])
def test_words_that_lead_on_wait_behind_a_question_too(text: str) -> None:
    assert wait_ms(text, "en", ExpectedKind.ANSWER) > Waits().no_text_ms


def test_what_the_engine_left_open_is_not_made_whole_by_a_question() -> None:
    left_open = Doubt(is_left_open=True)
    assert Waits().complete_ms < wait_ms("Tuesday", "en", ExpectedKind.ANSWER, left_open) <= LONGEST_MS


@pytest.mark.parametrize("text", ["Hello.", "Good morning."])
def test_a_greeting_answers_no_question(text: str) -> None:
    assert wait_ms(text, "en", ExpectedKind.ANSWER) == wait_ms(text, "en", ExpectedKind.OPEN)


def test_nothing_is_added_where_the_expected_answer_is_open() -> None:
    assert wait_ms("Anna.", "en", ExpectedKind.OPEN) > Waits().no_text_ms
