"""gRPC service of the TTS stage, `voice.tts.v1.TtsService`: protobuf in, protobuf out."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import grpc
from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import engine_pb2, turn_pb2

from services.language.reading.normalizer import Normalizer
from services.runtime.identity import check_every_tenant, check_tenant
from services.runtime.lifecycle import Lifecycle
from services.runtime.logs import bind_call
from services.runtime.metrics import StageMetrics
from services.runtime.streams import Outbox, exchange, first_config, later_requests
from services.tts.call_voice import CallVoice, Output
from services.tts.cloning import Cloning
from services.tts.errors import BadLead
from services.tts.levels import VoiceLevels
from services.tts.router import Router
from services.tts.sentences import Caching
from services.tts.settings import TtsSettings
from services.tts.speaker import Pauses, TurnSpeaker
from services.tts.speech_cache import CallCache, SpeechCache
from services.tts.track import ChunkLengths
from services.tts.turn import TextLimits
from services.tts.voice_selection import VoiceSelection
from services.tts.wire import audio_format, audio_formats, caching, lexicon, longest_chunk_ms, responses, text_piece

FULL_NAME = "voice.tts.v1.TtsService"
OUTBOX_LIMIT = 16  # responses that wait for the wire; a full outbox holds the voice
FEATURES = (
    "text",
    "text_end",
    "cancellation",
    "flush",
    "lexicon",
    "longest_chunk_ms",
    "marks_in_audio",
    "max_lead_ms",
    "rate",
    "start_offset",
    "spoken_text",
    "concurrent_turns",
    "caching",
    "purpose",
    "pitch_semitones",
    "pause_ms",
    "say_as",
    "phonemes",
    "emphasis",
)

AHEAD = tts_pb2.SYNTHESIS_PURPOSE_AHEAD
RECORDING = tts_pb2.SYNTHESIS_PURPOSE_RECORDING

Request = tts_pb2.StreamingSynthesizeRequest
Response = tts_pb2.StreamingSynthesizeResponse


class TtsService(tts_pb2_grpc.TtsServiceServicer):
    """Serves `voice.tts.v1.TtsService` with the engines of a router."""

    def __init__(
        self,
        settings: TtsSettings,
        router: Router,
        lifecycle: Lifecycle,
        *,
        recorders: Router | None = None,
        cache: SpeechCache | None = None,
        cloning: Cloning | None = None,
    ) -> None:
        """The routers' engines must be loaded before the first stream comes. `recorders`: the engines
        for speech that is made ahead and played by itself, where they know the language.
        """
        self._settings = settings
        self._router = router
        self._recorders = recorders or Router()
        self._cache = cache
        self._cloning = cloning or Cloning()
        self._lifecycle = lifecycle
        self._metrics = StageMetrics("tts")
        self._levels = VoiceLevels()

    async def DescribeEngine(  # noqa: N802 - the proto's name
        self,
        request: tts_pb2.DescribeEngineRequest,
        context: grpc.aio.ServicerContext[tts_pb2.DescribeEngineRequest, tts_pb2.DescribeEngineResponse],
    ) -> tts_pb2.DescribeEngineResponse:
        """Say which engines answer."""
        return tts_pb2.DescribeEngineResponse(engine=self._engine_info(self._router))

    async def TripProvider(  # noqa: N802 - the proto's name
        self,
        request: tts_pb2.TripProviderRequest,
        context: grpc.aio.ServicerContext[tts_pb2.TripProviderRequest, tts_pb2.TripProviderResponse],
    ) -> tts_pb2.TripProviderResponse:
        """A drill: take a voice of a chain out for a while."""
        check_every_tenant()
        board = self._router.board
        providers = board.trip(request.provider, request.duration_ms, is_allowed=self._settings.drills)
        return tts_pb2.TripProviderResponse(providers=providers)

    async def CreateVoice(  # noqa: N802 - the proto's name
        self,
        request_iterator: AsyncIterator[tts_pb2.CreateVoiceRequest],
        context: grpc.aio.ServicerContext[tts_pb2.CreateVoiceRequest, tts_pb2.CreateVoiceResponse],
    ) -> tts_pb2.CreateVoiceResponse:
        """Make a voice from recordings."""
        return await self._cloning.create(request_iterator, context)

    async def ListVoices(  # noqa: N802 - the proto's name
        self,
        request: tts_pb2.ListVoicesRequest,
        context: grpc.aio.ServicerContext[tts_pb2.ListVoicesRequest, tts_pb2.ListVoicesResponse],
    ) -> tts_pb2.ListVoicesResponse:
        """List a tenant's cloned voices."""
        return await self._cloning.voices(request, context)

    async def DeleteVoice(  # noqa: N802 - the proto's name
        self,
        request: tts_pb2.DeleteVoiceRequest,
        context: grpc.aio.ServicerContext[tts_pb2.DeleteVoiceRequest, tts_pb2.DeleteVoiceResponse],
    ) -> tts_pb2.DeleteVoiceResponse:
        """Delete a cloned voice."""
        return await self._cloning.delete(request, context)

    async def StreamingSynthesize(  # noqa: N802 - the proto's name
        self, request_iterator: AsyncIterator[Request], context: grpc.aio.ServicerContext[Request, Response]
    ) -> AsyncIterator[Response]:
        """Speak the turns of one call."""
        config = (await first_config(request_iterator)).config
        check_tenant(context, config.tenant_id)
        bind_call(config.call_id)
        outbox: Outbox[Response] = Outbox(OUTBOX_LIMIT)

        async def handle(requests: AsyncIterator[Request]) -> None:
            await self._serve(config, requests, outbox)

        async for message in exchange(request_iterator, handle, outbox):
            yield message

    async def _serve(
        self, config: tts_pb2.SynthesisConfig, requests: AsyncIterator[Request], outbox: Outbox[Response]
    ) -> None:
        language_codes = config.language_codes or [self._settings.default_language_code]
        is_awaited = config.purpose not in (AHEAD, RECORDING)
        is_recorded = config.purpose == RECORDING and all(map(self._recorders.speaks_language, language_codes))
        router = (self._recorders if is_recorded else self._router).seen_by(config.tenant_id)
        speaker = self._speaker(config, router, is_awaited=is_awaited)
        selection = VoiceSelection(
            router,
            language_codes=language_codes,
            voice=config.voice,
            rate=config.rate,
            caching=caching(config.caching) or (Caching.FREQUENT if is_awaited else Caching.KEPT),
        )
        await outbox.put(Response(engine=self._engine_info(router)))

        async def emit(output: Output) -> None:
            for message in responses(output, marks_in_audio=config.marks_in_audio):
                await outbox.put(message)

        async with asyncio.TaskGroup() as tasks:
            going_away = tasks.create_task(self._say_going_away(outbox))
            async with asyncio.TaskGroup() as turns:
                call = CallVoice(
                    turns,
                    selection,
                    speaker,
                    emit,
                    limits=TextLimits(self._settings.max_turn_text_chars, self._settings.max_clause_chars),
                    metrics=self._metrics,
                    fail_on_turn_failure=config.fail_stream_on_turn_failure,
                )
                async for request in later_requests(requests, self._metrics):
                    await _take(request, call)
                call.end_all_text()
            going_away.cancel()

    def _speaker(self, config: tts_pb2.SynthesisConfig, router: Router, *, is_awaited: bool) -> TurnSpeaker:
        max_lead_ms = config.max_lead_ms if config.HasField("max_lead_ms") else self._settings.max_lead_ms
        if max_lead_ms < 0:
            raise BadLead("config.max_lead_ms is negative; 0 means no limit", field="config.max_lead_ms")
        call = config.call_id or uuid4().hex
        longest_ms = longest_chunk_ms(config)
        if max_lead_ms:  # a chunk longer than the lead would come too late
            longest_ms = min(longest_ms, max(max_lead_ms // 2, self._settings.chunk_ms))
        return TurnSpeaker(
            router,
            Normalizer(lexicon(config.lexicon)),
            audio_format(config.audio_format),
            lengths=ChunkLengths(
                min(self._settings.first_chunk_ms, longest_ms), min(self._settings.chunk_ms, longest_ms), longest_ms
            ),
            pauses=Pauses(
                self._settings.sentence_pause_ms, self._settings.phrase_pause_ms, self._settings.joint_pause_ms
            ),
            max_lead_ms=max_lead_ms,
            first_audio_limit_s=self._settings.first_audio_limit_s,
            levels=self._levels,
            cache=CallCache(self._cache, config.tenant_id, call) if self._cache else None,
            call=call,
            is_awaited=is_awaited,
        )

    async def _say_going_away(self, outbox: Outbox[Response]) -> None:
        await self._lifecycle.draining()
        deadline_ms = self._lifecycle.drain_deadline_ms
        await outbox.put(Response(going_away=engine_pb2.GoingAway(deadline_ms=deadline_ms)))

    def _engine_info(self, router: Router) -> engine_pb2.EngineInfo:
        engines = [engine.describe() for engine in router.engines]
        return engine_pb2.EngineInfo(
            name="+".join(engine.name for engine in engines),
            model="+".join(engine.model for engine in engines),
            language_codes=router.language_codes(),
            voices=[
                engine_pb2.Voice(name=voice.name, language_codes=voice.language_codes) for voice in router.voices()
            ],
            audio_formats=audio_formats(),
            limits=engine_pb2.EngineLimits(
                max_streams=self._settings.max_streams, max_turn_text_chars=self._settings.max_turn_text_chars
            ),
            features=FEATURES,
            providers=router.board.describe(),
        )


async def _take(request: Request, call: CallVoice) -> None:
    kind = request.WhichOneof("request")
    if kind == "text":
        await call.say(text_piece(request.text))
    elif kind == "text_end":
        await call.end_text(request.text_end.turn_id)
    elif kind == "cancellation":
        is_only = request.cancellation.scope == turn_pb2.Cancellation.SCOPE_ONLY
        call.cancel(request.cancellation.turn_id, is_only=is_only)
