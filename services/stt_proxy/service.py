"""gRPC service of the STT stage, `voice.stt.v1.SttService`: protobuf in, protobuf out."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from opentelemetry import trace
from opentelemetry.trace import Span
from voice.stt.v1 import stt_pb2, stt_pb2_grpc
from voice.type.v1 import engine_pb2, turn_pb2

from services.runtime.identity import check_every_tenant, check_tenant
from services.runtime.lifecycle import Lifecycle
from services.runtime.logs import bind_call, get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard
from services.runtime.streams import Outbox, exchange, first_config, later_requests
from services.runtime.tracing import trace_context_of
from services.stt_proxy.admission import Admission
from services.stt_proxy.call_profile import CallProfile
from services.stt_proxy.end_of_turn.sound import EndOfTurnModel
from services.stt_proxy.engine import SttEngine
from services.stt_proxy.errors import BadSample, UtteranceFailed
from services.stt_proxy.events import Evidence, SpeechActivity, TextStage, Transcript, UtteranceSettled
from services.stt_proxy.listening import Listening
from services.stt_proxy.metrics import CONCEALED_SAMPLES_TOTAL
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.voice_activity import Detector
from services.stt_proxy.wire import read_config, read_idle_reason, read_update, write_engine, write_evidence

FULL_NAME = "voice.stt.v1.SttService"

_OUTBOX_LIMIT = 64
_CATCH_UP_CHECK_S = 0.05
_REMEMBERED_TRACES = 16

_Requests = AsyncIterator[stt_pb2.StreamingRecognizeRequest]
_Responses = AsyncIterator[stt_pb2.StreamingRecognizeResponse]
_Context = grpc.aio.ServicerContext[stt_pb2.StreamingRecognizeRequest, stt_pb2.StreamingRecognizeResponse]

log = get_logger(__name__)


class SttService(stt_pb2_grpc.SttServiceServicer):
    """Serves many calls with one detector and one engine."""

    def __init__(
        self,
        settings: SttSettings,
        *,
        detector: Detector,
        engine: SttEngine,
        end_of_turn: EndOfTurnModel,
        lifecycle: Lifecycle,
    ) -> None:
        """Detector and engine are loaded before the first stream is let in."""
        self._settings = settings
        self._detector = detector
        self._engine = engine
        self._end_of_turn = end_of_turn
        self._lifecycle = lifecycle
        self._metrics = StageMetrics("stt")
        self._board: ProviderBoard | None = getattr(engine, "board", None)  # a chain has one
        self._admission = Admission(0)

    async def StreamingRecognize(  # noqa: N802 - protobuf's name
        self, request_iterator: _Requests, context: _Context
    ) -> _Responses:
        if self._settings.measured_admission:
            self._admission.most = getattr(self._engine, "capacity", 0)  # known once the engine is loaded
        self._admission.enter()
        try:
            async for response in self._recognize(request_iterator, context):
                yield response
        finally:
            self._admission.leave()

    async def _recognize(self, request_iterator: _Requests, context: _Context) -> _Responses:
        config = (await first_config(request_iterator)).config
        check_tenant(context, config.tenant_id)
        call_id = bind_call(config.call_id)
        profile = read_config(config, call_id=call_id, settings=self._settings, engine=self._engine)
        outbox: Outbox[stt_pb2.StreamingRecognizeResponse] = Outbox(_OUTBOX_LIMIT)
        outbox.post(stt_pb2.StreamingRecognizeResponse(engine=self._engine_info()))
        stream = _Stream(profile, outbox, self._metrics, fails_with_its_turn=config.fail_stream_on_turn_failure)

        async def recognize(requests: _Requests) -> None:
            listening = Listening(
                profile,
                detector=self._detector,
                engine=self._engine,
                end_of_turn=self._end_of_turn,
                tell=stream.tell,
                fail=stream.lose,
            )
            try:
                async with asyncio.TaskGroup() as tasks:
                    beside = [
                        tasks.create_task(stream.until_lost()),
                        tasks.create_task(self._say_going_away(outbox)),
                    ]
                    await self._read(requests, listening, outbox)
                    for task in beside:
                        task.cancel()
            finally:
                listening.close()
                stream.close()

        async for response in exchange(request_iterator, recognize, outbox):
            yield response

    async def DescribeEngine(  # noqa: N802 - protobuf's name
        self,
        request: stt_pb2.DescribeEngineRequest,
        context: grpc.aio.ServicerContext[stt_pb2.DescribeEngineRequest, stt_pb2.DescribeEngineResponse],
    ) -> stt_pb2.DescribeEngineResponse:
        return stt_pb2.DescribeEngineResponse(engine=self._engine_info())

    async def TripProvider(  # noqa: N802 - protobuf's name
        self,
        request: stt_pb2.TripProviderRequest,
        context: grpc.aio.ServicerContext[stt_pb2.TripProviderRequest, stt_pb2.TripProviderResponse],
    ) -> stt_pb2.TripProviderResponse:
        check_every_tenant()
        board = self._board or ProviderBoard(self._metrics)
        providers = board.trip(request.provider, request.duration_ms, is_allowed=self._settings.drills)
        return stt_pb2.TripProviderResponse(providers=providers)

    def _engine_info(self) -> engine_pb2.EngineInfo:
        providers = self._board.describe() if self._board else ()
        return write_engine(self._engine, self._settings, providers)

    async def _read(
        self, requests: _Requests, listening: Listening, outbox: Outbox[stt_pb2.StreamingRecognizeResponse]
    ) -> None:
        """Hand every request on. While too much waits nothing is read, so that the sender is held."""
        async for request in later_requests(requests, self._metrics):
            self._hand_on(request, listening)
            while listening.is_behind or outbox.is_full:
                await listening.moved(limit_s=_CATCH_UP_CHECK_S)
        listening.finish()
        while not listening.is_done:
            await listening.moved(limit_s=_CATCH_UP_CHECK_S)

    def _hand_on(self, request: stt_pb2.StreamingRecognizeRequest, listening: Listening) -> None:
        match request.WhichOneof("request"):
            case "audio":
                chunk = request.audio
                if chunk.concealed_samples < 0:
                    raise BadSample(
                        "audio.concealed_samples counts samples: send 0 or more", field="audio.concealed_samples"
                    )
                if chunk.concealed_samples:
                    CONCEALED_SAMPLES_TOTAL.inc(chunk.concealed_samples)
                listening.take_audio(chunk.start_sample, chunk.content)
            case "media_idle":
                idle = request.media_idle
                listening.take_idle(idle.from_sample, idle.to_sample, read_idle_reason(idle))
            case "update":
                listening.update(read_update(request.update, self._engine))
            case "utterance_end":
                listening.end_utterance(request.utterance_end.end_sample)
            case "utterance_discard":
                discard = request.utterance_discard
                listening.discard(discard.from_sample, discard.to_sample)

    async def _say_going_away(self, outbox: Outbox[stt_pb2.StreamingRecognizeResponse]) -> None:
        await self._lifecycle.draining()
        deadline_ms = self._lifecycle.drain_deadline_ms
        await outbox.put(stt_pb2.StreamingRecognizeResponse(going_away=engine_pb2.GoingAway(deadline_ms=deadline_ms)))


class _Stream:
    """The responses of one stream: the evidence, each utterance with its trace, and the failure that ends it."""

    def __init__(
        self,
        profile: CallProfile,
        outbox: Outbox[stt_pb2.StreamingRecognizeResponse],
        metrics: StageMetrics,
        *,
        fails_with_its_turn: bool,
    ) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._fails_with_its_turn = fails_with_its_turn
        self._log = log.bind(call_id=profile.call_id)  # callbacks run in another call's context
        self._spans: dict[int, Span] = {}
        self._traces: dict[int, turn_pb2.TraceContext] = {}
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self, evidence: Evidence) -> None:
        """Queue one message."""
        trace_context = None
        if isinstance(evidence, SpeechActivity) and evidence.is_begin:
            self._trace(evidence.utterance_id)
        elif isinstance(evidence, Transcript):
            trace_context = self._trace(evidence.utterance_id)
            self._observe(evidence)
        self._outbox.post(write_evidence(evidence, trace_context))
        if isinstance(evidence, UtteranceSettled):
            self._settled(evidence)

    def lose(self, error: Exception) -> None:
        """The stream cannot go on."""
        if not self._lost.done():
            self._lost.set_exception(error)

    async def until_lost(self) -> None:
        """Never returns; raises what the stream was lost with."""
        await self._lost

    def close(self) -> None:
        """End what is open."""
        self._lost.cancel()
        for span in self._spans.values():
            span.end()
        self._spans.clear()

    def _trace(self, utterance_id: int) -> turn_pb2.TraceContext:
        """The trace of the turn the utterance will belong to; it begins with the caller's first sound."""
        if utterance_id not in self._traces:
            span = trace.get_tracer("voice").start_span("stt.utterance")
            self._spans[utterance_id] = span
            context = trace_context_of(span)
            self._traces[utterance_id] = turn_pb2.TraceContext(
                traceparent=context.traceparent, tracestate=context.tracestate
            )
            if len(self._traces) > _REMEMBERED_TRACES:
                del self._traces[min(self._traces)]
        return self._traces[utterance_id]

    def _observe(self, transcript: Transcript) -> None:
        if transcript.cost is not None and transcript.stage in (TextStage.DRAFT, TextStage.SETTLED):
            self._metrics.first_output_seconds.observe(transcript.cost.since_trigger_us / 1e6)
            self._metrics.queue_seconds.observe(transcript.cost.queue_us / 1e6)
            self._metrics.compute_seconds.observe(transcript.cost.compute_us / 1e6)
        self._log.debug(
            "transcript",
            utterance_id=transcript.utterance_id,
            stage=transcript.stage.value,
            language=transcript.language_code,
            confidence=transcript.confidence,
            **{"pii.text": transcript.text},
        )

    def _settled(self, settled: UtteranceSettled) -> None:
        span = self._spans.pop(settled.utterance_id, None)
        if span is not None:
            span.end()
        self._log.info(
            "utterance_settled",
            utterance_id=settled.utterance_id,
            end_sample=settled.end_sample,
            reason=settled.reason,
            since_trigger_us=settled.cost.since_trigger_us,
        )
        if not settled.is_ok:
            self._metrics.count_error(settled.reason)
            if self._fails_with_its_turn:
                self.lose(UtteranceFailed(f"utterance {settled.utterance_id}: {settled.reason}: {settled.message}"))
