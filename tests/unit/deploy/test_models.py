"""The table of models, and that wrong bytes are never taken for a model."""

import hashlib
import re
from pathlib import Path

import pytest

from services.runtime.errors import StartupError
from services.runtime.models import find_model, model_dir, read_models, read_sources

TABLE = """
[[model]]
name = "tiny"
about = "Two files."
licence = "MIT"
is_default = true
hub = "https://hub.invalid/tiny"

[[model.file]]
name = "weights.bin"
hub_name = "weights-q4.bin"
size_bytes = 6
sha256 = "{sha256}"
parts = [{{ package = "tiny-1==1.0", path = "tiny_1/a" }}, {{ package = "tiny-2==1.0", path = "tiny_2/b" }}]
"""


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with one model of six bytes, beside a table that knows it."""
    (tmp_path / "models.toml").write_text(TABLE.format(sha256=hashlib.sha256(b"abcdef").hexdigest()))
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "weights.bin").write_bytes(b"abcdef")
    return tmp_path


def find_tiny(models_dir: Path) -> Path:
    return model_dir(models_dir, "tiny", models_dir / "models.toml")


def test_a_file_with_the_right_bytes_is_given_out(models_dir: Path):
    assert find_tiny(models_dir) == models_dir / "tiny"


def test_a_corrupt_file_is_refused_with_the_command_that_mends_it(models_dir: Path):
    (models_dir / "tiny" / "weights.bin").write_bytes(b"abcdeX")
    with pytest.raises(StartupError, match=r"weights\.bin is corrupt .* make models MODELS=tiny"):
        find_tiny(models_dir)


def test_a_cut_file_is_refused_by_its_size(models_dir: Path):
    (models_dir / "tiny" / "weights.bin").write_bytes(b"abc")
    with pytest.raises(StartupError, match="3 bytes, not 6"):
        find_tiny(models_dir)


def test_a_missing_file_is_named(models_dir: Path):
    (models_dir / "tiny" / "weights.bin").unlink()
    with pytest.raises(StartupError, match=r"tiny/weights\.bin is missing"):
        find_tiny(models_dir)


def test_an_unknown_name_lists_the_names_there_are():
    with pytest.raises(StartupError, match="whisper-base"):
        find_model("no-such-model")


def test_the_committed_table_is_whole():
    models = read_models()
    assert {"whisper-base", "silero-vad", "qwen2.5-0.5b-instruct", "piper-en-joe"} <= models.keys()
    for model in models.values():
        assert model.licence
        for file in model.files:
            assert len(file.sha256) == 64
            assert file.url.startswith("https://")
            assert all(re.fullmatch(r"npm:[\w-]+@[\d.]+|[\w.-]+==[\w.]+", part.package) for part in file.parts)


def test_a_model_that_is_got_by_hand_says_where_from_and_under_which_licence():
    source = read_sources()["llama-4-scout-17b-16e-instruct"]
    assert source.hub.startswith("https://huggingface.co/unsloth/")
    with pytest.raises(StartupError, match=r"Llama 4 Community License.*00001-of-00002.*SHA256SUMS") as refused:
        find_model(source.name)
    assert "\n" not in str(refused.value)
    assert all(re.fullmatch(r"([0-9a-f]{64})?", sha256) for _, sha256 in source.files)
