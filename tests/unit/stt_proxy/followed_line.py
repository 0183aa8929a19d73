"""A recogniser that follows the sound of ten sentences, for the tests of followed calls."""

import asyncio
from collections.abc import Callable
from itertools import count, pairwise

import numpy as np

from services.audio.pcm import Samples
from services.stt_proxy.engine import Corrected, Heard, Hints, Report, Span, Speech, Unheard
from services.stt_proxy.following import stream as streams
from services.stt_proxy.following.call import FollowedCall
from services.stt_proxy.recording import Recording

RATE = 8000
MS = 8
CHUNK_MS = 100
WORD_MS, GAP_MS, PAUSE_MS = 240, 40, 400
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


CALL_MS = len(ten_sentences()[0]) // MS
