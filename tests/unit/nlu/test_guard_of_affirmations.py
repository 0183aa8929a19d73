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
