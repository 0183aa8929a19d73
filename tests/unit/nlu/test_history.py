"""The history holds what was said and what was heard, not what was written."""

from services.nlu.history import Entry, History, ToolCall


def spoken_turn() -> History:
    history = History()
    history.stand(1, "What does it cost?")
    history.add_reply(1, "It costs ten dollars. ")
    history.add_reply(1, "Shall I book?")
    return history


def test_a_reply_that_was_not_heard_is_not_in_it() -> None:
    assert spoken_turn().entries() == [Entry(1, "What does it cost?")]


def test_only_the_heard_words_are_in_it() -> None:
    history = spoken_turn()
    history.on_heard(1, 9)
    assert history.entries()[0].heard_text == "It costs "


def test_the_last_report_of_a_turn_counts() -> None:
    history = spoken_turn()
    history.on_heard(1, 22)
    history.on_heard(1, 2)
    assert history.entries()[0].heard_text == "It"


def test_an_offset_beyond_the_reply_is_the_whole_reply() -> None:
    history = spoken_turn()
    history.on_heard(1, 9999)
    assert history.entries()[0].heard_text == "It costs ten dollars. Shall I book?"


def test_an_offset_counts_code_points() -> None:
    history = History()
    history.stand(1, "", reply="Dạ 😊 vâng")
    history.on_heard(1, 4)
    assert history.entries()[0].heard_text == "Dạ 😊"


def test_a_provisional_report_holds_for_one_look_alone() -> None:
    history = spoken_turn()
    history.on_heard(1, 2)
    assert history.entries(provisional=(1, 8))[0].heard_text == "It costs"
    assert history.entries()[0].heard_text == "It"


def test_a_report_of_a_turn_that_does_not_stand_is_ignored() -> None:
    history = History()
    assert not history.on_heard(7, 3)
    assert history.entries() == []


def test_a_correction_changes_what_was_said() -> None:
    history = spoken_turn()
    assert history.correct(1, "What does that cost?")
    assert history.entries()[0].user_text == "What does that cost?"


def test_what_the_gateway_said_is_in_it() -> None:
    history = spoken_turn()
    history.on_gateway_heard(1, "I'm sorry, one moment.", 22)
    assert history.entries()[0].gateway_text == "I'm sorry, one moment."


def test_the_joined_text_takes_the_place_of_the_text_it_continues() -> None:
    history = History()
    history.stand(1, "I would like", reply="Yes, what?")
    history.on_heard(1, 4)
    history.stand(2, "I would like a cleaning", continues_turn_id=1)
    assert [entry.user_text for entry in history.entries()] == ["", "I would like a cleaning"]
    assert history.entries()[0].heard_text == "Yes,"


def test_a_draft_that_continues_a_turn_sees_it_without_its_text_and_changes_nothing() -> None:
    history = History()
    history.stand(1, "I would like", reply="Yes,")
    assert history.entries(before_turn_id=2, continues_turn_id=1) == []
    assert history.entries()[0].user_text == "I would like"


def test_the_result_of_a_tool_is_noted_after_its_turn_was_cancelled() -> None:
    history = spoken_turn()
    history.note_tool(1, ToolCall("1.1", "book", "{}"))
    assert history.note_result("1.1", '{"ok": true}')
    assert history.entries()[0].tool_calls == (ToolCall("1.1", "book", "{}", '{"ok": true}'),)


def test_a_stream_opened_in_mid_call_goes_on_from_the_entries() -> None:
    entries = (Entry(1, "", "Hello."), Entry(2, "Hi.", "How can"), Entry(2, "", "", "Sorry, one moment."))
    history = History(entries)
    assert history.entries() == [Entry(1, "", "Hello."), Entry(2, "Hi.", "How can", "Sorry, one moment.")]


def test_a_retried_turn_keeps_what_was_heard_of_its_first_try() -> None:
    history = History((Entry(2, "Hi.", "How can"),))
    history.stand(2, "Hi.")
    history.add_reply(2, "How can I help?")
    history.on_heard(2, 15)
    assert history.entries() == [Entry(2, "Hi.", "How canHow can I help?")]


def test_a_turn_sees_only_what_came_before_it() -> None:
    history = spoken_turn()
    history.stand(2, "And more?")
    assert [entry.turn_id for entry in history.entries(before_turn_id=2)] == [1]


def test_a_second_gateway_text_of_a_turn_stands_beside_the_first() -> None:
    history = spoken_turn()
    history.on_gateway_heard(1, "I'm sorry, one moment.", 9)
    history.on_gateway_heard(1, "I'm sorry, one moment.", 22)
    history.on_gateway_heard(1, "Are you still there?", 20)
    assert history.entries()[0].gateway_text == "I'm sorry, one moment. Are you still there?"


def test_reports_of_ever_new_turns_drive_out_no_turn_of_the_caller() -> None:
    history = spoken_turn()
    for turn_id in range(2, 2000):
        history.on_gateway_heard(turn_id, "One moment.", 11)
    entries = history.entries()
    assert entries[0].user_text == "What does it cost?"
    assert len(entries) < 100


def test_a_late_correction_of_a_continued_turn_corrects_the_joined_text() -> None:
    history = History()
    history.stand(1, "I would like")
    history.stand(2, "I would like a cleaning", continues_turn_id=1)
    assert history.correct(1, "I'd like")
    assert [entry.user_text for entry in history.entries()] == ["I'd like a cleaning"]
    assert history.correct(1, "I'd love")
    assert [entry.user_text for entry in history.entries()] == ["I'd love a cleaning"]


def test_a_late_correction_never_doubles_the_first_half_of_a_turn() -> None:
    history = History()
    history.stand(1, "I would like")
    history.stand(2, "I'd like a cleaning", continues_turn_id=1)
    assert not history.correct(1, "I would love")
    assert [entry.user_text for entry in history.entries()] == ["I'd like a cleaning"]


def test_a_correction_of_a_turn_continued_twice_reaches_its_text() -> None:
    history = History()
    history.stand(1, "I would")
    history.stand(2, "I would like", continues_turn_id=1)
    history.stand(3, "I would like a cleaning", continues_turn_id=2)
    assert history.correct(1, "We would")
    assert [entry.user_text for entry in history.entries()] == ["We would like a cleaning"]
