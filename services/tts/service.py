"""The gRPC door of the speaking stage: protobuf in, protobuf out, nothing else."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import grpc
from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import audio_pb2, engine_pb2, turn_pb2

from services.audio.pcm import G711_RATE_HERTZ, AudioFormat, Encoding
from services.runtime.identity import check_tenant
from services.runtime.lifecycle import Lifecycle
from services.runtime.logs import bind_call, get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.streams import Outbox, exchange, first_config, later_requests
from services.tts.call_voice import CallVoice, Output, TextPiece, TurnMark, TurnSound
from services.tts.errors import BadLead, BadLexicon, UnsupportedAudioFormat
from services.tts.manners import Manners
from services.tts.normalization.normalizer import Normalizer, Pronunciation
from services.tts.router import Router
from services.tts.settings import TtsSettings
from services.tts.speaker import Pauses, TurnSpeaker
from services.tts.track import ChunkLengths
from services.tts.turn import Outcome, TextLimits

FULL_NAME = "voice.tts.v1.TtsService"
OUTBOX_LIMIT = 16  # responses that wait for the wire; a full outbox holds the voice
MAX_LEXICON_WORDS = 500
MAX_LEXICON_CHARS = 200
LINEAR16_RATES = (8000, 16000, 24000, 48000)
FEATURES = (
    "text",
    "text_end",
    "cancellation",
    "flush",
    "lexicon",
    "max_lead_ms",
    "rate",
    "start_offset",
    "spoken_text",
    "concurrent_turns",
)

_ENCODINGS = {
    audio_pb2.AUDIO_ENCODING_LINEAR16: Encoding.LINEAR16,
    audio_pb2.AUDIO_ENCODING_MULAW: Encoding.MULAW,
    audio_pb2.AUDIO_ENCODING_ALAW: Encoding.ALAW,
}
_OUTCOMES = {
    Outcome.COMPLETED: turn_pb2.TurnEnd.OUTCOME_COMPLETED,
    Outcome.CANCELLED: turn_pb2.TurnEnd.OUTCOME_CANCELLED,
    Outcome.FAILED: turn_pb2.TurnEnd.OUTCOME_FAILED,
}

log = get_logger(__name__)

Request = tts_pb2.StreamingSynthesizeRequest
Response = tts_pb2.StreamingSynthesizeResponse


class TtsService(tts_pb2_grpc.TtsServiceServicer):
    """Serves `voice.tts.v1.TtsService` with the engines of a router."""

    def __init__(self, settings: TtsSettings, router: Router, lifecycle: Lifecycle) -> None:
        """The router's engines must be loaded before the first stream comes."""
        self._settings = settings
        self._router = router
        self._lifecycle = lifecycle
        self._metrics = StageMetrics("tts")

    async def DescribeEngine(  # noqa: N802 - the proto's name
        self,
        request: tts_pb2.DescribeEngineRequest,
        context: grpc.aio.ServicerContext[tts_pb2.DescribeEngineRequest, tts_pb2.DescribeEngineResponse],
    ) -> tts_pb2.DescribeEngineResponse:
        """Say which engines answer."""
        return tts_pb2.DescribeEngineResponse(engine=self._engine_info())

    async def StreamingSynthesize(  # noqa: N802 - the proto's name
        self, request_iterator: AsyncIterator[Request], context: grpc.aio.ServicerContext[Request, Response]
    ) -> AsyncIterator[Response]:
        """One call's voice."""
        config = (await first_config(request_iterator)).config
        check_tenant(context, config.tenant_id)
        bind_call(config.call_id)
        outbox: Outbox[Response] = Outbox(OUTBOX_LIMIT)

        async def handle(requests: AsyncIterator[Request]) -> None:
            await self._serve(config, requests, outbox)

        async for response in exchange(request_iterator, handle, outbox):
            yield response

    async def _serve(
        self, config: tts_pb2.SynthesisConfig, requests: AsyncIterator[Request], outbox: Outbox[Response]
    ) -> None:
        speaker = self._speaker(config)
        manners = Manners(
            self._router,
            language_code=next(iter(config.language_codes), "") or self._settings.default_language_code,
            voice=config.voice,
            rate=config.rate,
        )
        await outbox.put(Response(engine=self._engine_info()))

        async def emit(output: Output) -> None:
            await outbox.put(_response(output))

        async with asyncio.TaskGroup() as tasks:
            going_away = tasks.create_task(self._say_going_away(outbox))
            async with asyncio.TaskGroup() as turns:
                call = CallVoice(
                    turns,
                    manners,
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

    def _speaker(self, config: tts_pb2.SynthesisConfig) -> TurnSpeaker:
        max_lead_ms = config.max_lead_ms if config.HasField("max_lead_ms") else self._settings.max_lead_ms
        if max_lead_ms < 0:
            raise BadLead("config.max_lead_ms is negative; 0 means no limit", field="config.max_lead_ms")
        return TurnSpeaker(
            self._router,
            Normalizer(_lexicon(config.lexicon)),
            _audio_format(config.audio_format),
            lengths=ChunkLengths(self._settings.first_chunk_ms, self._settings.chunk_ms),
            pauses=Pauses(
                self._settings.sentence_pause_ms, self._settings.phrase_pause_ms, self._settings.joint_pause_ms
            ),
            max_lead_ms=max_lead_ms,
        )

    async def _say_going_away(self, outbox: Outbox[Response]) -> None:
        await self._lifecycle.draining()
        deadline_ms = self._lifecycle.drain_deadline_ms
        await outbox.put(Response(going_away=engine_pb2.GoingAway(deadline_ms=deadline_ms)))

    def _engine_info(self) -> engine_pb2.EngineInfo:
        engines = [engine.describe() for engine in self._router.engines]
        return engine_pb2.EngineInfo(
            name="+".join(engine.name for engine in engines),
            model="+".join(engine.model for engine in engines),
            language_codes=self._router.language_codes(),
            voices=[
                engine_pb2.Voice(name=voice.name, language_codes=voice.language_codes)
                for voice in self._router.voices()
            ],
            audio_formats=_audio_formats(),
            limits=engine_pb2.EngineLimits(
                max_streams=self._settings.max_streams, max_turn_text_chars=self._settings.max_turn_text_chars
            ),
            features=FEATURES,
        )


async def _take(request: Request, call: CallVoice) -> None:
    kind = request.WhichOneof("request")
    if kind == "text":
        text = request.text
        await call.say(
            TextPiece(
                turn_id=text.turn_id,
                text=text.text,
                flush=text.flush,
                voice=text.voice,
                language_code=text.language_code,
                rate=text.rate,
                start_offset=text.start_offset,
                trace_context=text.trace_context if text.HasField("trace_context") else None,
            )
        )
    elif kind == "text_end":
        await call.end_text(request.text_end.turn_id)
    elif kind == "cancellation":
        call.cancel(request.cancellation.turn_id, request.cancellation.scope)


def _response(output: Output) -> Response:
    if isinstance(output, TurnSound):
        chunk = audio_pb2.AudioChunk(start_sample=output.chunk.start_sample, content=output.chunk.content)
        timing = output.timing.to_proto() if output.timing else None
        return Response(audio=tts_pb2.TurnAudio(turn_id=output.turn_id, chunk=chunk, timing=timing))
    if isinstance(output, TurnMark):
        mark = output.mark
        timing_kind = (
            tts_pb2.SpokenText.MARK_TIMING_MEASURED if mark.is_measured else tts_pb2.SpokenText.MARK_TIMING_INTERPOLATED
        )
        return Response(
            spoken_text=tts_pb2.SpokenText(
                turn_id=output.turn_id,
                text_end_offset=mark.text_end_offset,
                end_sample=mark.end_sample,
                timing=timing_kind,
            )
        )
    failure = output.failure
    return Response(
        turn_end=turn_pb2.TurnEnd(
            turn_id=output.turn_id,
            outcome=_OUTCOMES[output.outcome],
            reason=failure.reason if failure else "",
            message=failure.message if failure else "",
            is_retryable=output.is_retryable,
            retry_delay_ms=failure.retry_delay_ms if failure else 0,
            timing=output.timing.to_proto(),
        )
    )


def _audio_formats() -> list[audio_pb2.AudioFormat]:
    telephone = [audio_pb2.AUDIO_ENCODING_MULAW, audio_pb2.AUDIO_ENCODING_ALAW]
    return [
        *(audio_pb2.AudioFormat(encoding=encoding, sample_rate_hertz=G711_RATE_HERTZ) for encoding in telephone),
        *(
            audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=rate)
            for rate in LINEAR16_RATES
        ),
    ]


def _audio_format(asked: audio_pb2.AudioFormat) -> AudioFormat:
    encoding = _ENCODINGS.get(asked.encoding)
    if encoding is None:
        raise UnsupportedAudioFormat(
            "config.audio_format.encoding must be LINEAR16, MULAW or ALAW", field="config.audio_format.encoding"
        )
    rates = LINEAR16_RATES if encoding is Encoding.LINEAR16 else (G711_RATE_HERTZ,)
    if asked.sample_rate_hertz not in rates:
        raise UnsupportedAudioFormat(
            f"config.audio_format.sample_rate_hertz is {asked.sample_rate_hertz}; {encoding.name} has "
            f"{', '.join(map(str, rates))}",
            field="config.audio_format.sample_rate_hertz",
        )
    return AudioFormat(encoding, asked.sample_rate_hertz)


def _lexicon(words: Sequence[tts_pb2.Pronunciation]) -> list[Pronunciation]:
    if len(words) > MAX_LEXICON_WORDS:
        raise BadLexicon(f"config.lexicon has over {MAX_LEXICON_WORDS} words; send fewer", field="config.lexicon")
    for index, word in enumerate(words):
        field = f"config.lexicon[{index}].written"
        if not word.written.strip() or max(len(word.written), len(word.spoken)) > MAX_LEXICON_CHARS:
            raise BadLexicon(f"{field} must be 1 to {MAX_LEXICON_CHARS} characters, and what is spoken", field=field)
    return [Pronunciation(word.written, word.spoken, word.language_code) for word in words]
