"""Stage servers that speak the real protocol and do what a test says: answer late, twice, never, fail, go away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from voice.nlu.v1 import agent_pb2, nlu_pb2, nlu_pb2_grpc
from voice.stt.v1 import stt_pb2, stt_pb2_grpc
from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import engine_pb2, turn_pb2

from services.call_gateway.stages.stages import StageChannels
from services.runtime.channels import open_channel
from services.runtime.errors import ServiceError, abort

LIMIT_S = 5.0
FEATURES: dict[str, tuple[str, ...]] = {
    "stt": ("media_idle", "update", "utterance_discard"),
    "nlu": ("commit", "playout_report", "transcript_correction", "call_action_result"),
    "tts": (),
}


class FakeStream:
    """One stream as its server sees it."""

    def __init__(self, response: type[Any]) -> None:
        self.requests: list[Any] = []
        self.is_half_closed = False
        self.is_over = False
        self._response = response
        self._to_send: asyncio.Queue[Any] = asyncio.Queue()
        self._changed = asyncio.Condition()

    @property
    def config(self) -> Any:
        return self.requests[0].config

    def send(self, **fields: Any) -> None:
        """Send a response: `send(progress={"processed_sample": 160})`."""
        self._to_send.put_nowait(self._response(**fields))

    def end(self, error: ServiceError | None = None) -> None:
        """End the stream, well or with an error."""
        self._to_send.put_nowait(error)

    def of_kind(self, kind: str) -> list[Any]:
        """The requests of one kind that have come, in order."""
        return [getattr(request, kind) for request in self.requests if request.WhichOneof("request") == kind]

    async def expect(self, kind: str, is_it: Callable[[Any], bool] = lambda _: True, *, count: int = 1) -> Any:
        """Wait for the `count`-th request of that kind that is the one meant."""

        def found() -> list[Any]:
            return [request for request in self.of_kind(kind) if is_it(request)]

        try:
            async with asyncio.timeout(LIMIT_S), self._changed:
                await self._changed.wait_for(lambda: len(found()) >= count)
        except TimeoutError:
            kinds = [
                request.WhichOneof("request") for request in self.requests if request.WhichOneof("request") != "audio"
            ]
            raise AssertionError(f"no {kind} came; there were {kinds}") from None
        return found()[count - 1]

    async def until(self, is_so: Callable[["FakeStream"], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(LIMIT_S), self._changed:
            await self._changed.wait_for(lambda: is_so(self))

    async def take(self, requests: AsyncIterator[Any], *, listens: bool = False) -> None:
        """Read what the client sends, to its half-close. `listens`: say so of every chunk of sound."""
        async for request in requests:
            self.requests.append(request)
            if listens and request.WhichOneof("request") == "audio":
                self.send(progress={"processed_sample": request.audio.start_sample + len(request.audio.content)})
            await self._tell()
        self.is_half_closed = True
        await self._tell()

    async def give(self, context: Any) -> AsyncIterator[Any]:
        """Send what the test wants sent."""
        try:
            while (item := await self._to_send.get()) is not None:
                if isinstance(item, ServiceError):
                    await abort(context, item, "fake")
                yield item
        finally:
            self.is_over = True
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@dataclass(slots=True)
class FakeStage:
    """One server: opens streams by itself unless told not to."""

    name: str
    response: type[Any]
    opening: Callable[[tuple[str, ...]], Any]
    features: tuple[str, ...]
    opens: bool = True  # False: takes streams and never says a word
    ends_streams_with_half_close: bool = True
    listens: bool = True  # an STT stage that gives signs of life
    refusals: list[ServiceError] = field(default_factory=list)  # the next streams are refused with these, in order
    streams: list[FakeStream] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        if self.refusals:
            await abort(context, self.refusals.pop(0), "fake")
        stream = FakeStream(self.response)
        if self.opens:
            stream.send(engine=self.opening(self.features))
        async with asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(self._take(stream, requests))
            self.streams.append(stream)
            self._arrived.set()
            async for response in stream.give(context):
                yield response
            taking.cancel()

    async def stream(self, number: int = 0) -> FakeStream:
        """The stream of that number, from 0; waits for it."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.streams) <= number:
                self._arrived.clear()
                await self._arrived.wait()
        return self.streams[number]

    async def _take(self, stream: FakeStream, requests: AsyncIterator[Any]) -> None:
        await stream.take(requests, listens=self.listens and self.name == "stt")
        if self.ends_streams_with_half_close:
            stream.end()


class _Stt(stt_pb2_grpc.SttServiceServicer):
    def __init__(self, stage: FakeStage) -> None:
        self.StreamingRecognize = stage.serve


class _Nlu(nlu_pb2_grpc.NluServiceServicer):
    def __init__(self, stage: FakeStage) -> None:
        self.StreamingConverse = stage.serve


class _Tts(tts_pb2_grpc.TtsServiceServicer):
    def __init__(self, stage: FakeStage) -> None:
        self.StreamingSynthesize = stage.serve


@dataclass(frozen=True, slots=True)
class FakeStages:
    """All three, and channels to them."""

    stt: FakeStage
    nlu: FakeStage
    tts: FakeStage
    channels: StageChannels


def _engine(features: tuple[str, ...]) -> engine_pb2.EngineInfo:
    return engine_pb2.EngineInfo(name="fake", features=features)


def _engine_and_agent(features: tuple[str, ...]) -> nlu_pb2.ConversationEngine:
    return nlu_pb2.ConversationEngine(engine=_engine(features), agent=agent_profile())


def agent_profile() -> agent_pb2.AgentProfile:
    """The profile of the fake agent."""
    return agent_pb2.AgentProfile(
        agent_id="fake",
        language_codes=["en-US"],
        allowed_acts={"acts": ["hang_up", "transfer", "send_dtmf", "switch_language"]},
    )


@asynccontextmanager
async def fake_stages() -> AsyncIterator[FakeStages]:
    """Three servers on loopback ports."""
    stt = FakeStage("stt", stt_pb2.StreamingRecognizeResponse, _engine, FEATURES["stt"])
    nlu = FakeStage("nlu", nlu_pb2.StreamingConverseResponse, _engine_and_agent, FEATURES["nlu"])
    tts = FakeStage("tts", tts_pb2.StreamingSynthesizeResponse, _engine, FEATURES["tts"])
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    stt_pb2_grpc.add_SttServiceServicer_to_server(_Stt(stt), server)
    nlu_pb2_grpc.add_NluServiceServicer_to_server(_Nlu(nlu), server)
    tts_pb2_grpc.add_TtsServiceServicer_to_server(_Tts(tts), server)
    await server.start()
    channels = StageChannels(*(open_channel(f"127.0.0.1:{port}") for _ in range(3)))
    try:
        yield FakeStages(stt, nlu, tts, channels)
    finally:
        await channels.close()
        await server.stop(0)


def completed(turn_id: int) -> turn_pb2.TurnEnd:
    """A turn that ended well."""
    return turn_pb2.TurnEnd(turn_id=turn_id, outcome=turn_pb2.TurnEnd.OUTCOME_COMPLETED)
