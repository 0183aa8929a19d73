"""Engine `sherpa_onnx` on tiny networks that are made here: loud sound is the word "yes"."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from services.runtime.errors import StartupError
from services.stt_proxy.engine import Heard, Hints, Partial, Report, Span, Speech
from services.stt_proxy.engines.sherpa_onnx import SherpaEngine
from services.stt_proxy.recording import Clip, Recording
from services.stt_proxy.settings import SttSettings
from tests.fakes.tiny_networks import TINY, nemo_ctc

RATE = 8000


def settings(folder: Path, kind: str = "offline_nemo_ctc") -> SttSettings:
    return SttSettings(_env_file=None, engine="sherpa_onnx", sherpa_model=str(folder), sherpa_kind=kind)


async def heard(engine: SherpaEngine, sound: np.ndarray) -> str:
    answered: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
    engine_call = engine.listen(
        call_id="test", recording=Recording(limit_samples=RATE), sample_rate_hertz=RATE,
        hints=Hints(language_codes=("en",)), report=answered.set_result,
    )  # fmt: skip
    engine_call.recognize(Speech(1, 1, (Span(0, len(sound)),), (Clip(0, sound),), RATE), is_final=True)
    report = await answered
    engine_call.close()
    assert isinstance(report, Heard), report
    return report.text


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 8000, int(seconds * RATE)).clip(-32768, 32767).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.int16)


@pytest.mark.parametrize("kind", [kind for kind in TINY if kind.startswith("offline")])
async def test_an_offline_network_decodes_each_stretch(tmp_path: Path, kind: str):
    engine = SherpaEngine(settings(TINY[kind](tmp_path / "tiny"), kind))
    await engine.load()
    try:
        assert await heard(engine, np.concatenate((silence(0.5), noise(0.4), silence(0.5)))) == "yes"
        assert await heard(engine, silence(1.0)) == ""
    finally:
        await engine.close()


@pytest.mark.parametrize("kind", [kind for kind in TINY if kind.startswith("online")])
async def test_an_online_network_says_words_while_the_caller_speaks(tmp_path: Path, kind: str):
    engine = SherpaEngine(settings(TINY[kind](tmp_path / "tiny"), kind))
    await engine.load()
    recording, has_report = Recording(limit_samples=60 * RATE), asyncio.Event()
    told: list[Report] = []

    def take(report: Report) -> None:
        told.append(report)
        has_report.set()

    call = engine.listen(
        call_id="test", recording=recording, sample_rate_hertz=RATE, hints=Hints(language_codes=("en",)), report=take
    )

    async def until(kind: type[Report]) -> Report:
        async with asyncio.timeout(10):
            while not (found := [one for one in told if isinstance(one, kind)]):
                has_report.clear()
                await has_report.wait()
        return found[0]

    try:
        sound = np.concatenate((silence(0.5), noise(0.8), silence(0.5)))
        for start in range(0, len(sound), RATE // 10):
            recording.add(start, sound[start : start + RATE // 10])
            call.reach(start + RATE // 10)
            if start == RATE // 2:
                call.speech(1, start, is_begin=True)
            if start == RATE:  # the caller still speaks
                assert (await until(Partial)).text == "yes"
        call.speech(1, int(1.3 * RATE), is_begin=False)
        call.recognize(Speech(1, 1, (Span(RATE // 2, int(1.3 * RATE)),), (), RATE), is_final=False)
        assert (await until(Heard)).text == "yes"
    finally:
        call.close()
        await engine.close()


@pytest.mark.parametrize("missing", ["tokens.txt", "model.onnx"])
async def test_a_model_folder_with_a_file_missing_is_named(tmp_path: Path, missing: str):
    folder = nemo_ctc(tmp_path / "tiny")
    (folder / missing).unlink()
    engine = SherpaEngine(settings(folder))
    with pytest.raises(StartupError, match=missing.split(".", maxsplit=1)[0]):
        await engine.load()
    await engine.close()


async def test_an_unknown_kind_is_refused_with_those_there_are(tmp_path: Path):
    engine = SherpaEngine(settings(tmp_path, "whisper"))
    with pytest.raises(StartupError, match="online_transducer"):
        await engine.load()
    await engine.close()
