"""The call is put on hold and taken back."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation import news
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.line import EndCause, HoldChanged, IdleReason, KeyPressed, LegEnded, MediaIdle
from tests.unit.call_gateway.conversation.driver import Call


def hold(call: Call, ms: int, *, is_clock_running: bool = True) -> None:
    """On hold for so long; the caller's clock says why."""
    call.tell(HoldChanged(True))
    running, call.is_clock_running = call.is_clock_running, False
    start = call.sample()
    call.wait(ms)
    if is_clock_running:
        call.tell(MediaIdle(start, call.sample(), IdleReason.HOLD))
        call.tell(ev.SttProgressed(call.sample()))
    call.is_clock_running = running
    call.tell(HoldChanged(False))


def test_nothing_is_played_on_hold_and_the_answer_goes_on_where_it_stopped():
    call = Call().greeted()
    turn_id = call.speaking("one two three four. ", ms=2000)
    sent = sum(content is not None for _, content in call.frames)
    hold(call, 2000)
    assert sum(content is not None for _, content in call.frames) == sent
    assert call.floor is Floor.SPEAKING
    call.wait(2000)
    assert call.record(turn_id).heard_text == "one two three four. "


def test_silence_on_hold_is_not_asked_about():
    call = Call().greeted()
    hold(call, 30_000)
    assert not call.all(cmd.ReportPlayout)
    call.wait(7900)
    assert not call.all(cmd.ReportPlayout), "the wait begins anew"


def test_a_turn_does_not_end_by_holding():
    call = Call().greeted()
    call.say("I would like a")
    hold(call, 5000)
    assert not call.all(cmd.EndUtterance)
    call.wait(200)
    assert call.all(cmd.EndUtterance)


def test_no_stage_is_late_on_hold():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.forget()
    call.wait(900)
    hold(call, 10_000)
    call.wait(800)
    assert not call.all(news.StageTroubled)
    call.reply(turn_id, "Yes.", ms=200)
    call.wait(300)
    assert call.record(turn_id).outcome == "completed"


def test_an_answer_that_comes_during_a_hold_is_heard_after_it():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.tell(HoldChanged(True))
    call.reply(turn_id, "Yes of course.", ms=400)
    call.wait(1000)
    assert call.heard_bytes() == set()
    call.tell(HoldChanged(False))
    call.wait(20)
    assert call.floor is Floor.SPEAKING


def test_words_that_settle_during_a_hold_are_asked():
    call = Call().greeted()
    call.say("hello agent")
    call.wait(160)
    call.tell(HoldChanged(True))
    call.settle("hello agent")
    assert call.all(cmd.CommitTurn)
    call.tell(HoldChanged(False))
    assert call.floor is Floor.THINKING


def test_nothing_said_is_found_out_during_a_hold():
    call = Call().greeted()
    call.say("hm", with_draft=False)
    call.wait(600)
    call.tell(HoldChanged(True))
    call.settle("")
    call.tell(HoldChanged(False))
    assert call.floor is Floor.LISTENING


def test_a_doubt_does_not_outlast_a_hold():
    call = Call().greeted()
    call.speaking(ms=4000)
    call.begin_speech()
    hold(call, 1000)
    assert call.floor is Floor.SPEAKING


def test_speech_on_hold_is_refused():
    call = Call().greeted()
    call.tell(HoldChanged(True))
    call.begin_speech()
    call.tell(HoldChanged(False))
    assert call.floor is Floor.LISTENING
    assert call.conversation.counters["late_SpeechBegan"] == 1


def test_keys_wait_out_a_hold():
    call = Call().greeted()
    call.tell(KeyPressed("1", 100))
    hold(call, 5000)
    assert not call.all(cmd.AskAgent)
    call.wait(1500)
    assert call.last(cmd.AskAgent).input == cmd.CallerKeyed("1")


def test_holding_twice_is_holding_once():
    call = Call().greeted()
    call.tell(HoldChanged(True))
    call.tell(HoldChanged(True))
    call.tell(HoldChanged(False))
    assert call.floor is Floor.LISTENING


def test_a_call_that_ends_on_hold_is_reported():
    call = Call().greeted()
    turn_id = call.speaking()
    call.tell(HoldChanged(True))
    call.tell(LegEnded(EndCause.CALLER))
    assert call.last(cmd.ReportPlayout).turn_id == turn_id


def test_a_hold_does_not_stop_the_longest_call():
    call = Call(ConversationSettings(max_call_s=10.0)).greeted()
    call.tell(HoldChanged(True))
    call.wait(12_000)
    assert call.all(cmd.HangUp)
