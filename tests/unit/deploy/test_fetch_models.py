"""Where models come from: sources in order, whole or not at all."""

import hashlib
from pathlib import Path

import pytest

from deploy.fetch_models import fetch_file
from deploy.model_sources import FolderSource, Say, SourceFailed
from services.runtime.errors import StartupError
from services.runtime.models import Model, ModelFile

RIGHT = b"the weights"
FILE = ModelFile("weights.bin", len(RIGHT), hashlib.sha256(RIGHT).hexdigest(), "https://hub.invalid/weights.bin", ())
MODEL = Model("tiny", "One file.", "MIT", True, (FILE,))


class Memory:
    """A source that gives what it was made with; nothing: it fails."""

    def __init__(self, name: str, content: bytes | None) -> None:
        self.name, self._content, self.asked = name, content, 0

    def fetch(self, model: str, file: ModelFile, target: Path, say: Say) -> None:
        self.asked += 1
        if self._content is None:
            raise SourceFailed("closed")
        target.write_bytes(self._content)


def fetch(models_dir: Path, *sources: Memory | FolderSource) -> Path:
    fetch_file(MODEL, FILE, models_dir, sources, lambda _line: None)
    return models_dir / "tiny" / "weights.bin"


def test_the_first_source_that_has_the_file_is_the_last_one_asked(tmp_path: Path):
    hub, packages = Memory("hub", RIGHT), Memory("packages", RIGHT)
    assert fetch(tmp_path, hub, packages).read_bytes() == RIGHT
    assert (hub.asked, packages.asked) == (1, 0)


def test_a_source_that_fails_is_passed_over(tmp_path: Path):
    assert fetch(tmp_path, Memory("hub", None), Memory("packages", RIGHT)).read_bytes() == RIGHT


def test_wrong_bytes_are_thrown_away_and_the_next_source_is_asked(tmp_path: Path):
    place = fetch(tmp_path, Memory("hub", b"a web page!"), Memory("packages", RIGHT))
    assert place.read_bytes() == RIGHT
    assert [path.name for path in place.parent.iterdir()] == ["weights.bin"]


def test_when_nobody_has_it_the_error_says_who_said_what(tmp_path: Path):
    with pytest.raises(StartupError, match=r"hub: closed; packages: .*corrupt.*TONG_DAI_MODELS_SOURCE_DIR"):
        fetch(tmp_path, Memory("hub", None), Memory("packages", b"the weightX"))
    assert not (tmp_path / "tiny" / "weights.bin").exists()


def test_a_local_folder_is_laid_out_like_the_models_themselves(tmp_path: Path):
    (tmp_path / "usb" / "tiny").mkdir(parents=True)
    (tmp_path / "usb" / "tiny" / "weights.bin").write_bytes(RIGHT)
    assert fetch(tmp_path / "models", FolderSource(tmp_path / "usb")).read_bytes() == RIGHT
