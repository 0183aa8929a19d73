"""Engine `google`: Cloud Speech-to-Text v2 by Google's own asynchronous client, one stream for each stretch of speech.

The stage's detector finds speech and its ends; Google only says the words. Its interim results become partials while
the caller speaks and the draft at a pause. A final result comes about a second after the speech, which is too late to
wait for: it corrects what was said before it. Streams are opened when the caller speaks, and billed for that time
alone.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
from google.api_core import exceptions
from google.auth import credentials as google_credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.speech_v2 import SpeechAsyncClient
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcAsyncIOTransport
from google.cloud.speech_v2.types import cloud_speech as v2
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from services.audio.pcm import Samples
from services.runtime.errors import StartupError
from services.runtime.logs import get_logger
from services.stt_proxy.engine import Hints, Report
from services.stt_proxy.following.call import FollowedCall
from services.stt_proxy.following.stream import (
    Broken,
    Ended,
    OpenWords,
    Processed,
    SettledWords,
    SignOfLife,
    StreamLimits,
    StreamReport,
)
from services.stt_proxy.recording import Recording
from services.stt_proxy.settings import SttSettings

MOST_BYTES = 24_000  # of sound in a message: Google takes 25 kB
MOST_PHRASES = 500  # that Google takes of inline phrases
MOST_WAITING = 64  # pieces of sound that wait to be sent; the call feeds at most half a second ahead
PACE_S = 0.005  # between messages: sound that is sent again comes at 20 times its speed, and a refusal is read in time
KEEPALIVE_MS = 20_000
KEEPALIVE_LIMIT_MS = 5_000
LONGEST_REFUSED_WAIT_S = 300.0
MOST_OLD_CLIENTS = 4
MOST_TRIES = 4
LANGUAGES = {"vi": "vi-VN", "en": "en-US", "ru": "ru-RU", "zh": "cmn-Hans-CN", "cmn": "cmn-Hans-CN"}
"""Google's tag where the client's has no region, or is not written as Google does."""
GOOGLE_CHINESE = ("zh", "zh-cn", "zh-hans", "zh-hans-cn", "cmn")

_FATAL = (
    exceptions.PermissionDenied,
    exceptions.Unauthenticated,
    exceptions.InvalidArgument,
    exceptions.NotFound,
    exceptions.MethodNotImplemented,
)
_SENSITIVITIES = {
    "standard": v2.StreamingRecognitionFeatures.EndpointingSensitivity.ENDPOINTING_SENSITIVITY_STANDARD,
    "short": v2.StreamingRecognitionFeatures.EndpointingSensitivity.ENDPOINTING_SENSITIVITY_SHORT,
    "supershort": v2.StreamingRecognitionFeatures.EndpointingSensitivity.ENDPOINTING_SENSITIVITY_SUPERSHORT,
}

log = get_logger(__name__)


class GoogleEngine:
    """Engine with one client of Google's, whose channel carries all streams."""

    name = "google"
    features = ("partial", "corrected", "language_detection", "punctuation", "segments")
    language_codes: tuple[str, ...] = ()  # which there are depends on model and region: Google refuses others

    def __init__(self, settings: SttSettings) -> None:
        self.model = f"{settings.google_model} {settings.google_region}"
        self._settings = settings
        self._client: SpeechAsyncClient | None = None
        self._old_clients: list[SpeechAsyncClient] = []  # of connections that were given up
        self._n_connections = 0
        self._closing: asyncio.Task[None] | None = None
        self.limits = StreamLimits(
            roll_over_s=settings.google_roll_over_s,
            longest_s=settings.google_stream_limit_s,
            draft_wait_ms=settings.google_draft_wait_ms,
            settle_wait_ms=settings.google_settle_wait_ms,
            silent_wait_ms=2500,
            stall_s=settings.google_stall_s,
        )

    async def load(self) -> None:
        """Connect, and try the credentials with a tenth of a second of silence. While Google refuses them the service
        is up and NOT_SERVING, and its log says why: a restart would not mend it, a granted role does.
        """
        if not self._settings.google_project:
            raise StartupError("STT_GOOGLE_PROJECT is empty: name the Google Cloud project that pays")
        wait_s = self._settings.google_start_limit_s
        while (refusal := await self._refusal()) is not None:
            log.error("google_refuses", reason=refusal[0], error=refusal[1], next_try_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_REFUSED_WAIT_S)

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> FollowedCall:
        return FollowedCall(
            self, call_id=call_id, recording=recording, sample_rate_hertz=sample_rate_hertz, hints=hints, report=report
        )

    def open(
        self, *, call_id: str, sample_rate_hertz: int, hints: Hints, report: Callable[[StreamReport], None]
    ) -> "GoogleStream":
        assert self._client is not None, "load comes first"  # noqa: S101 - an invariant, for the reader
        first = self._first_request(sample_rate_hertz, hints)
        return GoogleStream(self._client, first, sample_rate_hertz, report, on_silence=self._reconnect)

    async def close(self) -> None:
        for client in [*self._old_clients, *([self._client] if self._client is not None else [])]:
            await _close(client)

    def _reconnect(self, client: SpeechAsyncClient) -> None:
        """Replace a connection that takes sound and answers nothing; streams opened from now on use the new one."""
        if client is not self._client:
            return
        log.warning("google_connection_replaced")
        self._old_clients.append(client)
        self._client = self._connect()
        if len(self._old_clients) > MOST_OLD_CLIENTS:
            self._closing = asyncio.get_running_loop().create_task(_close(self._old_clients.pop(0)))

    def _connect(self) -> SpeechAsyncClient:
        settings = self._settings
        region = settings.google_region
        endpoint = settings.google_endpoint or (
            "speech.googleapis.com" if region == "global" else f"{region}-speech.googleapis.com"
        )
        self._n_connections += 1
        options = [
            ("grpc.keepalive_time_ms", KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_LIMIT_MS),
            ("grpc.enable_retries", 0),
            ("tong_dai.connection", self._n_connections),  # equal channels would share one connection
        ]

        def open_channel(host: str, **how: Any) -> grpc.aio.Channel:
            if settings.google_is_plaintext:
                return grpc.aio.insecure_channel(endpoint, options=options)
            how["options"] = [*(how.get("options") or ()), *options]
            return SpeechGrpcAsyncIOTransport.create_channel(host, **how)

        credentials = _nobody() if settings.google_is_plaintext else None
        transport = SpeechGrpcAsyncIOTransport(host=endpoint, credentials=credentials, channel=open_channel)
        return SpeechAsyncClient(transport=transport)

    def _first_request(self, sample_rate_hertz: int, hints: Hints) -> v2.StreamingRecognizeRequest:
        settings = self._settings
        codes = tuple(dict.fromkeys(google_tag(code) for code in hints.language_codes)) or ("auto",)
        phrases = [v2.PhraseSet.Phrase(value=phrase, boost=settings.google_boost) for phrase in hints.phrases]
        adaptation = v2.SpeechAdaptation(
            phrase_sets=[
                v2.SpeechAdaptation.AdaptationPhraseSet(inline_phrase_set=v2.PhraseSet(phrases=phrases[:MOST_PHRASES]))
            ]
        )
        config = v2.RecognitionConfig(
            explicit_decoding_config=v2.ExplicitDecodingConfig(
                encoding=v2.ExplicitDecodingConfig.AudioEncoding.LINEAR16,
                sample_rate_hertz=sample_rate_hertz,
                audio_channel_count=1,
            ),
            model=settings.google_model,
            language_codes=codes[: settings.google_most_languages],
            features=v2.RecognitionFeatures(
                enable_automatic_punctuation=True, enable_word_time_offsets=True, enable_word_confidence=True
            ),
            adaptation=adaptation if phrases else None,
        )
        features = v2.StreamingRecognitionFeatures(
            interim_results=True,
            enable_voice_activity_events=True,
            endpointing_sensitivity=_SENSITIVITIES[settings.google_endpointing_sensitivity],
        )
        recognizer = f"projects/{settings.google_project}/locations/{settings.google_region}/recognizers/"
        return v2.StreamingRecognizeRequest(
            recognizer=recognizer + settings.google_recognizer,
            streaming_config=v2.StreamingRecognitionConfig(config=config, streaming_features=features),
        )

    async def _refusal(self) -> tuple[str, str] | None:
        """Return reason and message of a refusal that no wait mends; None for others, and where Google cannot be
        reached.
        """
        try:
            self._client = self._client or self._connect()
        except (GoogleAuthError, OSError, ValueError) as error:
            return "NO_USABLE_CREDENTIALS", str(error)
        for _ in range(MOST_TRIES):
            broken = await self._try_out()
            if broken is None or broken.reason != "INTERNAL":  # as gRPC says of a stream refused while it was opened
                break
        if broken is not None and not broken.is_retryable:
            return broken.reason, broken.message
        if broken is not None:
            log.warning("google_is_away", reason=broken.reason, error=broken.message)
        return None

    async def _try_out(self) -> Broken | None:
        """Open a short stream; return how it broke, if it did."""
        ended: asyncio.Future[Broken | None] = asyncio.get_running_loop().create_future()

        def take(report: StreamReport) -> None:
            if isinstance(report, Broken | Ended) and not ended.done():
                ended.set_result(report if isinstance(report, Broken) else None)

        rate = 8000
        stream = self.open(call_id="start", sample_rate_hertz=rate, hints=Hints(language_codes=("en-US",)), report=take)
        stream.feed(np.zeros(rate // 10, dtype=np.int16))
        stream.finish()
        try:
            async with asyncio.timeout(self._settings.google_start_limit_s):
                return await ended
        except TimeoutError:
            return Broken("STALLED", f"no answer within {self._settings.google_start_limit_s:g} s")
        finally:
            stream.close()


class GoogleStream:
    """One StreamingRecognize call. Sound waits in a short queue for the client to take it."""

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
        self._waiting: asyncio.Queue[Samples | None] = asyncio.Queue(maxsize=MOST_WAITING)
        self._is_closed = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    def feed(self, samples: Samples) -> None:
        self._put(samples)

    def flush(self) -> None:
        """Do nothing: Google cannot be made to answer earlier."""

    def finish(self) -> None:
        self._put(None)

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._task.cancel()
        if not self._was_answered and self._n_sent >= self._rate:
            self._on_silence(self._client)

    def _put(self, what: Samples | None) -> None:
        try:
            self._waiting.put_nowait(what)
        except asyncio.QueueFull:
            self._tell(Broken("NOT_READING", "Google takes no more sound"))
            self.close()

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
        while (samples := await self._waiting.get()) is not None and not call.done():
            content = samples.astype("<i2", copy=False).tobytes()
            for start in range(0, len(content), MOST_BYTES):
                await call.write(v2.StreamingRecognizeRequest(audio=content[start : start + MOST_BYTES]))
            self._n_sent += len(samples)
            self._tell(Processed(self._n_sent))  # it is on its way, and there may be more
            await asyncio.sleep(PACE_S)

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


def _nobody() -> google_credentials.Credentials:
    return google_credentials.AnonymousCredentials()  # type: ignore[no-untyped-call]


async def _close(client: SpeechAsyncClient) -> None:
    await client.transport.close()  # type: ignore[no-untyped-call]


def google_tag(code: str) -> str:
    """A BCP-47 tag as Google writes it."""
    if code.lower() in GOOGLE_CHINESE:
        return LANGUAGES["zh"]
    return code if "-" in code else LANGUAGES.get(code.lower(), code)


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
