"""A model's bare yes is stopped where the caller asked for what a text of the facts denies."""

import pytest

from tests.unit.nlu.test_guard_of_deeds import rule


@pytest.mark.parametrize(
    ("asked", "said", "code"),
    [
        ("Could our dog come along?", "Yes,", "en"),
        ("Are animals fine with you?", "Of course.", "en"),
        ("I'll have my puppy with me, is that fine?", "Sure.", "en"),
        ("Em dẫn con mèo theo được không?", "Dạ được ạ.", "vi"),
        ("Можно к вам с кошкой?", "Да, конечно.", "ru"),
    ],
)
def test_a_yes_to_what_is_denied_is_not_spoken(asked: str, said: str, code: str) -> None:
    assert rule(said, "hotel", code, caller=(asked,), is_written_by_model=True).startswith("affirmed_")


@pytest.mark.parametrize(
    ("asked", "said", "code"),
    [
        ("Can I have a small room?", "Yes,", "en"),
        ("Can I bring my own towel to breakfast?", "I'm sorry,", "en"),
        ("So you take no pets, is that right?", "Yes,", "en"),
        ("Bên mình có ăn sáng không?", "Dạ có ạ.", "vi"),
        ("Можно заказать трансфер?", "Да,", "ru"),
    ],
)
def test_another_yes_is(asked: str, said: str, code: str) -> None:
    assert rule(said, "hotel", code, caller=(asked,), is_written_by_model=True) == ""


@pytest.mark.parametrize(
    ("asked", "said", "is_by_model", "broken"),
    [
        ("Do you do airport transfers, and what's it cost for five of us?", "Yes,", False, ""),
        ("What's breakfast, and do you do airport transfers?", "Yes,", True, ""),
        ("Do you have a jacuzzi, and how hot is it?", "Yes,", True, "affirmed_thing"),
        ("I've a question about my invoice, can someone call me?", "Yes,", False, ""),
        ("I have a python, can I bring it?", "Yes,", True, "affirmed_thing"),
    ],
)
def test_a_yes_answers_the_half_that_asks_for_it(asked: str, said: str, is_by_model: bool, broken: str) -> None:
    assert rule(said, "hotel", "en", caller=(asked,), is_written_by_model=is_by_model) == broken


@pytest.mark.parametrize(
    ("asked", "code", "broken"),
    [
        ("Mười giờ trưa còn ở được không?", "vi", ""),
        ("Một giờ trưa còn ở được không?", "vi", "affirmed_time"),
        ("Can I stay until eleven?", "en", ""),
    ],
)
def test_a_time_before_the_end_that_a_text_gives_is_granted(asked: str, code: str, broken: str) -> None:
    said = {"vi": "Dạ được ạ,", "en": "Yes,"}[code]
    assert rule(said, "hotel", code, caller=(asked,), is_written_by_model=True) == broken


def test_a_template_takes_note_of_a_deed_that_is_asked_for_as_a_question() -> None:
    given = {"language": "vi", "caller": ("Em gọi lại cho chị sau được không?",)}
    assert rule("Dạ vâng ạ.", **given) == ""
    assert rule("Dạ vâng ạ.", **given, is_written_by_model=True) == "affirmed_promise"
