"""Words of another language inside a text, by language."""

import pytest

from services.language.reading.normalizer import Normalizer


def foreign(text: str, language_code: str) -> list[tuple[str, str]]:
    spoken = Normalizer().speak(text, language_code)
    return [(spoken.text[one.start : one.end], one.language_code) for one in spoken.stretches]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Mời chị tải ứng dụng Smart Banking về điện thoại.", ["Smart Banking"]),
        ("Phòng Superior có giường king size và bồn tắm.", ["Superior", "king size"]),
        ("Ngân hàng Bank of the Orient xin nghe.", ["Bank of the Orient"]),
        ("Anh Trường, chị Khuê và bé Uyên ở Buôn Ma Thuột đã quay về Quy Nhơn.", []),
        ("Cô Hoa, chú Nam, em Linh, ông Tuan và bà Lan.", []),
        ("Mã OTP gửi qua SMS cho VN Airlines.", ["Airlines"]),
        ("xin loi quy khach, hom nay phong kham khong lam viec", []),
        ("Chat với em nhé, top mười khách hàng.", ["Chat", "top"]),
    ],
)
def test_vietnamese_tells_foreign_words_by_their_spelling(text: str, found: list[str]) -> None:
    assert [word for word, language in foreign(text, "vi-VN") if language == "en"] == found


def test_english_tells_vietnamese_names_by_their_letters() -> None:
    assert foreign("Please ask Phạm Thị Lan at the café on Hàng Đào street.", "en-US") == [
        ("Phạm Thị Lan", "vi"),
        ("Đào", "vi"),
    ]
    assert foreign("The naïve façade of São Paulo, à la carte.", "en-GB") == []


@pytest.mark.parametrize(
    ("text", "language"), [("Запустите Google Chrome.", "ru-RU"), ("请打开Google Chrome。", "zh-CN")]
)
def test_languages_of_other_scripts_tell_latin_words(text: str, language: str) -> None:
    assert foreign(text, language) == [("Google Chrome", "en")]


def test_a_language_without_the_file_has_none() -> None:
    assert foreign("Ouvrez Google Chrome, Nguyễn.", "fr-FR") == []
