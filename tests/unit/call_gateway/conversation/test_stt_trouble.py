"""An STT stage that dies or stalls: opened again, and missed only when the caller has said something."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import EndCause
from tests.unit.call_gateway.conversation.driver import PROMPT_MS, Call
from tests.unit.call_gateway.conversation.trouble_story import MAX_WAIT_MS, longest_silence_ms, prompts_heard

STT = ev.Stage.STT


def test_an_stt_stage_that_fails_in_silence_is_reopened_without_a_word():
    call = Call().greeted()
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(STT)
    call.wait(500)
    call.tell(ev.StageReady(STT))
    call.wait(3000)
    assert prompts_heard(call) == []


def test_an_stt_stage_two_seconds_behind_is_stalled():
    call = Call().greeted()
    call.is_ear_alive = False
    call.wait(3000)
    assert call.last(cmd.StageTroubled).stage is STT
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(STT)


def test_an_stt_stage_that_is_behind_and_catches_up_is_not_stalled():
    call = Call().greeted()
    call.is_ear_alive = False
    base = call.sample()
    call.tell(ev.CallerAdvanced(base + 10 * 8000))
    for second in range(8):
        call.tell(ev.SttProgressed(base + second * 8000))
        call.ms += 500
        call.tell(ev.CallerAdvanced(base + 10 * 8000 + second))
    assert not call.all(cmd.StageTroubled)


def test_an_stt_stage_that_stays_away_is_apologised_for_then_the_call_ends():
    call = Call().greeted()
    call.begin_speech()
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    call.forget()
    for _ in range(56):
        call.wait(500)
        call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    assert prompts_heard(call) == ["prompt apology", *["prompt still_with_you"] * 3, "prompt goodbye"]
    assert call.last(cmd.HangUp).cause is EndCause.FAILURE
    assert longest_silence_ms(call) <= MAX_WAIT_MS


def test_stt_is_not_missed_while_the_agent_speaks():
    call = Call().greeted()
    call.speaking("one two three four. ", ms=8000)
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    call.wait(6000)
    assert prompts_heard(call) == []
    assert call.floor is Floor.SPEAKING


def test_an_stt_stage_that_fails_before_it_settled_leaves_the_text_of_the_draft():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(cmd.AskAgent).turn_id
    call.wait(160)
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    assert call.last(cmd.CommitTurn) == cmd.CommitTurn(draft)


def test_the_only_words_lost_with_an_stt_stream_are_recognised_on_a_fresh_stream():
    call = Call().greeted()
    call.say("hello agent", with_draft=False)
    call.wait(560)
    end = call.last(cmd.EndUtterance)
    assert call.floor is Floor.THINKING
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    call.forget()
    call.tell(ev.StageReady(STT))
    assert call.all(cmd.EndUtterance) == [end]
    call.settle("hello agent")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("hello agent")
    assert prompts_heard(call) == []


def test_words_no_stream_can_recognise_are_asked_for_again():
    call = Call().greeted()
    call.say("hello agent", with_draft=False)
    call.wait(560)
    call.settle("", is_ok=False)
    call.wait(PROMPT_MS + 60)
    assert prompts_heard(call) == ["prompt say_again"]
    assert call.floor is Floor.LISTENING


def test_words_that_do_not_come_are_waited_for_then_asked_for_again():
    call = Call().greeted()
    call.say("hello agent", with_draft=False)
    call.wait(560)
    call.forget()
    call.wait(7000)
    assert prompts_heard(call) == ["prompt one_moment", "prompt say_again"]
    assert call.floor is Floor.LISTENING


def test_a_late_text_is_taken_while_nothing_else_has_happened():
    call = Call().greeted()
    call.say("hello agent", with_draft=False)
    call.wait(560)
    end = call.last(cmd.EndUtterance)
    call.wait(7000)
    assert call.floor is Floor.LISTENING
    call.forget()
    call.text(ev.TextStage.SETTLED, "hello agent", end_ms=end.end_sample // 8)
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("hello agent")
    assert call.floor is Floor.THINKING


def test_a_late_text_that_comes_while_the_caller_waits_is_the_turn():
    call = Call().greeted()
    call.say("hello agent", with_draft=False)
    call.wait(2600)
    assert call.floor is Floor.THINKING
    call.settle("hello agent")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("hello agent")


def test_a_text_that_came_late_is_not_said_twice_when_the_caller_says_it_again():
    call = Call().greeted()
    call.say("hello agent", with_draft=False)
    call.wait(560)
    late = call.last(cmd.EndUtterance).end_sample // 8
    call.settle("", is_ok=False)
    call.wait(PROMPT_MS + 60)
    call.begin_speech()
    call.wait(200)
    call.text(ev.TextStage.SETTLED, "hello agent", end_ms=late)
    call.wait(400)
    call.stop_speech()
    call.draft("hello agent")
    call.predict()
    call.wait(300)
    call.settle("hello agent")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("hello agent")


def test_words_before_a_resumption_go_before_it_however_late_they_come():
    call = Call().greeted()
    call.say("is the clinic", with_draft=False)
    call.wait(560)
    first = call.last(cmd.EndUtterance).end_sample // 8
    call.begin_speech()
    call.wait(700)
    assert call.floor is Floor.LISTENING
    call.text(ev.TextStage.SETTLED, "is the clinic", end_ms=first)
    call.stop_speech()
    call.draft("open today")
    call.predict()
    call.wait(300)
    call.settle("open today")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("is the clinic open today")


def test_a_stale_draft_never_stands_for_speech_it_does_not_cover():
    call = Call().greeted()
    call.begin_speech()
    call.wait(600)
    call.draft("my number is", start_ms=call.ms - 600)
    call.wait(2000)
    call.stop_speech()
    call.wait(100)
    call.predict()
    call.wait(800)
    assert call.floor is Floor.THINKING
    assert not call.all(cmd.CommitTurn), "the text covers a third of it"
    call.settle("my number is one two three")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("my number is one two three")


def half_heard(call: Call) -> int:
    """Nine seconds of speech of which a draft holds the first words. Returns where it ends, in milliseconds."""
    call.utterance_id += 1
    call.begin_speech()
    call.wait(1000)
    call.stop_speech()
    call.draft("I would like", start_ms=call.ms - 1000)
    call.begin_speech()
    call.wait(8000)
    end_ms = call.ms
    call.stop_speech()
    call.wait(100)
    call.predict(end_ms=end_ms)
    call.wait(800)
    assert call.floor is Floor.THINKING
    return end_ms


def test_a_stale_draft_does_not_stand_for_words_that_no_stream_can_recognise():
    call = Call().greeted()
    half_heard(call)
    call.settle("", is_ok=False)
    call.wait(PROMPT_MS + 60)
    assert prompts_heard(call) == ["prompt say_again"]
    assert call.floor is Floor.LISTENING
    assert not [asked for asked in call.all(cmd.AskAgent) if not asked.is_draft]


def test_a_stale_draft_does_not_stand_for_words_that_do_not_come():
    call = Call().greeted()
    half_heard(call)
    call.wait(7000)
    assert prompts_heard(call) == ["prompt one_moment", "prompt say_again"]
    assert not [asked for asked in call.all(cmd.AskAgent) if not asked.is_draft]


def test_a_newer_text_stands_before_an_older_draft():
    call = Call().greeted()
    call.utterance_id += 1
    call.begin_speech()
    call.wait(1000)
    call.stop_speech()
    call.draft("I would like", start_ms=call.ms - 1000)
    call.begin_speech()
    call.wait(3000)
    call.text(ev.TextStage.PARTIAL, "I would like to see doctor Lee", start_ms=call.ms - 4000)
    call.stop_speech()
    call.wait(100)
    call.predict(end_ms=call.ms - 100)
    call.wait(700)
    assert not [asked for asked in call.all(cmd.AskAgent) if not asked.is_draft]
    call.settle("", is_ok=False)
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("I would like to see doctor Lee", 0.9)


def test_words_that_a_stale_draft_did_not_hold_go_before_a_resumption():
    call = Call().greeted()
    end_ms = half_heard(call)
    call.begin_speech()
    call.wait(700)
    assert call.floor is Floor.LISTENING
    call.text(ev.TextStage.SETTLED, "I would like to see doctor Lee", end_ms=end_ms)
    call.stop_speech()
    call.draft("on Monday")
    call.predict()
    call.wait(300)
    call.settle("on Monday")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("I would like to see doctor Lee on Monday", 0.9)


def test_what_was_said_before_is_kept_when_the_rest_is_asked_for_again():
    call = Call().greeted()
    call.ask("I would like an appointment")
    call.begin_speech()
    call.wait(700)
    end_ms = call.ms
    call.stop_speech()
    call.wait(100)
    call.predict(end_ms=end_ms)
    call.wait(800)
    call.settle("", is_ok=False)
    call.wait(PROMPT_MS + 60)
    assert prompts_heard(call) == ["prompt say_again"]
    call.say("on Monday")
    call.wait(260)
    call.settle("on Monday")
    asked = call.last(cmd.AskAgent)
    assert isinstance(asked.input, cmd.CallerSaid)
    assert asked.input.text == "I would like an appointment on Monday"


def test_a_cough_whose_silence_is_told_late_leaves_the_question_before_it_whole():
    call = Call().greeted()
    first_id = call.ask("I would like an appointment")
    call.begin_speech()
    call.wait(700)
    end_ms = call.ms
    call.stop_speech()
    call.wait(100)
    call.predict(end_ms=end_ms)
    call.wait(7000)
    assert prompts_heard(call) == ["prompt one_moment", "prompt say_again"]
    assert [asked.turn_id for asked in call.all(cmd.AskAgent)] == [first_id]
    call.settle("")
    asked = call.last(cmd.AskAgent)
    assert isinstance(asked.input, cmd.CallerSaid)
    assert (asked.input.text, asked.continues_turn_id) == ("I would like an appointment", first_id)
    assert call.floor is Floor.THINKING


def test_silence_that_is_told_late_begins_no_turn_where_nothing_was_said_before_it():
    call = Call().greeted()
    call.say("", with_draft=False)
    call.wait(7000)
    assert prompts_heard(call) == ["prompt one_moment", "prompt say_again"]
    call.settle("")
    assert call.floor is Floor.LISTENING
    assert not call.all(cmd.AskAgent)


def test_a_better_text_of_a_turn_that_goes_on_stands_in_the_rest_too():
    call = Call().greeted()
    call.say("I would like to see doctor Leaf")
    call.wait(460)
    end_ms = call.last(cmd.EndUtterance).end_sample // 8
    call.begin_speech()
    call.wait(700)
    assert call.floor is Floor.LISTENING
    call.text(ev.TextStage.SETTLED, "I would like to see doctor Lee", end_ms=end_ms)
    call.utterance_id += 1
    call.stop_speech()
    call.draft("on Monday")
    call.predict()
    call.wait(300)
    call.settle("on Monday")
    asked = call.last(cmd.AskAgent)
    assert isinstance(asked.input, cmd.CallerSaid)
    assert asked.input.text == "I would like to see doctor Lee on Monday"


def test_a_fresh_stt_stream_begins_where_the_last_turn_ended():
    call = Call().greeted()
    turn_id = call.ask("hello")
    end = call.last(cmd.EndUtterance).end_sample
    call.reply(turn_id, "Yes.", ms=100)
    call.wait(200)
    call.begin_speech()
    call.wait(200)
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    call.tell(ev.StageReady(STT))
    assert call.last(cmd.DiscardUtterance) == cmd.DiscardUtterance(0, end)


def test_a_fresh_stt_stream_is_told_what_is_judged_already():
    call = Call().greeted()
    call.ask("hello")
    end = call.last(cmd.EndUtterance).end_sample
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    call.tell(ev.StageReady(STT))
    assert call.last(cmd.DiscardUtterance) == cmd.DiscardUtterance(0, end)


def test_a_fresh_stt_stream_does_not_recognise_again_what_is_judged():
    call = Call().greeted()
    call.ask("hello")
    end = call.last(cmd.EndUtterance).end_sample
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(STT, end)


def test_words_are_not_doubled_when_a_fresh_stt_stream_recognises_both_halves_as_one():
    """The fresh STT stream recognises the seconds it missed in one go, and has not come to the end of the turn before
    that end was asked for.
    """
    call = Call().greeted()
    call.say("the room with")
    began_ms = call.ms - 700
    call.wait(260)
    end_ms = call.last(cmd.EndUtterance).end_sample // 8
    call.begin_speech()
    call.tell(ev.StageFailed(STT, "STALLED", is_retryable=True))
    call.tell(ev.StageReady(STT))
    call.begin_speech()
    call.wait(700)
    call.stop_speech()
    call.utterance_id += 1
    call.draft("the room with the view", start_ms=began_ms)
    call.begin_speech()
    call.wait(300)
    call.stop_speech()
    call.draft("the room with the view please", start_ms=began_ms)
    call.predict()
    call.wait(1100)
    call.text(ev.TextStage.SETTLED, "the room with", end_ms=end_ms)
    call.utterance_id += 1
    call.settle("the view please")
    texts = [asked.input.text for asked in call.all(cmd.AskAgent) if isinstance(asked.input, cmd.CallerSaid)]
    assert texts[-1] == "the room with the view please"
    assert not [text for text in texts if text.count("room") > 1]
