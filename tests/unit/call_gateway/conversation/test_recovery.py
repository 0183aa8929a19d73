"""A turn that was taken too early, and words that were understood too late."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.conversation.settings import ConversationSettings
from tests.unit.call_gateway.conversation.driver import Call


def test_speech_before_the_answer_began_makes_one_turn_of_both_parts():
    call = Call().greeted()
    first = call.ask("I would like")
    call.begin_speech()
    assert call.floor is Floor.PAUSED
    call.wait(400)
    call.stop_speech()
    call.draft("an appointment")
    assert cmd.CancelTurn(first) in call.commands
    ask = call.last(cmd.AskAgent)
    assert ask.input == cmd.CallerSaid("I would like an appointment")
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
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("I would like an appointment")


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
    ask = call.last(cmd.AskAgent)
    assert (ask.input, ask.continues_turn_id) == (cmd.CallerSaid("an appointment"), 0)


def _answered_behind_an_end_of(probability: float) -> tuple[Call, int]:
    """A turn that was taken at an end of that probability, and 1.2 s of the answer to it."""
    call = Call().greeted()
    call.say("I would like")
    call.predict(1200, "UNFINISHED", end_ms=call.ms - 100, probability=probability)
    call.wait(1200)
    call.settle("I would like")
    first = call.conversation.turn_id
    call.reply(first, "One two three four. ", ms=2000)
    call.wait(1200)
    call.begin_speech()
    call.wait(300)
    call.stop_speech()
    call.draft("an appointment")
    return call, first


def test_behind_an_end_that_was_unlikely_the_caller_may_go_on_longer():
    call, first = _answered_behind_an_end_of(0.1)
    assert call.record(first).outcome == "continued"
    assert call.record(first).end_probability == 0.1
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("I would like an appointment")


def test_the_same_words_behind_a_likely_end_are_a_turn_of_their_own():
    call, first = _answered_behind_an_end_of(0.8)
    assert call.record(first).outcome == "interrupted"
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("an appointment")


def test_speech_before_the_words_were_settled_begins_no_turn_in_between():
    call = Call(ConversationSettings(max_drafts=0)).greeted()
    call.say("I would like")
    call.wait(160)
    call.begin_speech()
    call.settle("I would like")
    assert not call.all(cmd.AskAgent)
    call.wait(1000)
    call.stop_speech()
    call.draft("an appointment")
    call.predict()
    call.wait(300)
    call.settle("an appointment")
    ask = call.last(cmd.AskAgent)
    assert (ask.input, ask.continues_turn_id) == (cmd.CallerSaid("I would like an appointment"), 0)


def test_speech_after_the_words_were_answered_ahead_goes_on_with_the_turn_that_was_taken():
    call = Call().greeted()
    call.say("I would like")
    draft = call.last(cmd.AskAgent).turn_id
    call.wait(160)
    assert call.last(cmd.CommitTurn).turn_id == draft, "its words cover the speech"
    call.begin_speech()
    call.settle("I would like")
    call.wait(300)
    call.stop_speech()
    call.draft("an appointment")
    assert cmd.CancelTurn(draft) in call.commands
    ask = call.last(cmd.AskAgent)
    assert (ask.input, ask.continues_turn_id) == (cmd.CallerSaid("I would like an appointment"), draft)


def test_a_cough_before_the_words_were_settled_delays_the_turn_and_no_more():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(cmd.AskAgent).turn_id
    call.wait(160)
    call.begin_speech()
    call.settle("hello agent")
    call.wait(100)
    call.stop_speech()
    call.draft("")
    assert call.last(cmd.CommitTurn) == cmd.CommitTurn(draft)
    assert call.floor is Floor.THINKING


def test_a_correction_that_changes_the_meaning_at_once_is_answered_instead():
    call = Call().greeted()
    first = call.ask("a table for two")
    call.text(ev.TextStage.CORRECTED, "a table for ten")
    assert cmd.CorrectTurn(first, "a table for ten") in call.commands
    assert cmd.CancelTurn(first) in call.commands
    ask = call.last(cmd.AskAgent)
    assert (ask.input, ask.continues_turn_id) == (cmd.CallerSaid("a table for ten"), first)
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
    assert call.commands == [cmd.CorrectTurn(first, "a table for ten")]
    assert call.conversation.history[-1].user_text == "a table for ten"


def test_words_settled_after_the_draft_was_taken_are_a_correction():
    call = Call().greeted()
    call.say("a table for two")
    call.wait(600)
    first = call.last(cmd.CommitTurn).turn_id
    call.settle("a table for ten")
    assert cmd.CorrectTurn(first, "a table for ten") in call.commands
    assert call.last(cmd.AskAgent).continues_turn_id == first


def test_the_record_says_how_long_before_its_words_a_turn_was_committed():
    call = Call().greeted()
    call.say("a table for two")
    while not call.all(cmd.CommitTurn):
        call.wait(20)
    first = call.last(cmd.CommitTurn).turn_id
    call.wait(240)
    call.settle("a table for two")
    call.reply(first, "Yes of course. ", ms=100)
    call.wait(400)
    assert call.record(first).commit_gain_us == 240_000


def test_the_window_runs_from_the_first_frame_heard():
    call = Call().greeted()
    turn_id = call.ask("are you open")
    call.wait(1500)
    call.reply(turn_id, "one ", ms=2000)
    call.wait(260)
    call.forget()
    call.begin_speech()
    call.wait(700)
    call.stop_speech()
    call.draft("on sunday morning")
    call.predict()
    call.wait(400)
    call.settle("on sunday morning")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("are you open on sunday morning")
