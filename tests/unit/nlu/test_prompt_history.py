"""A long conversation keeps what the caller said of themselves longest."""

from itertools import pairwise

import pytest

from services.nlu.agent.prompt_history import size, within
from services.nlu.history import Entry, ToolCall

NAME = Entry(2, "My name is Anna Miller.", "Thank you, Anna. What is your telephone number?")
NUMBER = Entry(3, "It's 0912 345 678.", "Thank you. Which day suits you?")


def conversation(n_turns: int) -> list[Entry]:
    """A booking, then many questions."""
    asks_name = Entry(1, "I need an appointment.", "Of course, may I have your name, please?")
    chat = [Entry(i, f"And what about thing {i}?", f"Sure, thing {i} costs {i} dollars.") for i in range(4, n_turns)]
    return [asks_name, NAME, NUMBER, *chat]


def total(entries: list[Entry]) -> int:
    return sum(map(size, entries))


def test_what_fits_is_shown_whole() -> None:
    assert within(conversation(10), max_chars=4000) == conversation(10)


def test_a_little_too_much_takes_a_little_away() -> None:
    entries = conversation(20)
    kept = within(entries, max_chars=total(entries) - 10)
    assert total(entries) - total(kept) < total(entries) // 8 + 60
    assert kept[-14:] == entries[-14:]


def test_name_and_number_are_there_after_a_hundred_turns() -> None:
    said = [entry.user_text for entry in within(conversation(100), max_chars=1000)]
    assert NAME.user_text in said
    assert NUMBER.user_text in said


def test_what_the_caller_tells_unasked_outlives_their_questions_and_remarks() -> None:
    told = Entry(4, "By the way, I am allergic to penicillin.", "Thank you, I have noted that.")
    entries = conversation(100)
    entries[3] = told
    entries[5] = Entry(6, "All right, thanks.", "Sure.")
    said = [entry.user_text for entry in within(entries, max_chars=1000)]
    assert told.user_text in said
    assert "All right, thanks." not in said


def test_what_is_told_unasked_drives_out_no_name_or_number() -> None:
    chat = [Entry(i, f"Then there was another thing that hurt, {'very ' * 3}badly.", "Oh.") for i in range(4, 100)]
    said = [entry.user_text for entry in within([*conversation(4), *chat], max_chars=1000)]
    assert NAME.user_text in said
    assert NUMBER.user_text in said


def test_the_newest_turns_stay_whole() -> None:
    assert within(conversation(100), max_chars=1000)[-4:] == conversation(100)[-4:]


def test_the_limit_holds_however_long_the_conversation_is() -> None:
    for n_turns in range(4, 150):
        assert total(within(conversation(n_turns), max_chars=1000)) <= 1000


def test_results_of_tools_count_by_their_size() -> None:
    entries = conversation(12)
    found = ToolCall("1.1", "find", "{}", "x" * 3000)
    entries[4] = Entry(5, "And on Friday?", "Sure.", tool_calls=(found,))
    kept = within(entries, max_chars=2000)
    assert total(kept) <= 2000
    assert all(not entry.tool_calls for entry in kept)
    assert NAME.user_text in [entry.user_text for entry in kept]


def test_the_beginning_stays_the_same_for_several_turns() -> None:
    beginnings = [within(conversation(n), max_chars=2000)[:4] for n in range(60, 90)]
    n_changes = sum(one != other for one, other in pairwise(beginnings))
    assert n_changes <= 30 * 50 / (2000 / 8) + 1


@pytest.mark.parametrize(
    "told",
    [
        "My name is Annabel Lee and my number is 0912 345 678, can you book me a cleaning?",
        "My name is Annabel Lee, can you book me a cleaning?",
        "I am allergic to penicillin. Is that a problem?",
        "Could you ring me at 0912 345 678?",
        "Tôi tên là Minh, số 0912 345 678, cho tôi đặt lịch được không?",
        "我叫王小明，可以预约吗？",
    ],
)
@pytest.mark.parametrize("at", [3, 5], ids=["asked for", "unasked"])
def test_what_is_told_beside_a_question_outlives_questions(told: str, at: int) -> None:
    entries = conversation(100)
    entries[at] = Entry(at + 1, told, "Of course.")
    said = [entry.user_text for entry in within(entries, max_chars=1000)]
    assert told in said
    assert NAME.user_text in said


def test_a_question_that_begins_with_a_remark_goes_with_the_questions() -> None:
    asked = "All right, thanks. And how much is that?"
    entries = conversation(100)
    entries[5] = Entry(6, asked, "35 dollars.")
    assert asked not in [entry.user_text for entry in within(entries, max_chars=1000)]
