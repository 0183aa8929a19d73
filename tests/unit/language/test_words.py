"""Words in any script."""

import pytest

from services.language.words import joined, normalise, word_ends


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("Sure, of course.", [4, 8, 15]),
        ("don't stop", [5, 10]),
        ("at 9:30, 3.50 each", [2, 4, 7, 13, 18]),
        ("Dạ, em nghe ạ.", [2, 6, 11, 13]),
        ("我听到了。", [1, 2, 3, 4]),
        ("Да, конечно!", [2, 11]),
        ("… — !", []),
        ("", []),
    ],
)
def test_a_word_ends_after_its_last_letter(text: str, ends: list[int]):
    assert word_ends(text) == ends


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello, agent!", "hello agent"),
        ("I don’t know", "i don't know"),
        ("Không ạ.", "không ạ"),
        ("Kho\u0302ng a\u0323", "Không ạ"),  # letters in parts mean the same
        ("ＡＢＣ", "abc"),
        ("好的。", "好的"),
    ],
)
def test_punctuation_case_and_composition_do_not_change_the_meaning(one: str, other: str):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(("one", "other"), [("yes", "no"), ("five", "five o'clock"), ("", "a"), ("bán", "bạn")])
def test_other_words_change_it(one: str, other: str):
    assert normalise(one) != normalise(other)


def test_texts_are_joined_by_one_space():
    assert joined("I would like ", " an appointment") == "I would like an appointment"
    assert joined("", "an appointment") == "an appointment"
