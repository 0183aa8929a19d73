"""Rule 32: one trace a turn, which rides on the messages, and spans of unary calls."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from clients.conformance.hearing import example, play, settle, transcripts
from clients.conformance.replies import ask
from clients.conformance.speech import say, spoken
from clients.conformance.stages import NLU, STT, TTS, Stage
from clients.conformance.streams import connected, opened
from tests.conformance.servers import Server, running

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP collector that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.target = ""

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return trace_service_pb2.ExportTraceServiceResponse()

    def traces(self) -> set[str]:
        """The ids of the traces seen, in hexadecimal."""
        return {span.trace_id.hex() for span in self.spans}


@pytest_asyncio.fixture(loop_scope="session")
async def collector() -> AsyncIterator[Collector]:
    collector, server = Collector(), grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    collector.target = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield collector
    await server.stop(grace=None)


async def finished(server: Server) -> None:
    """End a server in good order: it exports what it holds."""
    server.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.process.wait, 20) == 0


async def test_a_turn_of_thinking_is_a_span_of_the_trace_it_came_with(collector: Collector, tmp_path: Path) -> None:
    with running(NLU, "script", tmp_path, settings={"TONG_DAI_OTLP_ENDPOINT": collector.target}) as server:
        async with opened(NLU, server.target) as stream:
            await ask(stream, 1, trace_context=PARENT)
        await finished(server)
    assert TRACE_ID in collector.traces()


async def test_a_turn_of_speaking_is_a_span_of_the_trace_it_came_with(collector: Collector, tmp_path: Path) -> None:
    with running(TTS, "tone", tmp_path, settings={"TONG_DAI_OTLP_ENDPOINT": collector.target}) as server:
        async with opened(TTS, server.target) as stream:
            await say(stream, 1, "Hello.", trace_context=PARENT)
            await spoken(stream, 1)
        await finished(server)
    assert TRACE_ID in collector.traces()


async def test_an_utterance_begins_the_trace_its_transcripts_carry(collector: Collector, tmp_path: Path) -> None:
    with running(STT, "script", tmp_path, settings={"TONG_DAI_OTLP_ENDPOINT": collector.target}) as server:
        async with opened(STT, server.target) as stream:
            await settle(stream, await play(stream, example()))
        carried = {text.trace_context.traceparent.split("-")[1] for text in transcripts(stream)}
        await finished(server)
    assert len(carried) == 1
    assert carried <= collector.traces()


@pytest.mark.parametrize("stage", [STT, NLU, TTS], ids=lambda stage: stage.name)
async def test_a_unary_call_is_a_span(collector: Collector, tmp_path: Path, stage: Stage) -> None:
    engine = "tone" if stage is TTS else "script"
    with running(stage, engine, tmp_path, settings={"TONG_DAI_OTLP_ENDPOINT": collector.target}) as server:
        async with connected(server.target) as channel:
            describe = channel.unary_unary(
                stage.describe_path,
                request_serializer=type(stage.describe_request).SerializeToString,
                response_deserializer=stage.describe_response.FromString,
            )
            await describe(stage.describe_request, metadata=tuple(PARENT.items()))
        await finished(server)
    assert [span.name for span in collector.spans if span.trace_id.hex() == TRACE_ID] == [stage.describe_path]
