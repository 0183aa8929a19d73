"""A GGUF file that is named by its path is held to its hash."""

import hashlib
from pathlib import Path

import pytest

from services.nlu.engines.llama_cpp.hashes import check_hashes
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
    check_hashes(model, sha256)


def test_another_file_is_not(model: Path) -> None:
    model.write_bytes(CONTENT + b"!")
    with pytest.raises(StartupError, match="NLU_MODEL_SHA256"):
        check_hashes(model, HASH)


def test_without_a_hash_the_log_says_so(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_hashes(model, "")
    out, err = capsys.readouterr()
    assert "model_without_hash" in out + err


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"scout-0000{number}-of-00002.gguf" for number in (1, 2)]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_file_of_a_model_in_several_is_held_to_its_hash(shards: list[Path]) -> None:
    hashes = ",".join(map(hash_of, shards))
    check_hashes(shards[0], hashes)
    shards[1].write_bytes(b"other")
    with pytest.raises(StartupError, match=r"scout-00002-of-00002\.gguf is not the file"):
        check_hashes(shards[0], hashes)


def test_one_hash_for_two_files_is_refused(shards: list[Path]) -> None:
    with pytest.raises(StartupError, match=r"has 1 hashes and .* 2 files"):
        check_hashes(shards[0], hash_of(shards[0]))


@pytest.mark.parametrize("form", ["{sha256}  {name}", "{sha256} *{name}", "{sha256}  ./{name}"])
def test_the_sums_beside_a_model_are_held_to(shards: list[Path], form: str) -> None:
    lines = [form.format(sha256=hash_of(path), name=path.name) for path in shards]
    sums = shards[0].with_name("SHA256SUMS")
    sums.write_text("\n".join(lines) + "\n")
    check_hashes(shards[0], "")
    shards[1].write_bytes(b"other")
    with pytest.raises(StartupError, match="SHA256SUMS names"):
        check_hashes(shards[0], "")


def test_sums_that_lack_a_file_are_refused(shards: list[Path]) -> None:
    shards[0].with_name("SHA256SUMS").write_text(f"{hash_of(shards[0])}  {shards[0].name}\n")
    with pytest.raises(StartupError, match=r"does not name scout-00002-of-00002\.gguf"):
        check_hashes(shards[0], "")


def test_a_model_that_lacks_a_file_is_refused(shards: list[Path]) -> None:
    shards[1].unlink()
    with pytest.raises(StartupError, match=r"scout-00002-of-00002\.gguf is not there"):
        check_hashes(shards[0], "")
