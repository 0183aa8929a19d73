"""One turn from the caller's words to the last word of the answer: greeting, draft, end, settlement, answer."""

import pytest

from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.line import IdleReason, MediaIdle
from services.call_gateway.conversation.profile import AgentEndpointing, AgentProfile
from services.call_gateway.conversation.turn import Floor
from tests.unit.call_gateway.conversation.driver import Call


def test_the_greeting_is_turn_one():
    call = Call().answered()
    assert call.last(ev.AskAgent) == ev.AskAgent(1, ev.CallOpened(), language_code="en")
    assert call.floor is Floor.THINKING


def test_the_greeting_waits_300_ms_for_the_path_to_open():
    call = Call().answered()
    call.reply(1, "Hello. ", ms=400)
    call.wait(600)
    first = next(when for when, content in call.frames if content is not None)
    assert first == 300


def test_nothing_is_asked_before_the_call_is_answered():
    call = Call()
    call.wait(1000)
    assert call.commands == []
    assert call.conversation.next_deadline() is None


def test_a_second_answer_is_no_second_greeting():
    call = Call().answered()
    call.tell(ev.CallAnswered())
    assert len(call.all(ev.AskAgent)) == 1


def test_turn_ids_rise():
    call = Call().greeted()
    ids = [call.ask("one")]
    call.reply(ids[0], "yes. ", ms=100)
    call.wait(200)
    ids.append(call.ask("two"))
    assert ids == sorted(set(ids))
    assert ids[0] > 1


# -- drafts ------------------------------------------------------------------------------------------------------------


def test_a_pause_makes_a_draft():
    call = Call().greeted()
    call.say("hello agent")
    ask = call.last(ev.AskAgent)
    assert ask.is_draft
    assert ask.input == ev.CallerSaid("hello agent")


def test_a_draft_is_spoken_and_held():
    call = Call().greeted()
    call.say("hello agent")
    turn_id = call.last(ev.AskAgent).turn_id
    call.clause(turn_id, "Sure, ")
    call.voice(turn_id, 300)
    call.wait(100)
    assert call.last(ev.Speak) == ev.Speak(turn_id, "Sure, ", "en")
    assert call.heard_bytes() == set()
    assert call.floor is Floor.LISTENING


def test_a_settled_draft_is_committed_and_heard_with_the_next_frame():
    call = Call().greeted()
    call.say("hello agent")
    turn_id = call.last(ev.AskAgent).turn_id
    call.clause(turn_id, "Sure, ")
    call.voice(turn_id, 300)
    call.wait(260)
    call.settle("Hello, agent!")
    assert call.last(ev.CommitTurn) == ev.CommitTurn(turn_id)
    assert len(call.all(ev.AskAgent)) == 1
    call.wait(20)
    assert call.heard_bytes() == {turn_id}
    assert call.floor is Floor.SPEAKING


def test_a_draft_that_settles_to_other_words_is_dropped_and_the_agent_asked_anew():
    call = Call().greeted()
    call.say("a table for two")
    draft = call.last(ev.AskAgent).turn_id
    call.clause(draft, "For two, ")
    call.voice(draft, 300)
    call.wait(260)
    call.settle("a table for ten")
    assert ev.CancelTurn(draft, only=True) in call.commands
    assert ev.StopSpeech(draft, only=True) in call.commands
    ask = call.last(ev.AskAgent)
    assert (ask.input, ask.is_draft) == (ev.CallerSaid("a table for ten"), False)
    call.wait(100)
    assert call.heard_bytes() == set()


def test_more_speech_drops_the_draft():
    call = Call().greeted()
    call.say("I would like")
    draft = call.last(ev.AskAgent).turn_id
    call.begin_speech()
    assert ev.CancelTurn(draft, only=True) in call.commands


def test_the_same_words_keep_the_draft():
    call = Call().greeted()
    call.say("hello agent")
    call.draft("Hello, agent.")
    assert len(call.all(ev.AskAgent)) == 1
    assert not call.all(ev.CancelTurn)


def test_other_words_replace_the_draft():
    call = Call().greeted()
    call.say("hello")
    first = call.last(ev.AskAgent).turn_id
    call.draft("hello agent")
    assert ev.CancelTurn(first, only=True) in call.commands
    assert call.last(ev.AskAgent).input == ev.CallerSaid("hello agent")


def test_a_turn_costs_no_more_drafts_than_it_may():
    call = Call().greeted()
    for count in range(8):
        call.say("word " * (count + 1))
    assert len(call.all(ev.AskAgent)) == call.settings.max_drafts
    assert call.conversation.counters["drafts_made"] == call.settings.max_drafts


def test_no_draft_is_tried_for_very_long_speech():
    call = Call().greeted()
    call.say("a long story", speech_ms=16_000)
    assert not call.all(ev.AskAgent)


def test_a_partial_text_makes_no_draft():
    call = Call().greeted()
    call.begin_speech()
    call.wait(200)
    call.text(ev.TextStage.PARTIAL, "hello")
    assert not call.all(ev.AskAgent)


def test_drafts_are_counted_in_the_record():
    call = Call().greeted()
    call.say("hello")
    call.draft("hello agent")
    call.wait(260)
    call.settle("hello agent")
    turn_id = call.conversation.turn_id
    call.reply(turn_id, "Yes.", ms=100)
    call.wait(200)
    record = call.record(turn_id)
    assert (record.drafts_made, record.drafts_dropped, record.is_answered_from_draft) == (2, 1, True)
    assert call.conversation.counters["drafts_used"] == 1


def test_a_failed_draft_is_forgotten_and_the_turn_asked_anew():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(ev.AskAgent).turn_id
    call.end_reply(draft, ev.Outcome.FAILED, reason="TOO_LONG")
    call.wait(260)
    call.settle("hello agent")
    ask = call.last(ev.AskAgent)
    assert ask.turn_id > draft
    assert not ask.is_draft
    assert not call.all(ev.ReopenStage)


# -- the end of the turn -----------------------------------------------------------------------------------------------


def test_the_turn_ends_when_the_predicted_silence_has_passed_on_the_callers_clock():
    call = Call().greeted()
    call.say("hello agent")  # 100 ms of silence are over
    call.wait(140)
    assert not call.all(ev.EndUtterance)
    call.wait(20)
    assert call.last(ev.EndUtterance).end_sample == call.sample(call.ms - 260)
    assert call.floor is Floor.THINKING


def test_wall_time_alone_ends_no_turn():
    call = Call().greeted()
    call.say("hello agent")
    call.is_clock_running = False
    call.wait(1000)
    assert not call.all(ev.EndUtterance)


def test_the_same_sound_at_once_gives_the_same_end():
    call = Call().greeted()
    call.say("hello agent")
    end_ms = call.ms - 100
    call.tell(ev.CallerAdvanced(call.sample(end_ms + 256)))
    assert call.last(ev.EndUtterance).end_sample == call.sample(end_ms)


def test_an_unfinished_sentence_waits_longer():
    call = Call().greeted()
    call.say("I would like a")
    call.predict(1200, "UNFINISHED", end_ms=call.ms - 100)
    call.wait(1080)
    assert not call.all(ev.EndUtterance)
    call.wait(20)
    assert call.all(ev.EndUtterance)


def test_an_ear_that_predicts_nothing_is_given_the_long_wait():
    call = Call().greeted()
    call.begin_speech()
    call.wait(400)
    call.stop_speech()
    call.draft("hello agent")
    call.wait(1180)
    assert not call.all(ev.EndUtterance)
    call.wait(20)
    assert call.all(ev.EndUtterance)


def test_speech_takes_a_prediction_back():
    call = Call().greeted()
    call.say("hello agent")
    call.begin_speech()
    call.wait(1000)
    assert not call.all(ev.EndUtterance)


def test_a_turn_waits_for_text_that_covers_it_but_not_for_ever():
    call = Call().greeted()
    call.say("hello", with_draft=False)
    call.wait(540)
    assert not call.all(ev.EndUtterance)
    call.wait(20)
    call.settle("hello agent")
    call.reply(call.conversation.turn_id, "Yes.", ms=100)
    call.wait(200)
    assert call.record(call.conversation.turn_id).end_reason == "complete_late_text"


def test_text_that_comes_late_ends_the_turn_at_once():
    call = Call().greeted()
    call.say("hello", with_draft=False)
    call.wait(300)
    call.text(ev.TextStage.DRAFT, "hello agent", end_ms=call.ms - 400)
    assert call.all(ev.EndUtterance)


def test_a_pressed_key_is_no_silence():
    call = Call().greeted()
    call.say("hello agent")
    call.is_clock_running = False
    start = call.sample()
    call.tell(MediaIdle(start, start + 8000, IdleReason.DTMF))
    call.tell(ev.EarProgressed(start + 8000))
    assert not call.all(ev.EndUtterance)
    call.tell(MediaIdle(start + 8000, start + 8000 + 160 * 8, IdleReason.UNKNOWN))
    assert call.all(ev.EndUtterance)


# -- settlement --------------------------------------------------------------------------------------------------------


def test_nothing_said_gives_the_floor_back():
    call = Call().greeted()
    call.say("hm", with_draft=False)
    call.wait(600)
    call.settle("")
    assert call.floor is Floor.LISTENING
    assert not call.all(ev.AskAgent)


def test_a_draft_is_dropped_when_nothing_was_said_after_all():
    call = Call().greeted()
    call.say("hello")
    draft = call.last(ev.AskAgent).turn_id
    call.wait(260)
    call.settle("")
    assert ev.CancelTurn(draft, only=True) in call.commands
    assert call.floor is Floor.LISTENING


def test_the_drafts_text_stands_when_settling_takes_too_long():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(ev.AskAgent).turn_id
    call.wait(160)
    assert call.floor is Floor.THINKING
    call.wait(400)
    assert call.last(ev.CommitTurn) == ev.CommitTurn(draft)


def test_a_failed_settlement_leaves_the_drafts_text():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(ev.AskAgent).turn_id
    call.wait(260)
    call.settle("", is_ok=False)
    assert call.last(ev.CommitTurn) == ev.CommitTurn(draft)


def test_an_answer_without_words_gives_the_floor_back():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.end_reply(turn_id)
    call.wait(20)
    assert call.floor is Floor.LISTENING
    assert call.record(turn_id).outcome == "completed"
    assert not call.all(ev.EndSpeech)


# -- the answer --------------------------------------------------------------------------------------------------------


def test_clauses_are_spoken_as_they_come_and_closed_with_the_reply():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.forget()
    call.clause(turn_id, "Sure, ")
    call.clause(turn_id, "of course.")
    call.end_reply(turn_id)
    assert call.commands == [
        ev.Speak(turn_id, "Sure, ", "en"),
        ev.Speak(turn_id, "of course.", "en"),
        ev.EndSpeech(turn_id),
    ]


def test_the_answer_is_reported_when_it_was_heard_to_its_end():
    call = Call().greeted()
    turn_id = call.ask("hello agent")
    call.reply(turn_id, "Sure, of course.", ms=300)
    call.wait(300)
    assert not [report for report in call.all(ev.ReportPlayout) if report.turn_id == turn_id]
    call.wait(40)
    assert call.last(ev.ReportPlayout) == ev.ReportPlayout(turn_id, 16, is_final=True)
    record = call.record(turn_id)
    assert (record.outcome, record.heard_text, record.user_text) == ("completed", "Sure, of course.", "hello agent")
    assert call.floor is Floor.LISTENING


def test_the_final_report_comes_before_the_next_question():
    call = Call().greeted()
    first = call.speaking()
    call.wait(3000)
    second = call.ask("and now")
    names = [
        (type(command).__name__, command.turn_id)
        for command in call.commands
        if isinstance(command, ev.ReportPlayout | ev.AskAgent)
    ]
    assert names.index(("ReportPlayout", first)) < names.index(("AskAgent", second))


def test_a_fresh_agent_is_told_what_was_heard():
    call = Call().greeted("Hello there. ")
    call.speaking("one two three.", ms=600)
    call.wait(700)
    assert [(turn.user_text, turn.heard_text) for turn in call.conversation.history] == [
        ("", "Hello there. "),
        ("a question", "one two three."),
    ]


def test_a_voice_that_runs_dry_goes_on_when_sound_comes():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "Sure, of course.")
    call.voice(turn_id, 100)
    call.wait(300)
    assert call.frames[-1][1] is None
    call.voice(turn_id, 100, start_ms=100)
    call.wait(20)
    assert call.frames[-1][1] is not None
    assert call.conversation.counters["underruns"] > 0


# -- recovery from a wrong end -----------------------------------------------------------------------------------------


def test_speech_before_the_answer_began_makes_one_turn_of_both_parts():
    call = Call().greeted()
    first = call.ask("I would like")
    call.begin_speech()
    assert call.floor is Floor.PAUSED
    call.wait(400)
    call.stop_speech()
    call.draft("an appointment")
    assert ev.CancelTurn(first) in call.commands
    ask = call.last(ev.AskAgent)
    assert ask.input == ev.CallerSaid("I would like an appointment")
    assert ask.continues_turn_id == first
    assert call.record(first).outcome == "continued"


def test_nothing_of_an_answer_is_heard_while_the_caller_goes_on():
    call = Call().greeted()
    first = call.ask("I would like")
    call.begin_speech()
    call.reply(first, "Yes, what? ", ms=500)
    call.wait(560)
    assert call.heard_bytes() == set()


def test_at_most_one_word_is_heard_of_an_answer_that_came_too_early():
    call = Call().greeted()
    first = call.ask("I would like")
    call.reply(first, "One two three four. ", ms=2000)
    call.wait(60)
    call.begin_speech()
    call.wait(300)
    call.stop_speech()
    call.draft("an appointment")
    assert call.record(first).outcome == "continued"
    assert call.last(ev.AskAgent).input == ev.CallerSaid("I would like an appointment")


def test_after_a_second_word_it_is_an_interruption():
    call = Call().greeted()
    first = call.ask("I would like")
    call.reply(first, "One two three four. ", ms=2000)
    call.wait(1200)
    call.begin_speech()
    call.wait(300)
    call.stop_speech()
    call.draft("an appointment")
    assert call.record(first).outcome == "interrupted"
    ask = call.last(ev.AskAgent)
    assert (ask.input, ask.continues_turn_id) == (ev.CallerSaid("an appointment"), 0)


def test_speech_before_the_words_were_settled_begins_no_turn_in_between():
    call = Call().greeted()
    call.say("I would like")
    draft = call.last(ev.AskAgent).turn_id
    call.wait(160)
    call.begin_speech()
    call.settle("I would like")
    assert not call.all(ev.CommitTurn)
    call.wait(300)
    call.stop_speech()
    call.draft("an appointment")
    assert ev.CancelTurn(draft, only=True) in call.commands
    ask = call.last(ev.AskAgent)
    assert (ask.input, ask.continues_turn_id) == (ev.CallerSaid("I would like an appointment"), 0)


def test_a_cough_before_the_words_were_settled_delays_the_turn_and_no_more():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(ev.AskAgent).turn_id
    call.wait(160)
    call.begin_speech()
    call.settle("hello agent")
    call.wait(100)
    call.stop_speech()
    call.draft("")
    assert call.last(ev.CommitTurn) == ev.CommitTurn(draft)
    assert call.floor is Floor.THINKING


def test_a_correction_that_changes_the_meaning_at_once_is_answered_instead():
    call = Call().greeted()
    first = call.ask("a table for two")
    call.text(ev.TextStage.CORRECTED, "a table for ten")
    assert ev.CorrectTurn(first, "a table for ten") in call.commands
    assert ev.CancelTurn(first) in call.commands
    ask = call.last(ev.AskAgent)
    assert (ask.input, ask.continues_turn_id) == (ev.CallerSaid("a table for ten"), first)
    assert call.floor is Floor.THINKING


def test_a_correction_of_punctuation_changes_nothing():
    call = Call().greeted()
    call.ask("a table for two")
    call.forget()
    call.text(ev.TextStage.CORRECTED, "A table for two!")
    assert call.commands == []


def test_a_late_correction_changes_history_and_record_only():
    call = Call().greeted()
    first = call.ask("a table for two")
    call.reply(first, "Yes of course. ", ms=400)
    call.wait(600)
    call.forget()
    call.text(ev.TextStage.CORRECTED, "a table for ten")
    assert call.commands == [ev.CorrectTurn(first, "a table for ten")]
    assert call.conversation.history[-1].user_text == "a table for ten"


def test_words_settled_after_the_draft_was_taken_are_a_correction():
    call = Call().greeted()
    call.say("a table for two")
    call.wait(600)
    first = call.last(ev.CommitTurn).turn_id
    call.settle("a table for ten")
    assert ev.CorrectTurn(first, "a table for ten") in call.commands
    assert call.last(ev.AskAgent).continues_turn_id == first


# -- language and profile ----------------------------------------------------------------------------------------------


def test_the_language_heard_goes_with_the_question():
    call = Call().greeted()
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.text(ev.TextStage.DRAFT, "xin chào", language_code="vi")
    assert call.last(ev.AskAgent).language_code == "vi"
    assert call.conversation.language_code == "vi"


def test_the_agents_own_patience_counts():
    call = Call()
    call.conversation.adopt(AgentProfile(endpointing=AgentEndpointing(unfinished_wait_ms=500)))
    call.greeted()
    call.begin_speech()
    call.wait(400)
    call.stop_speech()
    call.draft("hello agent")
    call.wait(500)
    assert call.all(ev.EndUtterance)


def test_the_agents_language_holds_where_the_call_names_none():
    call = Call(language_codes=())
    call.conversation.adopt(AgentProfile(language_codes=("vi", "en")))
    assert call.conversation.language_code == "vi"


@pytest.mark.parametrize("kind", list(ev.ExpectedKind))
def test_what_the_agent_expects_shapes_the_ear(kind: ev.ExpectedKind):
    call = Call().greeted()
    turn_id = call.ask("hello")
    expected = ev.InputExpected(turn_id, kind, length=4)
    call.tell(expected)
    assert call.last(ev.UpdateEar).expected == expected


def test_what_a_draft_expects_shapes_the_ear_when_it_is_committed():
    call = Call().greeted()
    call.say("hello")
    draft = call.last(ev.AskAgent).turn_id
    call.tell(ev.InputExpected(draft, ev.ExpectedKind.YES_NO))
    assert not [update for update in call.all(ev.UpdateEar) if update.expected]
    call.wait(260)
    call.settle("hello")
    assert call.last(ev.UpdateEar).expected == ev.InputExpected(draft, ev.ExpectedKind.YES_NO)


def test_the_ear_knows_when_the_agent_speaks():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.forget()
    call.reply(turn_id, "Yes.", ms=100)
    call.wait(200)
    assert [update.agent_is_speaking for update in call.all(ev.UpdateEar)] == [True, False]
