"""Messages of a client beside sound: idle time, ends, stretches to forget, hints."""

import pytest

from services.stt_proxy.engine import ExpectedKind
from services.stt_proxy.errors import BadSample
from services.stt_proxy.events import Progress, SpeechActivity, TextStage, TurnPrediction, UtteranceSettled
from services.stt_proxy.intake import IdleReason
from services.stt_proxy.steps import HintsUpdate

from .rig import LOUD, MS, Call, spoken, texts


async def test_a_hole_of_unknown_cause_ends_speech_after_100_ms():
    call = Call()
    await call.speak(640)
    call.listening.take_idle(call.at, call.at + 150 * MS, IdleReason.UNKNOWN)
    assert len(call.told(SpeechActivity)) == 1
    call.listening.take_idle(call.at + 150 * MS, call.at + 300 * MS, IdleReason.UNKNOWN)
    assert [each.is_begin for each in call.told(SpeechActivity)] == [True, False]


@pytest.mark.parametrize("reason", [IdleReason.HOLD, IdleReason.DTMF])
async def test_hold_and_keys_never_end_speech(reason):
    call = Call()
    await call.speak(640)
    call.listening.take_idle(call.at, call.at + 60_000 * MS, reason)
    assert [each.is_begin for each in call.told(SpeechActivity)] == [True]
    assert call.told(Progress)[-1].processed_sample == call.at + 60_000 * MS


async def test_a_short_loss_does_not_end_speech():
    call = Call()
    await call.speak(640)
    call.listening.take_idle(call.at, call.at + 60 * MS, IdleReason.LOSS)
    call.at += 60 * MS
    await call.speak(320)
    assert [each.is_begin for each in call.told(SpeechActivity)] == [True]


async def test_a_gap_over_a_second_ends_what_was_being_said():
    call = Call()
    await call.speak(640)
    call.at += 5000 * MS
    await call.speak(320)
    assert [each.is_begin for each in call.told(SpeechActivity)] == [True, False, True]


async def test_an_end_waits_for_the_sound_before_it():
    call = Call()
    for level in (LOUD, 0):
        for _ in range(20):
            call.listening.take_audio(call.at, bytes([0x80 if level else 0xFF]) * 160)
            call.at += 160
    call.listening.end_utterance(call.at)
    assert call.told(UtteranceSettled) == []
    await call.settle()
    assert len(call.told(UtteranceSettled)) == 1
    assert texts(call)[-1] == (TextStage.SETTLED, "I would like to make an appointment.")


async def test_an_end_that_goes_back_is_refused():
    call = await spoken(Call())
    await call.end()
    with pytest.raises(BadSample) as refused:
        call.listening.end_utterance(call.at - 1)
    assert refused.value.field == "utterance_end.end_sample"


async def test_discarded_speech_gives_no_text_and_may_begin_again():
    call = Call()
    await call.speak(320)
    call.listening.discard(0, call.at)
    await call.speak(320)
    await call.be_silent(200)
    assert [each.is_begin for each in call.told(SpeechActivity)] == [True, True, False]
    assert call.engine_call.asked[-1][0].spans[0].start_sample >= 320 * MS - 32 * MS
    assert call.engine_call.forgotten == [(0, 320 * MS)]


@pytest.mark.parametrize("ahead", [1 << 61, 3000 * MS])
async def test_a_stretch_to_forget_reaches_no_further_than_the_sound(ahead):
    call = Call()
    await call.speak(640)
    call.listening.discard(320 * MS, call.at + ahead)
    await call.speak(640)
    await call.be_silent(200)
    [*_, (speech, _)] = call.engine_call.asked
    assert speech.spans[-1].start_sample <= 640 * MS
    assert speech.spans[-1].end_sample >= 1280 * MS - 32 * MS


async def test_a_stretch_that_was_not_sent_is_nothing_to_forget():
    call = Call()
    await call.speak(320)
    call.listening.discard(call.at, call.at + 500 * MS)
    assert call.engine_call.forgotten == []


async def test_hints_hold_from_their_sample_on():
    call = Call()
    call.listening.update(HintsUpdate(effective_sample=500 * MS, expected_kind=ExpectedKind.DIGITS, expected_length=6))
    await call.be_silent(400)
    assert call.engine_call.hints == []
    await call.be_silent(200)
    assert call.engine_call.hints[-1].expected_kind is ExpectedKind.DIGITS
    assert call.engine_call.hints[-1].language_codes == ("en",)


async def test_expected_digits_lengthen_the_wait():
    call = Call()
    call.engine_call.text = "four one five"
    call.listening.update(HintsUpdate(expected_kind=ExpectedKind.DIGITS, expected_length=6))
    await spoken(call)
    assert [(each.reason, each.wait_ms) for each in call.told(TurnPrediction)][-1] == ("DIGITS_EXPECTED", 1200)


@pytest.mark.parametrize("ahead", [300 * MS, 1500 * MS])
async def test_speech_that_comes_behind_an_end_ahead_of_the_sound_belongs_to_the_next_utterance(ahead):
    call = Call()
    await call.be_silent(320)
    await call.speak(640)
    call.listening.end_utterance(call.at + ahead)
    await call.speak(1280)
    await call.be_silent(700)
    await call.end()
    (first, _), (second, _) = call.engine_call.asked
    assert [(span.start_sample, span.end_sample) for span in first.spans] == [(320 * MS, 960 * MS)]
    assert [(span.start_sample, span.end_sample) for span in second.spans] == [(960 * MS, 2240 * MS)]
    assert [each.end_sample for each in call.told(UtteranceSettled)] == [960 * MS + ahead, call.at]


async def test_speech_that_begins_before_an_end_ahead_of_the_sound_is_not_cut():
    call = await spoken(Call())
    call.listening.end_utterance(call.at + 800 * MS)
    begins = call.at
    await call.speak(640)
    await call.be_silent(200)
    [*_, (speech, _)] = call.engine_call.asked
    assert speech.utterance_id == 2
    assert speech.spans[0].start_sample <= begins


async def test_an_update_far_ahead_is_refused_and_does_not_hold_up_later_ones():
    call = await spoken(Call())
    with pytest.raises(BadSample):
        call.listening.update(HintsUpdate(effective_sample=1 << 61, phrases=("Nguyen",)))
    call.listening.update(HintsUpdate(effective_sample=call.at, phrases=("Tran",)))
    await call.be_silent(200)
    assert call.engine_call.hints[-1].phrases == ("Tran",)
