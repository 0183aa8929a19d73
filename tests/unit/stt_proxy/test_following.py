"""A call on a recogniser that follows the sound, through roll-overs and breaks, on sound whose words can be read."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from services.stt_proxy.engine import Corrected, Heard, Lost, Partial, Span
from services.stt_proxy.following import stream as streams
from tests.unit.stt_proxy.followed_line import (
    CALL_MS,
    GAP_MS,
    MS,
    RATE,
    SENTENCES,
    WORD_MS,
    WORDS,
    Line,
    Reading,
    whole_call,
)


async def test_an_unbroken_call_is_heard_whole():
    text, line = await whole_call()
    assert text == " ".join(WORDS)
    assert [len(one.text.split()) for one in line.told(Heard)][:2] == [5, 12]


@pytest.mark.parametrize("first_ms", range(0, 1000, 100))
async def test_a_break_at_every_100_ms_loses_and_doubles_no_word(first_ms: int):
    for break_ms in range(first_ms + 100, CALL_MS, 1000):
        reading = Reading()
        reading.break_at = break_ms * MS
        text, _ = await whole_call(reading)
        assert text == " ".join(WORDS), f"broken at {break_ms} ms"
        assert reading.break_at is not None or len(reading.opened) > 1


@pytest.mark.parametrize("jitter_ms", [-60, 60])
async def test_words_placed_60_ms_wrong_are_neither_lost_nor_doubled_by_a_break(jitter_ms: int):
    for break_ms in range(900, CALL_MS, 900):
        reading = Reading()
        reading.end = lambda offset: max(1, offset + jitter_ms * MS)
        reading.break_at = break_ms * MS
        text, _ = await whole_call(reading)
        assert text == " ".join(WORDS), f"broken at {break_ms} ms"


@pytest.mark.parametrize("end", [lambda offset: None, lambda offset: 10**9], ids=["missing", "years ahead"])
async def test_words_without_a_place_are_heard_all_the_same(end: Callable[[int], int | None]):
    reading = Reading()
    reading.end = end
    text, _ = await whole_call(reading)
    assert text == " ".join(WORDS)


async def test_a_stream_rolls_over_at_a_pause_before_its_limit():
    reading = Reading()
    reading.limits = replace(reading.limits, roll_over_s=4.0, longest_s=9.0)
    text, _ = await whole_call(reading)
    assert text == " ".join(WORDS)
    assert len(reading.opened) >= 4
    assert all(one.n_heard <= 9 * RATE for one in reading.opened)


async def test_without_a_pause_a_stream_rolls_over_behind_the_last_settled_word():
    reading = Reading()
    reading.limits = replace(reading.limits, longest_s=4.0)
    text, _ = await whole_call(reading)
    assert text == " ".join(WORDS)
    assert all(one.n_heard <= 4 * RATE + 800 for one in reading.opened)


async def test_an_open_utterance_wants_no_more_of_the_ring_than_its_open_words():
    line = Line()
    await line.play(0, len(line.sound) * 2 // 3)
    wanted = line.engine_call.wanted_from
    assert wanted is not None
    assert line.recording.read(0, 10).start_sample > len(line.sound) // 2
    line.engine_call.close()


async def test_a_break_does_not_reach_into_the_utterance_before():
    line = Line()
    cut = line.spans[4].end_sample + 200 * MS
    await line.play(0, cut)
    line.engine_call.end(1, cut)
    first = line.ask(line.spans[:5], is_final=True)
    line.reading.break_at = line.reading.n_fed + 3000 * MS
    await line.play(cut, len(line.sound), 2)
    text = await line.end(2)
    assert line.answer(first).text == " ".join(word for sentence in SENTENCES[:5] for word in sentence)
    assert text == " ".join(word for sentence in SENTENCES[5:] for word in sentence)


async def test_an_end_in_mid_speech_divides_the_words():
    line = Line()
    middle = line.spans[2].start_sample + 3 * (WORD_MS + GAP_MS) * MS - GAP_MS * MS // 2
    await line.play(0, middle + 160 * MS)
    line.engine_call.end(1, middle)
    first = line.ask([*line.spans[:2], Span(line.spans[2].start_sample, middle)], is_final=True)
    await line.play(middle + 160 * MS, len(line.sound), 2)
    text = await line.end(2)
    assert f"{line.answer(first).text} {text}" == " ".join(WORDS)


async def test_guesses_come_while_the_caller_speaks_and_hold_the_whole_utterance():
    line = Line()
    await line.play(0, line.spans[1].end_sample)
    partials = [one.text for one in line.told(Partial)]
    assert partials[0] == "hello"
    assert partials[-1].startswith("hello this is anna calling i would like")
    line.engine_call.close()


async def test_a_guess_without_a_place_reaches_as_far_as_the_sound():
    reading = Reading()
    reading.end = lambda _: None
    line = Line(reading)
    await line.play(0, line.spans[0].end_sample)
    partial = line.told(Partial)[0]
    assert partial.end_sample > line.spans[0].start_sample
    line.engine_call.close()


async def test_better_words_of_a_given_draft_come_as_a_better_text():
    line = Line()
    await line.play(0, line.spans[0].end_sample + 100 * MS)
    await line.settle()
    line.reading.opened[-1].report(streams.SettledWords("Hello, this is Anna calling!", 1500 * MS, None, 0.99))
    assert [one.text for one in line.told(Corrected)] == ["Hello, this is Anna calling!"]
    line.engine_call.close()


async def test_settled_words_that_come_twice_or_late_keep_their_order():
    line = Line()
    await line.play(0, line.spans[0].end_sample)
    stream = line.reading.opened[-1]
    line.reading.is_mute = True
    for text, end_ms in (("one", 500), ("three", 1300), ("two", 900), ("three", 1300)):
        stream.report(streams.SettledWords(text, end_ms * MS))
    stream.report(streams.OpenWords("old", 700 * MS))
    request_id = line.ask(line.spans[:1])
    stream.report(streams.Flushed(10**6))
    await line.settle()
    assert line.answer(request_id).text == "one two three hello this is anna calling"
    line.engine_call.close()


async def test_settled_words_unlike_the_open_ones_replace_them_where_the_recogniser_says_so():
    line = Line()
    await line.play(0, line.spans[0].end_sample + 100 * MS)
    await line.settle()
    line.reading.opened[-1].report(streams.SettledWords("quite other words", 900 * MS, None, 0.9, closes_open=True))
    assert [one.text for one in line.told(Corrected)] == ["quite other words"]
    line.engine_call.close()


async def test_discarded_sound_was_never_said_and_what_lies_around_it_was():
    line = Line()
    await line.play(0, line.spans[5].end_sample + 200 * MS)
    line.engine_call.forget(line.spans[2].start_sample - 20 * MS, line.spans[3].end_sample + 20 * MS)
    await line.play(line.spans[5].end_sample + 200 * MS, len(line.sound))
    kept = [word for number, sentence in enumerate(SENTENCES) if number not in (2, 3) for word in sentence]
    assert await line.end() == " ".join(kept)


async def test_silence_costs_nothing():
    line = Line()
    for at in range(0, 60 * RATE, 100 * MS):
        line.recording.add(at, np.zeros(100 * MS, np.int16))
        line.engine_call.reach(at + 100 * MS)
    assert line.reading.opened == []
    assert line.engine_call.wanted_from is None
    assert line.engine_call.listened_to is None


async def test_a_stream_that_says_nothing_is_replaced():
    line = Line()
    line.reading.is_mute = True
    await line.play(0, line.spans[0].end_sample + 100 * MS)
    await asyncio.sleep(1.2)
    assert len(line.reading.opened) > 1
    line.reading.is_mute = False
    await line.play(line.spans[0].end_sample + 100 * MS, len(line.sound))
    assert await line.end() == " ".join(WORDS)


async def test_progress_follows_the_recogniser():
    line = Line()
    line.reading.is_mute = True
    await line.play(0, line.spans[1].start_sample)
    assert line.engine_call.listened_to <= line.spans[0].start_sample
    line.engine_call.close()


async def test_refusals_are_tried_again_a_few_times():
    reading = Reading()
    reading.refusals = [streams.Broken("UNAVAILABLE", "away")] * 3
    text, _ = await whole_call(reading)
    assert text == " ".join(WORDS)


async def test_an_engine_that_is_lost_says_so_and_how_far_it_came():
    line = Line()
    await line.play(0, line.spans[2].end_sample + 300 * MS)
    line.reading.refusals = [streams.Broken("PERMISSION_DENIED", "no such key", is_retryable=False)]
    line.reading.opened[-1].report(streams.Broken("ABORTED", "gone"))
    await line.settle()
    await asyncio.sleep(0.02)
    [lost] = line.told(Lost)
    assert (lost.reason, lost.is_retryable) == ("PERMISSION_DENIED", False)
    assert lost.listened_to == pytest.approx(line.spans[2].end_sample, abs=20 * MS)
    request_id = line.ask(line.spans[:3])
    assert line.answer(request_id).reason == "ENGINE_LOST"
    line.engine_call.close()


async def test_sound_after_a_hold_that_the_detector_has_not_judged_is_not_waited_for():
    line = Line()
    stop = line.spans[0].start_sample + 600 * MS
    await line.play(0, stop)
    later = stop + 60 * RATE
    line.engine_call.reach(later)
    line.recording.add(later, np.zeros(160, np.int16))
    await line.settle()
    assert not line.engine_call.is_busy
    assert line.engine_call.listened_to is None
    line.engine_call.close()
