"""Build llama-server: `python -m deploy.llama_server` prints where the binary is.

`make load STAGE=nlu ENGINE=llama_cpp` measures it too; tests/llama_server holds the engine `openai` to it.

The sources are those of the archive that the lock file pins by its hash, the libraries those of the installed wheel, so
both compute with the same code: half an hour on two busy cores, once. LLAMA_SOURCE names sources that are there already
(vendor/llama.cpp of an unpacked archive).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import llama_cpp

from deploy.llama_wheel import LockedPackage, read_lock
from deploy.uv import find_uv
from services.runtime.errors import StartupError
from services.runtime.models import sha256_of

_ROOT = Path(__file__).parents[2]
_NAME = "llama-cpp-python"


def binary_of(version: str) -> Path:
    """Return where the server of a version is built."""
    return _ROOT / ".cache" / f"llama-server-{version}" / "server" / "llama-server"


def build() -> Path:
    """The binary, built where it is not there yet. Raises StartupError."""
    locked = read_lock()
    binary = binary_of(locked.version)
    if binary.is_file():
        return binary
    if missing := [tool for tool in ("cmake", "ninja", "c++") if not shutil.which(tool)]:
        raise StartupError(
            f"llama-server is compiled here, and {missing[0]} is missing: apt-get install cmake ninja-build g++"
        )
    folder = binary.parents[1]
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(os.environ.get("LLAMA_SOURCE") or _unpack(locked, Path(scratch)))
        libraries = Path(llama_cpp.__file__).resolve().parent / "lib"
        configure = ["cmake", "-G", "Ninja", "-S", str(Path(__file__).parent), "-B", str(folder)]
        _run([*configure, f"-DLLAMA_SOURCE={source}", f"-DLLAMA_LIBRARIES={libraries}"])
        _run(["cmake", "--build", str(folder), "--target", "llama-server"])
    return binary


def _unpack(locked: LockedPackage, scratch: Path) -> Path:
    """The llama.cpp of the package's archive, whose hash is the lock file's."""
    if (uv := find_uv()) is None:
        raise StartupError("uv is missing; run this by way of make, which fetches it")
    command = [uv, "tool", "run", "--python", sys.executable, "pip", "download", "--no-deps", "--no-binary", _NAME]
    _run([*command, "--dest", str(scratch), f"{_NAME}=={locked.version}"])
    archive = next(iter(scratch.glob("*.tar.gz")), None)
    if archive is None or sha256_of(archive) != locked.sha256:
        raise StartupError(f"the archive of {_NAME} {locked.version} is not the one that uv.lock pins")
    with tarfile.open(archive) as content:
        content.extractall(scratch, filter="data")
    return next(scratch.glob("*/vendor/llama.cpp"))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, stdout=sys.stderr)  # noqa: S603 (fixed commands)
    if done.returncode:
        raise StartupError(f"{' '.join(command[:2])} failed")


def main() -> int:
    try:
        print(build())
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
