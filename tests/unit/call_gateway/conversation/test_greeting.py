"""The first words of a call, and who speaks which language."""

import pytest

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.profile import AgentEndpointing, AgentProfile
from tests.unit.call_gateway.conversation.driver import Call


def test_the_greeting_is_turn_one():
    call = Call().answered()
    assert call.last(cmd.AskAgent) == cmd.AskAgent(1, cmd.CallOpened(), language_code="en")
    assert call.floor is Floor.THINKING


def test_the_greeting_waits_300_ms_for_the_path_to_open():
    call = Call().answered()
    call.reply(1, "Hello. ", ms=400)
    call.wait(600)
    first = next(when for when, content in call.frames if content is not None)
    assert first == 300


def test_nothing_is_asked_before_the_call_is_answered():
    call = Call()
    call.wait(1000)
    assert call.commands == []
    assert call.conversation.next_deadline() is None


def test_a_second_answer_is_no_second_greeting():
    call = Call().answered()
    call.tell(ev.CallAnswered())
    assert len(call.all(cmd.AskAgent)) == 1


def test_turn_ids_rise():
    call = Call().greeted()
    ids = [call.ask("one")]
    call.reply(ids[0], "yes. ", ms=100)
    call.wait(200)
    ids.append(call.ask("two"))
    assert ids == sorted(set(ids))
    assert ids[0] > 1


def test_the_language_heard_goes_with_the_question():
    call = Call().greeted()
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.text(ev.TextStage.DRAFT, "xin chào", language_code="vi")
    assert call.last(cmd.AskAgent).language_code == "vi"
    assert call.conversation.language_code == "vi"


def test_the_agents_own_wait_for_an_unfinished_turn_counts():
    call = Call()
    call.conversation.adopt(AgentProfile(endpointing=AgentEndpointing(unfinished_wait_ms=500)))
    call.greeted()
    call.begin_speech()
    call.wait(400)
    call.stop_speech()
    call.draft("hello agent")
    call.wait(500)
    assert call.all(cmd.EndUtterance)


def test_the_agents_language_holds_where_the_call_names_none():
    call = Call(language_codes=())
    call.conversation.adopt(AgentProfile(language_codes=("vi", "en")))
    assert call.conversation.language_code == "vi"


@pytest.mark.parametrize("kind", list(ev.ExpectedKind))
def test_what_the_agent_expects_shapes_the_stt_stage(kind: ev.ExpectedKind):
    call = Call().greeted()
    turn_id = call.ask("hello")
    expected = ev.InputExpected(turn_id, kind, length=4)
    call.tell(expected)
    assert call.last(cmd.UpdateStt).expected == expected


def test_what_a_draft_expects_shapes_the_stt_stage_when_it_is_committed():
    call = Call().greeted()
    call.say("hello")
    draft = call.last(cmd.AskAgent).turn_id
    call.tell(ev.InputExpected(draft, ev.ExpectedKind.YES_NO))
    assert not [update for update in call.all(cmd.UpdateStt) if update.expected]
    call.wait(260)
    call.settle("hello")
    assert call.last(cmd.UpdateStt).expected == ev.InputExpected(draft, ev.ExpectedKind.YES_NO)


def test_the_stt_stage_knows_when_the_agent_speaks():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.forget()
    call.reply(turn_id, "Yes.", ms=100)
    call.wait(200)
    assert [update.agent_is_speaking for update in call.all(cmd.UpdateStt)] == [True, False]
