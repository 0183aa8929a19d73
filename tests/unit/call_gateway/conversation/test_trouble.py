"""Stages that fail, stall or are slow: what the caller hears, which stage is opened again, and when it is given up."""

import pytest

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import EndCause
from services.call_gateway.prompts.book import PromptBook
from services.call_gateway.stage_pace import StagePace
from tests.unit.call_gateway.conversation.driver import PROMPT_BYTE, PROMPT_MS, START_S, Call
from tests.unit.call_gateway.conversation.trouble_story import (
    MAX_DEAD_AIR_MS,
    MAX_WAIT_MS,
    NLU,
    TTS,
    longest_silence_ms,
    prompts_heard,
)


def test_a_stalled_nlu_is_probed_then_reopened_and_asked_once_more():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.forget()
    call.wait(1900)
    assert call.last(cmd.ProbeStage) == cmd.ProbeStage(NLU)
    assert not call.all(cmd.ReopenStage)
    call.wait(1000)
    assert prompts_heard(call) == ["prompt one_moment"]
    assert call.last(cmd.StageTroubled) == cmd.StageTroubled(NLU, "STALLED", cmd.Remedy.RETRY)
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(NLU)
    call.tell(ev.StageReady(NLU))
    assert call.last(cmd.AskAgent).turn_id == turn_id
    call.reply(turn_id, "Here I am.", ms=200)
    call.wait(300)
    assert call.record(turn_id).outcome == "completed"
    assert call.floor is Floor.LISTENING


def test_a_slow_nlu_is_waited_for_with_a_prompt_and_never_apologised_for():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.forget()
    for _ in range(9):
        call.wait(900)
        if call.all(cmd.ProbeStage):
            call.tell(ev.StageAlive(NLU))
    assert not call.all(cmd.ReopenStage)
    assert prompts_heard(call) == ["prompt one_moment", "prompt still_with_you"]
    call.reply(turn_id, "Here I am.", ms=200)
    call.wait(300)
    assert call.record(turn_id).outcome == "completed"


def test_a_slow_nlu_that_fails_after_all_is_reopened():
    call = Call().greeted()
    call.ask("hello")
    call.wait(1900)
    call.tell(ev.StageAlive(NLU))
    call.forget()
    call.wait(3100)
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(NLU)


def test_an_nlu_that_serves_and_says_nothing_for_too_long_is_reopened():
    call = Call().greeted()
    call.ask("hello")
    for _ in range(12):
        call.wait(900)
        call.tell(ev.StageAlive(NLU))
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(NLU)


def test_what_a_slow_stage_is_waited_for_follows_its_pace():
    pace = StagePace()
    for second in range(4):
        pace.note(NLU, 4.0, now=START_S + second)
    call = Call(pace=pace).greeted()
    call.ask("hello")
    for _ in range(12):
        call.wait(900)
        call.tell(ev.StageAlive(NLU))
    assert not call.all(cmd.ReopenStage), "it takes four seconds now: twelve are no stall"


def test_an_nlu_that_stalls_again_and_again_is_given_up_after_twenty_seconds():
    call = Call().greeted()
    call.ask("hello")
    call.forget()
    for _ in range(100):
        call.wait(200)
        call.tell(ev.StageReady(NLU))
    assert not call.all(cmd.HangUp)
    call.wait(4000)
    assert prompts_heard(call) == ["prompt one_moment", *["prompt still_with_you"] * 3, "prompt goodbye"]
    assert call.last(cmd.HangUp).cause is EndCause.FAILURE
    assert longest_silence_ms(call) <= MAX_WAIT_MS


def test_where_a_fallback_takes_the_call_no_goodbye_is_said():
    call = Call(has_fallback=True).greeted()
    call.ask("hello")
    call.forget()
    call.wait(24_000)
    assert "prompt goodbye" not in prompts_heard(call)
    assert call.all(cmd.SendOn)
    assert not call.all(cmd.HangUp)


def test_a_stage_that_comes_back_after_nine_seconds_answers_the_same_turn():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.forget()
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    for _ in range(18):
        call.wait(500)
        call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    call.tell(ev.StageReady(NLU))
    assert call.last(cmd.AskAgent).turn_id == turn_id
    call.reply(turn_id, "Here I am.", ms=200)
    call.wait(300)
    assert call.record(turn_id).outcome == "completed"
    assert not call.all(cmd.HangUp)


def test_nlu_and_tts_lost_together_in_thinking_do_not_end_the_call():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.forget()
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    call.tell(ev.StageFailed(TTS, "UNAVAILABLE", is_retryable=True))
    call.wait(200)
    call.tell(ev.StageReady(NLU))
    call.tell(ev.StageReady(TTS))
    call.reply(turn_id, "Here I am.", ms=200)
    call.wait(PROMPT_MS + 300)
    assert prompts_heard(call) == ["prompt apology"]
    assert call.record(turn_id).outcome == "completed"


def test_an_nlu_that_cannot_be_reached_again_is_the_end_of_the_call():
    call = Call().greeted()
    call.ask("hello")
    call.forget()
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    for _ in range(44):
        call.wait(500)
        call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    assert call.last(cmd.HangUp).cause is EndCause.FAILURE
    assert 6 <= len(call.all(cmd.ReopenStage)) <= 12, "the pauses grow"
    assert longest_silence_ms(call) <= MAX_WAIT_MS


def test_a_failure_no_retry_can_mend_is_the_end_of_the_call():
    call = Call().greeted()
    call.ask("hello")
    call.tell(ev.StageFailed(NLU, "UNAUTHENTICATED", is_retryable=False))
    call.wait(PROMPT_MS + 400)
    assert call.last(cmd.StageTroubled).remedy == "goodbye"
    assert call.last(cmd.HangUp).cause is EndCause.FAILURE


def test_an_nlu_that_fails_in_mid_reply_begins_its_text_and_speech_again():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "one two ")
    call.mark(turn_id, 8, 400)
    call.voice(turn_id, 400)
    call.wait(420)
    call.forget()
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    assert [command.stage for command in call.all(cmd.ReopenStage)] == [NLU, TTS]
    assert call.floor is Floor.THINKING
    call.tell(ev.StageReady(NLU))
    call.tell(ev.StageReady(TTS))
    call.reply(turn_id, "three four", ms=400)
    call.wait(PROMPT_MS + 600)
    record = call.record(turn_id)
    assert (record.outcome, record.heard_text) == ("completed", "one two three four")
    assert call.last(cmd.ReportPlayout) == cmd.ReportPlayout(turn_id, 10, is_final=True)


def test_a_retryable_bad_turn_is_tried_once_more():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.end_reply(turn_id, ev.Outcome.FAILED, reason="OVERLOADED", is_retryable=True)
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(NLU)
    call.tell(ev.StageReady(NLU))
    assert call.last(cmd.AskAgent).turn_id == turn_id


def test_a_bad_turn_that_would_fail_again_gives_the_floor_back_after_an_apology():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.end_reply(turn_id, ev.Outcome.FAILED, reason="TOO_LONG")
    call.wait(PROMPT_MS + 60)
    assert call.record(turn_id).outcome == "failed"
    assert prompts_heard(call) == ["prompt apology"]
    assert call.floor is Floor.LISTENING
    assert not call.all(cmd.ReopenStage)


def test_two_such_turns_in_a_row_are_the_end_of_the_call():
    call = Call().greeted()
    for _ in range(2):
        call.end_reply(call.ask("hello"), ev.Outcome.FAILED, reason="TOO_LONG")
        call.wait(PROMPT_MS + 60)
    call.wait(1000)
    assert call.last(cmd.HangUp).cause is EndCause.FAILURE


def test_a_running_tool_gives_the_nlu_more_time():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.tell(ev.ToolUsed(turn_id, "tool-1", "book", ev.ToolState.RUNNING))
    call.forget()
    call.wait(9000)
    assert not call.all(cmd.ReopenStage)
    assert set(prompts_heard(call)) == {"prompt one_moment"}
    assert longest_silence_ms(call) <= MAX_DEAD_AIR_MS
    call.tell(ev.ToolUsed(turn_id, "tool-1", "book", ev.ToolState.COMPLETED, result_json="{}"))
    call.wait(3200)
    assert call.all(cmd.ReopenStage)


def test_an_idle_nlu_that_fails_is_reopened_without_a_word():
    call = Call().greeted()
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    assert call.last(cmd.StageTroubled).remedy == "reopen"
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(NLU)
    call.wait(1000)
    assert prompts_heard(call) == []


def test_a_turn_taken_while_the_nlu_is_away_is_asked_when_it_is_back():
    call = Call().greeted()
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    call.say("hello agent")
    assert not call.all(cmd.AskAgent), "no draft while the NLU stage is away"
    call.wait(260)
    call.settle("hello agent")
    assert not call.all(cmd.AskAgent)
    call.tell(ev.StageReady(NLU))
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("hello agent")


def test_a_failing_attempt_is_repeated_at_a_distance():
    call = Call().greeted()
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    call.forget()
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    assert not call.all(cmd.ReopenStage)
    call.wait(500)
    assert call.all(cmd.ReopenStage) == [cmd.ReopenStage(NLU)]


# -- several stages, or none needed ------------------------------------------------------------------------------------


def test_trouble_without_prompts_is_still_bounded():
    call = Call(prompts=PromptBook())
    call.greeted()
    call.ask("hello")
    call.wait(23_000)
    assert call.last(cmd.HangUp).cause is EndCause.FAILURE


@pytest.mark.parametrize("stage", [NLU, TTS])
def test_a_stage_that_fails_during_a_pause_is_apologised_for_when_the_agent_goes_on(stage: ev.Stage):
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "one two three ")
    call.mark(turn_id, 14, 1400)
    call.voice(turn_id, 1400)
    call.wait(400)
    call.begin_speech()
    call.tell(ev.StageFailed(stage, "UNAVAILABLE", is_retryable=True))
    assert call.floor is Floor.PAUSED
    call.wait(200)
    assert PROMPT_BYTE not in {content[0] for _, content in call.frames[-9:] if content}
    call.stop_speech()
    call.draft("")
    call.wait(PROMPT_MS + 60)
    assert prompts_heard(call) == ["prompt apology"]


def test_the_greeting_is_retried_like_any_turn():
    call = Call().answered()
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    call.wait(1000)
    call.tell(ev.StageReady(NLU))
    assert call.last(cmd.AskAgent).input == cmd.CallOpened()
    call.reply(1, "Hello.", ms=200)
    call.wait(400)
    assert call.record(1).outcome == "completed"


def test_an_nlu_stream_that_fails_after_its_reply_is_opened_again_when_it_is_known_what_was_heard():
    call = Call().greeted()
    turn_id = call.speaking("one two three four. ", ms=2000)
    call.tell(ev.StageFailed(NLU, "UNAVAILABLE", is_retryable=True))
    assert not call.all(cmd.ReopenStage)
    call.wait(2000)
    assert call.record(turn_id).outcome == "completed"
    assert call.all(cmd.ReopenStage) == [cmd.ReopenStage(NLU)]
    assert call.conversation.history[-1].heard_text == "one two three four. "


def test_a_call_that_is_closed_before_it_was_answered_is_hung_up():
    call = Call()
    call.tell(ev.CloseAsked(EndCause.OPERATOR))
    deadline = call.conversation.next_deadline()
    assert deadline is not None
    assert any(isinstance(command, cmd.HangUp) for command in call.conversation.on_timer(now=deadline))


def test_what_the_callers_own_sound_takes_is_no_silence_of_a_stage():
    call = Call().greeted()
    call.ask("hello")
    call.wait(1400)
    call.begin_speech()
    call.wait(500)
    assert call.floor is Floor.PAUSED
    call.stop_speech()
    call.draft("")
    call.forget()
    call.wait(300)
    assert not call.all(cmd.ProbeStage), "1.8 s of the stage's own"
    call.wait(200)
    assert call.all(cmd.ProbeStage)


def test_two_stages_that_fail_together_are_waited_for_as_long_as_one():
    call = Call().greeted()
    call.ask("hello")
    call.forget()
    asked_ms, n_opened = call.ms, 0
    while not call.all(cmd.HangUp) and call.ms < asked_ms + 60_000:
        for stage in (NLU, TTS):
            call.tell(ev.StageFailed(stage, "UNAVAILABLE", is_retryable=True))
        call.wait(60)
        for reopened in call.all(cmd.ReopenStage)[n_opened:]:
            call.tell(ev.StageReady(reopened.stage))
            n_opened += 1
    assert prompts_heard(call) == ["prompt apology", *["prompt still_with_you"] * 3, "prompt goodbye"]
    assert call.ms - asked_ms >= call.settings.give_up_ms
    assert n_opened <= 20, "the pauses grow"
