"""Outcomes of acts on the call, of which the caller hears from the agent."""

import pytest

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import EndCause, HoldChanged
from services.call_gateway.profile import AgentProfile
from tests.unit.call_gateway.conversation.driver import PROMPT_MS, Call

TRANSFER = ev.TransferCall("front desk")


def act(call: Call, action: ev.Action, *, words: str = "One moment.", is_after_playout: bool = True) -> None:
    """The agent answers with an act, and with words unless they are empty."""
    turn_id = call.ask("do it")
    call.tell(ev.ActionAsked("act-1", turn_id, is_after_playout, action))
    if words:
        call.reply(turn_id, words, ms=400)
        call.wait(460)
    else:
        call.end_reply(turn_id)
        call.wait(40)
    call.forget()


def end(call: Call, action: ev.Action, reason: str = "") -> ev.ActionEnded:
    """The line did it, or did not for a reason."""
    ended = ev.ActionEnded("act-1", action, is_done=not reason, reason=reason)
    call.tell(ended)
    return ended


def asked(call: Call) -> list[object]:
    return [ask.input for ask in call.all(cmd.AskAgent)]


def prompts(call: Call) -> list[str]:
    return [report.gateway_text for report in call.all(cmd.ReportPlayout) if report.gateway_text]


@pytest.mark.parametrize("reason", ["BUSY", "NO_ANSWER", "CONGESTION", "UNKNOWN_DESTINATION", "LINE_REFUSED"])
def test_a_transfer_that_fails_is_told_by_the_agent_at_once(reason: str):
    call = Call().greeted()
    act(call, TRANSFER)
    ended = end(call, TRANSFER, reason)
    assert cmd.ReportAction("act-1", is_done=False, reason=reason) in call.commands
    assert asked(call) == [ended]
    turn_id = call.last(cmd.AskAgent).turn_id
    call.reply(turn_id, "The line is busy.", ms=400)
    call.wait(460)
    assert call.floor is Floor.LISTENING
    assert prompts(call) == []


def test_keys_that_could_not_be_pressed_are_told():
    call = Call().greeted()
    act(call, ev.PressKeys("12"), is_after_playout=False)
    assert asked(call) == []
    ended = end(call, ev.PressKeys("12"), "LINE_REFUSED")
    assert asked(call) == [ended]


def test_an_act_that_was_done_with_words_needs_no_more():
    call = Call().greeted()
    act(call, ev.PressKeys("12"))
    end(call, ev.PressKeys("12"))
    assert cmd.ReportAction("act-1", is_done=True) in call.commands
    assert asked(call) == []


def test_an_act_that_was_done_without_a_word_is_told():
    call = Call().greeted()
    act(call, ev.PressKeys("12"), words="")
    ended = end(call, ev.PressKeys("12"))
    assert asked(call) == [ended]


def test_what_fails_while_the_agent_speaks_is_told_afterwards():
    call = Call().greeted()
    turn_id = call.ask("do it")
    call.tell(ev.ActionAsked("act-1", turn_id, False, ev.PressKeys("12")))
    call.reply(turn_id, "I am pressing them now.", ms=400)
    call.wait(200)
    call.forget()
    ended = end(call, ev.PressKeys("12"), "LINE_REFUSED")
    assert asked(call) == []
    call.wait(300)
    assert asked(call) == [ended]


def test_each_of_several_outcomes_is_told():
    call = Call().greeted()
    turn_id = call.ask("do it")
    actions = {"transfer": TRANSFER, "keys": ev.PressKeys("1"), "more keys": ev.PressKeys("2")}
    for action_id, action in actions.items():
        call.tell(ev.ActionAsked(action_id, turn_id, False, action))
    call.reply(turn_id, "One moment.", ms=1000)
    failed = ev.ActionEnded("transfer", TRANSFER, is_done=False, reason="BUSY")
    refused = ev.ActionEnded("keys", actions["keys"], is_done=False, reason="LINE_REFUSED")
    call.forget()
    call.tell(failed)
    call.tell(refused)
    call.tell(ev.ActionEnded("more keys", actions["more keys"], is_done=True))
    call.wait(1100)
    assert asked(call) == [failed]
    call.reply(call.last(cmd.AskAgent).turn_id, "The line is busy.", ms=400)
    call.wait(460)
    assert asked(call) == [failed, refused]
    call.reply(call.last(cmd.AskAgent).turn_id, "The keys could not be pressed.", ms=400)
    call.wait(460)
    assert asked(call) == [failed, refused], "what was done with words needs no more"


def test_a_caller_who_goes_on_is_answered_instead():
    call = Call().greeted()
    act(call, TRANSFER)
    call.begin_speech()
    end(call, TRANSFER, "BUSY")
    call.wait(600)
    call.stop_speech()
    call.draft("never mind")
    call.predict()
    call.wait(300)
    call.settle("never mind")
    turn_id = call.conversation.turn_id
    call.reply(turn_id, "All right.", ms=200)
    call.wait(300)
    assert [type(given) for given in asked(call)] == [cmd.CallerSaid]


def test_an_act_that_was_interrupted_is_reported_and_no_more():
    call = Call().greeted()
    turn_id = call.ask("do it")
    call.tell(ev.ActionAsked("act-1", turn_id, True, ev.HangUpCall()))
    call.reply(turn_id, "Goodbye then, it was a pleasure.", ms=2000)
    call.wait(400)
    call.tell(ev.SpeechBegan(call.sample(), 0.9))
    call.wait(700)
    call.text(ev.TextStage.DRAFT, "wait wait please")
    assert cmd.ReportAction("act-1", is_done=False) in call.commands
    assert not call.all(cmd.HangUp)


def test_a_language_the_agent_does_not_speak_is_refused_and_told():
    call = Call().greeted()
    call.conversation.adopt(AgentProfile(language_codes=("en", "vi")))
    turn_id = call.ask("parlez")
    call.tell(ev.ActionAsked("act-1", turn_id, False, ev.SwitchLanguage("fr-FR")))
    assert cmd.ReportAction("act-1", is_done=False, reason="LANGUAGE_NOT_SPOKEN") in call.commands
    assert call.conversation.language_code == "en"
    call.end_reply(turn_id)
    call.wait(40)
    assert [type(given) for given in asked(call)][-1] is ev.ActionEnded


@pytest.mark.parametrize("code", ["vi", "vi-VN", "VI"])
def test_a_language_of_the_agents_is_switched_to(code: str):
    call = Call().greeted()
    call.conversation.adopt(AgentProfile(language_codes=("en", "vi")))
    turn_id = call.ask("tieng viet")
    call.tell(ev.ActionAsked("act-1", turn_id, False, ev.SwitchLanguage(code)))
    assert call.conversation.language_code == code
    assert cmd.ReportAction("act-1", is_done=True) in call.commands


def test_where_the_agent_cannot_say_it_the_gateway_does():
    call = Call().greeted()
    act(call, TRANSFER)
    end(call, TRANSFER, "BUSY")
    call.end_reply(call.last(cmd.AskAgent).turn_id, ev.Outcome.FAILED, reason="UNKNOWN_INPUT")
    call.wait(PROMPT_MS + 60)
    assert prompts(call) == ["prompt transfer_failed"]
    assert call.floor is Floor.LISTENING
    assert not call.all(cmd.HangUp)


def test_while_the_caller_is_away_nothing_is_said_and_the_news_comes_when_they_are_back():
    call = Call().greeted()
    act(call, TRANSFER)
    call.tell(HoldChanged(is_held=True))
    call.wait(30_000)
    assert asked(call) == []
    assert prompts(call) == []
    call.tell(HoldChanged(is_held=False))
    assert asked(call) == []
    ended = end(call, TRANSFER, "NO_ANSWER")
    assert asked(call) == [ended]


def test_the_outcome_is_reported_also_when_the_call_is_over():
    call = Call().greeted()
    act(call, TRANSFER)
    call.tell(ev.CloseAsked(EndCause.OPERATOR))
    end(call, TRANSFER)
    assert cmd.ReportAction("act-1", is_done=True) in call.commands
    assert asked(call) == []
