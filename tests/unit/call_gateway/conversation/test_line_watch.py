"""A dead line, and sound that is no caller."""

import numpy as np
import pytest
from numpy.typing import NDArray

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, encode
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.commands import LineCause, LineTroubled
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.line import (
    CallerAudio,
    CallerStaysSilent,
    EndCause,
    HoldChanged,
    IdleReason,
    KeyPressed,
    MediaIdle,
)
from tests.unit.call_gateway.conversation.driver import FRAME_MS, Call
from tests.unit.call_gateway.conversation.line_sound import FRAME, LOUD, QUIET, talk

Signal = NDArray[np.float64]


def frames(signal: Signal) -> list[bytes]:
    content = encode(TELEPHONE, np.clip(signal, -32768, 32767).astype(np.int16))
    return [content[at : at + FRAME] for at in range(0, len(content) - FRAME + 1, FRAME)]


def seconds(n_seconds: float) -> NDArray[np.float64]:
    return np.arange(int(n_seconds * 8000)) / 8000


def music(n_seconds: float, *, loud: float = 1.0) -> list[bytes]:
    """Three notes that come and go, with a rest now and then."""
    t = seconds(n_seconds)
    tune = sum(np.sin(2 * np.pi * hertz * t) for hertz in (330, 440, 550))
    return frames(
        1500 * loud * tune * (0.3 + np.abs(np.sin(2 * np.pi * 0.7 * t))) * (np.sin(2 * np.pi * 0.1 * t) > -0.9)
    )


def fax(n_seconds: float) -> list[bytes]:
    """The call of a fax: 1100 Hz, half a second of every three and a half (ITU-T T.30 section 4.1.1)."""
    t = seconds(n_seconds)
    return frames(4000 * np.sin(2 * np.pi * 1100 * t) * (t % 3.5 < 0.5))


def modem(n_seconds: float) -> list[bytes]:
    """A carrier that never stops."""
    return frames(4000 * np.sin(2 * np.pi * 2100 * seconds(n_seconds)))


def street(n_seconds: float) -> list[bytes]:
    """Steady loud noise."""
    return frames(np.random.default_rng(1).normal(0, 600, int(n_seconds * 8000)))


def no_packets(call: Call, ms: int, reason: IdleReason = IdleReason.UNKNOWN) -> None:
    call.is_clock_running = False
    for _ in range(ms // FRAME_MS):
        start = call.sample()
        call.wait(FRAME_MS)
        call.tell(MediaIdle(start, call.sample(), reason))
        call.tell(ev.SttProgressed(call.sample()))


def troubles(call: Call) -> list[LineCause]:
    return [news.cause for news in call.all(LineTroubled)]


def prompts(call: Call) -> list[str]:
    return [report.gateway_text for report in call.all(cmd.ReportPlayout) if report.gateway_text]


# -- nothing comes -----------------------------------------------------------------------------------------------------


def test_a_line_from_which_nothing_ever_came_is_told_once_after_five_seconds():
    call = Call().greeted()
    no_packets(call, 4900 - call.ms)
    assert troubles(call) == []
    no_packets(call, 1000)
    assert troubles(call) == [LineCause.NEVER_CAME]
    assert 5000 <= call.last(LineTroubled).lasted_ms <= 5020
    no_packets(call, 4000)
    assert troubles(call) == [LineCause.NEVER_CAME]


def test_a_line_that_stops_is_told_apart_from_one_that_never_spoke():
    call = Call().greeted()
    talk(call, [QUIET] * 100)
    no_packets(call, 4900)
    assert troubles(call) == []
    no_packets(call, 200)
    assert troubles(call) == [LineCause.STOPPED]


def test_short_gaps_are_nothing_to_tell():
    call = Call().greeted()
    for _ in range(6):
        no_packets(call, 3000)
        talk(call, [QUIET] * 5)
    assert troubles(call) == []


def test_a_hold_that_is_known_is_called_so():
    call = Call().greeted()
    talk(call, [QUIET] * 50)
    call.tell(HoldChanged(is_held=True))
    no_packets(call, 6000, IdleReason.HOLD)
    assert troubles(call) == [LineCause.HOLD]


def test_a_line_whose_far_side_counts_on_in_silence_is_alive():
    """A program that closed its half: its clock goes on with silence."""
    call = Call().greeted()
    call.tell(CallerStaysSilent())
    talk(call, [QUIET] * 300)
    assert troubles(call) == []


# -- sound without a word ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "cause"), [(music, LineCause.NO_CONVERSATION), (fax, LineCause.TONE), (modem, LineCause.TONE)]
)
def test_music_and_faxes_are_asked_once_whether_they_are_there(sound, cause):
    call = Call().greeted()
    talk(call, sound(60))
    assert troubles(call) == [cause]
    assert 15_000 <= call.last(LineTroubled).lasted_ms <= 15_200
    assert prompts(call) == ["prompt still_there"], "asked once, before it was clear"
    assert not call.all(cmd.HangUp)


def test_what_the_stt_stage_takes_for_speech_without_words_is_no_conversation():
    call = Call().greeted()
    for _ in range(10):
        call.begin_speech()
        talk(call, [QUIET] * 80)
        call.stop_speech()
        talk(call, [QUIET] * 20)
    assert troubles(call) == [LineCause.NO_CONVERSATION]


def test_a_silent_caller_in_a_loud_street_is_asked_and_then_left():
    call = Call().greeted()
    talk(call, street(60))
    assert troubles(call) == []
    assert prompts(call)[:2] == ["prompt still_there", "prompt still_there"]
    assert call.all(cmd.HangUp)


def test_a_silent_caller_is_asked_and_then_left():
    call = Call().greeted()
    talk(call, [QUIET] * 3000)
    assert troubles(call) == []
    assert call.all(cmd.HangUp)


def speak(call: Call, text: str, sound: list[bytes], pause: list[bytes]) -> list[object]:
    """Words with that sound, and what comes after them; an answer to them is heard at once. Returns what was asked."""
    before = len(call.all(cmd.AskAgent))
    call.utterance_id += 1
    start_ms = call.ms
    call.begin_speech()
    talk(call, sound)
    call.stop_speech()
    end_ms = call.ms
    call.text(ev.TextStage.DRAFT, text, start_ms=start_ms, end_ms=end_ms)
    call.predict(end_ms=end_ms)
    n_ended = len(call.all(cmd.EndUtterance))
    for frame in pause:
        talk(call, [frame])
        if len(call.all(cmd.EndUtterance)) > n_ended:
            n_ended = len(call.all(cmd.EndUtterance))
            call.settle(text)
    asked = [ask for ask in call.all(cmd.AskAgent)[before:] if not ask.is_draft]
    taken = asked or call.all(cmd.CommitTurn)
    if taken and call.floor is Floor.THINKING:
        call.reply(taken[-1].turn_id, "I see.", ms=400)
    return [call.conversation.turn_id] if call.floor in (Floor.THINKING, Floor.SPEAKING) else []


LOUD_VOICE = [LOUD] * 60
HOLD_WORDS = "Thank you for holding, somebody will be with you shortly."


def answered(call: Call) -> int:
    """Turns of the agent's that words of the line led to."""
    committed = {command.turn_id for command in call.all(cmd.CommitTurn)}
    asked = {ask.turn_id for ask in call.all(cmd.AskAgent) if not ask.is_draft}
    return len(committed | asked)


def test_words_over_a_radio_make_a_conversation():
    call = Call().greeted()
    for nth in range(6):
        talk(call, music(10, loud=0.4))
        speak(call, f"this is question {'abcdef'[nth]} of mine", LOUD_VOICE, music(1, loud=0.4))
        talk(call, music(1, loud=0.4))
    assert troubles(call) == []
    assert answered(call) == 6


@pytest.mark.parametrize("every_s", [15, 20, 30])
def test_hold_announcements_do_not_make_a_conversation(every_s: int):
    call = Call().greeted()
    for _ in range(120 // every_s):
        talk(call, music(every_s - 3))
        speak(call, HOLD_WORDS, music(2), music(1))
    assert LineCause.NO_CONVERSATION in troubles(call)
    assert answered(call) <= 2, "before it was clear"
    assert prompts(call).count("prompt still_there") <= 3
    assert not call.all(cmd.HangUp)


def test_announcements_that_differ_are_asked_twice_and_then_left_alone():
    call = Call().greeted()
    words = ["Thank you for holding", "You are number four in line", "Did you know our new web site", "Visit us soon"]
    for text in words * 2:
        talk(call, music(20))
        speak(call, text, music(2), music(1))
    assert answered(call) == 0
    assert prompts(call).count("prompt still_there") == 1 + 2


def test_a_line_at_rest_is_told_in_pieces_and_its_music_is_music_all_the_same():
    call = Call().greeted()
    for _ in range(5):
        heard = music(17)
        call.is_clock_running = False
        for at in range(0, len(heard), 10):
            start = call.sample()
            call.wait(10 * FRAME_MS)
            call.tell(CallerAudio(start, b"".join(heard[at : at + 10])))
            call.tell(ev.SttProgressed(call.sample()))
        speak(call, HOLD_WORDS, music(2), music(1))
    assert answered(call) <= 2


def test_music_that_the_stt_stage_takes_for_the_beginning_of_the_words_is_music_all_the_same():
    call = Call().greeted()
    talk(call, music(17))
    for _ in range(4):
        speak(call, HOLD_WORDS, music(14), music(1))
    assert answered(call) == 0


def test_where_only_music_is_heard_a_failed_stt_stage_asks_for_nothing():
    call = Call().greeted()
    talk(call, music(20))
    call.forget()
    call.begin_speech()
    talk(call, music(2))
    call.stop_speech()
    talk(call, music(2))
    call.tell(ev.UtteranceSettled(call.utterance_id, call.last(cmd.EndUtterance).end_sample, is_ok=False))
    talk(call, music(3))
    assert prompts(call) == []


def test_an_answer_to_the_question_out_of_the_music_is_a_persons():
    call = Call().greeted()
    talk(call, music(20))
    speak(call, "are you the dentist", music(1.2), music(1))
    assert answered(call) == 0
    talk(call, music(2))
    speak(call, "yes I am here", music(1.2), music(1))
    assert answered(call) == 1


def test_who_takes_the_call_up_after_the_music_is_answered_at_once():
    call = Call().greeted()
    talk(call, music(40))
    speak(call, "so could I have tuesday then", LOUD_VOICE, [QUIET] * 40)
    assert answered(call) == 1


def test_a_key_pressed_in_the_music_shows_that_a_person_is_there():
    call = Call().greeted()
    talk(call, music(20))
    call.tell(KeyPressed("5", 100))
    call.wait(2000)
    assert answered(call) == 1


@pytest.mark.parametrize(("sound", "likely"), [(music, "music on hold or voicemail"), (modem, "a fax or modem")])
def test_sound_without_a_word_is_ended_and_the_log_says_what_it_was(sound, likely):
    assert ConversationSettings().wordless_end_ms == 5 * 60_000
    call = Call(ConversationSettings(wordless_end_ms=40_000)).greeted()
    talk(call, sound(38))
    assert not call.conversation.is_over
    talk(call, sound(6))
    assert call.conversation.is_over
    assert call.last(cmd.HangUp).cause is EndCause.SILENCE
    assert likely in call.last(cmd.HangUp).message


def test_who_takes_the_call_up_during_the_goodbye_to_the_music_is_answered():
    call = Call(ConversationSettings(wordless_end_ms=40_000)).greeted()
    talk(call, music(40))
    speak(call, "sorry I am here, could I have tuesday", LOUD_VOICE, [QUIET] * 40)
    assert answered(call) == 1
    call.wait(5000)
    assert not call.all(cmd.HangUp)


def test_who_is_asked_out_of_the_music_has_time_to_answer_before_the_line_is_ended():
    call = Call(ConversationSettings(wordless_end_ms=50_000)).greeted()
    talk(call, music(45))
    speak(call, "are you the dentist", music(1.2), music(1))
    talk(call, music(6))
    assert not call.conversation.is_over
    talk(call, music(14))
    assert call.last(cmd.HangUp).cause is EndCause.SILENCE


def test_announcements_do_not_keep_the_line_open():
    call = Call(ConversationSettings(wordless_end_ms=60_000)).greeted()
    for _ in range(8):
        if not call.conversation.is_over:
            talk(call, music(17))
            speak(call, HOLD_WORDS, music(2), music(1))
    assert call.conversation.is_over


def test_where_it_is_not_to_be_ended_it_is_not():
    call = Call(ConversationSettings(wordless_end_ms=0)).greeted()
    talk(call, modem(60))
    assert not call.conversation.is_over


def test_when_the_music_ends_silence_is_asked_about_again():
    call = Call().greeted()
    talk(call, music(30))
    assert troubles(call) == [LineCause.NO_CONVERSATION]
    call.forget()
    talk(call, [QUIET] * 700)
    assert prompts(call) == ["prompt still_there"]


def test_when_packets_stop_after_the_music_silence_is_asked_about_again():
    call = Call().greeted()
    talk(call, music(30))
    call.forget()
    no_packets(call, 14_000)
    assert prompts(call) == ["prompt still_there"]


def test_sound_while_the_agent_speaks_does_not_count():
    call = Call().greeted()
    call.speaking(ms=30_000)
    talk(call, music(20))
    assert call.floor is Floor.SPEAKING
    assert troubles(call) == []


def test_torn_sound_is_passed_over():
    call = Call(audio_format=AudioFormat(Encoding.LINEAR16, 8000)).greeted()
    for _ in range(10):
        call.tell(CallerAudio(call.sample(), bytes(319)))
        call.wait(FRAME_MS)
    assert troubles(call) == []
