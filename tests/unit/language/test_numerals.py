"""Numbers read from words."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unicode_rbnf import RbnfEngine

from services.language.numerals import find_numbers, read_number
from services.language.reading.numbers import Numbers
from services.language.reading.numbers_vietnamese import VietnameseNumbers
from services.language.reading.reading_words import words_of
from services.language.value import Kind
from services.language.values import read_values
from services.language.words import normalise

CARDINALS = {
    "en": Numbers("en", words_of("en")).cardinal,
    "vi": VietnameseNumbers(words_of("vi")).cardinal,
    "ru": Numbers("ru", words_of("ru")).cardinal,
    "zh": Numbers("zh", words_of("zh")).cardinal,
}
RBNF = {language: RbnfEngine.for_language(language) for language in CARDINALS}


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
        ("en", "a hundred", 100),
        ("en", "twelve hundred", 1200),
        ("en", "350 thousand", 350_000),
        ("en", "350,000", 350_000),
        ("en", "3.5 million", 3_500_000),
        ("vi", "5 trăm nghìn", 500_000),
        ("vi", "1,5 triệu", 1_500_000),
        ("vi", "350.000", 350_000),
        ("vi", "hai lăm", 25),
        ("vi", "hai chục", 20),
        ("vi", "trăm rưỡi", 150),
        ("vi", "một triệu hai", 1_200_000),
        ("vi", "một triệu mốt", 1_100_000),
        ("vi", "không", 0),
        ("vi", "BA TRA\u0306M", 300),  # letters in parts
        ("ru", "15 тысяч", 15_000),
        ("ru", "тысяча двести", 1200),
        ("ru", "полторы тысячи", 1500),
        ("ru", "двадцати одного", 21),
        ("zh", "三百五", 350),
        ("zh", "3万", 30_000),
        ("zh", "一万二", 12_000),
        ("zh", "两千万", 20_000_000),
        ("zh", "一亿四千六百三十三万四千六百七十二", 146_334_672),
        ("zh", "1万2千", 12_000),
        ("zh", "2万5", 25_000),
        ("zh", "三点五万", 35_000),
        ("vi", "hai triệu ba trăm", 2_300_000),
        ("vi", "hai triệu ba trăm năm mươi", 2_350_000),
        ("vi", "hai triệu không nghìn ba trăm", 2_000_300),
        ("vi", "hai phẩy năm triệu", 2_500_000),
        ("vi", "ba phẩy mười bốn triệu", 3_140_000),
        ("vi", "nửa triệu", 500_000),
        ("vi", "1 triệu 2", 1_200_000),
        ("vi", "1 triệu 200 nghìn", 1_200_000),
        ("vi", "hăm lăm", 25),
        ("en", "two point five million", 2_500_000),
        ("en", "two point two five million", 2_250_000),
        ("en", "two and a half thousand", 2500),
        ("en", "half a million", 500_000),
        ("ru", "две с половиной тысячи", 2500),
        ("ru", "одна целая двадцать пять сотых миллиона", 1_250_000),
        ("ru", "трёхсот", 300),
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
        ("en", "double five, triple zero, oh one", [5, 5, 0, 0, 0, 0, 1]),
        ("en", "oh, I see a dentist", []),
        ("en", "two and three", [2, 3]),
        ("en", "1.2.3.4", [1, 2, 3, 4]),
        ("en", "5🙂6", [5, 6]),
        ("en", "9.5 or 9:30", [9, 5, 9, 30]),
        ("en", "9" * 5000, []),
        ("vi", "tôi không muốn", []),
        ("fr", "vingt 20", [20]),
        ("en", "9" * 40, [int("9" * 40)]),
        ("en", "two point five", [2, 5]),
        ("en", "half a day", []),
        ("en", "20 thousand 5 hundred and 3", [20_500, 3]),
        ("vi", "hai mươi ba mươi", [20, 30]),
        ("zh", "两千万或三千", [20_000_000, 3000]),
    ],
)
def test_the_numbers_of_a_text_are_found_in_order(language: str, text: str, values: list[int]) -> None:
    assert [found.value for found in find_numbers(text, language)] == values


@settings(max_examples=500)
@given(number=st.integers(0, 999_999), language=st.sampled_from(sorted(CARDINALS)))
def test_what_is_written_in_words_is_read_back(number: int, language: str) -> None:
    assert read_number(CARDINALS[language](number), language) == number


@settings(max_examples=300)
@given(number=st.integers(1_000_000, 9_999_999_999), language=st.sampled_from(sorted(CARDINALS)))
def test_a_large_number_in_words_is_read_back(number: int, language: str) -> None:
    assert read_number(CARDINALS[language](number), language) == number


@settings(max_examples=300)
@given(number=st.integers(0, 999_999), language=st.sampled_from(sorted(CARDINALS)))
def test_every_form_of_cldr_is_read_back(number: int, language: str) -> None:
    for name, words in RBNF[language].format_number(number).text_by_ruleset.items():
        if "cardinal" in name and "financial" not in name:  # 壹 is for cheques
            assert read_number(words, language) == number, (name, words)


@given(
    text=st.lists(
        st.sampled_from(
            [
                "hai",
                "mốt",
                "rưỡi",
                "triệu",
                "không",
                "trăm",
                "3.5",
                "9,000",
                "oh",
                "double",
                "and",
                "a",
                "三",
                "百",
                "零",
                "сто",
            ]
        )
    ),
    language=st.sampled_from(["en", "vi", "ru", "zh", "fr"]),
)
def test_numbers_found_in_any_text_follow_each_other(text: list[str], language: str) -> None:
    found = find_numbers(" ".join(text), language)
    assert all(number.start < number.end <= len(normalise(" ".join(text))) for number in found)
    assert all(one.end <= other.start or one == other for one, other in pairwise(found))


@pytest.mark.parametrize(("text", "day"), [("ba mươi mốt tháng mười một", 31), ("ngày hai mươi mốt tháng năm", 21)])
def test_the_one_behind_tens_is_not_the_day_after_tomorrow(text: str, day: int) -> None:
    (value,) = read_values(text, "vi").values
    assert (value.kind, value.date[2]) == (Kind.DATE, day)


def test_the_day_after_tomorrow_is_a_day_by_itself() -> None:
    assert [value.kind for value in read_values("thứ hai mốt", "vi").values] == [Kind.WEEKDAYS, Kind.DAY]
    (day,) = read_values("mốt tôi đến", "vi").values
    assert (day.kind, day.number) == (Kind.DAY, 2)


@pytest.mark.parametrize(
    ("language", "text", "number"),
    [
        ("ru", "цена 12 500 руб.", 12_500),
        ("vi", "giá 10 000 000đ", 10_000_000),
        ("vi", "250 000 đồng", 250_000),
        ("zh", "两千万元", 20_000_000),
        ("zh", "三万一千元", 31_000),
        ("zh", "3.5万元", 35_000),
        ("en", "$2.5 million", 2_500_000),
        ("en", "2.5 million dollars", 2_500_000),
        ("en", "$5k", 5000),
        ("en", "two point two five dollars", Decimal("2.25")),
        ("vi", "2,5 triệu đồng", 2_500_000),
        ("vi", "1tr2", 1_200_000),
        ("vi", "2tr350", 2_350_000),
        ("ru", "1,5 тысячи рублей", 1500),
        ("ru", "2,5 млн руб.", 2_500_000),
    ],
)
def test_a_sum_is_read_whole(language: str, text: str, number: Decimal) -> None:
    (value,) = read_values(text, language).values
    assert (value.kind, value.number) == (Kind.MONEY, number)


def test_minutes_are_no_fraction() -> None:
    (value,) = read_values("三点五分", "zh").values
    assert value.kind is Kind.TIME


@pytest.mark.parametrize(("language", "text"), [("zh", "千万不要"), ("zh", "万一下雨")])
def test_what_names_no_number_stays_none(language: str, text: str) -> None:
    assert read_values(text, language).values == ()


@pytest.mark.parametrize(
    ("language", "text", "digits"),
    [
        ("ru", "ноль девять ноль два, сто, двести", "0902100200"),
        ("ru", "девятьсот двенадцать триста сорок пять шестьсот семьдесят восемь", "912345678"),
        ("en", "0902, 100, 200", "0902100200"),
    ],
)
def test_a_telephone_number_may_be_said_in_tens_and_hundreds(language: str, text: str, digits: str) -> None:
    assert [value.digits for value in read_values(text, language).values if value.kind is Kind.DIGITS] == [digits]


@pytest.mark.parametrize(("language", "text"), [("ru", "двести, триста, пятьсот"), ("en", "it's 12, 15 or 200")])
def test_several_amounts_are_no_telephone_number(language: str, text: str) -> None:
    assert all(value.kind is Kind.NUMBER for value in read_values(text, language).values)


@pytest.mark.parametrize(
    ("text", "value"),
    [("một triệu một đêm", 1_000_000), ("năm trăm nghìn một người", 500_000), ("một triệu hai một đêm", 1_200_000)],
)
def test_one_before_a_noun_is_no_part_of_a_number(text: str, value: int) -> None:
    assert find_numbers(text, "vi")[0].value == value
