"""Cloned voices by XTTS's own code on tiny random weights, in its own environment: `make test-clone`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from services.runtime.errors import EngineFailed, NotServing
from services.tts.clone.references import measured, read_wav
from services.tts.clone.store import ClonedVoice, Consent
from services.tts.engine import Line
from services.tts.engines.clone import CloneEngine
from services.tts.settings import TtsSettings
from tests.clone.conftest import PYTHON
from tests.fakes.ports import free_port
from tests.fakes.recordings import recordings

ROOT = Path(__file__).parents[2]
CONSENT = Consent("Jane Doe", "I agree that my voice is used by this test and by nothing else.", 1)
START_LIMIT_S = 600


def settings_of(model: Path, folder: Path) -> TtsSettings:
    return TtsSettings(
        _env_file=None,
        clone_dir=folder,
        clone_model=model,
        clone_licence="own",
        clone_python=PYTHON,
        clone_device="cpu",
    )


def keep_voice(engine: CloneEngine, tenant_id: str = "acme") -> ClonedVoice:
    files = enumerate(recordings(3))
    references = [measured(read_wav(file, name=f"{number}"), name=f"{number}") for number, file in files]
    return engine.store.add(
        tenant_id, "Jane", ["en-US", "zh-CN"], CONSENT, references, created_unix_ms=1, created_by="test"
    )


@pytest.fixture
async def engine(model: Path, tmp_path: Path) -> AsyncIterator[CloneEngine]:
    engine = CloneEngine(settings_of(model, tmp_path / "voices"))
    await engine.load()
    yield engine
    await engine.close()


def line(voice: ClonedVoice, text: str = "Good morning, how are you?", *, rate: float = 1.0) -> Line:
    return Line(text, "en-US", voice.name, rate, 1, is_first=True)


@pytest.mark.timeout(900)
async def test_xtts_learns_a_voice_and_speaks_in_pieces(engine: CloneEngine) -> None:
    voice = keep_voice(engine)
    assert await engine.learn(voice) > 0.5
    engine.voices_changed()
    [described] = engine.describe().voices
    assert described.language_codes == ("en-US", "zh-CN")
    assert described.owner == "acme"
    pieces = [piece async for piece in engine.synthesize(line(voice))]
    whole = np.concatenate([piece.samples for piece in pieces])
    assert len(pieces) > 1
    assert 0.2 < len(whole) / engine.describe().sample_rate_hertz < 3.0
    assert np.abs(whole.astype(np.int32)).max() > 0
    async with aclosing(engine.synthesize(line(voice))) as speech:  # cancelled: what is left is not drawn
        await anext(speech)
    with pytest.raises(EngineFailed):  # more letters than XTTS takes
        [piece async for piece in engine.synthesize(line(voice, "never ending " * 60))]
    assert [piece async for piece in engine.synthesize(line(voice, rate=1.5))]


@pytest.mark.timeout(900)
async def test_a_broken_model_is_one_line_that_says_so(model: Path, tmp_path: Path) -> None:
    broken = copytree(model, tmp_path / "broken")
    (broken / "model.pth").write_bytes(b"\0" * 1000)
    for folder, says in ((broken, "cannot be loaded: "), (tmp_path / "voices", "lacks config.json")):
        folder.mkdir(exist_ok=True)
        engine = CloneEngine(settings_of(folder, tmp_path / "voices"))
        with pytest.raises(NotServing, match=says):
            await engine.load()
        await engine.close()


@pytest.mark.timeout(1500)
def test_the_stage_keeps_every_rule_of_the_protocol(model: Path, tmp_path: Path) -> None:
    keep_voice(CloneEngine(settings_of(model, tmp_path / "voices")), tenant_id="")
    port = free_port()
    environment = {
        **os.environ, "TTS_PORT": str(port), "TTS_METRICS_PORT": "0", "TTS_CACHE_MB": "0", "TTS_ENGINES": "en=clone",
        "TTS_CLONE_MODEL": str(model), "TTS_CLONE_LICENCE": "own", "TTS_CLONE_DIR": str(tmp_path / "voices"),
        "TTS_CLONE_PYTHON": str(PYTHON), "TTS_CLONE_DEVICE": "cpu", "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos/gen'}",
    }  # fmt: skip
    with (tmp_path / "tts.log").open("wb") as log:
        stage = subprocess.Popen(
            [sys.executable, "-m", "services.tts"], env=environment, cwd=ROOT, stdout=log, stderr=log
        )
    try:
        probe = [sys.executable, "-m", "deploy.probe", "tts"]
        deadline = time.monotonic() + START_LIMIT_S
        while subprocess.run(probe, env=environment, cwd=ROOT, capture_output=True, check=False).returncode:
            assert stage.poll() is None, (tmp_path / "tts.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(3)
        kit = [sys.executable, "-m", "clients.conformance", "--target", f"127.0.0.1:{port}", "--service", "tts"]
        held = subprocess.run(kit, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=700)
        assert held.returncode == 0, held.stdout + held.stderr + (tmp_path / "tts.log").read_text()[-3000:]
    finally:
        stage.send_signal(signal.SIGTERM)
        stage.wait(30)
