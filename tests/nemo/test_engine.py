"""The engine over two devices: calls stay where they are, a device that fails leaves, and its clauses go on."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import pytest_asyncio

from services.audio.speech_level import SpeechLevelMeter
from services.runtime.errors import EngineFailed, StartupError
from services.tts.engine import Line, Speech
from services.tts.engines.nemo import WARM_UP, NemoEngine
from services.tts.nemo.networks import NemoNetworks
from services.tts.settings import TtsSettings

TEXT = "your appointment is confirmed for tuesday morning."
pytestmark = pytest.mark.asyncio(loop_scope="module")


def settings_of(settings: dict[str, str], **more: str) -> TtsSettings:
    with patch.dict(os.environ, settings | more):
        return TtsSettings(_env_file=None)  # type: ignore[call-arg]


@asynccontextmanager
async def loaded(settings: dict[str, str], **more: str) -> AsyncIterator[NemoEngine]:
    made = NemoEngine(settings_of(settings, **more))
    try:
        await made.load()
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(settings: dict[str, str]) -> AsyncIterator[NemoEngine]:
    async with loaded(settings) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def doomed(settings: dict[str, str]) -> AsyncIterator[NemoEngine]:
    """An engine whose devices a test breaks."""
    async with loaded(settings) as made:
        yield made


def line(call: str = "one", text: str = TEXT, voice: str = "nemo-en", rate: float = 1.0) -> Line:
    return Line(text, voice.removeprefix("nemo-"), voice, rate, 1, is_first=True, call=call)


async def say(engine: NemoEngine, asked: Line) -> list[Speech]:
    return [piece async for piece in engine.synthesize(asked)]


def joined(pieces: list[Speech]) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


async def test_a_line_comes_in_chunks_with_its_words(engine: NemoEngine) -> None:
    pieces = await say(engine, line())
    assert len(pieces) > 2
    assert len(pieces[0].samples) < len(joined(pieces)) / 4
    words = [word for piece in pieces for word in piece.word_ends]
    assert [word.text_offset for word in words] == [4, 16, 19, 29, 33, 41, 50]
    assert words[-1].sample <= len(joined(pieces))
    description = engine.describe()
    assert (description.sample_rate_hertz, description.measures_words) == (22050, True)
    assert len(description.sound_id) > 64


async def test_the_level_of_each_voice_is_known_from_the_start(engine: NemoEngine) -> None:
    for voice in engine.describe().voices:
        meter = SpeechLevelMeter(engine.describe().sample_rate_hertz)
        meter.push(joined(await say(engine, line(text=WARM_UP, voice=voice.name))))
        assert meter.level_dbov is not None
        assert voice.level_dbov == pytest.approx(meter.level_dbov, abs=0.5)


async def test_two_languages_speak_with_their_own_networks(engine: NemoEngine) -> None:
    english = await say(engine, line(text="xin chao"))
    vietnamese = await say(engine, line(text="xin chào", voice="nemo-vi"))
    assert len(joined(vietnamese))
    assert not np.array_equal(joined(english)[:2000], joined(vietnamese)[:2000])


async def test_a_text_without_a_token_has_no_sound(engine: NemoEngine) -> None:
    assert len(joined([*await say(engine, line(text="好")), Speech(np.zeros(0, dtype=np.int16))])) < 22050


async def test_a_call_stays_on_its_device_and_calls_are_spread(engine: NemoEngine) -> None:
    await asyncio.gather(*(say(engine, line(f"call {number}")) for number in range(8)))
    first = [engine._calls[f"call {number}"].name for number in range(8)]
    assert sorted(map(first.count, set(first))) == [4, 4]
    await asyncio.gather(*(say(engine, line(f"call {number}")) for number in range(8)))
    assert [engine._calls[f"call {number}"].name for number in range(8)] == first


async def test_what_a_lost_device_was_saying_goes_on_on_the_other_without_a_seam(doomed: NemoEngine) -> None:
    whole = joined(await say(doomed, line("other")))
    told: list[str] = []
    doomed.report_lost(lambda why: bool(told.append(why)))
    speech = doomed.synthesize(line())
    pieces = [await anext(speech), await anext(speech)]
    lost = doomed._calls["one"]

    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    lost._networks.vocode = lost._networks.probe = fail  # type: ignore[method-assign,assignment]
    pieces += [piece async for piece in speech]
    assert lost.is_lost
    assert doomed._calls["one"] is not lost
    assert not told, "the other serves"
    assert len(joined(pieces)) == len(whole)
    assert np.abs(joined(pieces).astype(int) - whole).max() <= 4
    words = [word for piece in pieces for word in piece.word_ends]
    assert len(words) == 7


async def test_when_the_last_device_is_lost_the_engine_says_so(doomed: NemoEngine) -> None:
    told: list[str] = []
    doomed.report_lost(lambda why: bool(told.append(why)))
    for device in doomed._devices:

        def fail(*_: object) -> None:
            raise RuntimeError("CUDA error")

        device._networks.spectra = device._networks.probe = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(EngineFailed, match="no GPU is left"):
        await say(doomed, line())
    assert len(told) == 1


async def test_closing_a_line_stops_its_work_within_a_chunk(
    engine: NemoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_steps = 0
    vocode = NemoNetworks.vocode

    def count(networks: NemoNetworks, parts: Any) -> Any:
        nonlocal n_steps
        n_steps += 1
        return vocode(networks, parts)

    monkeypatch.setattr(NemoNetworks, "vocode", count)
    speech = engine.synthesize(line(text=TEXT * 4))
    await anext(speech)
    await speech.aclose()
    before = n_steps
    await asyncio.sleep(0.5)
    assert n_steps == before


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"TTS_NEMO_ACOUSTIC": ""}, "TTS_NEMO_ACOUSTIC"),
        ({"TTS_NEMO_ACOUSTIC": "en=/nowhere/en.nemo"}, "there is no file"),
        ({"TTS_NEMO_DEVICES": "cuda:99"}, "TTS_NEMO_DEVICES"),
    ],
)
async def test_settings_that_cannot_serve_say_what_to_do(
    settings: dict[str, str], more: dict[str, str], match: str
) -> None:
    with pytest.raises(StartupError, match=match):
        async with loaded(settings, **more):
            pass


async def test_one_device_that_is_not_there_leaves_the_other(settings: dict[str, str]) -> None:
    async with loaded(settings, TTS_NEMO_DEVICES="cuda:99,cpu") as made:
        assert await say(made, line())
