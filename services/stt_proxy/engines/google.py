"""Engine `google`: Cloud Speech-to-Text v2 by Google's own asynchronous client, one stream for each stretch of speech.

The stage's detector finds speech and its ends; Google only says the words. Its interim results become partials while
the caller speaks and the draft at a pause. A final result comes about a second after the speech, which is too late to
wait for: it corrects what was said before it. Streams are opened when the caller speaks, and billed for that time
alone.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
from google.auth import credentials as google_credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.speech_v2 import SpeechAsyncClient
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcAsyncIOTransport
from google.cloud.speech_v2.types import cloud_speech as v2

from services.runtime.errors import StartupError
from services.runtime.logs import get_logger
from services.stt_proxy.engine import Hints, Report
from services.stt_proxy.following.call import FollowedCall
from services.stt_proxy.following.stream import (
    Broken,
    Ended,
    StreamLimits,
    StreamReport,
)
from services.stt_proxy.google_stream import GoogleStream
from services.stt_proxy.recording import Recording
from services.stt_proxy.settings import SttSettings

MOST_PHRASES = 500  # that Google takes of inline phrases
KEEPALIVE_MS = 20_000
KEEPALIVE_LIMIT_MS = 5_000
LONGEST_REFUSED_WAIT_S = 300.0
MOST_OLD_CLIENTS = 4
MOST_TRIES = 4
LANGUAGES = {"vi": "vi-VN", "en": "en-US", "ru": "ru-RU", "zh": "cmn-Hans-CN", "cmn": "cmn-Hans-CN"}
"""Google's tag where the client's has no region, or is not written as Google does."""
GOOGLE_CHINESE = ("zh", "zh-cn", "zh-hans", "zh-hans-cn", "cmn")

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
    ) -> GoogleStream:
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


def _nobody() -> google_credentials.Credentials:
    return google_credentials.AnonymousCredentials()  # type: ignore[no-untyped-call]


async def _close(client: SpeechAsyncClient) -> None:
    await client.transport.close()  # type: ignore[no-untyped-call]


def google_tag(code: str) -> str:
    """A BCP-47 tag as Google writes it."""
    if code.lower() in GOOGLE_CHINESE:
        return LANGUAGES["zh"]
    return code if "-" in code else LANGUAGES.get(code.lower(), code)
