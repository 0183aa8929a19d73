"""The speaking stage as a process, with a cache of its own: what is made ahead is there at once when a call says it."""

import asyncio
import re
import statistics
import time
import urllib.request
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from voice.tts.v1 import tts_pb2
from voice.tts.v1.tts_pb2_grpc import TtsServiceStub
from voice.type.v1 import audio_pb2

from services.runtime.channels import open_channel
from tests.load.stack import Service, run_stack

pytestmark = pytest.mark.asyncio(loop_scope="module")
TARGET = "127.0.0.1:51761"
METRICS_PORT = 51762
TEXT = "Sunrise Dental Clinic, this is Linh. How can I help you?"
MULAW = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000)
LIVE, AHEAD, RECORDING = (
    tts_pb2.SYNTHESIS_PURPOSE_LIVE,
    tts_pb2.SYNTHESIS_PURPOSE_AHEAD,
    tts_pb2.SYNTHESIS_PURPOSE_RECORDING,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[grpc.aio.Channel]:
    folder = tmp_path_factory.mktemp("tts")
    settings = {
        "TTS_PORT": "51761",
        "TTS_METRICS_PORT": str(METRICS_PORT),
        "TTS_ENGINES": "*=espeak",
        "TTS_RECORDING_ENGINES": "en=tone",
        "TTS_CACHE_DIR": str(folder / "speech"),
    }
    async with run_stack([Service("tts", TARGET, settings)], folder), open_channel(TARGET) as opened:
        yield opened


async def speak(
    channel: grpc.aio.Channel, text: str, purpose: tts_pb2.SynthesisPurpose.ValueType, **config: object
) -> tuple[bytes, list[int], float, str]:
    """One turn: its sound, where its words end, seconds from the text to the first sound, and the model."""
    call = TtsServiceStub(channel).StreamingSynthesize()
    whole = tts_pb2.SynthesisConfig(
        language_codes=["en-US"],
        audio_format=MULAW,
        max_lead_ms=0,
        purpose=purpose,
        **config,  # type: ignore[arg-type]
    )
    await call.write(tts_pb2.StreamingSynthesizeRequest(config=whole))
    model = (await call.read()).engine.model
    asked_s = time.monotonic()
    await call.write(tts_pb2.StreamingSynthesizeRequest(text=tts_pb2.TurnText(turn_id=1, text=text)))
    await call.write(tts_pb2.StreamingSynthesizeRequest(text_end=tts_pb2.TextEnd(turn_id=1)))
    await call.done_writing()
    sound, ends, first_s = b"", [], 0.0
    while response := await call.read():
        if response.HasField("audio"):
            first_s = first_s or time.monotonic() - asked_s
            sound += response.audio.chunk.content
        elif response.HasField("spoken_text"):
            ends.append(response.spoken_text.end_sample)
    return sound, ends, first_s, model


async def outcomes() -> dict[str, int]:
    """The number of look-ups in the speech cache by their outcome, over all calls up to now."""
    url = f"http://127.0.0.1:{METRICS_PORT}/metrics"
    text = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())
    found = re.findall(r'voice_speech_cache_total{outcome="(\w+)",stage="tts"} (\d+)', text)
    return {outcome: int(count) for outcome, count in found}


async def test_what_was_synthesised_ahead_is_played_within_milliseconds(channel: grpc.aio.Channel) -> None:
    made = await speak(channel, TEXT, AHEAD, tenant_id="a")
    heard = [await speak(channel, TEXT, LIVE, tenant_id="a") for _ in range(40)]
    assert all(sound == made[0] and ends == made[1] for sound, ends, _, _ in heard)
    first_ms = sorted(1000 * first_s for _, _, first_s, _ in heard)
    p95_ms = first_ms[round(0.95 * len(first_ms)) - 1]
    print(f"\nkept: first audio p50 {statistics.median(first_ms):.1f} p95 {p95_ms:.1f} ms")
    assert await outcomes() == {"miss": 2, "hit": 80}, "two clauses a turn"


async def test_a_recording_is_spoken_by_the_engine_for_recordings_and_leaves_calls_theirs(
    channel: grpc.aio.Channel,
) -> None:
    text = "The line is busy."
    recording = await speak(channel, text, RECORDING, tenant_id="b")
    live = await speak(channel, text, LIVE, tenant_id="b")
    assert (recording[3], live[3]) == ("tone", "espeak-ng")
    assert recording[0] != live[0]


async def test_a_recording_in_a_language_its_engine_lacks_is_spoken_by_the_live_one(channel: grpc.aio.Channel) -> None:
    call = TtsServiceStub(channel).StreamingSynthesize()
    config = tts_pb2.SynthesisConfig(language_codes=["fr"], audio_format=MULAW, purpose=RECORDING)
    await call.write(tts_pb2.StreamingSynthesizeRequest(config=config))
    assert (await call.read()).engine.model == "espeak-ng"
    call.cancel()


async def test_a_call_may_forbid_that_its_words_are_kept(channel: grpc.aio.Channel) -> None:
    text = "Your secret number is four one two."
    forbidden = tts_pb2.SPEECH_CACHING_FORBIDDEN
    made = [await speak(channel, text, LIVE, tenant_id="c", caching=forbidden) for _ in range(5)]
    assert all(sound for sound, *_ in made)
    before = await outcomes()
    await speak(channel, text, AHEAD, tenant_id="c")
    after = await outcomes()
    assert (before["forbidden"], after["miss"] - before["miss"]) == (5, 1)
