"""Speech without a pause that outlasts what is kept of an utterance: it is closed, and no sample of it is lost."""

import pytest

from services.stt_proxy.events import SpeechActivity, TextStage, Transcript, TurnPrediction

from .rig import MS, Call

LIMIT_MS = 120_000  # of the rig


async def speak_for(call: Call, ms: int) -> None:
    await call.be_silent(400)
    await call.speak(ms)


def closing(call: Call) -> list[TurnPrediction]:
    return [one for one in call.told(TurnPrediction) if one.reason == "TOO_LONG"]


async def test_it_is_closed_at_the_limit_and_need_not_be_waited_for():
    call = Call()
    await speak_for(call, LIMIT_MS + 200)
    assert {(one.wait_ms, one.probability) for one in closing(call)} == {(0, 1.0)}
    [edge] = [one for one in call.told(SpeechActivity) if not one.is_begin]
    assert closing(call)[0].end_sample == edge.sample
    begin = call.told(SpeechActivity)[0].sample
    assert LIMIT_MS * MS <= edge.sample - begin < (LIMIT_MS + 64) * MS
    drafts = [one for one in call.told(Transcript) if one.stage is TextStage.DRAFT]
    assert [one.end_sample for one in drafts] == [edge.sample]


async def test_the_next_utterance_begins_where_it_was_closed():
    call = Call()
    await speak_for(call, LIMIT_MS + 600)
    closed = closing(call)[0].end_sample
    call.listening.end_utterance(closed)
    await call.settle()
    begins = [one for one in call.told(SpeechActivity) if one.is_begin]
    assert (begins[-1].sample, begins[-1].utterance_id) == (closed, 2)
    await call.be_silent(400)
    await call.end()
    first, second = [speech.spans for speech, is_final in call.engine_call.asked if is_final] or [
        tuple(one.spans) for one, _ in call.engine_call.asked[-2:]
    ]
    assert first[-1].end_sample == second[0].start_sample == closed


async def test_a_pause_while_the_client_is_waited_for_is_told_behind_the_end():
    call = Call()
    await speak_for(call, LIMIT_MS + 300)
    await call.be_silent(400)
    closed = closing(call)[0].end_sample
    assert len(call.told(SpeechActivity)) == 2, "the end is not refuted"
    call.listening.end_utterance(closed)
    await call.settle()
    edges = [(one.is_begin, one.utterance_id) for one in call.told(SpeechActivity)[2:]]
    assert edges == [(True, 2), (False, 2)]
    assert call.told(SpeechActivity)[2].sample == closed


@pytest.mark.parametrize("further_ms", [3000, 20_000])
async def test_a_client_that_does_not_end_it_hears_of_more_speech_and_not_of_another_close(further_ms: int):
    call = Call()
    await speak_for(call, LIMIT_MS + further_ms)
    edges = [one.is_begin for one in call.told(SpeechActivity)]
    assert edges == [True, False, True]
    assert len({one.end_sample for one in closing(call)}) == 1


async def test_twice_as_much_speech_is_closed_twice_and_every_sample_is_put_into_words():
    call = Call()
    await call.be_silent(400)
    for _ in range(2):
        n_closed = len({one.end_sample for one in closing(call)})
        while len({one.end_sample for one in closing(call)}) == n_closed:
            await call.speak(1000)
        call.listening.end_utterance(closing(call)[-1].end_sample)
        await call.settle()
    await call.be_silent(400)
    await call.end()
    settled = [one for one in call.told(Transcript) if one.stage is TextStage.SETTLED]
    assert [one.utterance_id for one in settled] == [1, 2, 3]
    assert settled[0].end_sample == settled[1].start_sample
    assert settled[1].end_sample == settled[2].start_sample
    assert call.listening._recording.dropped_samples == 0
