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


@pytest.mark.parametrize("text", ["I need a", "my name is", "next Tuesday at", "and"])
def test_words_that_lead_on_wait_behind_a_question_too(text: str) -> None:
    assert wait_ms(text, "en", ExpectedKind.ANSWER) > Waits().no_text_ms


def test_what_the_engine_left_open_is_not_made_whole_by_a_question() -> None:
    left_open = Doubt(is_left_open=True)
    assert wait_ms("Tuesday", "en", ExpectedKind.ANSWER, left_open) > Waits().complete_ms


@pytest.mark.parametrize("text", ["Hello.", "Good morning."])
def test_a_greeting_answers_no_question(text: str) -> None:
    assert wait_ms(text, "en", ExpectedKind.ANSWER) == wait_ms(text, "en", ExpectedKind.OPEN)


def test_nothing_is_added_where_nobody_asked() -> None:
    assert wait_ms("Anna.", "en", ExpectedKind.OPEN) > Waits().no_text_ms
