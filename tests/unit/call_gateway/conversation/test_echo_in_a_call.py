"""Echoes in a conversation: the agent is not paused by its own words, and no turn is made of them."""

import numpy as np

from services.call_gateway import line
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.commands import LineCause, LineTroubled
from services.call_gateway.conversation.conversation import Conversation
from services.call_gateway.conversation.floor import Floor
from tests.load.line_echo import Signal, response, returned
from tests.unit.call_gateway.conversation.driver import Call
from tests.unit.call_gateway.conversation.echo_line import agent_speech, frames, rises, voices, wire
from tests.unit.call_gateway.conversation.line_sound import FRAME, talk


def speaking_call(seconds: float = 4) -> tuple[Call, Signal]:
    """The agent is about to speak; what it will say."""
    call = Call().greeted()
    turn_id = call.ask("hello")
    signal = agent_speech(np.random.default_rng(9), seconds)
    call.clause(turn_id, "We are open from Monday to Friday, and on Saturday too.")
    call.end_reply(turn_id)
    call.tell(ev.VoiceAudio(turn_id, 0, wire(signal)))
    call.end_voice(turn_id)
    return call, signal


def test_an_echo_does_not_even_pause_the_agent():
    call, signal = speaking_call()
    echo = returned(signal, delay_ms=120, db=-12)
    began = next(rises(echo, after=8000))
    start = call.sample()
    talk(call, frames(echo)[: began // FRAME + 5])
    commands = call.tell(ev.SpeechBegan(start + began, 0.9))
    assert call.floor is Floor.SPEAKING
    assert cmd.DiscardUtterance(start + began, call.sample()) in commands
    assert call.conversation.counters["echoes"] == 1


def test_an_echo_is_reported_once_a_call():
    call, signal = speaking_call()
    echo = returned(signal, delay_ms=120, db=-12)
    start = call.sample()
    assert not call.conversation.is_echo_suspected
    talked = 0
    for began in list(rises(echo, after=8000))[:2]:
        talk(call, frames(echo)[talked : began // FRAME + 5])
        talked = began // FRAME + 5
        call.tell(ev.SpeechBegan(start + began, 0.9))
    assert call.conversation.counters["echoes"] == 2
    assert call.conversation.is_echo_suspected
    assert [told.cause for told in call.all(LineTroubled)] == [LineCause.ECHO]


def test_what_was_invented_to_hide_a_loss_is_not_compared():
    call, signal = speaking_call()
    echo = returned(signal, delay_ms=120, db=-12)
    began = next(rises(echo, after=8000))
    start = call.sample()
    back = frames(echo)[: began // FRAME + 5]
    talk(call, back[:-2])
    invented_at = call.sample()
    call.wait(20)
    call.tell(line.CallerAudio(invented_at, wire(voices()[0][1][4000 : 4000 + FRAME]), concealed_samples=FRAME))
    talk(call, back[-1:])
    call.tell(ev.SpeechBegan(start + began, 0.9))
    assert call.floor is Floor.SPEAKING


def test_sound_that_goes_on_after_a_veto_is_looked_at_again():
    """The STT stage finds the sound a second time, from a window before the end of what was discarded: still an echo,
    then a caller.
    """
    call, signal = speaking_call()
    echo = returned(signal, delay_ms=120, db=-18)
    began = next(rises(echo, after=8000))
    start = call.sample()
    back = frames(echo)
    talk(call, back[: began // FRAME + 5])
    call.tell(ev.SpeechBegan(start + began, 0.9))
    talk(call, back[began // FRAME + 5 : began // FRAME + 8])
    call.tell(ev.SpeechBegan(call.sample() - 60 * 8 - 30 * 8, 0.9))
    assert call.conversation.counters["echoes"] == 2
    assert call.floor is Floor.SPEAKING
    caller = voices()[-1][1][800:2400]
    place = began + 8 * FRAME
    echo[place : place + len(caller)] += caller
    talk(call, frames(echo)[began // FRAME + 8 : began // FRAME + 13])
    call.tell(ev.SpeechBegan(call.sample() - 100 * 8 - 20 * 8, 0.9))
    assert call.floor is Floor.PAUSED


def test_what_seemed_speech_at_first_is_known_as_echo_at_a_second_look():
    """A room takes more sound to find out than the STT stage needs to say that speech began."""
    call, signal = speaking_call()
    taps = response("room", np.random.default_rng(10))
    echo = returned(signal, delay_ms=160, db=-12, taps=taps)
    began = 160 * 8
    start = call.sample()
    back = frames(echo)
    talk(call, back[: began // FRAME + 1])
    call.tell(ev.SpeechBegan(start + began, 0.9))
    assert call.floor is Floor.PAUSED
    talk(call, back[began // FRAME + 1 : began // FRAME + 20])
    assert call.floor is Floor.SPEAKING
    assert call.conversation.counters["resumed_echo"] == 1


def test_the_words_of_an_echo_make_no_turn():
    call, signal = speaking_call(2)
    echo = np.concatenate((returned(signal, delay_ms=200, db=-12), np.zeros(8000)))
    began = next(rises(echo, after=8000))
    start = call.sample()
    back = frames(echo)
    talk(call, back[: began // FRAME + 5])
    call.tell(ev.SpeechBegan(start + began, 0.9))
    told = call.sample()
    talk(call, back[began // FRAME + 5 :])
    call.text(ev.TextStage.DRAFT, "on Saturday too", start_ms=(start + began) // 8, end_ms=told // 8)
    call.tell(ev.TurnPredicted(1, told, 0.9, 256, "COMPLETE"))
    talk(call, back[-60:])
    assert call.floor is Floor.LISTENING
    assert not [asked for asked in call.all(cmd.AskAgent) if asked.turn_id > 2]


def test_words_of_an_echo_are_neither_a_command_nor_a_keyword():
    is_echo = False
    call = Call()
    call.conversation = Conversation(
        call.settings,
        language_codes=("en",),
        audio_format=call.audio_format,
        prompts=call.prompts,
        is_echo=lambda _from, _to: is_echo,
    )
    call.greeted()
    turn_id = call.speaking("Stop at the desk. ", ms=4000)
    call.begin_speech()
    call.wait(380)  # each look found a caller: it was too loud to tell
    assert call.floor is Floor.PAUSED
    is_echo = True
    for text in ("at the desk", "Stop"):
        call.text(ev.TextStage.PARTIAL, text, utterance_id=1)
        call.tell(ev.Keyword(1, "desk", call.sample()))
    assert call.floor is Floor.SPEAKING
    assert not call.all(cmd.CancelTurn)
    assert not call.all(ev.Keyword)
    call.wait(5000)
    assert call.record(turn_id).stop_reason == "echo"
