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


def test_several_words_that_are_all_unlikely_are_a_guess_at_noise():
    assert is_invented("I'm not sure if I can get out", "en", 0.12, 0.45)
    assert not is_invented("I'm not sure if I can get out", "en", 0.2, 0.45)
    assert not is_invented("I'm not sure if I can get out", "en", 0.12, 0.3)


@pytest.mark.parametrize(("language", "text"), [("en", "No."), ("vi", "Dạ"), ("zh", "好")])
def test_a_lone_word_is_a_guess_only_where_it_is_unlikelier_still(language, text):
    assert is_invented(text, language, 0.03, 0.45)
    assert not is_invented(text, language, 0.1, 0.45)


def test_repetition_is_taken_where_the_score_is_low_too():
    assert compression(LOOP) > 2.4
    assert is_invented(LOOP, "en", LOW, SPOKEN)
    assert not is_invented(LOOP, "en", HIGH, SPOKEN)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "You, you, you."),
        ("en", "Thank you. Thank you. Thank you. Thank you."),
        ("ru", "Спасибо, спасибо, спасибо"),
    ],
)
def test_a_loop_of_a_callers_phrase_is_taken_where_both_scores_are_middling(language, text):
    assert is_invented(text, language, LOW, 0.35)
    assert not is_invented(text, language, LOW, 0.2)
    assert not is_invented(text, language, 0.7, 0.35)


@pytest.mark.parametrize(
    "text", ["Bye bye.", "Thank you, thank you.", "No, no, no.", "Wait, wait, wait.", "Hello, hello, hello?"]
)
def test_a_word_said_twice_and_words_of_no_list_stay(text):
    assert not is_invented(text, "en", LOW, 0.35)


def test_a_yes_that_is_said_over_and_over_stays():
    assert not is_invented("Ừ ừ ừ ừ", "vi", LOW, 0.35)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("vi", "Hãy subscribe cho kênh Ghiền Mì Gõ Để khô"),
        ("vi", "Hãy subscribe cho kênh Ghiền Mì Gõ Để không bỏ lỡ nh\ufffd"),
        ("en", "Don't forget to like and subs"),
    ],
)
def test_a_phrase_of_the_list_that_was_cut_off_is_taken(language, text):
    assert is_invented(text, language, LOW, SPOKEN)
    assert not is_invented(text, language, HIGH, SPOKEN)


@pytest.mark.parametrize(
    ("language", "text"),
    [("ru", "Аааааааааа"), ("ru", "У-у-у-у-у!"), ("en", "AHHHH!"), ("en", "Woooo! Woooo!"), ("ru", "Ту-ту-ту-ту-т")],
)
def test_letters_that_are_drawn_out_are_no_words(language, text):
    assert is_invented(text, language, LOW, SPOKEN)
    assert not is_invented(text, language, HIGH, SPOKEN)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "对对对对"), ("vi", "ừ ừ ừ ừ"), ("ru", "да-да-да"), ("en", "Aaaah, my tooth hurts"), ("en", "0000 0000"),
        ("en", "A A A A"), ("en", "no-no-no"),
    ],
)  # fmt: skip
def test_words_that_are_repeated_stay(language, text):
    assert not is_invented(text, language, LOW, SPOKEN)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "Да-да-да-да."),
        ("en", "No-no-no-no-no!"),
        ("en", "Nooooo!"),
        ("vi", "Dạạạạ"),
        ("en", "I'll see you in the morning."),
        ("vi", "Cảm ơn các bạn đã giúp"),
    ],
)
def test_answers_that_are_drawn_out_and_sentences_that_begin_as_a_phrase_stay(language, text):
    assert not is_invented(text, language, 0.52, 0.05)


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
