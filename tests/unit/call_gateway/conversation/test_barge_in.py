"""The caller makes a sound while the agent speaks."""

import pytest

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from tests.unit.call_gateway.conversation.driver import FRAME_MS, Call, news_left_out


def test_the_agent_pauses_with_the_very_next_frame():
    call = Call().greeted()
    call.speaking()
    call.begin_speech()
    assert call.floor is Floor.PAUSED
    call.wait(FRAME_MS)
    assert call.frames[-1][1] is None


def test_the_pause_stops_no_stage():
    call = Call().greeted()
    call.speaking()
    assert news_left_out(call.begin_speech()) == []


# -- it is an interruption ---------------------------------------------------------------------------------------------


def test_600_ms_of_speech_stop_the_agent():
    call = Call().greeted()
    turn_id = call.speaking()
    call.begin_speech()
    call.wait(580)
    assert call.floor is Floor.PAUSED
    call.wait(20)
    assert call.floor is Floor.LISTENING
    assert news_left_out(call.commands)[:4] == [
        cmd.CancelTurn(turn_id),
        cmd.StopSpeech(turn_id),
        cmd.DiscardSent(),
        cmd.ReportPlayout(turn_id, 0, is_final=True),
    ]
    assert call.record(turn_id).stop_reason == "sustained_speech"


def test_bursts_add_up():
    call = Call().greeted()
    call.speaking()
    call.begin_speech()
    call.wait(320)
    call.stop_speech()
    call.wait(100)
    call.begin_speech()
    call.wait(280)
    assert call.floor is Floor.LISTENING


@pytest.mark.parametrize("text", ["wait", "no, not that", "khoan đã", "нет, подождите", "等等"])
def test_confident_words_stop_the_agent(text: str):
    call = Call().greeted()
    turn_id = call.speaking()
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft(text)
    assert call.floor is Floor.LISTENING
    assert call.record(turn_id).stop_reason == "words"


def test_the_interrupting_words_become_the_next_turn():
    call = Call().greeted()
    turn_id = call.speaking("one two three four. ", ms=2000)
    call.wait(1100)
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft("what about Monday")
    ask = call.last(cmd.AskAgent)
    assert (ask.input, ask.is_draft) == (cmd.CallerSaid("what about Monday"), True)
    assert call.record(turn_id).heard_text == "one two"
    names = [type(command) for command in call.commands]
    assert names.index(cmd.ReportPlayout) < names.index(cmd.AskAgent)


def test_words_that_were_heard_are_reported_and_no_more():
    call = Call().greeted()
    turn_id = call.speaking("one two three four. ", ms=2000)  # 100 ms a code point
    call.wait(720)
    call.begin_speech()
    call.wait(600)
    assert call.last(cmd.ReportPlayout) == cmd.ReportPlayout(turn_id, 7, is_final=True)


def test_an_engine_without_scores_is_trusted():
    call = Call().greeted()
    call.speaking()
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft("wait", confidence=None)
    assert call.floor is Floor.LISTENING


def test_words_of_speech_that_began_before_count_only_when_they_reach_into_it():
    call = Call().greeted()
    call.speaking()
    before = call.ms
    call.wait(100)
    call.begin_speech()
    call.text(ev.TextStage.DRAFT, "wait", end_ms=before)
    assert call.floor is Floor.PAUSED


@pytest.mark.parametrize(
    "text",
    [
        "stop",
        "Oh, wait, wait!",
        "hold on a second",
        "khoan đã",
        "Dạ khoan, chờ chút",
        "стоп",
        "да нет подождите",
        "等一下",
        "嗯，停",
    ],
)
def test_a_partial_text_that_says_stop_ends_the_reply_before_any_pause(text: str):
    call = Call().greeted()
    turn_id = call.speaking()
    call.begin_speech()
    call.wait(240)
    call.text(ev.TextStage.PARTIAL, text)
    assert call.floor is Floor.LISTENING
    assert call.record(turn_id).stop_reason == "stop_command"
    assert call.all(cmd.CancelTurn) == [cmd.CancelTurn(turn_id)]


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("uh-huh", 0.9),
        ("the bus stop", 0.9),
        ("don't stop", 0.9),
        ("stop by the clinic", 0.9),
        ("停车", 0.9),
        ("stop", 0.2),
        ("", 0.9),
    ],
)
def test_other_partial_texts_leave_the_agent_paused(text: str, confidence: float):
    call = Call().greeted()
    call.speaking()
    call.begin_speech()
    call.wait(240)
    call.text(ev.TextStage.PARTIAL, text, confidence=confidence)
    assert call.floor is Floor.PAUSED
    assert not call.all(cmd.CancelTurn)


def test_the_words_behind_a_stop_command_are_the_next_turn_with_it():
    call = Call().greeted()
    call.speaking(ms=4000)
    call.wait(1100)
    call.begin_speech()
    call.wait(240)
    call.text(ev.TextStage.PARTIAL, "wait")
    call.wait(500)
    call.stop_speech()
    call.draft("wait, what about Monday")
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("wait, what about Monday")


def test_a_stop_command_does_not_end_protected_words():
    call = Call().greeted()
    turn_id = call.ask("a question")
    call.clause(turn_id, "one two three four. ", is_interruptible=False)
    call.voice(turn_id, 2000)
    call.wait(300)
    call.begin_speech()
    call.wait(240)
    call.text(ev.TextStage.PARTIAL, "stop")
    assert call.floor is Floor.SPEAKING


def test_a_partial_text_of_speech_from_before_stops_nothing():
    call = Call().greeted()
    call.speaking()
    before = call.ms
    call.wait(100)
    call.begin_speech()
    call.text(ev.TextStage.PARTIAL, "wait", end_ms=before)
    assert call.floor is Floor.PAUSED


# -- it is none --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "confidence", "reason"),
    [
        ("Uh-huh.", 0.9, "backchannel"),
        ("Dạ vâng ạ.", 0.9, "backchannel"),
        ("Ага", 0.9, "backchannel"),
        ("嗯嗯", 0.9, "backchannel"),
        ("", 0.9, "no_words"),
        ("…", 0.9, "no_words"),
        ("Imam mam", 0.11, "low_confidence"),
    ],
)
def test_the_agent_goes_on_after_what_is_no_interruption(text: str, confidence: float, reason: str):
    call = Call().greeted()
    turn_id = call.speaking()
    call.begin_speech()
    call.wait(260)
    call.stop_speech()
    call.draft(text, confidence=confidence)
    assert call.floor is Floor.SPEAKING
    assert not call.all(cmd.CancelTurn)
    call.wait(3000)
    record = call.record(turn_id)
    assert (record.outcome, record.stop_reason) == ("completed", reason)


def test_the_sound_is_forgotten_by_the_stt_stage():
    call = Call().greeted()
    call.speaking()
    began = call.sample()
    call.begin_speech()
    call.wait(260)
    stopped = call.sample()
    call.stop_speech()
    call.draft("uh-huh")
    assert call.last(cmd.DiscardUtterance) == cmd.DiscardUtterance(began, stopped)


def test_a_forgotten_sound_makes_no_turn_afterwards():
    call = Call().greeted()
    call.speaking("one. ", ms=400)
    call.begin_speech()
    call.wait(260)
    call.stop_speech()
    end_ms = call.ms
    call.draft("uh-huh")
    call.predict(end_ms=end_ms)
    call.text(ev.TextStage.DRAFT, "uh-huh", end_ms=end_ms)
    call.wait(2000)
    assert call.floor is Floor.LISTENING
    assert not call.all(cmd.EndUtterance)


def test_the_agent_goes_on_at_the_start_of_the_word_it_broke_off():
    call = Call().greeted()
    turn_id = call.ask("hello")
    text = "one two three four. "
    call.clause(turn_id, text)
    call.end_reply(turn_id)
    call.mark(turn_id, len(text), 2000)
    content = bytes(index // 160 % 250 for index in range(16_000))  # each frame says which it is
    call.tell(ev.VoiceAudio(turn_id, 0, content))
    call.end_voice(turn_id)
    call.wait(600)
    before = call.frames[-1][1]
    assert before is not None
    call.begin_speech()
    call.wait(100)
    call.stop_speech()
    call.draft("")
    call.wait(20)
    resumed = call.frames[-1][1]
    assert resumed is not None
    assert resumed[0] == 300 // 20, "the first word ends after 3 of 20 code points: 300 of 2000 ms"
    assert before[0] > resumed[0]


def test_silence_without_words_resumes_within_a_second():
    call = Call().greeted()
    call.speaking(ms=4000)
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.wait(780)
    assert call.floor is Floor.PAUSED
    call.wait(20)
    assert call.floor is Floor.SPEAKING


def test_a_clock_that_stands_still_cannot_keep_the_agent_paused():
    call = Call().greeted()
    call.speaking(ms=4000)
    call.begin_speech()
    call.is_clock_running = False
    call.wait(2100)
    assert call.floor is Floor.SPEAKING


def test_a_backchannel_while_the_sound_goes_on_waits_for_its_end():
    call = Call().greeted()
    call.speaking(ms=4000)
    call.begin_speech()
    call.wait(200)
    call.draft("uh-huh")
    assert call.floor is Floor.PAUSED


def test_the_second_cough_pauses_again():
    call = Call().greeted()
    call.speaking(ms=4000)
    for _ in range(2):
        call.begin_speech()
        assert call.floor is Floor.PAUSED
        call.wait(100)
        call.stop_speech()
        call.draft("")
        assert call.floor is Floor.SPEAKING
        call.wait(200)
    assert call.conversation.counters["resumed_no_words"] == 2


def test_a_keyword_counts_as_its_text_does():
    call = Call().greeted()
    call.speaking(ms=4000)
    call.begin_speech()
    call.wait(240)
    call.stop_speech()
    call.wait(20)
    call.draft("uh-huh")
    assert call.floor is Floor.SPEAKING
    end_ms = call.ms - 50
    call.text(ev.TextStage.PARTIAL, "a root canal", end_ms=end_ms)  # of the sound that was just forgotten
    call.tell(ev.Keyword(call.utterance_id, "root canal", call.sample(end_ms)))
    assert not call.all(ev.Keyword)
    call.wait(500)
    call.begin_speech()
    call.wait(300)
    call.text(ev.TextStage.PARTIAL, "a root canal")
    call.tell(ev.Keyword(call.utterance_id, "root canal", call.sample()))
    assert [one.phrase for one in call.all(ev.Keyword)] == ["root canal"]


# -- an answer rather than a backchannel -------------------------------------------------------------------------------


def test_a_yes_into_the_end_of_a_question_is_its_answer():
    call = Call().greeted()
    call.speaking("Is Monday all right? ", ms=2000)
    call.wait(1300)
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft("yeah")
    assert call.floor is Floor.LISTENING
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("yeah")


def test_a_yes_early_in_a_question_is_a_backchannel():
    call = Call().greeted()
    call.speaking("Is Monday all right? ", ms=4000)
    call.wait(500)
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft("yeah")
    assert call.floor is Floor.SPEAKING


def test_any_word_answers_the_gateways_own_question():
    call = Call().greeted()
    call.wait(8100)
    assert call.floor is Floor.SPEAKING
    call.begin_speech()
    call.wait(200)
    call.stop_speech()
    call.draft("yeah")
    assert call.floor is Floor.LISTENING
    assert call.last(cmd.AskAgent).input == cmd.CallerSaid("yeah")
