"""The TTS stage fails, stalls or runs dry: what the caller hears, and what is opened again."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from tests.unit.call_gateway.conversation.driver import PROMPT_BYTE, PROMPT_MS, Call
from tests.unit.call_gateway.conversation.trouble_story import (
    MAX_DEAD_AIR_MS,
    NLU,
    TTS,
    longest_silence_ms,
    prompts_heard,
)


def test_a_stalled_tts_is_apologised_for_and_given_the_words_again():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "one two")
    call.end_reply(turn_id)
    call.forget()
    call.wait(900 + 1000)
    assert call.last(cmd.StageTroubled) == cmd.StageTroubled(TTS, "STALLED", cmd.Remedy.RETRY)
    assert not call.all(cmd.AskAgent)
    call.tell(ev.StageReady(TTS))
    assert call.all(cmd.Speak) == [cmd.Speak(turn_id, "one two", "en")]
    assert call.all(cmd.EndSpeech) == [cmd.EndSpeech(turn_id)]


def test_a_tts_stream_that_fails_in_mid_answer_continues_after_the_last_word_heard():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "one two three ")
    call.clause(turn_id, "four five")
    call.end_reply(turn_id)
    call.mark(turn_id, 14, 1400)
    call.voice(turn_id, 1400)
    call.wait(800)  # 780 ms played: "one two"
    call.forget()
    call.tell(ev.StageFailed(TTS, "UNAVAILABLE", is_retryable=True))
    call.wait(PROMPT_MS + 20)
    assert prompts_heard(call) == ["prompt apology"]
    call.tell(ev.StageReady(TTS))
    assert call.all(cmd.Speak) == [
        cmd.Speak(turn_id, " three ", "en", start_offset=7),
        cmd.Speak(turn_id, "four five", "en"),
    ]
    call.mark(turn_id, 23, 1600)
    call.voice(turn_id, 1600)
    call.end_voice(turn_id)
    call.wait(1700)
    assert call.record(turn_id).heard_text == "one two three four five"


def test_a_tts_stream_no_reply_needs_is_reopened_without_a_word():
    call = Call().greeted()
    call.speaking("one two three four. ", ms=2000)  # all of it has been made
    call.tell(ev.StageFailed(TTS, "UNAVAILABLE", is_retryable=True))
    call.wait(3000)
    assert prompts_heard(call) == []
    assert call.floor is Floor.LISTENING


def test_a_tts_that_runs_dry_is_probed_after_two_seconds_and_stalled_after_three():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "one two three")
    call.end_reply(turn_id)
    call.voice(turn_id, 200)
    call.forget()
    call.wait(200 + 2000 + 60)
    assert prompts_heard(call) or call.heard_bytes() >= {PROMPT_BYTE}
    call.wait(1000)
    assert call.last(cmd.StageTroubled) == cmd.StageTroubled(TTS, "STALLED", cmd.Remedy.RETRY)
    assert longest_silence_ms(call) <= MAX_DEAD_AIR_MS


def test_when_all_words_were_spoken_and_no_more_come_it_is_the_nlu_that_stalls():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "one two ")
    call.mark(turn_id, 8, 200)
    call.voice(turn_id, 200)
    call.wait(200 + 2000 + 60 + 1000)
    assert call.last(cmd.StageTroubled) == cmd.StageTroubled(NLU, "STALLED", cmd.Remedy.RETRY)


def test_the_silence_after_the_callers_last_word_is_bounded_even_when_its_end_was_found_late():
    call = Call().greeted()
    call.say("hello", with_draft=False)
    last_word_ms = call.ms - 100
    call.forget()
    call.predict(1200, "UNFINISHED", end_ms=last_word_ms)
    call.wait(1600)  # the long wait and the late text
    call.settle("hello")
    call.wait(3000)
    first_sound = next(when for when, content in call.frames if content is not None)
    assert first_sound - last_word_ms <= 3200
