"""The end of the caller's turn, and the words of the turn."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import IdleReason, MediaIdle
from tests.unit.call_gateway.conversation.driver import Call


def test_the_turn_ends_when_the_predicted_silence_has_passed_on_the_callers_clock():
    call = Call().greeted()
    call.say("hello agent")  # 100 ms of silence are over
    call.wait(140)
    assert not call.all(cmd.EndUtterance)
    call.wait(20)
    assert call.last(cmd.EndUtterance).end_sample == call.sample(call.ms - 260)
    assert call.floor is Floor.THINKING


def test_wall_time_alone_ends_no_turn():
    call = Call().greeted()
    call.say("hello agent")
    call.is_clock_running = False
    call.wait(1000)
    assert not call.all(cmd.EndUtterance)


def test_the_same_sound_at_once_gives_the_same_end():
    call = Call().greeted()
    call.say("hello agent")
    end_ms = call.ms - 100
    call.tell(ev.CallerAdvanced(call.sample(end_ms + 256)))
    assert call.last(cmd.EndUtterance).end_sample == call.sample(end_ms)


def test_an_unfinished_sentence_waits_longer():
    call = Call().greeted()
    call.say("I would like a")
    call.predict(1200, "UNFINISHED", end_ms=call.ms - 100)
    call.wait(1080)
    assert not call.all(cmd.EndUtterance)
    call.wait(20)
    assert call.all(cmd.EndUtterance)


def test_an_stt_stage_that_predicts_nothing_is_given_the_long_wait():
    call = Call().greeted()
    call.begin_speech()
    call.wait(400)
    call.stop_speech()
    call.draft("hello agent")
    call.wait(1180)
    assert not call.all(cmd.EndUtterance)
    call.wait(20)
    assert call.all(cmd.EndUtterance)


def test_speech_takes_a_prediction_back():
    call = Call().greeted()
    call.say("hello agent")
    call.begin_speech()
    call.wait(1000)
    assert not call.all(cmd.EndUtterance)


def test_a_turn_waits_within_a_limit_for_text_that_covers_it():
    call = Call().greeted()
    call.say("hello", with_draft=False)
    call.wait(540)
    assert not call.all(cmd.EndUtterance)
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
    assert call.all(cmd.EndUtterance)


def test_a_pressed_key_is_no_silence():
    call = Call().greeted()
    call.say("hello agent")
    call.is_clock_running = False
    start = call.sample()
    call.tell(MediaIdle(start, start + 8000, IdleReason.DTMF))
    call.tell(ev.SttProgressed(start + 8000))
    assert not call.all(cmd.EndUtterance)
    call.tell(MediaIdle(start + 8000, start + 8000 + 160 * 8, IdleReason.UNKNOWN))
    assert call.all(cmd.EndUtterance)


def test_nothing_said_gives_the_floor_back():
    call = Call().greeted()
    call.say("hm", with_draft=False)
    call.wait(600)
    call.settle("")
    assert call.floor is Floor.LISTENING
    assert not call.all(cmd.AskAgent)


def test_a_draft_is_dropped_when_nothing_was_said_after_all():
    call = Call().greeted()
    call.say("hello")
    draft = call.last(cmd.AskAgent).turn_id
    call.wait(260)
    call.settle("")
    assert cmd.CancelTurn(draft) in call.commands
    assert call.floor is Floor.LISTENING


def test_the_drafts_text_stands_when_settling_takes_too_long():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(cmd.AskAgent).turn_id
    call.wait(160)
    assert call.floor is Floor.THINKING
    call.wait(400)
    assert call.last(cmd.CommitTurn) == cmd.CommitTurn(draft)


def test_a_failed_settlement_leaves_the_drafts_text():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(cmd.AskAgent).turn_id
    call.wait(260)
    call.settle("", is_ok=False)
    assert call.last(cmd.CommitTurn) == cmd.CommitTurn(draft)


def test_an_answer_without_words_gives_the_floor_back():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.end_reply(turn_id)
    call.wait(20)
    assert call.floor is Floor.LISTENING
    assert call.record(turn_id).outcome == "completed"
    assert not call.all(cmd.EndSpeech)
