"""Choice of the wheel of llama-cpp-python that serves this machine."""

import hashlib
from pathlib import Path

import pytest

from deploy.llama_wheel import hashes_in, read_lock, wheel_inputs, wheel_key


def test_the_lock_file_pins_version_and_source():
    locked = read_lock()
    assert locked.version
    assert len(locked.sha256) == 64


def test_other_flags_or_another_version_are_another_wheel(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    plain = wheel_key("0.3.36")
    assert plain == wheel_key("0.3.36")
    assert plain != wheel_key("0.3.37")
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=ON")
    assert plain != wheel_key("0.3.36")


def test_another_clone_of_the_project_takes_the_same_wheel():
    assert str(Path(__file__).parents[3]) not in " ".join(wheel_inputs())


def test_a_wheel_is_installed_by_the_hash_its_folder_says(tmp_path: Path):
    (tmp_path / "llama_cpp_python-0.3.36-py3-none-any.whl").write_bytes(b"as it was")
    as_it_was = hashlib.sha256(b"as it was").hexdigest()
    assert hashes_in(tmp_path) == [as_it_was]
    (tmp_path / "SHA256SUMS").write_text(f"{as_it_was}  llama_cpp_python-0.3.36-py3-none-any.whl\n")
    (tmp_path / "llama_cpp_python-0.3.36-py3-none-any.whl").write_bytes(b"as it must not be")
    assert hashes_in(tmp_path) == [as_it_was], "uv refuses the file that is there"
    assert hashes_in(tmp_path / "nothing") == []
