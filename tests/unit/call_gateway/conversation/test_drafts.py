"""An answer is tried at every pause, and used when the words stay the same."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from tests.unit.call_gateway.conversation.driver import Call


def test_a_pause_makes_a_draft():
    call = Call().greeted()
    call.say("hello agent")
    ask = call.last(cmd.AskAgent)
    assert ask.is_draft
    assert ask.input == cmd.CallerSaid("hello agent")


def test_a_draft_is_spoken_and_held():
    call = Call().greeted()
    call.say("hello agent")
    turn_id = call.last(cmd.AskAgent).turn_id
    call.clause(turn_id, "Sure, ")
    call.voice(turn_id, 300)
    call.wait(100)
    assert call.last(cmd.Speak) == cmd.Speak(turn_id, "Sure, ", "en")
    assert call.heard_bytes() == set()
    assert call.floor is Floor.LISTENING


def test_a_settled_draft_is_committed_and_heard_with_the_next_frame():
    call = Call().greeted()
    call.say("hello agent")
    turn_id = call.last(cmd.AskAgent).turn_id
    call.clause(turn_id, "Sure, ")
    call.voice(turn_id, 300)
    call.wait(260)
    call.settle("Hello, agent!")
    assert call.last(cmd.CommitTurn) == cmd.CommitTurn(turn_id)
    assert len(call.all(cmd.AskAgent)) == 1
    call.wait(20)
    assert call.heard_bytes() == {turn_id}
    assert call.floor is Floor.SPEAKING


def test_a_draft_that_settles_to_other_words_is_dropped_and_the_agent_asked_again():
    call = Call().greeted()
    call.say("a table for two")
    draft = call.last(cmd.AskAgent).turn_id
    call.clause(draft, "For two, ")
    call.voice(draft, 300)
    call.wait(260)
    assert call.last(cmd.CommitTurn).turn_id == draft, "its words cover the speech: the end was waited for, no more"
    call.settle("a table for ten")
    assert cmd.CancelTurn(draft) in call.commands
    assert cmd.StopSpeech(draft) in call.commands
    ask = call.last(cmd.AskAgent)
    assert (ask.input, ask.is_draft) == (cmd.CallerSaid("a table for ten"), False)
    assert ask.continues_turn_id == draft
    call.forget()
    call.wait(100)
    assert call.heard_bytes() == set()


def test_more_speech_drops_the_draft():
    call = Call().greeted()
    call.say("I would like")
    draft = call.last(cmd.AskAgent).turn_id
    call.begin_speech()
    assert cmd.CancelTurn(draft, only=True) in call.commands


def test_the_same_words_keep_the_draft():
    call = Call().greeted()
    call.say("hello agent")
    call.draft("Hello, agent.")
    assert len(call.all(cmd.AskAgent)) == 1
    assert not call.all(cmd.CancelTurn)


def test_other_words_replace_the_draft():
    call = Call().greeted()
    call.say("hello")
    first = call.last(cmd.AskAgent).turn_id
    call.draft("hello agent")
    assert cmd.CancelTurn(first, only=True) in call.commands
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("hello agent")


def test_a_turn_costs_no_more_drafts_than_it_may():
    call = Call().greeted()
    for count in range(8):
        call.say("word " * (count + 1))
    assert len(call.all(cmd.AskAgent)) == call.settings.max_drafts
    assert call.conversation.counters["drafts_made"] == call.settings.max_drafts


def test_no_draft_is_tried_for_very_long_speech():
    call = Call().greeted()
    call.say("a long story", speech_ms=16_000)
    assert not call.all(cmd.AskAgent)


def test_a_partial_text_makes_no_draft():
    call = Call().greeted()
    call.begin_speech()
    call.wait(200)
    call.text(ev.TextStage.PARTIAL, "hello")
    assert not call.all(cmd.AskAgent)


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


def test_a_failed_draft_is_forgotten_and_the_turn_asked_again():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(cmd.AskAgent).turn_id
    call.end_reply(draft, ev.Outcome.FAILED, reason="TOO_LONG")
    call.wait(260)
    call.settle("hello agent")
    ask = call.last(cmd.AskAgent)
    assert ask.turn_id > draft
    assert not ask.is_draft
    assert not call.all(cmd.ReopenStage)


def test_the_agent_is_told_how_sure_the_stt_stage_is_of_the_words():
    call = Call().greeted()
    call.say("hello agent")
    asked = call.last(cmd.AskAgent).input
    assert isinstance(asked, cmd.CallerSaid)
    assert asked.confidence == 0.9
