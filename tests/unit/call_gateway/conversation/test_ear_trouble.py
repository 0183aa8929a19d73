"""An ear that dies or stalls: opened anew, and missed only when the caller has said something."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation import news
from services.call_gateway.conversation.line import EndCause
from services.call_gateway.conversation.turn import Floor
from tests.unit.call_gateway.conversation.driver import PROMPT_MS, Call
from tests.unit.call_gateway.conversation.trouble_story import MAX_DEAD_AIR_MS, longest_silence_ms, prompts_heard

STT = ev.Stage.STT


def test_an_ear_that_dies_in_silence_is_reopened_without_a_word():
    call = Call().greeted()
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(STT)
    call.wait(500)
    call.tell(ev.StageReady(STT))
    call.wait(3000)
    assert prompts_heard(call) == []


def test_an_ear_two_seconds_behind_is_stalled():
    call = Call().greeted()
    call.is_ear_alive = False
    call.wait(3000)
    assert call.last(news.StageTroubled).stage is STT
    assert call.last(cmd.ReopenStage) == cmd.ReopenStage(STT)


def test_an_ear_that_is_behind_and_comes_forward_is_not():
    call = Call().greeted()
    call.is_ear_alive = False
    base = call.sample()
    call.tell(ev.CallerAdvanced(base + 10 * 8000))
    for second in range(8):
        call.tell(ev.EarProgressed(base + second * 8000))
        call.ms += 500
        call.tell(ev.CallerAdvanced(base + 10 * 8000 + second))
    assert not call.all(news.StageTroubled)


def test_an_ear_that_stays_away_is_apologised_for_then_the_call_ends():
    call = Call().greeted()
    call.begin_speech()
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    call.forget()
    for _ in range(16):
        call.wait(500)
        call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    assert prompts_heard(call) == ["prompt apology", "prompt goodbye"]
    assert call.last(cmd.HangUp).cause is EndCause.FAILURE
    assert longest_silence_ms(call) <= MAX_DEAD_AIR_MS


def test_an_ear_is_not_missed_while_the_agent_speaks():
    call = Call().greeted()
    call.speaking("one two three four. ", ms=8000)
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    call.wait(6000)
    assert prompts_heard(call) == []
    assert call.floor is Floor.SPEAKING


def test_an_ear_that_dies_before_it_settled_leaves_the_drafts_text():
    call = Call().greeted()
    call.say("hello agent")
    draft = call.last(cmd.AskAgent).turn_id
    call.wait(160)
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    assert call.last(cmd.CommitTurn) == cmd.CommitTurn(draft)


def test_an_ear_that_dies_with_the_only_words_is_apologised_for():
    call = Call().greeted()
    call.say("hello agent", with_draft=False)
    call.wait(560)
    assert call.floor is Floor.THINKING
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    call.wait(PROMPT_MS + 60)
    assert prompts_heard(call) == ["prompt apology"]
    assert call.floor is Floor.LISTENING


def test_a_fresh_ear_begins_where_the_last_turn_ended():
    call = Call().greeted()
    turn_id = call.ask("hello")
    end = call.all(cmd.EndUtterance)[-1].end_sample if call.all(cmd.EndUtterance) else None
    assert end == call.conversation.last_settled_sample
    call.reply(turn_id, "Yes.", ms=100)
    call.wait(200)
    call.begin_speech()
    call.wait(200)
    assert call.conversation.last_settled_sample == end


def test_a_fresh_ear_is_told_what_is_judged_already():
    call = Call().greeted()
    call.ask("hello")
    end = call.last(cmd.EndUtterance).end_sample
    call.tell(ev.StageFailed(STT, "UNAVAILABLE", is_retryable=True))
    call.tell(ev.StageReady(STT))
    assert call.last(cmd.DiscardUtterance) == cmd.DiscardUtterance(0, end)
