"""Hang-up: a caller who speaks as the last words end is not hung up on."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import EndCause, KeyPressed
from tests.unit.call_gateway.conversation.driver import PROMPT_MS, Call

ASK_MS = 8000 + PROMPT_MS + 60


def goodbye(call: Call) -> int:
    """The agent says goodbye and wants to hang up; its last word was just heard."""
    turn_id = call.ask("that was all")
    call.tell(ev.ActionAsked("act-1", turn_id, True, ev.HangUpCall()))
    call.reply(turn_id, "Goodbye.", ms=600)
    call.wait(640)
    call.forget()
    return turn_id


def goes_on(call: Call, text: str) -> None:
    """The caller speaks, and is understood."""
    call.say(text)
    call.wait(300)
    call.settle(text)


def test_a_caller_who_speaks_right_behind_the_goodbye_is_answered():
    call = Call().greeted()
    goodbye(call)
    call.wait(200)
    goes_on(call, "oh wait one more thing")
    assert cmd.ReportAction("act-1", is_done=False, reason="CALLER_SPOKE") in call.commands
    call.reply(call.conversation.turn_id, "Yes?", ms=300)
    call.wait(4000)
    assert not call.all(cmd.HangUp)
    assert call.floor is Floor.LISTENING


def test_the_call_ends_at_the_next_goodbye():
    call = Call().greeted()
    goodbye(call)
    call.wait(200)
    goes_on(call, "bye bye")
    turn_id = call.conversation.turn_id
    call.tell(ev.ActionAsked("act-2", turn_id, True, ev.HangUpCall()))
    call.reply(turn_id, "Goodbye.", ms=600)
    call.wait(1000)
    assert call.last(cmd.HangUp).cause is EndCause.AGENT
    assert cmd.ReportAction("act-2", is_done=True) in call.commands


def test_a_sound_without_words_only_puts_the_hang_up_off():
    call = Call().greeted()
    goodbye(call)
    call.begin_speech()
    call.wait(400)
    call.stop_speech()
    call.predict(700, "NO_TEXT")
    call.wait(760)
    assert not call.all(cmd.HangUp)
    call.settle("")
    call.wait(340)
    assert call.last(cmd.HangUp).cause is EndCause.AGENT


def test_the_wait_for_a_sound_without_words_has_a_limit():
    call = Call().greeted()
    goodbye(call)
    call.begin_speech()
    call.wait(15_100)
    assert call.last(cmd.HangUp).cause is EndCause.AGENT


def test_words_that_take_long_are_waited_for():
    call = Call().greeted()
    goodbye(call)
    call.begin_speech()
    call.wait(2000)
    call.text(ev.TextStage.PARTIAL, "and then I wanted to ask", start_ms=call.ms - 2000)
    call.wait(14_000)
    assert not call.all(cmd.HangUp)
    deadline = call.conversation.next_deadline()
    assert deadline is not None
    assert deadline > call.now


def test_a_key_behind_the_goodbye_is_answered():
    call = Call().greeted()
    goodbye(call)
    call.tell(KeyPressed("1", 80))
    call.wait(1600)
    assert call.last(cmd.AskAgent).input == cmd.CallerKeyed("1")
    assert not call.all(cmd.HangUp)


def test_words_that_could_not_be_heard_are_asked_for_again_and_waited_for():
    call = Call().greeted()
    goodbye(call)
    call.say("wait", with_draft=False)
    call.wait(560)
    call.settle("", is_ok=False)
    call.wait(3000)
    assert not call.all(cmd.HangUp)


def test_a_silent_caller_who_speaks_over_the_goodbye_is_not_hung_up_on():
    call = Call().greeted()
    call.wait(2 * ASK_MS + 8100)
    assert call.floor is Floor.SPEAKING
    call.forget()
    goes_on(call, "hello I am here")
    asked = call.last(cmd.AskAgent)
    assert isinstance(asked.input, cmd.CallerSaid)
    assert asked.input.text == "hello I am here"
    call.reply(asked.turn_id, "Good.", ms=300)
    call.wait(7000)
    assert not call.all(cmd.HangUp)


def test_a_hang_up_that_is_asked_for_at_once_waits_for_no_tail():
    call = Call().greeted()
    turn_id = call.ask("you are a fool")
    call.tell(ev.ActionAsked("act-1", turn_id, False, ev.HangUpCall()))
    assert call.floor is Floor.CLOSING
