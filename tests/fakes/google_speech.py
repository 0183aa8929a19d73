"""A stand-in for Cloud Speech-to-Text v2 that speaks Google's protocol on loopback, with faults to order.

It writes what it is made to read: `Levels` reads words off the level of the sound, `Loudness` says the next word of a
text for each stretch of loud sound, `KnownSound` finds its place in a sound whose words it knows. Interim results come
every 100 ms of sound, a final one when silence has lasted, and later than that by `final_delay_s`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import grpc
import numpy as np
from google.cloud.speech_v2.types import cloud_speech as v2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

METHOD = "StreamingRecognize"
SERVICE = "google.cloud.speech.v2.Speech"
SILENCE_S = 0.25  # that closes a result
STEP_S = 0.1
UNSTABLE_S = 0.2  # a word that ended less than this ago may change

Place = tuple[str, int, int]  # a word and its first and last sample in the stream


class Reader(Protocol):
    """Finds words in sound."""

    def words(self, sound: np.ndarray, rate: int) -> list[Place]: ...


@dataclass(frozen=True, slots=True)
class Levels:
    """Word number n is sound of the constant level 100 (n + 1); one of which a third is missing is not understood."""

    texts: Sequence[str]
    word_s: float = 0.24

    def words(self, sound: np.ndarray, rate: int) -> list[Place]:
        edges = np.flatnonzero(np.diff(np.concatenate(([0], sound, [0])).astype(np.int32))).tolist()
        least = int(self.word_s * rate * 2 / 3)
        runs = [(a, b) for a, b in pairwise(edges) if sound[a] and b - a >= least]
        return [(self.texts[int(sound[a]) // 100 - 1], a, b) for a, b in runs]


@dataclass(frozen=True, slots=True)
class Loudness:
    """Each 200 ms of loud sound is the next word of the text; what is loud behind the last word says no more."""

    text: str
    word_s: float = 0.2
    loud: int = 500

    def words(self, sound: np.ndarray, rate: int) -> list[Place]:
        length = int(rate * 0.02)
        n_frames = len(sound) // length
        levels = np.abs(sound[: n_frames * length].reshape(n_frames, length).astype(np.int32)).max(axis=1)
        loud = np.flatnonzero(levels > self.loud)
        per_word = round(self.word_s / 0.02)
        texts = self.text.split()
        n_words = min(len(texts), -(-len(loud) // per_word))
        ends = [int(loud[min(len(loud), (number + 1) * per_word) - 1] + 1) * length for number in range(n_words)]
        return [(texts[number], max(0, ends[number] - per_word * length), ends[number]) for number in range(n_words)]


@dataclass(frozen=True, slots=True)
class KnownSound:
    """The words of a sound that is known whole, wherever a stream begins in it; a word of which a third is missing is
    not understood. No two parts of the sound may be the same.
    """

    sound: np.ndarray  # (n_samples,) int16, as it comes out of the telephone's coding
    places: Sequence[Place]
    loud: int = 500
    match: int = 400  # samples that tell the place

    def words(self, sound: np.ndarray, rate: int) -> list[Place]:
        loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > self.loud)
        if not len(loud) or len(sound) < loud[0] + self.match:
            return []
        piece = sound[loud[0] : loud[0] + self.match].astype("<i2").tobytes()
        found = self.sound.astype("<i2").tobytes().find(piece)
        offset = found // 2 - int(loud[0])
        if found < 0:
            return []
        return [
            (text, max(0, begin - offset), end - offset)
            for text, begin, end in self.places
            if end - offset <= len(sound) and end - max(begin, offset) >= (end - begin) * 2 // 3
        ]


@dataclass(slots=True)
class Faults:
    """Faults of the fake server. Seconds are of a stream's sound unless they say otherwise."""

    final_delay_s: float = 0.0  # of the clock
    limit_s: float = 0.0  # Google's 300, shortened
    status: grpc.StatusCode | None = None
    status_after_s: float = 0.0
    n_statuses: int = 1  # so many streams end so
    retry_after_s: float = 0.0
    stalls_after_s: float | None = None
    n_stalls: int = 1
    place: Callable[[float], float] = lambda seconds: seconds  # what is said in place of the true offset
    is_out_of_order: bool = False  # finals come behind an interim of the next result, and twice
    sends_interims: bool = True


@dataclass(slots=True)
class GoogleSpeech:
    """The server's state, which tests read."""

    reader: Reader
    faults: Faults = field(default_factory=Faults)
    opened: list[v2.StreamingRecognizeRequest] = field(default_factory=list)
    sent: list[tuple[float, str, bool]] = field(default_factory=list)  # when, which words, whether final
    sent_to: dict[str, list[tuple[float, str]]] = field(
        default_factory=dict
    )  # the interims by the stream's first phrase
    messages: list[int] = field(default_factory=list)  # samples of each message of sound
    target: str = ""
    server: Any = None

    async def kill(self) -> None:
        """Break every stream off and take no more, as a server that dies does."""
        await self.server.stop(0)

    async def recognize(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """StreamingRecognize."""
        first = v2.StreamingRecognizeRequest.deserialize(await anext(requests))
        self.opened.append(first)
        faults = self.faults
        if faults.status is not None and not faults.status_after_s:
            await self._end(context)
        phrases = [one.inline_phrase_set.phrases for one in first.streaming_config.config.adaptation.phrase_sets]
        interims = self.sent_to.setdefault(phrases[0][0].value, []) if phrases else []
        stream = _Stream(self, first.streaming_config.config.explicit_decoding_config.sample_rate_hertz)
        async for raw in requests:
            samples = np.frombuffer(v2.StreamingRecognizeRequest.deserialize(raw).audio, dtype="<i2")
            assert len(samples) * 2 <= 25_600, "Google takes 25 kB"
            self.messages.append(len(samples))
            for response in stream.feed(samples):
                yield await self._send(response, interims)
            if faults.status is not None and stream.seconds >= faults.status_after_s:
                await self._end(context)
            if faults.limit_s and stream.seconds >= faults.limit_s:
                await context.abort(grpc.StatusCode.ABORTED, "Max duration of 5 minutes reached for stream.")
            if faults.stalls_after_s is not None and stream.seconds >= faults.stalls_after_s and faults.n_stalls:
                faults.n_stalls -= 1
                await asyncio.sleep(3600)
        for response in stream.finish():
            yield await self._send(response, interims)

    async def _send(self, response: v2.StreamingRecognizeResponse, interims: list[tuple[float, str]]) -> bytes:
        is_final = any(result.is_final for result in response.results)
        if is_final and self.faults.final_delay_s:
            await asyncio.sleep(self.faults.final_delay_s)
        text = "".join(result.alternatives[0].transcript for result in response.results)
        self.sent.append((time.monotonic(), text, is_final))
        if not is_final:
            interims.append((time.monotonic(), text))
        return bytes(v2.StreamingRecognizeResponse.serialize(response))

    async def _end(self, context: Any) -> None:
        faults = self.faults
        status, faults.n_statuses = faults.status, faults.n_statuses - 1
        if faults.n_statuses <= 0:
            faults.status = None
        assert status is not None
        if faults.retry_after_s:
            delay, packed = Duration(), AnyMessage()
            delay.FromMilliseconds(round(faults.retry_after_s * 1000))
            packed.Pack(RetryInfo(retry_delay=delay))
            details = Status(code=status.value[0], message="to order", details=[packed])
            context.set_trailing_metadata((("grpc-status-details-bin", details.SerializeToString()),))
        await context.abort(status, "to order")


class _Stream:
    """One stream: its sound behind the last final result, and what was said of it."""

    def __init__(self, server: GoogleSpeech, rate: int) -> None:
        self._server, self._rate = server, rate
        self._sound = np.empty(0, dtype=np.int16)
        self._n_final = 0  # words
        self._judged = 0
        self._has_begun = False
        self._late: list[v2.StreamingRecognizeResponse] = []

    @property
    def seconds(self) -> float:
        return len(self._sound) / self._rate

    def feed(self, samples: np.ndarray) -> list[v2.StreamingRecognizeResponse]:
        self._sound = np.concatenate((self._sound, samples))
        if len(self._sound) - self._judged < STEP_S * self._rate:
            return []
        self._judged = len(self._sound)
        return self._judge(is_end=False)

    def finish(self) -> list[v2.StreamingRecognizeResponse]:
        responses = self._judge(is_end=True)
        return [*self._late, *responses]

    def _judge(self, *, is_end: bool) -> list[v2.StreamingRecognizeResponse]:
        words = self._server.reader.words(self._sound, self._rate)
        responses: list[v2.StreamingRecognizeResponse] = []
        if words and not self._has_begun:
            self._has_begun = True
            kind = v2.StreamingRecognizeResponse.SpeechEventType.SPEECH_ACTIVITY_BEGIN
            responses.append(v2.StreamingRecognizeResponse(speech_event_type=kind))
        fresh = words[self._n_final :]
        if not fresh:
            return responses
        is_over = is_end or len(self._sound) - fresh[-1][2] >= SILENCE_S * self._rate
        if is_over:
            self._n_final = len(words)
            final = self._response(self._result(fresh, fresh[-1][2]))
            if self._server.faults.is_out_of_order and not is_end:
                self._late += [final, final]
                return responses
            return [*responses, final]
        if self._server.faults.sends_interims:
            responses.append(self._interim(fresh))
        late, self._late = self._late, []
        return [*responses, *late]

    def _interim(self, words: list[Place]) -> v2.StreamingRecognizeResponse:
        """The words so far: as Google writes them, a word just heard is a result of its own that hardly is stable."""
        end = len(self._sound)
        if end - words[-1][2] >= UNSTABLE_S * self._rate:
            return self._response(self._result(words, end, stability=0.9))
        results = [self._result(words[:-1], words[-1][1], stability=0.9)] if words[:-1] else []
        return self._response(*results, self._result(words[-1:], end, stability=0.01, is_more=bool(results)))

    def _response(self, *results: v2.StreamingRecognitionResult) -> v2.StreamingRecognizeResponse:
        return v2.StreamingRecognizeResponse(results=results)

    def _result(
        self, words: list[Place], end: int, *, stability: float = 0.0, is_more: bool = False
    ) -> v2.StreamingRecognitionResult:
        """A final result, or one of that stability. `is_more`: it goes on with the text of the one before."""
        is_final = not stability
        alternative = v2.SpeechRecognitionAlternative(
            transcript=" " * is_more + " ".join(word for word, _, _ in words), confidence=0.93 if is_final else 0.0
        )
        if is_final:
            alternative.words = [
                v2.WordInfo(word=word, start_offset=self._offset(start), end_offset=self._offset(stop))
                for word, start, stop in words
            ]
        return v2.StreamingRecognitionResult(
            alternatives=[alternative], is_final=is_final, stability=stability,
            result_end_offset=self._offset(end), language_code="en-us",
        )  # fmt: skip

    def _offset(self, sample: int) -> Duration:
        offset = Duration()
        offset.FromMilliseconds(max(0, round(self._server.faults.place(sample / self._rate) * 1000)))
        return offset


@asynccontextmanager
async def google_speech(reader: Reader, faults: Faults | None = None) -> AsyncIterator[GoogleSpeech]:
    """The server on a free port for the time of the body."""
    speech = GoogleSpeech(reader, faults or Faults())
    server = speech.server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(speech.recognize)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
    speech.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield speech
    finally:
        await server.stop(0)


@asynccontextmanager
async def half_open(target: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A way to the server that swallows everything once its event is set; connections made later go through."""
    host, _, port = target.rpartition(":")
    falls_silent = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_dead: Callable[[], bool]) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if not is_dead():
                    writer.write(data)
                    await writer.drain()
        if not is_dead():
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        was_silent = falls_silent.is_set()

        def is_dead() -> bool:
            return falls_silent.is_set() and not was_silent

        there, back = await asyncio.open_connection(host, int(port))
        for one, other in ((reader, back), (there, writer)):
            task = asyncio.get_running_loop().create_task(carry(one, other, is_dead))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", falls_silent
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()


def main() -> None:
    """`python -m tests.fakes.google_speech PORT TEXT`: serve, saying the text of whatever is loud."""
    import sys

    async def serve() -> None:
        speech = GoogleSpeech(Loudness(sys.argv[2]))
        server = grpc.aio.server()
        handler = grpc.stream_stream_rpc_method_handler(speech.recognize)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
        server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
        await server.start()
        await server.wait_for_termination()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
