"""An XTTS v2 with tiny random weights, made once by the Python of deploy/clone."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch, in the processes started here
PYTHON = ROOT / ".cache" / "clone-venv" / "bin" / "python"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder. Coqui's own code has written it."""
    folder = tmp_path_factory.mktemp("xtts") / "tiny"
    subprocess.run([PYTHON, ROOT / "tests/clone/tiny.py", folder], check=True, timeout=600)
    return folder
