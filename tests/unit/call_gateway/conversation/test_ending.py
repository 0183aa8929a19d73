"""Acts on the call, and how it ends."""

import pytest

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.line import EndCause, LegEnded
from tests.unit.call_gateway.conversation.driver import Call


def hang_up_after(turn_id: int, *, is_after_playout: bool = True) -> ev.ActionAsked:
    return ev.ActionAsked("act-1", turn_id, is_after_playout, ev.HangUpCall())


def test_a_goodbye_is_heard_to_its_end_before_the_hang_up():
    call = Call().greeted()
    turn_id = call.ask("bye")
    call.tell(hang_up_after(turn_id))
    call.reply(turn_id, "Goodbye.", ms=600)
    call.wait(620)
    assert not call.all(cmd.HangUp)
    call.wait(340)
    assert call.last(cmd.HangUp).cause is EndCause.AGENT
    assert cmd.ReportAction("act-1", is_done=True) in call.commands
    assert call.record(turn_id).outcome == "completed"
    last_sound = max(when for when, content in call.frames if content is not None)
    assert call.ms - last_sound >= 300


def test_a_hang_up_is_dropped_with_its_turn():
    call = Call().greeted()
    turn_id = call.ask("bye")
    call.tell(hang_up_after(turn_id))
    call.reply(turn_id, "Goodbye and thank you. ", ms=2000)
    call.wait(1000)
    call.begin_speech()
    call.wait(600)
    assert cmd.ReportAction("act-1", is_done=False) in call.commands
    call.wait(3000)
    assert not call.all(cmd.HangUp)


def test_an_act_without_words_is_done_at_once():
    call = Call().greeted()
    turn_id = call.ask("bye")
    call.tell(hang_up_after(turn_id))
    call.end_reply(turn_id)
    call.wait(400)
    assert call.last(cmd.HangUp).cause is EndCause.AGENT


def test_an_act_that_cannot_wait_does_not():
    call = Call().greeted()
    turn_id = call.ask("press one")
    commands = call.tell(ev.ActionAsked("act-1", turn_id, False, ev.PressKeys("1")))
    assert commands == [cmd.DoAction("act-1", ev.PressKeys("1"))]


def test_a_draft_acts_only_once_it_is_heard():
    call = Call().greeted()
    call.say("press one")
    draft = call.last(cmd.AskAgent).turn_id
    call.tell(ev.ActionAsked("act-1", draft, False, ev.PressKeys("1")))
    assert not call.all(cmd.DoAction)
    call.wait(260)
    call.settle("press one")
    call.reply(draft, "Done.", ms=100)
    call.wait(200)
    assert call.all(cmd.DoAction)


def test_the_act_of_a_dropped_draft_is_reported_undone():
    call = Call().greeted()
    call.say("press one")
    draft = call.last(cmd.AskAgent).turn_id
    call.tell(ev.ActionAsked("act-1", draft, True, ev.PressKeys("1")))
    call.begin_speech()
    assert cmd.ReportAction("act-1", is_done=False) in call.commands


def test_a_transfer_waits_for_the_words_before_it():
    call = Call().greeted()
    turn_id = call.ask("a person please")
    call.tell(ev.ActionAsked("act-1", turn_id, True, ev.TransferCall("100")))
    call.reply(turn_id, "One moment.", ms=400)
    call.wait(200)
    assert not call.all(cmd.DoAction)
    call.wait(300)
    assert call.last(cmd.DoAction) == cmd.DoAction("act-1", ev.TransferCall("100"))


def test_another_language_is_listened_for_and_prompted_in():
    call = Call().greeted()
    turn_id = call.ask("tiếng Việt được không")
    call.tell(ev.ActionAsked("act-1", turn_id, False, ev.SwitchLanguage("vi")))
    assert call.last(cmd.UpdateStt).language_codes == ("vi",)
    assert cmd.ReportAction("act-1", is_done=True) in call.commands
    assert call.conversation.language_code == "vi"


def test_an_act_of_a_turn_that_is_over_is_reported_undone():
    call = Call().greeted()
    call.tell(hang_up_after(1))
    assert call.last(cmd.ReportAction) == cmd.ReportAction("act-1", is_done=False)
    assert not call.all(cmd.HangUp)


# -- an operator -------------------------------------------------------------------------------------------------------


def test_an_operator_ends_the_call_after_the_word_being_spoken():
    call = Call().greeted()
    turn_id = call.speaking("one two three four. ", ms=2000)  # 100 ms a code point
    call.wait(320)  # within "two"
    call.tell(ev.CloseAsked(EndCause.OPERATOR, "maintenance"))
    assert call.floor is Floor.CLOSING
    call.wait(2000)
    assert call.last(cmd.HangUp) == cmd.HangUp(EndCause.OPERATOR, "maintenance")
    record = call.record(turn_id)
    assert (record.outcome, record.heard_text) == ("interrupted", "one two")
    assert cmd.CancelTurn(turn_id) in call.commands


def test_an_operator_ends_a_silent_call_at_once():
    call = Call().greeted()
    call.tell(ev.CloseAsked(EndCause.OPERATOR))
    call.wait(320)
    assert call.last(cmd.HangUp).cause is EndCause.OPERATOR


def test_a_goodbye_that_is_not_pulled_has_a_limit():
    call = Call().greeted()
    call.speaking(ms=20_000)
    call.tell(ev.CloseAsked(EndCause.OPERATOR))
    deadline = call.conversation.next_deadline()
    assert deadline is not None
    assert any(isinstance(command, cmd.HangUp) for command in call.conversation.on_timer(now=deadline))


def test_closing_twice_hangs_up_once():
    call = Call().greeted()
    call.tell(ev.CloseAsked(EndCause.OPERATOR))
    call.tell(ev.CloseAsked(EndCause.OPERATOR))
    call.wait(1000)
    assert len(call.all(cmd.HangUp)) == 1


# -- the caller --------------------------------------------------------------------------------------------------------


def test_a_caller_who_hangs_up_leaves_a_final_report_and_a_record():
    call = Call().greeted()
    turn_id = call.speaking("one two three four. ", ms=2000)
    call.wait(720)
    call.tell(LegEnded(EndCause.CALLER))
    assert call.last(cmd.ReportPlayout) == cmd.ReportPlayout(turn_id, 7, is_final=True)
    record = call.record(turn_id)
    assert (record.outcome, record.stop_reason) == ("interrupted", "call_ended")
    assert not call.all(cmd.HangUp)
    assert call.conversation.is_over


def test_a_draft_ends_with_the_call():
    call = Call().greeted()
    call.say("hello")
    draft = call.last(cmd.AskAgent).turn_id
    call.tell(LegEnded(EndCause.CALLER))
    assert cmd.CancelTurn(draft, only=True) in call.commands


@pytest.mark.parametrize("event", [ev.CallAnswered(), ev.CallerAdvanced(10**9), ev.SpeechBegan(10**9, 1.0)])
def test_nothing_comes_of_anything_after_the_end(event: ev.Event):
    call = Call().greeted()
    call.tell(LegEnded(EndCause.CALLER))
    call.forget()
    assert call.tell(event) == []
    assert call.conversation.next_frame(now=call.now) == (None, [])
    assert call.conversation.on_timer(now=call.now + 1e6) == []
    assert call.conversation.next_deadline() is None


def test_the_line_goes_on_while_the_last_words_are_said_and_that_is_no_late_news():
    call = Call().greeted()
    call.speaking(ms=8000)
    call.tell(ev.CloseAsked(EndCause.OPERATOR))
    call.wait(2000)
    assert not [name for name in call.conversation.counters if name.startswith("late_")]


# -- goodbyes that are not put off -------------------------------------------------------------------------------------


def test_a_caller_who_goes_on_talking_does_not_pass_the_limit_of_the_longest_call():
    call = Call(ConversationSettings(max_call_s=10.0)).greeted()
    call.wait(9000)
    call.begin_speech()
    call.wait(1500)
    assert call.floor is Floor.CLOSING
    call.say("but I still want to say something")
    call.wait(5000)
    assert call.last(cmd.HangUp).cause is EndCause.MAX_DURATION
