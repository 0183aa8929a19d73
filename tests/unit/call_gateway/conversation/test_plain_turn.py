"""One turn from the caller's words to the last word of the answer."""

from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.turn import Floor
from tests.unit.call_gateway.conversation.driver import Call


def test_a_draft_is_committed_and_its_held_voice_goes_out_at_once():
    call = Call().greeted()
    call.say("hello agent")
    turn_id = call.last(ev.AskAgent).turn_id
    call.clause(turn_id, "Sure, ")
    call.voice(turn_id, 300)
    call.wait(260)
    call.settle("Hello agent.")
    assert call.last(ev.CommitTurn).turn_id == turn_id
    call.wait(20)
    assert call.floor is Floor.SPEAKING


def test_an_answer_is_recorded_when_it_was_heard():
    call = Call().greeted()
    turn_id = call.ask("hello agent")
    call.reply(turn_id, "Sure, of course.", ms=300)
    call.wait(400)
    assert call.floor is Floor.LISTENING
    assert call.record(turn_id).heard_text == "Sure, of course."
    assert call.last(ev.ReportPlayout) == ev.ReportPlayout(turn_id, 16, is_final=True)
