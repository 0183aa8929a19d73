import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tts.sentences import ClauseGatherer, SpeechParameters

ENGLISH = SpeechParameters("en-US", "", 1.0)
VIETNAMESE = SpeechParameters("vi-VN", "", 1.0)
CHINESE = SpeechParameters("zh-CN", "", 1.0)


def clauses(*pieces: str, parameters: SpeechParameters = ENGLISH, **options: int) -> list[str]:
    gatherer = ClauseGatherer(**options)
    found = [clause for piece in pieces for clause in gatherer.append(piece, parameters)]
    return [clause.text for clause in found + gatherer.flush()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there. How are you?", ["Hello there. ", "How are you?"]),
        ("Sure, I can help.", ["Sure, ", "I can help."]),
        ("Ask Dr. Lee or Mr. J. Smith. Thanks.", ["Ask Dr. Lee or Mr. J. Smith. ", "Thanks."]),
        ("It costs 1,200.50 dollars. Fine.", ["It costs 1,200.50 dollars. ", "Fine."]),
        ("At 9 a.m. on Monday", ["At 9 a.m. on Monday"]),
        ("“Really?” she said.", ["“Really?” ", "she said."]),
        ("One\nTwo", ["One\n", "Two"]),
        ("So did I. Then we left.", ["So did I. ", "Then we left."]),
        ("Wait… what? — 🙂 ok", ["Wait… ", "what? ", "— 🙂 ok"]),
        ("Wait... what? Yes.", ["Wait... ", "what? ", "Yes."]),
        ("Oh no... Come in.", ["Oh no... ", "Come in."]),
        ("No. We are closed.", ["No. ", "We are closed."]),
        ("At No. 5 Hue Street. Fine.", ["At No. 5 Hue Street. ", "Fine."]),
        ("Then they sat. It was late.", ["Then they sat. ", "It was late."]),
    ],
)
def test_english_is_cut_where_a_voice_would_pause(text: str, expected: list[str]) -> None:
    assert clauses(text) == expected


def test_a_whole_answer_is_spoken_before_the_next_word_is_whole():
    assert clauses("No. ", "We", " are") == ["No. ", "We are"]


def test_vietnamese_titles_do_not_end_a_sentence() -> None:
    text = "Chào anh. BS. Lan ở Q. 1 sẽ gọi lại."
    assert clauses(text, parameters=VIETNAMESE) == ["Chào anh. ", "BS. Lan ở Q. 1 sẽ gọi lại."]


def test_chinese_marks_need_no_space() -> None:
    assert clauses("你好，请问有什么可以帮您？谢谢。", parameters=CHINESE) == [
        "你好，",
        "请问有什么可以帮您？",
        "谢谢。",
    ]


def test_a_whole_sentence_is_one_clause() -> None:
    [clause] = ClauseGatherer().append("Sure, I can help you with that.", ENGLISH, flush=True)
    assert clause.text == "Sure, I can help you with that."


def test_a_long_sentence_that_opens_a_turn_is_cut_at_its_first_comma() -> None:
    text = "Well, that is a good question, and I will gladly find it out for you."
    gatherer = ClauseGatherer()
    assert [clause.text for clause in gatherer.append(text, ENGLISH, flush=True)] == ["Well, ", text[6:]]
    assert [clause.text for clause in gatherer.append(text, ENGLISH, flush=True)] == [text]


def test_later_commas_end_a_clause_only_behind_enough_words() -> None:
    text = "Yes, we do, on Monday, and also on every other Tuesday, twice."
    assert clauses(text) == ["Yes, ", "we do, on Monday, ", "and also on every other Tuesday, ", "twice."]


def test_a_clause_ends_when_the_space_behind_its_mark_has_come() -> None:
    gatherer = ClauseGatherer()
    assert gatherer.append("It is 3", ENGLISH) == []
    assert gatherer.append(".", ENGLISH) == []
    assert gatherer.append("5 percent.", ENGLISH) == []
    assert [clause.text for clause in gatherer.append(" ", ENGLISH)] == ["It is 3.5 percent. "]


def test_flush_speaks_what_is_held_and_keeps_what_cannot_be_spoken() -> None:
    gatherer = ClauseGatherer()
    gatherer.append("One moment", ENGLISH)
    assert [clause.text for clause in gatherer.flush()] == ["One moment"]
    gatherer.append("... ", ENGLISH)
    assert gatherer.flush() == []
    assert [clause.text for clause in gatherer.append("ok. ", ENGLISH)] == ["... ok. "]


def test_other_speech_parameters_end_the_clause() -> None:
    gatherer = ClauseGatherer()
    gatherer.append("Hello ", ENGLISH)
    first = gatherer.append("xin chào", VIETNAMESE)
    assert [(clause.text, clause.parameters) for clause in first] == [("Hello ", ENGLISH)]
    assert [(clause.text, clause.parameters) for clause in gatherer.flush()] == [("xin chào", VIETNAMESE)]


def test_text_without_any_mark_is_cut_at_a_space() -> None:
    found = clauses("word " * 100, max_clause_chars=60)
    assert max(map(len, found)) <= 60
    assert all(clause.startswith("word") for clause in found)


def test_a_word_without_end_is_cut_at_the_limit() -> None:
    assert clauses("x" * 130, max_clause_chars=60) == ["x" * 60, "x" * 60, "x" * 10]


def test_what_cannot_be_spoken_counts_for_no_length() -> None:
    found = clauses("." * 3000 + " word" * 30, max_clause_chars=60)
    assert len(found) == 3
    assert found[0].startswith("...")
    assert all(len(clause.strip(". ")) <= 60 for clause in found)


def test_a_long_run_of_marks_is_read_in_no_time() -> None:
    gatherer = ClauseGatherer()
    for _ in range(500):
        assert gatherer.append("." * 10, ENGLISH) == []


def test_offsets_count_from_where_the_turn_stands() -> None:
    gatherer = ClauseGatherer(start_offset=100)
    first, second = gatherer.append("Hi. ", ENGLISH) + gatherer.append("Bye. ", ENGLISH)
    assert (first.start_offset, first.end_offset) == (100, 104)
    assert (second.start_offset, second.end_offset) == (104, 109)


@given(st.lists(st.text(alphabet="ab.,!? \n。，3👋ế", max_size=12), max_size=12), st.integers(40, 80))
def test_clauses_joined_are_the_text_as_sent(pieces: list[str], limit: int) -> None:
    gatherer = ClauseGatherer(max_clause_chars=limit)
    found = [clause for piece in pieces for clause in gatherer.append(piece, ENGLISH)] + gatherer.flush()
    text = "".join(pieces)
    joined = "".join(clause.text for clause in found)
    assert text.startswith(joined)
    assert not any(character.isalnum() for character in text[len(joined) :])
    assert gatherer.end_offset == len(text)
    assert all(any(character.isalnum() for character in clause.text) for clause in found)
    assert [clause.start_offset for clause in found[1:]] == [clause.end_offset for clause in found[:-1]]
