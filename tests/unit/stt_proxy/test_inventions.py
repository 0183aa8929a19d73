import pytest

from services.language import data
from services.stt_proxy.inventions import compression, is_invented

LOW, HIGH = 0.5, 0.95


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Thank you for watching!"),
        ("en", "you"),
        ("vi", "Hãy subscribe cho kênh Ghiền Mì Gõ Để không bỏ lỡ những video hấp dẫn"),
        ("vi", "Cảm ơn các bạn đã theo dõi và hẹn gặp lại."),
        ("ru", "Продолжение следует..."),
        ("zh", "谢谢观看"),
    ],
)
def test_a_listed_phrase_with_a_low_score_was_not_said(language, text):
    assert is_invented(text, language, LOW)


@pytest.mark.parametrize(("language", "text"), [("en", "Thank you."), ("vi", "Cảm ơn"), ("ru", "Спасибо.")])
def test_a_caller_says_thanks_with_a_high_score(language, text):
    assert not is_invented(text, language, HIGH)


def test_text_that_repeats_itself_with_a_low_score_was_not_said():
    loop = "I'm going to the sea and " * 8
    assert compression(loop) > 2.4
    assert is_invented(loop, "en", LOW)
    assert not is_invented(loop, "en", HIGH)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I would like to see you tomorrow"),
        ("en", "0 9 1 2 0 9 1 2 0 9 1 2 0 9 1 2 0 9 1 2 0 9 1 2 0 9 1 2"),
        ("en", "I would like an appointment on Tuesday, or if there is none on Tuesday, on Wednesday or on Friday."),
        ("vi", "Cảm ơn em, anh muốn đặt lịch."),
    ],
)
def test_what_a_caller_says_stays_whatever_its_score(language, text):
    assert not is_invented(text, language, LOW)


def test_every_language_has_a_list():
    for language in (*data.languages(), data.FALLBACK):
        assert data.words(language, "inventions", "phrases")
