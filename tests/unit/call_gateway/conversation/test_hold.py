"""The call is put on hold and taken back."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
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
    assert not call.all(cmd.ReportPlayout), "the wait starts over"


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
    assert not call.all(cmd.StageTroubled)
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


def sing(call: Call, text: str, ms: int = 2000) -> None:
    """The music on hold has words, which the STT stage takes for the caller's."""
    call.utterance_id += 1
    call.begin_speech()
    call.wait(ms)
    call.stop_speech()
    call.wait(100)
    call.draft(text, start_ms=call.ms - ms)
    call.predict()


def is_asked(call: Call) -> bool:
    return any(not asked.is_draft for asked in call.all(cmd.AskAgent))


def test_words_of_the_music_on_hold_are_no_turn():
    call = Call().greeted()
    call.tell(HoldChanged(True))
    call.wait(500)
    begins = call.sample() - 500 * 8
    sing(call, "hit me one more time")
    call.tell(ev.Keyword(call.utterance_id, "one more time", call.sample()))
    call.wait(1000)
    call.tell(HoldChanged(False))
    call.wait(3000)
    assert not call.all(cmd.EndUtterance)
    assert not call.all(ev.Keyword)
    assert not is_asked(call)
    assert call.last(cmd.DiscardUtterance).from_sample == begins
    assert not call.all(cmd.CallerHeard)


def test_music_that_is_heard_before_the_hold_is_reported_is_no_turn():
    call = Call().greeted()
    begins = call.sample()
    call.wait(60)
    call.tell(HoldChanged(True))
    call.tell(ev.SpeechBegan(begins, 0.9))
    call.wait(2000)
    call.stop_speech()
    call.tell(HoldChanged(False))
    call.wait(3000)
    assert not call.all(cmd.EndUtterance)


def test_what_a_fresh_stt_stream_recognises_of_the_time_before_the_hold_is_the_turn():
    call = Call().greeted()
    call.begin_speech()
    begins = call.sample()
    call.wait(1000)
    end_ms = call.ms
    call.tell(ev.StageFailed(ev.Stage.STT, "UNAVAILABLE", is_retryable=True))
    call.tell(HoldChanged(True))
    call.tell(ev.StageReady(ev.Stage.STT))
    call.wait(500)
    call.tell(ev.SpeechBegan(begins, 0.9))
    call.tell(ev.SpeechStopped(call.sample(end_ms), 0.1))
    sing(call, "hit me one more time")
    call.tell(HoldChanged(False))
    call.wait(2000)
    assert call.last(cmd.EndUtterance).end_sample == call.sample(end_ms)
    call.settle("book it please")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("book it please")


def test_music_that_goes_on_until_the_hold_ends_is_no_turn_and_no_speech():
    call = Call().greeted()
    call.tell(HoldChanged(True))
    call.wait(500)
    call.begin_speech()
    call.wait(2000)
    call.tell(HoldChanged(False))
    call.wait(8400)
    assert call.last(cmd.ReportPlayout).gateway_text == "prompt still_there", "they are asked as after any silence"


def test_what_was_said_before_a_hold_with_music_is_the_turn_and_nothing_else_is():
    call = Call().greeted()
    call.say("book it please")
    end = call.sample(call.ms - 100)
    call.tell(HoldChanged(True))
    sing(call, "hit me one more time")
    call.tell(HoldChanged(False))
    call.wait(600)
    assert call.last(cmd.EndUtterance).end_sample == end
    call.settle("book it please")
    assert call.last(cmd.CommitTurn)


def test_a_caller_who_is_put_on_hold_in_mid_word_said_what_they_said_before():
    call = Call().greeted()
    call.begin_speech()
    call.wait(800)
    held = call.sample()
    call.tell(HoldChanged(True))
    call.wait(1000)
    call.stop_speech()
    call.wait(1000)
    call.tell(HoldChanged(False))
    call.wait(1100)
    assert not call.all(cmd.EndUtterance), "the hold is no silence"
    call.wait(1000)
    assert call.last(cmd.EndUtterance).end_sample == held
    call.settle("book it please")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("book it please")


def test_what_the_caller_says_before_the_end_of_the_hold_is_known_is_their_turn():
    call = Call().greeted()
    call.tell(HoldChanged(True))
    call.wait(500)
    sing(call, "hello are you there", ms=1200)
    call.tell(HoldChanged(False, was_missed=True))
    call.wait(600)
    assert not call.all(cmd.DiscardUtterance)
    call.settle("hello are you there")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("hello are you there")


def test_a_draft_of_what_was_said_before_the_hold_counts_when_it_comes_during_it():
    call = Call().greeted()
    call.utterance_id += 1
    call.begin_speech()
    call.wait(800)
    end_ms = call.ms
    call.stop_speech()
    call.tell(HoldChanged(True))
    call.wait(200)
    call.text(ev.TextStage.DRAFT, "book it please", start_ms=end_ms - 800, end_ms=end_ms)
    call.predict(end_ms=end_ms)
    sing(call, "hit me one more time")
    call.tell(HoldChanged(False))
    call.wait(900)
    call.settle("book it please")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("book it please", 0.9)


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
