"""A server whose recogniser dies in mid-utterance: another one stands in, and the client needs to know none of it."""

import asyncio
from pathlib import Path

import grpc
import pytest
from voice.stt.v1 import stt_pb2, stt_pb2_grpc
from voice.stt.v1.stt_pb2 import Transcript, UtteranceSettled
from voice.type.v1.engine_pb2 import Provider

from clients.conformance.hearing import CHUNK, RATE, SPEECH_END, SPEECH_START, example, play, settle, transcripts
from clients.conformance.kit import Target
from services.runtime.errors import rpc_failure
from tests.conformance.servers import EXAMPLE_TEXT, STT, running
from tests.fakes.google_speech import Loudness, google_speech

pytestmark = pytest.mark.timeout(120)


def words(text: str) -> list[str]:
    return text.lower().replace(",", "").rstrip(".").split()


async def describe(channel: grpc.aio.Channel) -> list[tuple[str, int, int]]:
    stub = stt_pb2_grpc.SttServiceStub(channel)
    engine = (await stub.DescribeEngine(stt_pb2.DescribeEngineRequest())).engine
    return [(one.name, one.state, one.switches) for one in engine.providers]


@pytest.mark.models
async def test_a_recogniser_that_dies_in_mid_utterance_costs_no_word(tmp_path: Path):
    async with google_speech(Loudness(EXAMPLE_TEXT)) as google:
        settings = {
            "STT_ENGINES": "*=google>faster_whisper", "STT_GOOGLE_PROJECT": "test",
            "STT_GOOGLE_ENDPOINT": google.target, "STT_GOOGLE_IS_PLAINTEXT": "true", "TONG_DAI_DRILLS": "true",
        }  # fmt: skip
        service = running(STT, "script", tmp_path, settings=settings)
        server = await asyncio.to_thread(service.__enter__)  # it asks Google, which runs on this loop
        try:
            target = Target(server.target, server.stage, pid=server.process.pid)
            async with target.connected() as channel:
                assert await describe(channel) == [
                    ("google", Provider.STATE_CLOSED, 0), ("faster_whisper", Provider.STATE_CLOSED, 0),
                ]  # fmt: skip
                sound, middle = example(), (SPEECH_START + SPEECH_END) // 2
                async with target.opened() as stream:
                    for offset in range(0, len(sound), CHUNK):
                        await play(stream, sound[offset : offset + CHUNK], offset)
                        await asyncio.sleep(CHUNK / RATE)
                        if offset <= middle < offset + CHUNK:
                            assert google.opened[1:], "Google hears the call"
                            await google.kill()
                    settled = await settle(stream, len(sound))
                    [text] = transcripts(stream, Transcript.STAGE_SETTLED)
                assert settled.outcome == UtteranceSettled.OUTCOME_OK
                assert words(text.text) == words(EXAMPLE_TEXT)
                [lost, other] = await describe(channel)
                assert lost == ("google", Provider.STATE_OPEN, 1)
                assert other == ("faster_whisper", Provider.STATE_CLOSED, 0)
                stub = stt_pb2_grpc.SttServiceStub(channel)
                ended = await stub.TripProvider(stt_pb2.TripProviderRequest(provider="google", duration_ms=0))
                assert ended.providers[0].state == Provider.STATE_CLOSED
        finally:
            await asyncio.to_thread(service.__exit__, None, None, None)


async def test_drills_are_refused_where_they_are_off(tmp_path: Path):
    with running(STT, "script", tmp_path) as server:
        async with grpc.aio.insecure_channel(server.target) as channel:
            stub = stt_pb2_grpc.SttServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.TripProvider(stt_pb2.TripProviderRequest(provider="google", duration_ms=1000))
    assert rpc_failure(refused.value).reason == "DRILLS_OFF"
