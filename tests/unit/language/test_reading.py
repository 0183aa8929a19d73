import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.reading.normalizer import Normalizer, Pronunciation
from services.language.reading.numbers import Numbers
from services.language.reading.numbers_vietnamese import VietnameseNumbers
from services.language.reading.reading_words import words_of
from services.language.reading.spoken import Rewrite, Spoken

NUMBERS = Numbers("en", words_of("en"))
ENGLISH = [
    ("Dr. Lee, Mr. Smith Jr.", "Doctor Lee, Mister Smith Junior."),
    ("at 9:30 a.m.", "at nine thirty AM."),
    ("at 9:05", "at nine oh five"),
    ("from 9am-5pm", "from nine AM to five PM"),
    ("at 12:00 or 14:30 or 0:15", "at twelve o'clock or two thirty PM or twelve fifteen AM"),
    ("on March 3, 2025.", "on March third, twenty twenty-five."),
    ("the 22nd of May", "the twenty-second of May"),
    ("on 3 April 1999", "on April third, nineteen ninety-nine"),
    ("2024-05-06", "May sixth, twenty twenty-four"),
    ("5/6/2024", "May sixth, twenty twenty-four"),
    ("since 2005", "since two thousand five"),
    ("$45.50", "forty-five dollars and fifty cents"),
    ("$1,200", "one thousand two hundred dollars"),
    ("$5 million", "five million dollars"),
    ("£1.01 or €2", "one pound and one penny or two euros"),
    ("500.000 VND", "five hundred thousand Vietnamese dong"),
    ("1.5k people", "one point five thousand people"),
    ("25% off", "twenty-five percent off"),
    ("98.6°F", "ninety-eight point six degrees Fahrenheit"),
    ("45 min, 1 kg", "forty-five minutes, one kilogram"),
    ("call 555-123-4567", "call five five five, one two three, four five six seven"),
    ("(555) 123-4567", "five five five, one two three, four five six seven"),
    ("+1 555 123 4567", "plus one, five five five, one two three, four five six seven"),
    ("0901234567", "zero nine zero, one two three, four five six seven"),
    ("1,000,000 or 1000000", "one million or one million"),
    ("-7 to 10-12", "minus seven to ten to twelve"),
    ("1/2 cup, 2 1/2 hours, 24/7", "half a cup, two and a half hours, twenty-four seven"),
    ("room A12, #7, no. 5", "room A, one two, number seven, number five"),
    ("code 007", "code zero zero seven"),
    ("info@clinic-vn.com", "info at clinic dash vn dot com"),
    ("https://www.example.com/a", "w w w dot example dot com slash a"),
    ("12 Main St. near St. Mary", "twelve Main Street near Saint Mary"),
    ("version 1.2.3", "version one point two point three"),
    ("3.14", "three point one four"),
]

VIETNAMESE = [
    ("lúc 9h30", "lúc chín giờ ba mươi"),
    ("lúc 14:05", "lúc mười bốn giờ năm phút"),
    ("mở 8h-17h", "mở tám giờ đến mười bảy giờ"),
    ("ngày 5/6", "ngày năm tháng sáu"),
    ("12/04/2024", "ngày mười hai tháng tư năm hai nghìn không trăm hai mươi bốn"),
    ("Thứ 4, tháng 4", "Thứ tư, tháng tư"),
    ("500.000đ", "năm trăm nghìn đồng"),
    ("1.250.000 VND", "một triệu hai trăm năm mươi nghìn đồng"),
    ("500k, 1,5 triệu", "năm trăm nghìn, một phẩy năm triệu"),
    ("$20", "hai mươi đô la"),
    ("25%", "hai mươi lăm phần trăm"),
    ("3,5 kg", "ba phẩy năm ki lô gam"),
    ("0901 234 567", "không chín không một, hai ba bốn, năm sáu bảy"),
    ("028-3822-1234", "không hai tám, ba tám hai hai, một hai ba bốn"),
    ("Q.1, P.5, TP.HCM", "quận một, phường năm, Thành phố Hồ Chí Minh"),
    ("BS. Lan", "bác sĩ Lan"),
    ("-5°C", "âm năm độ C"),
    ("1/2", "một phần hai"),
]


@pytest.mark.parametrize(("written", "spoken"), ENGLISH)
def test_english_is_read_aloud(written: str, spoken: str) -> None:
    assert Normalizer().speak(written, "en-US").text == spoken


@pytest.mark.parametrize(("written", "spoken"), VIETNAMESE)
def test_vietnamese_is_read_aloud(written: str, spoken: str) -> None:
    assert Normalizer().speak(written, "vi-VN").text == spoken


def test_the_day_comes_first_outside_the_united_states() -> None:
    assert Normalizer().speak("5/6/2024", "en-GB").text == "June fifth, twenty twenty-four"


@pytest.mark.parametrize("language", ["en-US", "ru-RU"])
def test_signs_of_a_written_page_and_pictures_are_not_said(language: str) -> None:
    assert Normalizer().speak("**Bold** `code` 👩\u200d⚕️👋!", language).text.split() == ["Bold", "code", "!"]


def test_a_language_without_a_folder_is_left_to_the_engine() -> None:
    assert Normalizer().speak("À 9:30, 25%", "fr-FR").text == "À 9:30, 25%"


def test_the_lexicon_comes_first_and_holds_for_its_language() -> None:
    normalizer = Normalizer([Pronunciation("9:30", "half nine", "en"), Pronunciation("NHS", "N H S")])
    assert normalizer.speak("At 9:30, nhs", "en-GB").text == "At half nine, N H S"
    assert normalizer.speak("Lúc 9:30, NHSX", "vi-VN").text == "Lúc chín giờ ba mươi, NHSX"


def test_a_word_of_the_lexicon_is_found_beside_letters_without_a_small_form_of_their_own() -> None:
    normalizer = Normalizer([Pronunciation("\u0130zmir", "iz meer"), Pronunciation("nhs", "N H S")])
    assert normalizer.speak("In \u0130ZMIR the NHS", "en").text == "In iz meer the N H S"


@pytest.mark.parametrize("language", ["en-US", "vi-VN", "ru-RU", "zh-CN"])
@pytest.mark.parametrize(
    "part", ["-", "a-", "A-", "1-", "1 ", "1/2 ", "a.", "a@", "5 min ", "1:2:", "ngày 1/2, ", '"1']
)
def test_a_text_made_to_be_slow_is_read_in_time_that_grows_with_it(language: str, part: str) -> None:
    normalizer = Normalizer()

    def cpu_s(length: int) -> float:
        text = (part * length)[:length]
        times = []
        for _ in range(3):
            begun = time.process_time()
            normalizer.speak(text, language)
            times.append(time.process_time() - begun)
        return min(times)

    normalizer.speak(part, language)
    assert cpu_s(4000) < 10 * cpu_s(1000) + 0.02  # four times the text


def test_accents_are_joined_with_their_letters() -> None:
    spoken = Normalizer().speak("Cha\u0300o", "vi-VN")
    assert spoken.text == "Chào"
    assert spoken.source_end(4) == 5


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "không"),
        (15, "mười lăm"),
        (21, "hai mươi mốt"),
        (105, "một trăm lẻ năm"),
        (1005, "một nghìn không trăm lẻ năm"),
        (1015, "một nghìn không trăm mười lăm"),
        (2000000, "hai triệu"),
    ],
)
def test_vietnamese_numbers(number: int, words: str) -> None:
    assert VietnameseNumbers(words_of("vi")).cardinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"), [(1900, "nineteen hundred"), (2005, "two thousand five"), (1905, "nineteen oh five")]
)
def test_years(number: int, words: str) -> None:
    assert NUMBERS.year(number) == words


@given(st.integers(1, 10**Numbers.most_digits - 1), st.sampled_from(["й", "го", "я", "х", "м"]))
def test_every_russian_number_with_an_ending_is_read(number: int, ending: str) -> None:
    said = Normalizer().speak(f"{number}-{ending}", "ru-RU").text
    assert not any(character.isdecimal() for character in said)


@pytest.mark.parametrize("numeral", ["XL", "XLV", "I5", "V2II2", "XXXXX", "IIII", "VIP", "XIXI"])
def test_letters_that_are_no_numeral_are_left(numeral: str) -> None:
    assert numeral[0] in Normalizer().speak(f"Type {numeral} and Henry {numeral}", "en-US").text


TABLES = Path(__file__).parents[2] / "data" / "reading"
PIECES = {
    table["language_code"]: sorted({word for case in table["cases"] for word in case.split()})
    for table in (tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(TABLES.glob("*.toml")))
}


@given(st.data())
def test_no_mixture_of_what_is_read_fails(data: st.DataObject) -> None:
    code = data.draw(st.sampled_from(sorted(PIECES)))
    words = data.draw(st.lists(st.sampled_from(PIECES[code]), min_size=1, max_size=6))
    joint = data.draw(st.sampled_from([" ", "", "-", "/", ", "]))
    assert Normalizer().speak(joint.join(words), code).text.strip() or not any(map(str.isalnum, joint.join(words)))


@given(st.integers(1, 10**Numbers.most_digits - 1))
def test_every_english_number_has_words_of_letters_only(number: int) -> None:
    assert NUMBERS.cardinal(number).replace(" ", "").replace("-", "").isalpha()


def test_a_place_inside_rewritten_words_counts_when_all_of_them_are_said() -> None:
    spoken = Spoken("Pay $5 now", [Rewrite(4, 6, "five dollars")])
    assert spoken.text == "Pay five dollars now"
    places = {end: spoken.source_end(end) for end in (3, 8, 16, 20, 99)}
    assert places == {3: 3, 8: 4, 16: 6, 20: 10, 99: 10}


@given(st.text(alphabet="abế 👋19$%:./-,@h", max_size=40), st.sampled_from(["en-US", "vi-VN", "ru"]))
def test_offsets_lead_back_to_the_text_as_sent(text: str, language: str) -> None:
    spoken = Normalizer().speak(text, language)
    ends = [spoken.source_end(end) for end in range(len(spoken.text) + 1)]
    assert ends == sorted(ends)
    assert ends[-1] <= len(text)
    assert spoken.source_end(len(spoken.text) + 1) == len(text)
