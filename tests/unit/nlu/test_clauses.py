"""Clauses: what a voice can speak, cut while the reply is still being written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nlu.clauses import ClauseCutter

TEXTS = st.text(alphabet=st.sampled_from(list("ab12 .,!?:;…。，！？\n\"')(“”ắдж中文$-–")), max_size=120)


def cut(reply: str) -> list[str]:
    """The clauses of a reply that arrives word by word."""
    cutter = ClauseCutter()
    clauses = [clause for token in re.findall(r"\s*\S+\s*$|\s*\S+", reply) for clause in cutter.push(token)]
    return [clause.text for clause in clauses + cutter.finish()]


@pytest.mark.parametrize(
    ("reply", "clauses"),
    [
        (
            "Sure, we can see you at ten. Does that suit you?",
            ["Sure,", " we can see you ", "at ten. ", "Does that suit you?"],
        ),
        ("Dr. Tran is free at 10 a.m. on Tuesday. OK?", ["Dr. Tran is free ", "at 10 a.m. on Tuesday. ", "OK?"]),
        ("It costs $1,250.50 in all. Fine?", ["It costs $1,250.50 in all. ", "Fine?"]),
        ("From 8:30 to 18:00, every day.", ["From 8:30 to 18:00, ", "every day."]),
        ("Dạ, phòng khám ở số 25. Chị nhé?", ["Dạ,", " phòng khám ở số 25. ", "Chị nhé?"]),
        (
            "我们周一到周五营业，周六上午也营业。您要预约吗？",
            ["我们周一到周五营业，", "周六上午也营业。", "您要预约吗？"],
        ),
        ("Мы на ул. Ленина, д. 5. Приходите!", ["Мы на ул. Ленина,", " д. 5. ", "Приходите!"]),
        ("1. Check-up. 2. Cleaning.", ["1. Check-up. ", "2. Cleaning."]),
        ("See www.clinic.com today.", ["See www.clinic.com today."]),
        ("Well... I see.", ["Well... ", "I see."]),
        ('She said "yes." Then she left.', ['She said "yes."', " Then she left."]),
        ("Really?! Good.", ["Really?!", " Good."]),
        ("No. We are closed.", ["No. ", "We are closed."]),
        ("We are at No. 5 Hue Street. OK?", ["We are at No. 5 Hue Street. ", "OK?"]),
        ("They sat. Come Sat. morning.", ["They sat. ", "Come Sat. morning."]),
        ("At 10 a.m., Wednesday at 3 p.m. or Friday.", ["At 10 a.m.,", " Wednesday at 3 p.m. ", "or Friday."]),
    ],
)
def test_a_reply_is_cut_where_a_voice_may_pause(reply: str, clauses: list[str]) -> None:
    assert cut(reply) == clauses


def test_a_clause_that_ends_in_a_comma_does_not_wait_for_the_next_word() -> None:
    assert [clause.text for clause in ClauseCutter().push("Sure,")] == ["Sure,"]


def test_a_full_stop_waits_for_what_follows_it() -> None:
    cutter = ClauseCutter()
    assert cutter.push("It is 3.") == []
    assert [clause.text for clause in cutter.push(" Fine.")] == ["It is 3. "]


@pytest.mark.parametrize("piece_chars", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("reply", "first"),
    [
        ("Wait... what? Yes.", "Wait..."),
        ("Well…. I see.", "Well…."),
        ("Oh no... Come in.", "Oh no..."),
        ("你说...什么？", "你说..."),
        ("Really... ?", "Really..."),
        ("Chờ em... dạ có ạ.", "Chờ em..."),
    ],
)
def test_dots_are_one_mark_however_they_arrive(reply: str, first: str, piece_chars: int) -> None:
    cutter = ClauseCutter()
    pieces = [reply[i : i + piece_chars] for i in range(0, len(reply), piece_chars)]
    clauses = [clause for piece in pieces for clause in cutter.push(piece)] + cutter.finish()
    assert clauses[0].text.strip() == first
    assert clauses[0].ends_sentence


def test_later_clauses_are_not_cut_at_every_comma() -> None:
    tail = "We have red, green, blue and white."
    assert cut(f"Yes we do indeed. {tail}") == ["Yes we do indeed. ", tail]


@pytest.mark.parametrize(
    ("reply", "clauses"),
    [
        ("We have a free chair on Tuesday.", ["We have a free chair ", "on Tuesday."]),
        ("You can come in the morning and stay.", ["You can come in the morning ", "and stay."]),
        ("Dạ bên em còn chỗ trống vào thứ ba ạ.", ["Dạ bên em còn chỗ trống ", "vào thứ ba ạ."]),
        ("У нас есть свободное время на вторник.", ["У нас есть свободное время ", "на вторник."]),
        ("Come in on Tuesday.", ["Come in on Tuesday."]),
    ],
)
def test_the_first_clause_is_cut_before_a_phrase_once_a_few_words_are_there(reply: str, clauses: list[str]) -> None:
    assert cut(reply) == clauses


def test_a_clause_behind_a_word_or_two_is_cut_early_as_well() -> None:
    assert cut("Sure, we have a free chair on Tuesday.") == ["Sure,", " we have a free chair ", "on Tuesday."]


def test_that_cut_does_not_wait_for_the_word_behind() -> None:
    assert [clause.text for clause in ClauseCutter().push("We have a free chair on")] == ["We have a free chair "]


def test_a_first_clause_that_is_whole_already_is_not_cut_before_a_phrase() -> None:
    reply = "We have a free chair on Tuesday. Good?"
    assert [clause.text for clause in ClauseCutter().push(reply)] == ["We have a free chair on Tuesday. ", "Good?"]


def test_a_first_clause_stays_whole_where_that_is_wished() -> None:
    cutter = ClauseCutter(first_phrase_words=0)
    assert [clause.text for clause in cutter.push("We have a free chair on Tuesday,")] == [
        "We have a free chair on Tuesday,"
    ]


def test_later_clauses_are_cut_before_a_joining_word_only_when_they_are_long() -> None:
    tail = "we look at each of your teeth one by one with great care for an hour "
    assert cut(f"Yes we do indeed. {tail}and then you pay") == ["Yes we do indeed. ", tail, "and then you pay"]


def test_a_reply_without_any_mark_is_cut_between_words_in_the_end() -> None:
    clauses = cut("word " * 100)
    assert max(map(len, clauses)) <= 220
    assert all(clause.startswith("word") for clause in clauses)


def test_a_reply_that_was_cut_short_loses_its_unfinished_sentence() -> None:
    cutter = ClauseCutter()
    cutter.push("All is well. And then")
    assert cutter.drop_rest()
    assert cutter.finish() == []


def test_the_only_sentence_is_spoken_even_when_it_was_cut_short() -> None:
    cutter = ClauseCutter()
    cutter.push("And then")
    assert not cutter.drop_rest()
    assert [clause.text for clause in cutter.finish()] == ["And then"]


@given(TEXTS, st.integers(1, 7))
def test_the_clauses_joined_are_the_reply(reply: str, piece_chars: int) -> None:
    cutter = ClauseCutter()
    pieces = [reply[i : i + piece_chars] for i in range(0, len(reply), piece_chars)]
    clauses = [clause for piece in pieces for clause in cutter.push(piece)] + cutter.finish()
    assert "".join(clause.text for clause in clauses) == reply
    assert all(clause.text for clause in clauses)


@given(TEXTS)
def test_every_clause_but_the_last_has_something_to_speak(reply: str) -> None:
    assert all(re.search(r"[^\W_]", clause) for clause in cut(reply)[:-1])


@pytest.mark.parametrize("reply", ["Wait... what? No.", "Wait...", "Chờ chút... Dạ được."])
def test_dots_that_arrive_one_by_one_are_one_mark(reply: str) -> None:
    cutter = ClauseCutter(first_phrase_words=0)
    clauses = [clause.text for letter in reply for clause in cutter.push(letter)]
    clauses += [clause.text for clause in cutter.finish()]
    assert "".join(clauses) == reply
    assert not any(clause.startswith(".") for clause in clauses)
    assert clauses[0].rstrip().endswith("...")
