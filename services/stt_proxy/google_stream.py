"""One stream of Cloud Speech-to-Text v2: sound goes out, interim and final results come back as reports."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud.speech_v2 import SpeechAsyncClient
from google.cloud.speech_v2.types import cloud_speech as v2
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from services.audio.pcm import Samples
from services.runtime.logs import get_logger
from services.stt_proxy.following.stream import (
    Broken,
    Ended,
    OpenWords,
    Processed,
    SettledWords,
    SignOfLife,
    StreamReport,
)

MOST_BYTES = 24_000  # of sound in a message: Google takes 25 kB
MESSAGE_MS = 100  # of sound, as Google advises: 10 messages a second where chunks and windows cut it into 80 pieces
MOST_WAITING_MS = 2000  # of sound that waits to be sent; the call feeds at most half a second ahead
PACE_S = 0.005  # between messages: sound that is sent again comes at 20 times its speed, and a refusal is read in time
_FATAL = (
    exceptions.PermissionDenied,
    exceptions.Unauthenticated,
    exceptions.InvalidArgument,
    exceptions.NotFound,
    exceptions.MethodNotImplemented,
)

log = get_logger(__name__)


class GoogleStream:
    """One StreamingRecognize call. Sound is sent in messages of MESSAGE_MS; what is less is sent when it has waited so
    long, and at once at a pause of the caller and at the end.
    """

    def __init__(
        self,
        client: SpeechAsyncClient,
        first: v2.StreamingRecognizeRequest,
        sample_rate_hertz: int,
        report: Callable[[StreamReport], None],
        *,
        on_silence: Callable[[SpeechAsyncClient], None],
    ) -> None:
        """`on_silence` is told when the stream is closed and not one answer came to a second of sound and more."""
        self._client = client
        self._on_silence = on_silence
        self._n_sent = 0
        self._was_answered = False
        self._first = first
        self._rate = sample_rate_hertz
        self._report = report
        self._message = MESSAGE_MS * sample_rate_hertz // 1000
        self._waiting: deque[Samples] = deque()
        self._n_waiting = 0  # samples
        self._is_due = asyncio.Event()  # what waits is to be sent now
        self._due: asyncio.TimerHandle | None = None
        self._is_finished = False
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())

    def feed(self, samples: Samples) -> None:
        if self._n_waiting >= MOST_WAITING_MS * self._rate // 1000:
            self._tell(Broken("NOT_READING", "Google takes no more sound"))
            self.close()
            return
        self._waiting.append(samples)
        self._n_waiting += len(samples)
        if self._n_waiting >= self._message:
            self._send_now()
        elif self._due is None:
            self._due = self._loop.call_later(MESSAGE_MS / 1000, self._send_now)

    def flush(self) -> None:
        """Send what waits. Google cannot be made to answer earlier."""
        self._send_now()

    def finish(self) -> None:
        self._is_finished = True
        self._send_now()

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._forget_due()
        self._task.cancel()
        if not self._was_answered and self._n_sent >= self._rate:
            self._on_silence(self._client)

    def _send_now(self) -> None:
        self._forget_due()
        self._is_due.set()

    def _forget_due(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _tell(self, report: StreamReport) -> None:
        if not self._is_closed:
            self._report(report)

    async def _run(self) -> None:
        """Send and read until the stream is over; says how it ended."""
        call: Any = None
        sending: asyncio.Task[None] | None = None
        try:
            call = await self._client.streaming_recognize()
            sending = asyncio.create_task(self._send(call))
            while (response := await call.read()) is not grpc.aio.EOF:
                self._take(response)
            self._tell(Ended())
        except exceptions.GoogleAPICallError as error:
            self._was_answered = True
            self._tell(_broken(error))
        except (grpc.aio.AioRpcError, GoogleAuthError) as error:
            self._tell(Broken("UNAVAILABLE", f"{type(error).__name__}: {error}"))
        except Exception as error:
            log.exception("google_stream_failed", error=f"{type(error).__name__}: {error}")
            self._tell(Broken("ENGINE_FAILED", f"{type(error).__name__}: {error}"))
        finally:
            if sending is not None:
                sending.cancel()
            if call is not None:
                call.cancel()

    async def _send(self, call: Any) -> None:
        """Write the sound that waits. The reading task reports why a write failed."""
        with contextlib.suppress(exceptions.GoogleAPICallError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.write(self._first)
            await self._send_sound(call)
            await call.done_writing()

    async def _send_sound(self, call: Any) -> None:
        while not (self._is_finished and not self._waiting) and not call.done():
            await self._is_due.wait()
            self._is_due.clear()
            n_due = self._n_waiting
            while n_due > 0 and not call.done():
                samples = self._next_message()
                content = samples.astype("<i2", copy=False).tobytes()
                for start in range(0, len(content), MOST_BYTES):
                    await call.write(v2.StreamingRecognizeRequest(audio=content[start : start + MOST_BYTES]))
                n_due -= len(samples)
                self._n_sent += len(samples)
                self._tell(Processed(self._n_sent))  # it is on its way, and there may be more
                await asyncio.sleep(PACE_S)

    def _next_message(self) -> Samples:
        """The sound that waits, up to the first piece with which it fills a message."""
        pieces: list[Samples] = []
        n_samples = 0
        while self._waiting and n_samples < self._message:
            pieces.append(self._waiting.popleft())
            n_samples += len(pieces[-1])
        self._n_waiting -= n_samples
        return np.concatenate(pieces)

    def _take(self, response: v2.StreamingRecognizeResponse) -> None:
        """A response: an event, final results, or what is heard now."""
        self._was_answered = True
        raw = v2.StreamingRecognizeResponse.pb(response)
        finals = [result for result in raw.results if result.is_final]
        interims = [result for result in raw.results if not result.is_final and result.alternatives]
        for result in finals:
            self._tell(self._settled(result))
        if interims:
            self._tell(self._open_words(interims))
        elif not finals:
            self._tell(SignOfLife())

    def _settled(self, result: Any) -> SettledWords:
        best = result.alternatives[0] if result.alternatives else None
        words = [] if best is None else [word for word in best.words if word.HasField("end_offset")]
        end = self._offset(words[-1].end_offset) if words else self._offset(result.result_end_offset)
        return SettledWords(
            text="" if best is None else best.transcript.strip(),
            end_offset=end,
            start_offset=self._offset(words[0].start_offset) if words else None,
            confidence=best.confidence if best is not None and best.confidence > 0 else None,
            language_code=result.language_code,
        )

    def _open_words(self, results: list[Any]) -> OpenWords:
        """Results that are not final: the first is the most stable, each goes on where the one before ends."""
        text = "".join(result.alternatives[0].transcript for result in results)
        stabilities = [result.stability for result in results]
        return OpenWords(
            text=text.strip(),
            end_offset=self._offset(results[-1].result_end_offset),
            stability=min(stabilities) if all(stabilities) else None,
            language_code=results[0].language_code,
        )

    def _offset(self, offset: Duration) -> int | None:
        samples = round((offset.seconds + offset.nanos / 1e9) * self._rate)
        return samples if samples > 0 else None


def _broken(error: exceptions.GoogleAPICallError) -> Broken:
    """Translate an error of Google into Broken."""
    status = error.grpc_status_code
    reason = status.name if status is not None else type(error).__name__.upper()
    retry_after_s = 0.0
    for detail in error.details or ():
        if isinstance(detail, RetryInfo):
            retry_after_s = detail.retry_delay.ToMilliseconds() / 1000
    if isinstance(error, exceptions.ResourceExhausted) and not retry_after_s:
        retry_after_s = 0.5
    return Broken(reason, error.message or reason, not isinstance(error, _FATAL), retry_after_s)
