"""The answer: spoken as it comes, heard to its end, reported and remembered."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation.floor import Floor
from tests.unit.call_gateway.conversation.driver import Call


def test_clauses_are_spoken_as_they_come_and_closed_with_the_reply():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.forget()
    call.clause(turn_id, "Sure, ")
    call.clause(turn_id, "of course.")
    call.end_reply(turn_id)
    assert call.commands == [
        cmd.Speak(turn_id, "Sure, ", "en"),
        cmd.Speak(turn_id, "of course.", "en"),
        cmd.EndSpeech(turn_id),
    ]


def test_the_answer_is_reported_when_it_was_heard_to_its_end():
    call = Call().greeted()
    turn_id = call.ask("hello agent")
    call.reply(turn_id, "Sure, of course.", ms=300)
    call.wait(300)
    assert not [report for report in call.all(cmd.ReportPlayout) if report.turn_id == turn_id]
    call.wait(40)
    assert call.last(cmd.ReportPlayout) == cmd.ReportPlayout(turn_id, 16, is_final=True)
    record = call.record(turn_id)
    assert (record.outcome, record.heard_text, record.user_text) == ("completed", "Sure, of course.", "hello agent")
    assert call.floor is Floor.LISTENING


def test_the_final_report_comes_before_the_next_question():
    call = Call().greeted()
    first = call.speaking()
    call.wait(3000)
    second = call.ask("and now")
    names = [
        (type(command).__name__, command.turn_id)
        for command in call.commands
        if isinstance(command, cmd.ReportPlayout | cmd.AskAgent)
    ]
    assert names.index(("ReportPlayout", first)) < names.index(("AskAgent", second))


def test_a_fresh_agent_is_told_what_was_heard():
    call = Call().greeted("Hello there. ")
    call.speaking("one two three.", ms=600)
    call.wait(700)
    assert [(turn.user_text, turn.heard_text) for turn in call.conversation.history] == [
        ("", "Hello there. "),
        ("a question", "one two three."),
    ]


def test_a_voice_that_runs_dry_goes_on_when_sound_comes():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "Sure, of course.")
    call.voice(turn_id, 100)
    call.wait(300)
    assert call.frames[-1][1] is None
    call.voice(turn_id, 100, start_ms=100)
    call.wait(20)
    assert call.frames[-1][1] is not None
    assert call.conversation.counters["underruns"] > 0
