"""A GGUF file that is named by its path is held to its hash."""

import hashlib
from pathlib import Path

import pytest

from services.nlu.engines.llama_cpp.engine import check_hash
from services.runtime.errors import StartupError

CONTENT = b"GGUF and more"
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("sha256", [HASH, HASH.upper()])
def test_the_file_of_the_hash_is_taken(model: Path, sha256: str) -> None:
    check_hash(model, sha256)


def test_another_file_is_not(model: Path) -> None:
    model.write_bytes(CONTENT + b"!")
    with pytest.raises(StartupError, match="NLU_MODEL_SHA256"):
        check_hash(model, HASH)


def test_without_a_hash_the_log_says_so(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_hash(model, "")
    out, err = capsys.readouterr()
    assert "model_without_hash" in out + err
