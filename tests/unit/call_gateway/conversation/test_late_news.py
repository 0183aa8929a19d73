"""Every kind of message, for every kind of wrong turn, in every state: the caller never hears a stale word."""

import itertools
from collections.abc import Callable

import pytest

from services.call_gateway import line
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import HoldChanged
from tests.unit.call_gateway.conversation.driver import Call

STALE_BYTE = 0x55


def stale_news(turn_id: int) -> list[ev.Event]:
    """One of each kind the agent and the voice can say of a turn."""
    return [
        ev.ReplyClause(turn_id, "stale ", "en"),
        ev.ActionAsked("stale", turn_id, False, ev.HangUpCall()),
        ev.ActionAsked("stale", turn_id, True, ev.TransferCall("100")),
        ev.InputExpected(turn_id, ev.ExpectedKind.DIGITS, 4),
        ev.VoiceMark(turn_id, 3, 800, True),
        ev.VoiceAudio(turn_id, 0, bytes([STALE_BYTE]) * 1600),
        ev.VoiceAudio(turn_id, 10**9, bytes([STALE_BYTE]) * 7),
        ev.VoiceAudio(turn_id, 0, b""),
        ev.ReplyEnded(turn_id, ev.Outcome.COMPLETED),
        ev.ReplyEnded(turn_id, ev.Outcome.CANCELLED),
        ev.ReplyEnded(turn_id, ev.Outcome.FAILED, is_retryable=True),
        ev.VoiceEnded(turn_id, ev.Outcome.COMPLETED),
        ev.VoiceEnded(turn_id, ev.Outcome.CANCELLED),
        ev.VoiceEnded(turn_id, ev.Outcome.FAILED, is_retryable=True),
    ]


def stale_evidence(sample: int) -> list[ev.Event]:
    """One of each kind the STT stage can say of sound that was judged long ago."""
    return [
        ev.SpeechBegan(sample, 0.9),
        ev.SpeechStopped(sample, 0.1),
        ev.TranscriptHeard(1, ev.TextStage.PARTIAL, "stale", 0, sample),
        ev.TranscriptHeard(1, ev.TextStage.DRAFT, "stale words", 0, sample),
        ev.TranscriptHeard(99, ev.TextStage.SETTLED, "stale words", 0, sample),
        ev.TranscriptHeard(99, ev.TextStage.CORRECTED, "stale words", 0, sample),
        ev.TurnPredicted(1, sample, 0.99, 0, "COMPLETE"),
        ev.UtteranceSettled(1, sample, True),
        ev.UtteranceSettled(1, sample, False, "ENGINE_FAILED"),
        ev.SttProgressed(sample),
    ]


def listening() -> Call:
    call = Call().greeted()
    cancelled = call.speaking()
    call.wait(200)
    call.begin_speech()
    call.wait(600)
    call.stop_speech()
    call.draft("stop")
    call.predict()
    call.wait(260)
    call.settle("stop")
    turn_id = call.conversation.turn_id
    assert turn_id > cancelled
    call.reply(turn_id, "Fine. ", ms=200)
    call.wait(260)
    return call


def thinking() -> Call:
    call = listening()
    call.ask("a second question")
    return call


def speaking() -> Call:
    call = listening()
    call.speaking("one two three four. ", ms=8000)
    return call


def paused() -> Call:
    call = speaking()
    call.begin_speech()
    return call


def held() -> Call:
    call = speaking()
    call.tell(HoldChanged(True))
    return call


def closing() -> Call:
    call = speaking()
    call.tell(ev.CloseAsked(line.EndCause.OPERATOR))
    return call


STATES: dict[Floor, Callable[[], Call]] = {
    Floor.LISTENING: listening,
    Floor.THINKING: thinking,
    Floor.SPEAKING: speaking,
    Floor.PAUSED: paused,
    Floor.HELD: held,
    Floor.CLOSING: closing,
}
WRONG_TURNS = {"the greeting, long heard": 1, "a cancelled turn": 2, "one never begun": 999, "none": 0, "nonsense": -5}


@pytest.mark.parametrize("floor", STATES)
def test_the_states_are_what_they_say(floor: Floor):
    assert STATES[floor]().floor is floor


@pytest.mark.parametrize(("floor", "wrong_turn"), list(itertools.product(STATES, WRONG_TURNS)))
def test_news_of_a_wrong_turn_does_nothing_but_count(floor: Floor, wrong_turn: str):
    for event in stale_news(WRONG_TURNS[wrong_turn]):
        call = STATES[floor]()
        call.forget()
        before = sum(call.conversation.counters.values())
        commands = call.tell(event)
        allowed = [cmd.ReportAction("stale", is_done=False)] if isinstance(event, ev.ActionAsked) else []
        assert commands in ([], allowed), event
        assert call.floor is floor, event
        assert sum(call.conversation.counters.values()) == before + 1, event


@pytest.mark.parametrize("floor", STATES)
def test_no_stale_sound_is_ever_on_the_line(floor: Floor):
    call = STATES[floor]()
    call.forget()
    for turn_id in WRONG_TURNS.values():
        for event in stale_news(turn_id):
            call.tell(event)
            call.wait(20)
    call.wait(3000)
    assert STALE_BYTE not in call.heard_bytes()
    assert not any(isinstance(command, cmd.DoAction) for command in call.commands)


@pytest.mark.parametrize("floor", STATES)
def test_evidence_of_sound_already_judged_does_nothing(floor: Floor):
    judged = 100
    for event in stale_evidence(judged):
        call = STATES[floor]()
        call.forget()
        assert call.tell(event) == [], event
        assert call.floor is floor, event


@pytest.mark.parametrize("floor", STATES)
def test_every_message_of_the_live_turn_may_come_twice(floor: Floor):
    call = STATES[floor]()
    turn_id = call.conversation.turn_id
    texts = []
    for event in (
        ev.ReplyClause(turn_id, "again ", "en"),
        ev.ReplyEnded(turn_id, ev.Outcome.COMPLETED),
        ev.VoiceMark(turn_id, 6, 400, True),
        ev.VoiceAudio(turn_id, 0, bytes(3200)),
        ev.VoiceEnded(turn_id, ev.Outcome.COMPLETED),
    ):
        call.tell(event)
        call.tell(event)
        texts += [command.text for command in call.all(cmd.Speak) if command.turn_id == turn_id]
    call.wait(12_000)
    records = [news.record.turn_id for news in call.all(cmd.TurnFinished)]
    assert len(records) == len(set(records)), "each turn ends once"


@pytest.mark.parametrize("floor", STATES)
def test_unexpected_stage_events_break_nothing(floor: Floor):
    for stage in ev.Stage:
        call = STATES[floor]()
        call.tell(ev.StageReady(stage))
        call.tell(ev.StageReady(stage))
        assert call.floor is floor


def test_tts_cannot_end_before_it_has_all_the_words():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "one two ")
    call.voice(turn_id, 400)
    call.end_voice(turn_id)
    call.clause(turn_id, "three")
    call.end_reply(turn_id)
    call.voice(turn_id, 400, start_ms=400)
    call.end_voice(turn_id)
    call.wait(900)
    assert call.record(turn_id).heard_text == "one two three"


def test_clauses_after_the_reply_ended_are_refused():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "one. ")
    call.end_reply(turn_id)
    call.forget()
    assert call.clause(turn_id, "two. ") == []
    assert call.conversation.counters["late_ReplyClause"] == 1


def test_sound_out_of_order_is_refused():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.clause(turn_id, "one two three. ")
    call.voice(turn_id, 100, start_ms=5000)
    call.voice(turn_id, 100)
    call.wait(40)
    assert call.frames[-1][1] == bytes([turn_id]) * 160
    assert call.conversation.counters["late_VoiceAudio"] == 1


def test_sound_before_any_words_is_refused():
    call = Call().greeted()
    turn_id = call.ask("hello")
    call.voice(turn_id, 400)
    call.wait(400)
    assert call.heard_bytes() == set()


# -- the caller goes on while their first words are late ---------------------------------------------------------------


def _settled(call: Call, utterance_id: int, text: str, end: int) -> None:
    call.tell(ev.TranscriptHeard(utterance_id, ev.TextStage.SETTLED, text, end, end))
    call.tell(ev.UtteranceSettled(utterance_id, end, True))


def test_first_words_that_are_late_go_before_the_rest_whose_draft_came_sooner():
    call = Call().greeted()
    call.say("I would like a table", with_draft=False)
    call.wait(700)
    first_end = call.last(cmd.EndUtterance).end_sample
    call.say("for two on friday", speech_ms=1000)
    call.wait(900)  # longer than a whole draft waits for its settled text
    assert not call.all(cmd.CommitTurn)
    _settled(call, 1, "I would like a table", first_end)
    call.settle("for two on friday")
    asked = call.last(cmd.AskAgent)
    assert not asked.is_draft
    assert asked.input == cmd.CallerSaid("I would like a table for two on friday")


def test_words_of_two_stretches_that_are_late_keep_their_order():
    call = Call().greeted()
    ends = []
    for text in ("one table", "for two people"):
        call.say(text, speech_ms=1000, with_draft=False)
        call.wait(900)
        ends.append(call.last(cmd.EndUtterance).end_sample)
    call.say("on friday please", speech_ms=1000)
    call.wait(700)
    _settled(call, 1, "one table", ends[0])
    _settled(call, 2, "for two people", ends[1])
    call.settle("on friday please")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("one table for two people on friday please")
