"""A caller who says nothing, and calls that last too long."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.line import CallerStaysSilent, EndCause
from services.call_gateway.profile import AgentEndpointing, AgentProfile
from tests.unit.call_gateway.conversation.driver import PROMPT_MS, Call

ASK_MS = 8000 + PROMPT_MS + 60


def prompts_heard(call: Call) -> list[str]:
    return [report.gateway_text for report in call.all(cmd.ReportPlayout) if report.gateway_text]


def test_silence_is_asked_about_twice_then_the_caller_is_wished_goodbye():
    call = Call().greeted()
    call.wait(4 * ASK_MS)
    assert prompts_heard(call) == ["prompt still_there", "prompt still_there", "prompt silence_goodbye"]
    assert call.last(cmd.HangUp).cause is EndCause.SILENCE


def test_the_hang_up_follows_the_goodbye_at_a_distance():
    call = Call().greeted()
    call.wait(4 * ASK_MS)
    assert call.frames[-1][1] is None
    last_sound = max(when for when, content in call.frames if content is not None)
    assert 300 <= call.ms - last_sound <= 360


def test_the_question_is_a_turn_of_the_gateways_own():
    call = Call().greeted()
    before = call.conversation.turn_id
    call.wait(ASK_MS)
    record = call.record(before + 1)
    assert (record.is_gateway_prompt, record.heard_text, record.outcome) == (True, "prompt still_there", "completed")
    assert call.conversation.history[-1].is_gateway


def test_words_begin_the_count_again():
    call = Call().greeted()
    call.wait(2 * ASK_MS)
    turn_id = call.ask("hello")
    call.reply(turn_id, "Yes?", ms=200)
    call.wait(300 + 2 * ASK_MS)
    assert not call.all(cmd.HangUp)


def test_a_sound_begins_the_wait_again():
    call = Call().greeted()
    call.wait(7000)
    call.begin_speech()
    call.wait(400)
    call.stop_speech()
    call.predict(700, "NO_TEXT")
    call.wait(740)
    call.settle("")
    call.forget()
    call.wait(7900)
    assert prompts_heard(call) == []


def test_the_agents_own_limit_of_silence_counts():
    call = Call()
    call.conversation.adopt(AgentProfile(endpointing=AgentEndpointing(silence_prompt_ms=2000)))
    call.greeted()
    call.wait(2000 + PROMPT_MS + 60)
    assert prompts_heard(call) == ["prompt still_there"]


def test_the_caller_is_not_asked_while_the_agent_thinks_or_speaks():
    call = Call().greeted()
    call.speaking(ms=20_000)
    call.wait(19_000)
    assert prompts_heard(call) == []


def test_a_call_that_lasts_too_long_ends_with_a_goodbye():
    call = Call(ConversationSettings(max_call_s=10.0)).greeted()
    call.speaking(ms=20_000)
    call.wait(20_000)
    assert prompts_heard(call) == ["prompt goodbye"]
    assert call.last(cmd.HangUp).cause is EndCause.MAX_DURATION


def test_a_recovered_call_begins_with_an_apology_and_no_greeting():
    call = Call()
    call.tell(ev.CallAnswered(is_recovered=True))
    call.wait(300 + PROMPT_MS + 60)
    assert prompts_heard(call) == ["prompt recovered"]
    assert not call.all(cmd.AskAgent)
    assert call.floor is Floor.LISTENING


# -- a program caller that has said all it will say --------------------------------------------------------------------


def test_a_caller_who_has_left_is_answered_and_the_call_ends():
    call = Call().greeted()
    call.say("hello agent")
    call.tell(CallerStaysSilent())
    call.wait(260)
    call.settle("hello agent")
    turn_id = call.conversation.turn_id
    call.reply(turn_id, "Goodbye.", ms=400)
    call.wait(2000)
    assert call.record(turn_id).outcome == "completed"
    assert call.last(cmd.HangUp).cause is EndCause.CALLER


def test_a_call_does_not_end_before_the_stt_stage_has_heard_everything():
    call = Call().greeted()
    call.is_ear_alive = False
    call.tell(ev.CallerAdvanced(call.sample() + 16_000))
    call.tell(CallerStaysSilent())
    call.wait(400)
    assert not call.all(cmd.HangUp)
    call.tell(ev.SttProgressed(call.sample() + 16_000))
    call.wait(400)
    assert call.all(cmd.HangUp)


def test_a_caller_who_left_without_a_word_is_not_waited_for():
    call = Call().answered()
    call.tell(CallerStaysSilent())
    call.reply(1, "Hello.", ms=400)
    call.wait(2000)
    assert call.record(1).outcome == "completed"
    assert call.last(cmd.HangUp).cause is EndCause.CALLER


def test_a_caller_who_left_is_not_asked_whether_they_are_there():
    call = Call().greeted()
    call.is_ear_alive = False
    call.is_clock_running = False
    call.tell(ev.CallerAdvanced(call.sample() + 8000))
    call.tell(CallerStaysSilent())
    call.wait(9000)
    assert prompts_heard(call) == []
    assert call.last(cmd.HangUp).cause is EndCause.CALLER
