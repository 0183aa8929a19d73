"""Keys the caller presses."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import KeyPressed
from tests.unit.call_gateway.conversation.driver import Call


def press(call: Call, digits: str) -> None:
    for digit in digits:
        call.tell(KeyPressed(digit, 100))


def test_keys_are_one_turn_when_no_key_follows():
    call = Call().greeted()
    press(call, "12")
    call.wait(1000)
    press(call, "3")
    call.wait(1480)
    assert not call.all(cmd.AskAgent)
    call.wait(20)
    ask = call.last(cmd.AskAgent)
    assert (ask.input, ask.is_draft) == (cmd.CallerKeyed("123"), False)
    assert call.floor is Floor.THINKING


def in_band(digit: str) -> KeyPressed:
    return KeyPressed(digit, 0, is_in_band=True)


def keys_taken(call: Call) -> cmd.CallerKeyed:
    call.wait(1600)
    taken = call.last(cmd.AskAgent).input
    assert isinstance(taken, cmd.CallerKeyed)
    return taken


def test_a_key_that_the_line_reports_and_the_sound_holds_counts_once():
    call = Call().greeted()
    for digit in "4115":
        call.tell(KeyPressed(digit, 100))
        call.wait(60)
        call.tell(in_band(digit))
        call.wait(200)
    assert keys_taken(call) == cmd.CallerKeyed("4115")


def test_the_sound_may_be_first_and_a_key_ahead():
    call = Call().greeted()
    call.tell(in_band("2"))
    call.tell(in_band("2"))
    call.tell(KeyPressed("2", 80))
    call.tell(in_band("7"))
    call.tell(KeyPressed("2", 80))
    call.tell(KeyPressed("7", 80))
    assert keys_taken(call) == cmd.CallerKeyed("227")


def test_keys_told_one_way_alone_all_count():
    call = Call().greeted()
    for digit in "99":
        call.tell(in_band(digit))
    assert keys_taken(call) == cmd.CallerKeyed("99")


def test_the_same_key_told_the_other_way_much_later_is_another():
    call = Call().greeted()
    call.tell(KeyPressed("3", 100))
    call.wait(1200)
    call.tell(in_band("3"))
    assert keys_taken(call) == cmd.CallerKeyed("33")


def test_a_hash_ends_the_number():
    call = Call().greeted()
    press(call, "42#")
    assert call.last(cmd.AskAgent).input == cmd.CallerKeyed("42")


def test_a_lone_hash_is_a_key():
    call = Call().greeted()
    press(call, "#")
    assert call.last(cmd.AskAgent).input == cmd.CallerKeyed("#")


def test_a_number_of_the_expected_length_is_whole():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.tell(ev.InputExpected(turn_id, ev.ExpectedKind.DIGITS, length=4))
    call.reply(turn_id, "Your code, please?", ms=200)
    call.wait(300)
    press(call, "1234")
    assert call.last(cmd.AskAgent).input == cmd.CallerKeyed("1234")


def test_an_expectation_holds_for_one_answer():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.tell(ev.InputExpected(turn_id, ev.ExpectedKind.DIGITS, length=1))
    call.reply(turn_id, "Press one.", ms=200)
    call.wait(300)
    press(call, "1")
    second = call.last(cmd.AskAgent).turn_id
    call.reply(second, "Thank you.", ms=200)
    call.wait(300)
    call.forget()
    press(call, "1")
    assert not call.all(cmd.AskAgent)


def test_a_key_stops_the_agent_at_once():
    call = Call().greeted()
    turn_id = call.speaking()
    press(call, "1")
    assert call.floor is Floor.LISTENING
    assert cmd.CancelTurn(turn_id) in call.commands
    assert call.record(turn_id).stop_reason == "key"


def test_a_key_stops_even_a_protected_greeting():
    call = Call().answered()
    call.reply(1, "Hello. ", ms=2000)
    call.wait(400)
    press(call, "1")
    assert call.floor is Floor.LISTENING


def test_a_key_during_a_pause_stops_the_agent():
    call = Call().greeted()
    call.speaking()
    call.begin_speech()
    press(call, "1")
    assert call.floor is Floor.LISTENING


def test_keys_take_the_place_of_a_turn_that_is_being_thought_about():
    call = Call().greeted()
    turn_id = call.ask("hello")
    press(call, "7#")
    assert cmd.CancelTurn(turn_id) in call.commands
    assert call.record(turn_id).outcome == "interrupted"
    assert call.last(cmd.AskAgent).input == cmd.CallerKeyed("7")
    assert call.floor is Floor.THINKING


def test_keys_take_the_place_of_a_draft():
    call = Call().greeted()
    call.say("hello")
    draft = call.last(cmd.AskAgent).turn_id
    press(call, "7#")
    assert cmd.CancelTurn(draft, only=True) in call.commands
    assert not call.all(cmd.CommitTurn)


def test_a_stuck_key_is_bounded():
    call = Call().greeted()
    press(call, "1" * 200)
    assert all(len(ask.input.digits) <= 64 for ask in call.all(cmd.AskAgent) if isinstance(ask.input, cmd.CallerKeyed))


def test_keys_are_a_sign_of_life():
    call = Call().greeted()
    call.wait(7000)
    press(call, "1")
    call.wait(1400)
    assert not call.all(cmd.ReportPlayout)


def test_what_was_being_said_while_keys_were_pressed_is_forgotten():
    call = Call().greeted()
    call.begin_speech()
    began = call.sample()
    call.wait(200)
    press(call, "7#")
    assert call.last(cmd.DiscardUtterance).from_sample == began
    turn_id = call.last(cmd.AskAgent).turn_id
    call.stop_speech()
    call.reply(turn_id, "Seven.", ms=200)
    call.wait(2000)
    assert not call.all(cmd.EndUtterance)


def test_keys_that_are_whole_while_a_sound_is_judged_and_no_reply_is_left_are_answered_aloud():
    call = Call().greeted()
    call.say("I want to book")
    press(call, "1")
    call.wait(700)
    call.settle("I want to book")
    call.wait(500)
    call.begin_speech()
    call.wait(20)
    call.end_reply(call.conversation.turn_id, ev.Outcome.FAILED, is_retryable=False)
    assert call.floor is Floor.PAUSED
    call.stop_speech()
    call.wait(300)
    assert call.last(cmd.AskAgent).input == cmd.CallerKeyed("1")
    assert call.floor is Floor.THINKING
    turn_id = call.conversation.turn_id
    call.reply(turn_id, "You pressed one. ", ms=500)
    call.wait(600)
    assert turn_id in call.heard_bytes()
