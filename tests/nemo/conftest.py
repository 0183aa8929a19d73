"""One folder of tiny models for the whole run."""

import warnings
from pathlib import Path

import pytest
import torch

from tests.nemo.tiny import write_models

warnings.filterwarnings("ignore")
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of the speaking stage with tiny models, by name in the environment."""
    return write_models(tmp_path_factory.mktemp("nemo"))


@pytest.fixture(scope="session")
def device() -> str:
    """A GPU where there is one."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="session")
def folder(settings: dict[str, str]) -> Path:
    """The folder of the NeMo models."""
    return Path(settings["TTS_NEMO_VOCODER"]).parent
