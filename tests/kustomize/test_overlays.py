"""Overlays as kustomize builds them, held against how the other tests read them: `make test-kustomize`.

kustomize is taken from PATH, else built with Go into .cache/bin at a pinned version.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.test_manifests import ROOT, read_kustomizations

VERSION = "v5.7.1"
_BIN = ROOT / ".cache" / "bin"


@pytest.fixture(scope="module")
def kustomize() -> str:
    """The program."""
    if found := shutil.which("kustomize"):
        return found
    place = _BIN / f"kustomize-{VERSION}"
    if not place.is_file():
        go = shutil.which("go") or "/usr/local/go/bin/go"
        _BIN.mkdir(parents=True, exist_ok=True)
        command = [go, "install", f"sigs.k8s.io/kustomize/kustomize/v5@{VERSION}"]
        subprocess.run(command, env=os.environ | {"GOBIN": str(_BIN)}, check=True)
        (_BIN / "kustomize").rename(place)
    return str(place)


def by_name(documents: list[Any]) -> dict[tuple[str, str], Any]:
    return {(each["kind"], each["metadata"]["name"]): each for each in documents}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["stack", "gpu"])
def test_kustomize_makes_the_resources_that_the_other_tests_read(name: str, kustomize: str) -> None:
    folder = ROOT / "deploy" / "kubernetes" / name
    ran = subprocess.run([kustomize, "build", str(folder)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    made = by_name([document for document in yaml.safe_load_all(ran.stdout) if document])
    read = by_name(read_kustomizations()[name])
    assert made.keys() == read.keys()
    tags = {"gpu": {"tong-dai/nlu": "tong-dai/nlu:cuda", "tong-dai/tts": "tong-dai/tts:nemo"}}.get(name, {})
    for key, document in read.items():
        assert made[key].get("metadata", {}).get("namespace") == (None if key[0] == "Namespace" else "tong-dai")
        if "spec" not in document:
            continue
        pod = document["spec"].get("template", {}).get("spec", {})
        for container in pod.get("containers", []):
            container["image"] = tags.get(container["image"], container["image"])
        assert made[key]["spec"] == document["spec"], key


@pytest.mark.timeout(600)
def test_an_image_is_set_by_digest(kustomize: str, tmp_path: Path) -> None:
    """docs/DEPLOY.md upgrades and goes back in this way."""
    shutil.copytree(ROOT / "deploy" / "kubernetes", tmp_path / "kubernetes")
    folder = tmp_path / "kubernetes" / "stack"
    image = "registry.example/tong-dai/nlu@sha256:" + "a" * 64
    subprocess.run([kustomize, "edit", "set", "image", f"tong-dai/nlu={image}"], cwd=folder, check=True)
    built = subprocess.run([kustomize, "build", str(folder)], capture_output=True, text=True, check=True).stdout
    made = by_name([document for document in yaml.safe_load_all(built) if document])
    (container,) = made["StatefulSet", "nlu"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == image
