"""A call on a recogniser that follows the sound, through roll-overs and breaks, on sound whose words can be read."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest

from services.audio.pcm import Samples
from services.stt_proxy.engine import Corrected, Heard, Hints, Lost, Partial, Report, Span, Speech, Unheard
from services.stt_proxy.following import stream as streams
from services.stt_proxy.following.call import FollowedCall
from services.stt_proxy.recording import Recording

RATE = 8000
MS = 8
CHUNK_MS = 100
LEVEL = 100  # word number n is sound of level 100 (n + 1)
SENTENCES = tuple(
    tuple(sentence.split())
    for sentence in (
        "hello this is anna calling",
        "i would like to book a cleaning",
        "on friday if that is possible",
        "the morning suits me best",
        "my number is nine one two",
        "no no the other doctor please",
        "she knows my teeth very well",
        "is there somewhere i can park",
        "please send me a short message",
        "thank you and goodbye then",
    )
)
WORDS = [word for sentence in SENTENCES for word in sentence]
WORD_MS, GAP_MS, PAUSE_MS = 240, 40, 400


def ten_sentences() -> tuple[Samples, list[Span]]:
    """The call's sound, and where each sentence lies."""
    parts, spans, at, number = [np.zeros(500 * MS, np.int16)], [], 500 * MS, 0
    for sentence in SENTENCES:
        start = at
        for _ in sentence:
            number += 1
            parts += [np.full(WORD_MS * MS, LEVEL * number, np.int16), np.zeros(GAP_MS * MS, np.int16)]
            at += (WORD_MS + GAP_MS) * MS
        spans.append(Span(start, at - GAP_MS * MS))
        parts.append(np.zeros((PAUSE_MS - GAP_MS) * MS, np.int16))
        at += (PAUSE_MS - GAP_MS) * MS
    return np.concatenate(parts), spans


class ReadingStream:
    """Reads words off their level. Those of a sentence stay open until its pause has lasted 200 ms, as a provider's do;
    a word of which it missed more than a third is not understood.
    """

    def __init__(self, owner: "Reading", report: Callable[[streams.StreamReport], None]) -> None:
        self.owner, self.report = owner, report
        self.kept: list[np.ndarray] = []
        self.kept_from = 0
        self.n_heard = 0
        self.is_closed = False

    def feed(self, samples: Samples) -> None:
        self.owner.n_fed += len(samples)
        self.kept.append(samples)
        self.n_heard += len(samples)
        self.later(self.read)

    def later(self, what: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(lambda: None if self.is_closed else what())

    def read(self, *, is_end: bool = False) -> None:
        if self.owner.break_at is not None and self.owner.n_fed >= self.owner.break_at:
            self.owner.break_at = None
            self.close()
            self.report(self.owner.fault)
            return
        if self.owner.is_mute or not self.kept:
            return
        sound = np.concatenate(self.kept)
        end = self.kept_from + len(sound)
        words = self.words(sound)
        is_over = is_end or (bool(words) and end - words[-1][2] >= 200 * MS)
        text = " ".join(word for word, _, _ in words)
        if words and is_over:
            self.report(streams.SettledWords(text, self.owner.end(words[-1][2]), words[0][1], 0.9))
            self.kept, self.kept_from = [sound[words[-1][2] - self.kept_from :]], words[-1][2]
        elif words:
            self.report(streams.OpenWords(text, self.owner.end(end)))
        self.report(streams.Processed(end))

    def words(self, sound: np.ndarray) -> list[tuple[str, int, int]]:
        edges = np.flatnonzero(np.diff(np.concatenate(([0], sound, [0])).astype(np.int32))).tolist()
        runs = [(a, b) for a, b in pairwise(edges) if sound[a] and b - a >= WORD_MS * MS * 2 // 3]
        return [(WORDS[int(sound[a]) // LEVEL - 1], self.kept_from + a, self.kept_from + b) for a, b in runs]

    def flush(self) -> None:
        self.later(lambda: self.report(streams.Flushed(self.n_heard)) if not self.owner.is_mute else None)

    def finish(self) -> None:
        def end() -> None:
            self.read(is_end=True)
            if not self.is_closed and not self.owner.is_mute:
                self.report(streams.Ended())

        self.later(end)

    def close(self) -> None:
        self.is_closed = True


class Reading:
    """Opens the streams; breaks one of them when that much was fed to all."""

    limits = streams.StreamLimits(stall_s=0.4)

    def __init__(self) -> None:
        self.opened: list[ReadingStream] = []
        self.n_fed = 0
        self.break_at: int | None = None
        self.fault = streams.Broken("UNAVAILABLE", "the connection broke")
        self.refusals: list[streams.Broken] = []
        self.is_mute = False
        self.end: Callable[[int], int | None] = lambda offset: offset

    def open(
        self, *, call_id: str, sample_rate_hertz: int, hints: Hints, report: Callable[[streams.StreamReport], None]
    ) -> ReadingStream:
        self.opened.append(ReadingStream(self, report))
        if self.refusals:
            refusal, stream = self.refusals.pop(0), self.opened[-1]
            stream.close()
            asyncio.get_running_loop().call_soon(report, refusal)
        return self.opened[-1]


class Line:
    """A call on the engine_call, with the detector's edges known beforehand."""

    def __init__(self, reading: Reading | None = None) -> None:
        self.reading = reading or Reading()
        self.reports: list[Report] = []
        self.recording = Recording(limit_samples=120 * RATE)
        self.engine_call = FollowedCall(
            self.reading, call_id="test", recording=self.recording, sample_rate_hertz=RATE,
            hints=Hints(language_codes=("en",)), report=self.reports.append,
        )  # fmt: skip
        self.sound, self.spans = ten_sentences()
        self.request_ids = count(1)
        self.least_listened = 0

    async def settle(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    async def play(self, from_sample: int, to_sample: int, utterance_id: int = 1, ask_at_pauses: bool = True) -> None:
        """The sound, an edge 80 ms behind where it lies, and a draft at each pause."""
        lag = 80 * MS
        for at in range(from_sample, to_sample, CHUNK_MS * MS):
            chunk = self.sound[at : at + CHUNK_MS * MS]
            self.recording.add(at, chunk)
            self.engine_call.reach(at + len(chunk))
            await self.settle()
            for number, span in enumerate(self.spans):
                if at <= span.start_sample + lag < at + CHUNK_MS * MS:
                    self.engine_call.speech(utterance_id, span.start_sample, is_begin=True)
                if at <= span.end_sample + lag < at + CHUNK_MS * MS:
                    self.engine_call.speech(utterance_id, span.end_sample, is_begin=False)
                    if ask_at_pauses:
                        self.ask(self.spans[: number + 1], utterance_id)
            wanted = self.engine_call.wanted_from
            self.recording.release(at - 600 * MS if wanted is None else min(wanted, at - 600 * MS))

    def ask(self, spans: list[Span], utterance_id: int = 1, *, is_final: bool = False) -> int:
        request_id = next(self.request_ids)
        self.engine_call.recognize(Speech(request_id, utterance_id, tuple(spans), (), RATE), is_final=is_final)
        return request_id

    async def end(self, utterance_id: int = 1, limit_s: float = 5.0) -> str:
        """End the utterance here; its text."""
        self.engine_call.end(utterance_id, len(self.sound))
        request_id = self.ask(self.spans, utterance_id, is_final=True)
        async with asyncio.timeout(limit_s):
            while (answer := self.answer(request_id)) is None:
                await asyncio.sleep(0.005)
            await self.until_ended(utterance_id)
        self.engine_call.close()
        assert isinstance(answer, Heard), answer
        later = self.reports[self.reports.index(answer) :]
        corrections = [one.text for one in later if isinstance(one, Corrected) and one.utterance_id == utterance_id]
        return corrections[-1] if corrections else answer.text

    async def until_ended(self, utterance_id: int) -> None:
        """The recogniser of these tests has said everything when the answer is there."""

    def answer(self, request_id: int) -> Heard | Unheard | None:
        told = [one for one in self.reports if isinstance(one, Heard | Unheard) and one.request_id == request_id]
        assert len(told) <= 1
        return told[0] if told else None

    def told(self, kind: type) -> list:
        return [one for one in self.reports if isinstance(one, kind)]


async def whole_call(reading: Reading | None = None) -> tuple[str, Line]:
    line = Line(reading)
    await line.play(0, len(line.sound))
    return await line.end(), line


async def test_an_unbroken_call_is_heard_whole():
    text, line = await whole_call()
    assert text == " ".join(WORDS)
    assert [len(one.text.split()) for one in line.told(Heard)][:2] == [5, 12]


CALL_MS = len(ten_sentences()[0]) // MS


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
