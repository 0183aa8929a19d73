import pytest

from services.language import data
from services.stt_proxy.inventions import compression, is_invented

LOW, HIGH = 0.5, 0.95  # confidence
SPOKEN, DOUBTED, SILENT = 0.1, 0.58, 0.9  # probability of no speech
LOOP = "I'm going to the sea and " * 8


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Thank you for watching!"),
        ("vi", "Hãy subscribe cho kênh Ghiền Mì Gõ Để không bỏ lỡ những video hấp dẫn"),
        ("vi", "Cảm ơn các bạn đã theo dõi và hẹn gặp lại."),
        ("ru", "Продолжение следует..."),
        ("zh", "谢谢观看"),
    ],
)
def test_the_list_takes_what_no_caller_says_where_the_score_is_low_too(language, text):
    assert is_invented(text, language, LOW, SPOKEN)
    assert not is_invented(text, language, HIGH, SPOKEN)


@pytest.mark.parametrize(("language", "text"), [("en", "Thank you."), ("vi", "Cảm ơn"), ("ru", "Спасибо.")])
def test_the_list_takes_a_callers_phrase_only_where_whisper_doubts_that_anybody_spoke(language, text):
    assert is_invented(text, language, 0.2, DOUBTED)
    assert not is_invented("I have a question.", language, 0.2, DOUBTED)


@pytest.mark.parametrize("confidence", [0.07, 0.25, 0.45, 0.59, 0.95])
@pytest.mark.parametrize(
    ("language", "text"), [("en", "Thank you."), ("en", "Bye."), ("en", "Oh."), ("vi", "Cảm ơn."), ("ru", "Спасибо.")]
)
def test_a_callers_phrase_stays_whatever_its_confidence(language, text, confidence):
    assert not is_invented(text, language, confidence, 0.5)


@pytest.mark.parametrize("no_speech", [0.0, 0.4, 0.7, 0.95])
def test_a_callers_phrase_of_good_confidence_stays_whatever_whisper_doubts(no_speech):
    assert not is_invented("Thank you.", "en", 0.4, no_speech)


def test_repetition_is_taken_where_the_score_is_low_too():
    assert compression(LOOP) > 2.4
    assert is_invented(LOOP, "en", LOW, SPOKEN)
    assert not is_invented(LOOP, "en", HIGH, SPOKEN)


def test_the_score_alone_takes_any_words():
    assert is_invented("I'm not sure if I can get it", "en", 0.3, SILENT)
    assert not is_invented("I'm not sure if I can get it", "en", LOW, SILENT)
    assert not is_invented("I'm not sure if I can get it", "en", 0.3, 0.5)


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
    assert not is_invented(text, language, LOW, SPOKEN)


def test_every_language_has_both_lists():
    for language in (*data.languages(), data.FALLBACK):
        assert data.words(language, "inventions", "never_said")
        data.words(language, "inventions", "said_too")
