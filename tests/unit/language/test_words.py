"""Words in any script."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.words import has_words, joined, normalise, without_marks, word_ends


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("Sure, of course.", [4, 8, 15]),
        ("don't stop", [5, 10]),
        ("at 9:30, 3.50 each", [2, 4, 7, 13, 18]),
        ("Dạ, em nghe ạ.", [2, 6, 11, 13]),
        ("我听到了。", [1, 2, 3, 4]),
        ("Да, конечно!", [2, 11]),
        ("Kho\u0302ng a\u0323.", [6, 9]),  # letters in parts
        ("за\u0301мок", [6]),
        ("สวัสดี ครับ", [6, 11]),
        ("か\u3099", [2]),
        ("5🙂6", [1, 3]),
        ("9" * 40, [40]),
        ("9-1-1, 1.2.3.4", [5, 14]),
        ("Tôi有5点", [3, 4, 5, 6]),
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
        ("I don‘t, I donʼt, I don´t, I don`t", "i don't i don't i don't i don't"),
        ("за\u0301мок", "замок"),  # a stress mark
        ("co\u00adoperate", "cooperate"),
        ("İ", "i"),
        ("5️⃣6️⃣", "5 6"),
        ("5🙂6", "5 6"),
        ("か\u3099", "が"),
        ("Tôi có5点", "tôi có5 点"),
    ],
)
def test_punctuation_case_and_composition_do_not_change_the_meaning(one: str, other: str):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(("one", "other"), [("yes", "no"), ("five", "five o'clock"), ("", "a"), ("bán", "bạn")])
def test_other_words_change_it(one: str, other: str):
    assert normalise(one) != normalise(other)


@given(st.text())
def test_words_are_the_same_in_every_form_of_unicode_and_normal_already(text: str):
    words = normalise(text)
    assert normalise(" ".join(words)) == words
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))
    assert all(words)


@given(st.text())
def test_ends_of_words_rise_within_the_text(text: str):
    ends = word_ends(text)
    assert ends == sorted(set(ends))
    assert all(0 < end <= len(text) for end in ends)
    assert has_words(text) == bool(ends)


def test_a_long_text_is_read_in_time_that_grows_with_it():
    began = time.perf_counter()
    normalise("a\u0301" * 50_000 + "'" * 50_000 + "1." * 50_000)
    word_ends("1." * 50_000 + "-" * 50_000)
    assert time.perf_counter() - began < 2


def test_texts_are_joined_by_one_space():
    assert joined("I would like ", " an appointment") == "I would like an appointment"
    assert joined("", "an appointment") == "an appointment"


@pytest.mark.parametrize(
    ("text", "plain"),
    [("đặng", "dang"), ("Łódź", "Lodz"), ("Søren", "Soren"), ("ёлка", "елка"), ("好", "好"), ("5→6", "5→6"), ("", "")],
)
def test_letters_lose_accents_hooks_and_strokes(text: str, plain: str):
    assert without_marks(text) == plain
