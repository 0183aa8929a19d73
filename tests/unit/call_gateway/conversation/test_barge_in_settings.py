"""Barge-in by settings: fewer words, longer sounds, protected words; far sides that report what they have played."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import EndCause, LegEnded, PlayedUpTo
from services.call_gateway.profile import AgentBargeIn, AgentProfile
from tests.unit.call_gateway.conversation.driver import Call

# -- settings and protection -------------------------------------------------------------------------------------------


def test_fewer_words_than_the_agent_asks_for_do_not_stop_it_but_are_drafted():
    call = Call()
    call.conversation.adopt(AgentProfile(barge_in=AgentBargeIn(min_words=3)))
    call.greeted()
    turn_id = call.speaking()
    call.wait(400)
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft("Monday")
    assert call.floor is Floor.PAUSED
    ask = call.last(cmd.AskAgent)
    assert ask.is_draft
    assert ask.provisional_playout == cmd.ReportPlayout(turn_id, 3, is_final=False)


def test_a_stop_command_is_enough_however_many_words_the_agent_asks_for():
    call = Call()
    call.conversation.adopt(AgentProfile(barge_in=AgentBargeIn(min_words=3)))
    call.greeted()
    turn_id = call.speaking()
    call.wait(400)
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft("stop")
    assert call.floor is Floor.LISTENING
    call.wait(3000)
    assert call.record(turn_id).stop_reason == "words"


def test_such_a_draft_is_dropped_when_the_agent_goes_on():
    call = Call()
    call.conversation.adopt(AgentProfile(barge_in=AgentBargeIn(min_words=3)))
    call.greeted()
    turn_id = call.speaking()
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft("Monday")
    draft = call.last(cmd.AskAgent).turn_id
    call.wait(1000)
    assert cmd.CancelTurn(draft, only=True) in call.commands
    assert cmd.CancelTurn(turn_id) not in call.commands
    assert call.floor is Floor.SPEAKING


def test_the_agents_own_limit_of_speech_counts():
    call = Call()
    call.conversation.adopt(AgentProfile(barge_in=AgentBargeIn(min_speech_ms=300)))
    call.greeted()
    call.speaking()
    call.begin_speech()
    call.wait(300)
    assert call.floor is Floor.LISTENING


def test_the_start_of_the_greeting_is_protected():
    call = Call().answered()
    call.reply(1, "Hello, this is the clinic. ", ms=3000)
    call.wait(1000)
    call.begin_speech()
    assert call.floor is Floor.SPEAKING
    call.wait(40)
    assert call.frames[-1][1] is not None


def test_speech_that_outlasts_the_protection_interrupts():
    call = Call().answered()
    call.reply(1, "Hello, this is the clinic. ", ms=3000)
    call.wait(1000)
    call.begin_speech()
    call.wait(780)
    assert call.floor is Floor.SPEAKING
    call.wait(100)
    assert call.floor in (Floor.PAUSED, Floor.LISTENING)
    call.wait(20)
    assert call.floor is Floor.LISTENING, "it had lasted long enough before"


def test_a_sound_before_the_greeting_does_not_keep_it_back():
    call = Call().answered()
    call.begin_speech()
    call.reply(1, "Hello. ", ms=400)
    call.wait(400)
    assert call.floor is Floor.SPEAKING


def test_words_said_into_a_protected_greeting_are_answered_after_it():
    call = Call().answered()
    call.reply(1, "Hello. ", ms=1000)
    call.wait(400)
    call.utterance_id = 1
    call.begin_speech()
    call.wait(300)
    call.stop_speech()
    call.draft("I have a question")
    call.predict()
    call.wait(1000)
    assert call.all(cmd.EndUtterance)


def test_a_clause_the_agent_protects_is_not_interrupted():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "This call is recorded. ", is_interruptible=False)
    call.clause(turn_id, "How can I help you today?")
    call.end_reply(turn_id)
    call.mark(turn_id, 23, 1000)
    call.mark(turn_id, 48, 2000)
    call.voice(turn_id, 2000)
    call.end_voice(turn_id)
    call.wait(500)
    call.begin_speech()
    assert call.floor is Floor.SPEAKING
    call.wait(600)
    assert call.floor in (Floor.PAUSED, Floor.LISTENING)


# -- far sides that say what they have played --------------------------------------------------------------------------


def heard_when_the_line_goes(*, after_ms: int) -> int:
    """Code points heard of an answer whose far side says no more how far it has played."""
    call = Call().greeted()
    call.tell(PlayedUpTo(call.sample()))
    turn_id = call.speaking("one two three four. ", ms=2000)
    call.tell(PlayedUpTo(len(call.frames) * 160))
    call.wait(after_ms)
    call.tell(LegEnded(EndCause.CALLER))
    return next(report.heard_offset for report in call.all(cmd.ReportPlayout) if report.turn_id == turn_id)


def test_what_a_far_side_has_not_played_was_not_heard():
    assert heard_when_the_line_goes(after_ms=800) == heard_when_the_line_goes(after_ms=0)
    call = Call().greeted()
    call.tell(PlayedUpTo(call.sample()))
    call.speaking("one two three four. ", ms=2000)
    call.tell(PlayedUpTo(len(call.frames) * 160))
    call.wait(800)  # sent, and not known to be played
    commands = call.begin_speech()
    assert cmd.DiscardSent() in commands


def test_the_least_number_of_words_holds_only_against_what_is_being_said():
    call = Call()
    call.conversation.adopt(AgentProfile(barge_in=AgentBargeIn(min_words=3)))
    call.greeted()
    first = call.ask("I would like")
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft("coffee")
    assert call.record(first).outcome == "continued"
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("I would like coffee")
