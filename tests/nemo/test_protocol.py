"""The speaking stage as a process with FastPitch and BigVGAN in it, held to every rule of the protocol from outside."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.nemo.tiny import V1, write_bigvgan

ROOT = Path(__file__).parents[2]
PORT = 51771
START_LIMIT_S = 900  # NeMo takes 20 s to import, on an idle core
# The kit waits 20 s for a response: the vocoder is narrower than elsewhere, so that a busy processor keeps up.


@pytest.mark.timeout(1500)
def test_the_stage_keeps_every_rule_of_the_protocol(settings: dict[str, str], tmp_path: Path) -> None:
    environment = {
        **os.environ, **settings, "TTS_PORT": str(PORT), "TTS_METRICS_PORT": "0", "TTS_CACHE_MB": "0",
        "OMP_NUM_THREADS": "1", "TTS_NEMO_VOCODER": str(write_bigvgan(tmp_path / "bigvgan", channels=16, rates=V1)),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos/gen'}",
    }  # fmt: skip
    with (tmp_path / "tts.log").open("wb") as log:
        command = [sys.executable, "-m", "services.tts"]
        stage = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        probe = [sys.executable, "-m", "deploy.probe", "tts"]
        deadline = time.monotonic() + START_LIMIT_S
        while subprocess.run(probe, env=environment, cwd=ROOT, capture_output=True, check=False).returncode:
            assert stage.poll() is None, (tmp_path / "tts.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(3)
        kit = [sys.executable, "-m", "clients.conformance", "--target", f"127.0.0.1:{PORT}", "--service", "tts"]
        held = subprocess.run(kit, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
        assert held.returncode == 0, held.stdout + held.stderr + (tmp_path / "tts.log").read_text()
    finally:
        stage.send_signal(signal.SIGTERM)
        stage.wait(30)
