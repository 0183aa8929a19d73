"""Cloned voices from the upload to the deletion: who may, what is kept, what is spoken and recorded."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from voice.tts.v1 import tts_pb2
from voice.tts.v1.tts_pb2_grpc import TtsServiceStub, add_TtsServiceServicer_to_server

from services.runtime.errors import EngineFailed, StartupError, rpc_failure
from services.runtime.grpc_server import ServiceServer
from services.runtime.lifecycle import Lifecycle
from services.tts.clone.audit import broken_line
from services.tts.clone.process import CloneProcess
from services.tts.cloning import Cloning
from services.tts.engine import Line
from services.tts.engines.clone import CloneEngine
from services.tts.engines.tone import ToneEngine
from services.tts.router import Router
from services.tts.service import FULL_NAME, TtsService
from services.tts.settings import TtsSettings
from tests.fakes.recordings import recordings

STATEMENT = "I agree that Example Ltd. makes a voice of these recordings and answers its telephone with it."
CONSENT = tts_pb2.VoiceConsent(speaker_name="Jane Doe", statement=STATEMENT)
targets: list[str] = []
"""The addresses of the servers of `serving`, the latest last."""
PIECE = 400_000  # bytes a request


def settings_in(folder: Path, **more: Any) -> TtsSettings:
    model = folder / "model"
    model.mkdir(exist_ok=True)
    return TtsSettings(
        _env_file=None,
        port=0,
        metrics_port=0,
        clone_dir=folder / "voices",
        clone_model=model,
        clone_licence="own",
        clone_python=Path(sys.executable),
        cache_mb=0,
        **more,
    )


async def loaded(settings: TtsSettings, *, likeness: float = 0.9) -> CloneEngine:
    engine = CloneEngine(settings)
    engine._process = CloneProcess([sys.executable, "-m", "tests.fakes.clone_worker", str(likeness)])
    await engine.load()
    return engine


@asynccontextmanager
async def serving(
    folder: Path, *, likeness: float = 0.9, **more: Any
) -> AsyncIterator[tuple[TtsServiceStub, CloneEngine]]:
    """A speaking stage whose English has cloned voices and behind them a tone."""
    settings = settings_in(folder, **more)
    engine = await loaded(settings, likeness=likeness)
    router = Router({"en": (engine, ToneEngine(settings))})
    lifecycle = Lifecycle()
    service = TtsService(settings, router, lifecycle, cloning=Cloning(engine))
    server = ServiceServer(
        settings,
        full_name=FULL_NAME,
        add=lambda one: add_TtsServiceServicer_to_server(service, one),
        lifecycle=lifecycle,
    )
    await server.start()
    await server.serve()
    targets.append(server.target)
    try:
        async with grpc.aio.insecure_channel(server.target) as channel:
            yield TtsServiceStub(channel), engine
    finally:
        await server.stop(0)
        await engine.close()


def upload(files: list[bytes], **config: Any) -> list[tts_pb2.CreateVoiceRequest]:
    whole = {"tenant_id": "acme", "display_name": "Jane", "language_codes": ["en-US"], "consent": CONSENT, **config}
    requests = [tts_pb2.CreateVoiceRequest(config=tts_pb2.VoiceConfig(**whole))]
    for index, file in enumerate(files):
        requests += [
            tts_pb2.CreateVoiceRequest(
                reference=tts_pb2.ReferenceAudio(index=index, content=file[begin : begin + PIECE])
            )
            for begin in range(0, max(1, len(file)), PIECE)
        ]
    return requests


async def create(stub: TtsServiceStub, files: list[bytes], **config: Any) -> tts_pb2.ClonedVoice:
    return (await stub.CreateVoice(iter(upload(files, **config)))).voice


async def reason_of(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return rpc_failure(failed.value).reason


async def said(stub: TtsServiceStub, voice: str, tenant_id: str, text: str = "Good morning to you.") -> tuple[int, str]:
    """Bytes of sound, and the reason the turn or the stream failed for.

    The text waits for the answer to the config: grpc.aio loses the reason of a stream that ends while a request is
    written.
    """
    config = tts_pb2.SynthesisConfig(tenant_id=tenant_id, language_codes=["en-US"], voice=voice, max_lead_ms=0)
    config.audio_format.encoding, config.audio_format.sample_rate_hertz = 2, 8000
    call = stub.StreamingSynthesize()
    n_bytes = 0
    try:
        await call.write(tts_pb2.StreamingSynthesizeRequest(config=config))
        await call.read()
        await call.write(tts_pb2.StreamingSynthesizeRequest(text=tts_pb2.TurnText(turn_id=1, text=text)))
        await call.write(tts_pb2.StreamingSynthesizeRequest(text_end=tts_pb2.TextEnd(turn_id=1)))
        await call.done_writing()
        while response := await call.read():
            n_bytes += len(response.audio.chunk.content)
            if response.HasField("turn_end"):
                return n_bytes, response.turn_end.reason
    except grpc.aio.AioRpcError as error:
        return n_bytes, rpc_failure(error).reason
    return n_bytes, "no end"


async def test_a_voice_is_made_listed_spoken_and_deleted(tmp_path: Path) -> None:
    files = recordings(3)
    async with serving(tmp_path) as (stub, engine):
        voice = await create(stub, files)
        assert [file.sha256 for file in voice.references] == [hashlib.sha256(file).hexdigest() for file in files]
        assert voice.consent.statement == STATEMENT
        assert voice.consent.given_unix_ms == voice.created_unix_ms > 0
        listed = await stub.ListVoices(tts_pb2.ListVoicesRequest(tenant_id="acme"))
        assert list(listed.voices) == [voice]
        assert await said(stub, voice.name, "acme") == (16000, "")
        kept = list((tmp_path / "voices").rglob("*.wav"))
        assert len(kept) == 3
        await stub.DeleteVoice(tts_pb2.DeleteVoiceRequest(tenant_id="acme", name=voice.name))
        assert not list((tmp_path / "voices").rglob("*.wav"))
        assert (await said(stub, voice.name, "acme"))[1] == "UNKNOWN_VOICE"
        record = engine.audit.path
    assert record is not None
    assert broken_line(record) is None
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["created", "spoken", "deleted"]
    assert lines[1]["text_sha256"] == hashlib.sha256(b"Good morning to you.").hexdigest()
    assert "Good morning" not in record.read_text()


async def test_a_line_taken_out_of_the_record_is_noticed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (stub, engine):
        voice = await create(stub, recordings(3))
        await said(stub, voice.name, "acme")
        await said(stub, voice.name, "acme", "And good night.")
        record = engine.audit.path
    assert record is not None
    lines = record.read_text().splitlines()
    record.write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    assert broken_line(record) == 2


async def test_another_tenant_neither_sees_nor_speaks_nor_deletes_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (stub, _):
        voice = await create(stub, recordings(3))
        assert not (await stub.ListVoices(tts_pb2.ListVoicesRequest(tenant_id="other"))).voices
        assert (await said(stub, voice.name, "other"))[1] == "UNKNOWN_VOICE"
        assert (await said(stub, "", "other"))[1] == ""  # the tone speaks
        described = await stub.DescribeEngine(tts_pb2.DescribeEngineRequest())
        assert voice.name not in {one.name for one in described.engine.voices}
        request = tts_pb2.DeleteVoiceRequest(tenant_id="other", name=voice.name)
        assert await reason_of(stub.DeleteVoice(request)) == "VOICE_NOT_FOUND"
        assert (await said(stub, voice.name, "acme"))[1] == ""


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"consent": None}, "CONSENT_MISSING"),
        ({"consent": tts_pb2.VoiceConsent(statement=STATEMENT)}, "CONSENT_MISSING"),
        ({"consent": tts_pb2.VoiceConsent(speaker_name="Jane Doe", statement="yes")}, "CONSENT_MISSING"),
        (
            {"consent": tts_pb2.VoiceConsent(speaker_name="J", statement=STATEMENT, given_unix_ms=2**50)},
            "CONSENT_MISSING",
        ),
        ({"display_name": " "}, "BAD_VOICE"),
        ({"language_codes": ["vi-VN"]}, "BAD_VOICE"),
    ],
)
async def test_a_config_that_lacks_something_is_refused(tmp_path: Path, config: dict[str, Any], reason: str) -> None:
    async with serving(tmp_path) as (stub, _):
        assert await reason_of(create(stub, recordings(3), **config)) == reason
        assert not list((tmp_path / "voices").rglob("*.wav"))


async def test_uploads_that_are_no_recordings_are_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as (stub, _):
        assert await reason_of(create(stub, [])) == "TOO_FEW_REFERENCES"
        assert await reason_of(create(stub, recordings(2))) == "TOO_FEW_REFERENCES"
        assert await reason_of(create(stub, [b"not a wav"] * 3)) == "NOT_A_WAV"
        torn = upload(recordings(3))
        torn[-1].reference.index = 7
        assert await reason_of(stub.CreateVoice(iter(torn))) == "BAD_VOICE"
        assert await reason_of(stub.CreateVoice(iter(upload(recordings(3))[1:]))) == "FIRST_MESSAGE_NOT_CONFIG"


async def test_a_gigabyte_is_refused_long_before_its_end(tmp_path: Path) -> None:
    sent = 0

    def endless() -> Iterator[tts_pb2.CreateVoiceRequest]:
        nonlocal sent
        yield upload([])[0]
        for number in range(1100):
            sent = number
            yield tts_pb2.CreateVoiceRequest(reference=tts_pb2.ReferenceAudio(index=0, content=b"\0" * 1_000_000))

    def send(target: str) -> str:
        """Send with a client that is not asyncio: grpc.aio's loses the status of a stream that ends while it writes."""
        with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as failed:
            TtsServiceStub(channel).CreateVoice(endless())
        return rpc_failure(failed.value).reason

    async with serving(tmp_path):
        assert await asyncio.to_thread(send, targets[-1]) == "UPLOAD_TOO_LARGE"
        assert sent < 200


async def test_recordings_that_the_network_hears_as_two_people_leave_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, likeness=0.2) as (stub, _):
        assert await reason_of(create(stub, recordings(3))) == "SEVERAL_SPEAKERS"
        assert not (await stub.ListVoices(tts_pb2.ListVoicesRequest(tenant_id="acme"))).voices
        assert not list((tmp_path / "voices").rglob("*.wav"))


async def test_a_tenant_has_only_so_many(tmp_path: Path) -> None:
    async with serving(tmp_path, clone_max_voices=1) as (stub, _):
        await create(stub, recordings(3))
        assert await reason_of(create(stub, recordings(4))) == "TOO_MANY_VOICES"
        await create(stub, recordings(3), tenant_id="other")


async def test_without_such_an_engine_cloning_is_off(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    lifecycle = Lifecycle()
    service = TtsService(settings, Router({"*": ToneEngine(settings)}), lifecycle)
    server = ServiceServer(
        settings,
        full_name=FULL_NAME,
        add=lambda one: add_TtsServiceServicer_to_server(service, one),
        lifecycle=lifecycle,
    )
    await server.start()
    await server.serve()
    async with grpc.aio.insecure_channel(server.target) as channel:
        stub = TtsServiceStub(channel)
        assert await reason_of(create(stub, recordings(3))) == "CLONING_OFF"
        assert await reason_of(stub.ListVoices(tts_pb2.ListVoicesRequest(tenant_id="acme"))) == "CLONING_OFF"
    await server.stop(0)


async def test_a_voice_outlives_the_process_and_is_seen_by_another(tmp_path: Path) -> None:
    async with serving(tmp_path) as (stub, _):
        voice = await create(stub, recordings(3))
    async with serving(tmp_path) as (stub, _):
        listed = await stub.ListVoices(tts_pb2.ListVoicesRequest(tenant_id="acme"))
        assert list(listed.voices) == [voice]
        assert (await said(stub, voice.name, "acme"))[1] == ""


async def test_what_is_cancelled_is_drawn_no_further(tmp_path: Path) -> None:
    async with serving(tmp_path) as (stub, engine):
        voice = await create(stub, recordings(3))
        line = Line("Good morning.", "en-US", voice.name, 1.0, 1, is_first=True)
        async with aclosing(engine.synthesize(line)) as speech:
            await anext(speech)
        counted, _ = await asyncio.to_thread(engine._process.ask, {"do": "count"})
        assert counted == {"made": 1, "open": 0}


async def test_a_line_that_fails_or_kills_the_process_is_a_typed_failure_and_the_next_one_speaks(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as (stub, engine):
        voice = await create(stub, recordings(3))
        assert (await said(stub, voice.name, "acme", "Please fail now."))[1] == "ENGINE_FAILED"
        assert (await said(stub, voice.name, "acme"))[1] == ""
        assert (await said(stub, voice.name, "acme", "Please crash now."))[1] == "ENGINE_FAILED"
        assert (await said(stub, voice.name, "acme"))[1] == ""  # the tone, until the process is back
        await asyncio.to_thread(engine._process.start)
        line = Line("Good morning.", "en-US", voice.name, 1.0, 1, is_first=True)
        assert [len(piece.samples) async for piece in engine.synthesize(line)] == [4800] * 10


async def test_nothing_is_spoken_that_cannot_be_recorded(tmp_path: Path) -> None:
    async with serving(tmp_path) as (stub, engine):
        voice = await create(stub, recordings(3))
        assert engine.audit.path is not None
        engine.audit.path.unlink()
        engine.audit.path.mkdir()
        line = Line("Good morning.", "en-US", voice.name, 1.0, 1, is_first=True)
        with pytest.raises(EngineFailed, match="record"):
            await anext(engine.synthesize(line))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"clone_licence": ""}, "non-commercial"),
        ({"clone_model": None}, "TTS_CLONE_MODEL"),
        ({"clone_python": Path("/nowhere/python")}, "deploy/clone/environment.sh"),
        ({"clone_python": Path("/bin/false")}, "TTS_CLONE_MODEL=.* cannot be loaded now"),
    ],
)
async def test_each_refusal_to_start_says_why(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    engine = CloneEngine(settings_in(tmp_path).model_copy(update=change))
    with pytest.raises(StartupError, match=says):
        await engine.load()
    await engine.close()
