import asyncio

import pytest

from services.stt_proxy.engine import Corrected, Listened, Partial
from services.stt_proxy.errors import BadSample
from services.stt_proxy.events import Progress, SpeechActivity, TextStage, Transcript, TurnPrediction, UtteranceSettled

from .rig import MS, Call, DictationEngine, LoudnessDetector, spoken, texts


async def test_a_turn_from_the_first_sound_to_the_settled_text():
    call = await spoken(Call())
    await call.end()
    kinds = [type(each) for each in call.evidence if not isinstance(each, Progress)]
    assert kinds == [
        SpeechActivity, SpeechActivity, TurnPrediction, Transcript, TurnPrediction, Transcript, UtteranceSettled,
    ]  # fmt: skip
    assert texts(call) == [
        (TextStage.DRAFT, "I would like to make an appointment."),
        (TextStage.SETTLED, "I would like to make an appointment."),
    ]
    assert [is_final for _, is_final in call.engine_call.asked] == [False]


async def test_what_is_decoded_has_sound_before_the_onset_and_behind_the_end():
    call = await spoken(Call())
    [(speech, _)] = call.engine_call.asked
    [clip] = speech.clips
    assert speech.spans[0].start_sample == 320 * MS
    assert clip.start_sample == 320 * MS - 300 * MS
    assert clip.start_sample + len(clip.samples) > speech.end_sample


async def test_progress_is_told_at_least_every_half_second():
    call = Call()
    await call.be_silent(5000)
    told = [each.processed_sample for each in call.told(Progress)]
    assert all(later - earlier <= 500 * MS for earlier, later in zip([0, *told], told, strict=False))
    assert told[-1] > 4500 * MS


async def test_progress_of_a_slow_recogniser_is_told_in_steps_of_half_a_second_too():
    call = Call()
    call.engine_call.listened_to = 0
    await call.be_silent(1000)
    for listened_to in (700 * MS, 900 * MS, 1000 * MS):
        call.engine_call.listened_to = listened_to
        call.engine_call.report(Listened())
    told = [each.processed_sample for each in call.told(Progress)]
    assert all(later - earlier <= 500 * MS for earlier, later in zip([0, *told], told, strict=False))
    assert told[-1] > 500 * MS


async def test_a_stream_whose_words_are_settled_ends_with_its_progress_though_the_recogniser_lags():
    call = Call()
    call.engine_call.listened_to = 0
    await call.be_silent(1000)
    call.listening.finish()
    await call.settle()
    assert call.at - call.told(Progress)[-1].processed_sample <= 500 * MS


async def test_ends_are_answered_in_order_though_the_later_utterance_holds_no_speech():
    call = Call()
    call.engine_call.text = None
    await spoken(call)
    await call.end()
    await call.be_silent(320)
    await call.end()
    assert call.told(UtteranceSettled) == []
    call.engine_call.answer("And when, please?")
    assert [each.utterance_id for each in call.told(UtteranceSettled)] == [1, 2]


async def test_progress_stops_when_the_detector_does():
    call = Call()
    watch = call.detector.watches[0]
    watch.score = lambda window, is_fresh: None
    for _ in range(100):
        call.listening.take_audio(call.at, bytes(160))
        call.at += 160
    assert call.told(Progress) == []


async def test_a_broken_detector_fails_the_call():
    call = Call()
    call.detector.watches[0].is_broken = True
    call.listening.take_audio(0, bytes(800))
    await asyncio.sleep(0)
    assert len(call.failures) == 1


async def test_half_close_hears_the_rest_and_settles_it():
    call = Call()
    await call.speak(640)
    call.listening.finish()
    await call.settle()
    assert texts(call) == [(TextStage.SETTLED, "I would like to make an appointment.")]
    assert call.told(UtteranceSettled)[0].end_sample == call.at
    assert call.listening.is_done
    assert call.engine_call.is_finished


async def test_half_close_of_a_silent_call_settles_nothing():
    call = Call()
    await call.be_silent(640)
    call.listening.finish()
    await call.settle()
    assert call.told(UtteranceSettled) == []
    assert call.listening.is_done


async def test_an_engine_that_never_answers_fails_the_utterance_and_no_more():
    call = Call(settle_limit_s=0.01)
    call.engine_call.text = None
    await spoken(call)
    await call.end()
    async with asyncio.timeout(5):
        while not call.told(UtteranceSettled):
            await call.listening.moved(limit_s=1)
    [failed] = call.told(UtteranceSettled)
    assert failed.reason == "SETTLE_TIMEOUT"
    call.engine_call.text = "Hello again."
    await spoken(call)
    await call.end()
    assert texts(call)[-1] == (TextStage.SETTLED, "Hello again.")


async def test_a_draft_that_was_refused_costs_the_utterance_nothing():
    call = Call()
    call.engine_call.text = None
    await spoken(call)
    call.engine_call.refuse("DRAFT_LATE")
    await call.end()
    assert [is_final for _, is_final in call.engine_call.asked] == [False, True]
    call.engine_call.answer("I would like to make an appointment.")
    assert texts(call) == [(TextStage.SETTLED, "I would like to make an appointment.")]


async def test_a_file_that_runs_ahead_waits_for_its_words():
    call = Call()
    call.engine_call.text = None
    await spoken(call)
    await call.be_silent(2000)
    assert call.listening.is_behind
    call.engine_call.answer("I would like to make an appointment.")
    assert not call.listening.is_behind


async def test_a_call_in_real_time_is_never_held_by_its_words():
    call = Call()
    call.engine_call.text = None
    await call.speak(320)
    await call.be_silent(200)
    assert call.engine_call.is_busy
    assert not call.listening.is_behind


async def test_partials_and_corrections_of_an_engine_are_passed_on():
    call = Call()
    await call.speak(320)
    call.engine_call.report(Partial("My", call.at, "en"))
    await call.be_silent(200)
    await call.end()
    call.engine_call.report(Corrected(1, "My truth hurts.", "en"))
    assert [stage for stage, _ in texts(call)] == [
        TextStage.PARTIAL, TextStage.DRAFT, TextStage.SETTLED, TextStage.CORRECTED,
    ]  # fmt: skip


async def test_a_stream_opened_in_mid_call_keeps_the_call_s_clock():
    call = await spoken(Call(start_sample=800_000))
    await call.end()
    assert call.told(SpeechActivity)[0].sample == 800_000 + 320 * MS
    assert call.told(UtteranceSettled)[0].end_sample == call.at


async def test_utterances_are_counted_from_one():
    call = Call()
    for _ in range(3):
        await spoken(call)
        await call.end()
    assert [each.utterance_id for each in call.told(UtteranceSettled)] == [1, 2, 3]


async def test_closing_a_recogniser_closes_its_detector():
    call = await spoken(Call())
    call.listening.close()
    assert call.detector.watches[0].is_closed


async def test_a_melody_that_sounds_unfinished_makes_the_turn_wait_longer():
    call = Call()
    call.end_of_turn.sounds_over = 0.05
    await spoken(call)
    assert [each.reason for each in call.told(TurnPrediction)] == ["NO_TEXT", "COMPLETE", "UNSURE"]
    [asked] = call.end_of_turn.asked
    assert asked.spans == call.engine_call.asked[0][0].spans


async def test_a_judgement_of_the_melody_waits_for_the_words():
    call = Call()
    call.engine_call.text = None
    call.end_of_turn.sounds_over = 0.05
    await spoken(call)
    assert [each.reason for each in call.told(TurnPrediction)] == ["NO_TEXT"]
    call.engine_call.answer("I would like to make an appointment.")
    assert [each.reason for each in call.told(TurnPrediction)] == ["NO_TEXT", "UNSURE"]


async def test_a_judgement_of_speech_that_went_on_is_too_late():
    call = Call()
    judged_later = []
    call.end_of_turn.judge = lambda speech, deliver: judged_later.append(deliver)
    await spoken(call)
    await call.speak(320)
    before = len(call.told(TurnPrediction))
    judged_later[0](0.05)
    assert len(call.told(TurnPrediction)) == before


async def test_a_judgement_after_the_call_says_nothing():
    call = Call()
    judged_later = []
    call.end_of_turn.judge = lambda speech, deliver: judged_later.append(deliver)
    await spoken(call)
    before = list(call.evidence)
    call.listening.close()
    judged_later[0](0.05)
    assert call.evidence == before


async def test_an_engine_that_refuses_a_call_takes_no_place_of_the_detectors(monkeypatch: pytest.MonkeyPatch):
    watched: list[object] = []

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no credentials")

    monkeypatch.setattr(DictationEngine, "listen", refuse)
    monkeypatch.setattr(LoudnessDetector, "watch", lambda *_: watched.append(1))
    with pytest.raises(RuntimeError, match="no credentials"):
        Call()
    assert not watched


@pytest.mark.parametrize("ahead", [1 << 61, 3000 * MS])
async def test_an_end_far_ahead_of_the_sound_is_refused(ahead):
    call = await spoken(Call())
    with pytest.raises(BadSample):
        call.listening.end_utterance(call.at + ahead)


async def test_what_took_too_long_to_settle_is_not_decoded_any_more():
    call = Call(settle_limit_s=0.01)
    call.engine_call.text = None
    await spoken(call)
    await call.end()
    await asyncio.sleep(0.05)
    [settled] = call.told(UtteranceSettled)
    assert settled.reason == "SETTLE_TIMEOUT"
    assert call.engine_call.cancelled == [call.engine_call.asked[-1][0].request_id]


async def test_a_call_that_breaks_over_a_text_is_lost_with_the_reason():
    call = Call()
    call.engine_call.text = None
    await spoken(call)

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a fault in this call")

    call.listening._utterances.heard = broken
    call.engine_call.answer("Hello.")
    assert [str(failure) for failure in call.failures] == ["a fault in this call"]


async def test_a_long_sentence_may_be_decoded_while_it_is_spoken():
    call = Call()
    await call.speak(10_000)
    assert call.engine_call.asked == []
    covered = [speech.end_sample for speech in call.engine_call.prepared]
    assert len(covered) == 4
    assert covered[-1] == pytest.approx(8_000 * MS, abs=128 * MS)
