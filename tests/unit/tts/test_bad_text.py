"""Texts that no client should send, through the service: each ends in a reason or in sound, and the stream lives."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from voice.tts.v1 import tts_pb2
from voice.tts.v1.tts_pb2_grpc import TtsServiceStub, add_TtsServiceServicer_to_server

from services.runtime.errors import rpc_failure
from services.runtime.grpc_server import ServiceServer
from services.runtime.lifecycle import Lifecycle
from services.tts.engines.espeak import EspeakEngine
from services.tts.engines.tone import ToneEngine
from services.tts.router import Router
from services.tts.service import FULL_NAME, TtsService
from services.tts.settings import TtsSettings

Request = tts_pb2.StreamingSynthesizeRequest


@pytest.fixture(params=[ToneEngine, EspeakEngine], ids=["tone", "espeak"])
async def stub(request: pytest.FixtureRequest) -> AsyncIterator[TtsServiceStub]:
    settings = TtsSettings(_env_file=None, port=0, metrics_port=0, cache_mb=0, tone_ms_per_char=5)
    engine: Any = request.param(settings)
    await engine.load()
    lifecycle = Lifecycle()
    service = TtsService(settings, Router({"*": engine}), lifecycle)
    server = ServiceServer(
        settings,
        full_name=FULL_NAME,
        add=lambda one: add_TtsServiceServicer_to_server(service, one),
        lifecycle=lifecycle,
    )
    await server.start()
    await server.serve()
    async with grpc.aio.insecure_channel(server.target) as channel:
        yield TtsServiceStub(channel)
    await server.stop(0)
    await engine.close()


def config() -> Request:
    asked = tts_pb2.SynthesisConfig(language_codes=["en-US"])
    asked.audio_format.encoding, asked.audio_format.sample_rate_hertz = 2, 8000
    asked.max_lead_ms = 0
    return Request(config=asked)


async def turns(stub: TtsServiceStub, *requests: Request) -> dict[int, tuple[str, int, str]]:
    """Of each turn the reason it ended for, the bytes of its sound, and the message."""
    n_bytes: dict[int, int] = {}
    ended = {}
    async for response in stub.StreamingSynthesize(iter([config(), *requests])):
        if response.HasField("audio"):
            turn_id = response.audio.turn_id
            n_bytes[turn_id] = n_bytes.get(turn_id, 0) + len(response.audio.chunk.content)
        elif response.HasField("turn_end"):
            end = response.turn_end
            ended[end.turn_id] = (end.reason, n_bytes.get(end.turn_id, 0), end.message)
    return ended


def said(turn_id: int, text: str, **more: Any) -> list[Request]:
    return [
        Request(text=tts_pb2.TurnText(turn_id=turn_id, text=text, **more)),
        Request(text_end=tts_pb2.TextEnd(turn_id=turn_id)),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "EMPTY_TEXT"),
        (" \n\t ", "NOTHING_TO_SPEAK"),
        ("?!… — ,;: \"'«»", "NOTHING_TO_SPEAK"),
        ("😀🎉👩‍👩‍👧‍👦", "NOTHING_TO_SPEAK"),
        ("word " * 20_000, "TEXT_TOO_LONG"),
        ("bell \x07 and null \x00", "CONTROL_CHARACTERS"),
        ("a" * 4999, ""),
        ("Great 😀 news 🎉!", ""),
        ("Hello мир 你好 xin chào مرحبا שלום", ""),
        ("e\u0301\u0301\u0301 o\u0308 \u202eabc\u202c \ufeff x", ""),
        ("9" * 600, ""),
        ("<speak>&lt;[[h@l'oU]]</speak>", ""),
    ],
)
async def test_a_text_ends_in_its_reason_or_in_sound_and_the_stream_lives(
    stub: TtsServiceStub, text: str, reason: str
) -> None:
    ended = await turns(stub, *said(1, text), *said(2, "All is well."))
    assert ended[1][0] == reason
    assert (ended[1][1] > 0) == (not reason)
    assert ended[2][0] == ""
    assert ended[2][1] > 0


async def test_an_unknown_voice_names_those_there_are(stub: TtsServiceStub) -> None:
    ended = await turns(stub, *said(1, "Hello there.", voice="nobody"), *said(2, "All is well."))
    assert ended[1][0] == "UNKNOWN_VOICE"
    assert "en-US has" in ended[1][2]
    assert ended[2][0] == ""


async def test_text_behind_text_end_is_refused_by_name(stub: TtsServiceStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await turns(stub, *said(1, "Hello there."), Request(text=tts_pb2.TurnText(turn_id=1, text="More.")))
    assert rpc_failure(failed.value).reason == "TEXT_AFTER_TEXT_END"


@pytest.mark.parametrize("turn_id", [0, -1])
async def test_an_id_that_no_turn_has_is_refused_by_name(stub: TtsServiceStub, turn_id: int) -> None:
    for request in said(turn_id, "Hello there."):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await turns(stub, request)
        failure = rpc_failure(failed.value)
        assert failure.reason == "BAD_TURN_ID"
        assert failure.field == f"{request.WhichOneof('request')}.turn_id"


@pytest.mark.parametrize("start_offset", [-1, 2**63 - 1])
async def test_a_start_where_no_text_can_be_is_refused_before_a_sound(stub: TtsServiceStub, start_offset: int) -> None:
    ended = await turns(stub, *said(1, "Hello there.", start_offset=start_offset), *said(2, "All is well."))
    assert ended[1][:2] == ("BAD_START_OFFSET", 0)
    assert ended[2][0] == ""
