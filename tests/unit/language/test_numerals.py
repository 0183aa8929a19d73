"""Numbers read from words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.language.numerals import find_numbers, read_number
from services.language.reading import general, numbers_english, numbers_vietnamese
from services.language.reading.rule import words_of

CARDINALS = {
    "en": numbers_english.cardinal,
    "vi": numbers_vietnamese.cardinal,
    "ru": general.Numbers("ru", words_of("ru")).cardinal,
    "zh": general.Numbers("zh", words_of("zh")).cardinal,
}


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("en", "twenty-one", 21),
        ("en", "one hundred and five", 105),
        ("en", "three hundred fifty thousand", 350_000),
        ("vi", "ba trăm năm mươi nghìn", 350_000),
        ("vi", "ba trăm năm mươi ngàn", 350_000),
        ("vi", "hai mươi mốt", 21),
        ("vi", "mười lăm", 15),
        ("vi", "một trăm linh năm", 105),
        ("vi", "một trăm lẻ năm", 105),
        ("vi", "hai nghìn không trăm hai mươi sáu", 2026),
        ("vi", "một triệu rưỡi", 1_500_000),
        ("ru", "двадцать один", 21),
        ("ru", "две тысячи двадцать шесть", 2026),
        ("zh", "三百五十", 350),
        ("zh", "十五", 15),
        ("zh", "一百零五", 105),
        ("zh", "一万二千", 12_000),
        ("en", "350", 350),
    ],
)
def test_a_number_is_read(language: str, text: str, value: int) -> None:
    assert read_number(text, language) == value


@pytest.mark.parametrize(
    ("language", "text", "values"),
    [
        ("en", "it is five five five, zero one", [5, 5, 5, 0, 1]),
        ("en", "two rooms for twenty people", [2, 20]),
        ("vi", "không chín một hai", [0, 9, 1, 2]),
        ("vi", "từ tám giờ đến mười bảy giờ ba mươi", [8, 17, 30]),
        ("ru", "восемь восемьсот пять", [8, 805]),
        ("en", "no number here", []),
        ("en", "9" * 40, [int("9" * 40)]),
    ],
)
def test_the_numbers_of_a_text_are_found_in_order(language: str, text: str, values: list[int]) -> None:
    assert [found.value for found in find_numbers(text, language)] == values


@settings(max_examples=500)
@given(number=st.integers(0, 999_999), language=st.sampled_from(sorted(CARDINALS)))
def test_what_is_written_in_words_is_read_back(number: int, language: str) -> None:
    assert read_number(CARDINALS[language](number), language) == number
