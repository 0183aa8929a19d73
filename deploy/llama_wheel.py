"""Have llama-cpp-python in this environment: `python -m deploy.llama_wheel`.

Its package is source only. So, in this order: it is here already; a wheel compiled before is in the cache; a ready
wheel is to be had, in a folder (TONG_DAI_LLAMA_WHEELS, UV_FIND_LINKS) or, where TONG_DAI_LLAMA_WHEEL_SHA256 names its
hash, from an index; it is compiled, once, into the cache, from the archive whose hash the lock file pins. Native code
is installed by the hash of its file alone.
"""

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.model_sources import Say, answers
from deploy.settings import StackSettings, read_stack_settings
from deploy.uv import find_uv
from services.runtime.errors import StartupError
from services.runtime.models import sha256_of

_ROOT = Path(__file__).parents[1]
_NAME = "llama-cpp-python"
_SKIPPED = (
    "-DLLAVA_BUILD=OFF",  # pictures
    "-DLLAMA_OPENSSL=OFF",  # model downloads
)
_SKIPPED_TOO = _ROOT / "deploy" / "llama_cpp.cmake"  # the library of the command-line tools
_STEP = re.compile(r"^\s*\[(\d+)/(\d+)\]")
_WORD_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """The package's section of the lock file."""

    version: str
    sha256: str  # of the source archive


def ensure_llama(settings: StackSettings, say: Say) -> None:
    """Install llama-cpp-python in the lock file's version, the quickest way there is.

    Raises StartupError, with the command that mends it, when it can be neither found nor compiled.
    """
    locked = read_lock()
    if _installed_version() == locked.version:
        return
    cache = settings.wheels_dir / wheel_key(locked.version)
    if not list(cache.glob("*.whl")):
        if _install_ready_wheel(locked, settings, say):
            return
        _compile(locked, cache, say)
    say(f"{_NAME} {locked.version}: installing the wheel in {cache}")
    if fault := _pip_install(locked.version, hashes_in(cache), "--no-index", "--find-links", str(cache)):
        raise StartupError(f"the wheel in {cache} cannot be installed ({fault}); remove that folder and start again")


def read_lock(path: Path = _ROOT / "uv.lock") -> LockedPackage:
    """The version and hash that uv.lock pins."""
    packages = tomllib.loads(path.read_text(encoding="utf-8"))["package"]
    found = next(package for package in packages if package["name"] == _NAME)
    return LockedPackage(found["version"], found["sdist"]["hash"].removeprefix("sha256:"))


def wheel_key(version: str) -> str:
    """Names the machines one compiled wheel serves."""
    return f"{_NAME}-{version}-{hashlib.sha256(' '.join(wheel_inputs()).encode()).hexdigest()[:12]}"


def wheel_inputs() -> list[str]:
    """Return what a compiled wheel depends on beside its version: the flags, and this processor, all of whose
    instructions the compiler uses.
    """
    skipped = [*_SKIPPED, _SKIPPED_TOO.read_text(encoding="utf-8")]
    return [*skipped, *_own_flags(), platform.machine(), *sorted(_cpu_flags())]


def _own_flags() -> list[str]:
    """Return the user's own flags for CMake, which come last and so win."""
    return os.environ.get("CMAKE_ARGS", "").split()


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {platform.processor()}
    return next((set(line.split()[2:]) for line in lines if line.startswith(("flags", "Features"))), set())


def _installed_version() -> str | None:
    try:
        return importlib.metadata.version(_NAME)
    except importlib.metadata.PackageNotFoundError:
        return None


def _install_ready_wheel(locked: LockedPackage, settings: StackSettings, say: Say) -> bool:
    """Return whether a wheel made by others was found and runs here."""
    places: list[tuple[str, list[str], list[str]]] = []
    for named in (settings.llama_wheels, os.environ.get("UV_FIND_LINKS", "")):
        folder = Path(named).expanduser()
        if named and folder.is_dir() and (found := hashes_in(folder)):
            places.append((named, found, ["--no-index", "--find-links", str(folder)]))
    wanted = [part.strip() for part in settings.llama_wheel_sha256.split(",") if part.strip()]
    if wanted:
        places.append(("the package index", wanted, []))
        if settings.llama_wheels.startswith("http") and answers(settings.llama_wheels, limit_s=4.0):
            places.append((settings.llama_wheels, wanted, ["--index", settings.llama_wheels]))
    for place, hashes, options in places:
        if _pip_install(locked.version, hashes, *options) is not None:
            continue
        if _runs():
            say(f"{_NAME} {locked.version}: installed a ready wheel ({place})")
            return True
        say(f"{_NAME}: the ready wheel ({place}) does not run on this machine")
    return False


def hashes_in(folder: Path) -> list[str]:
    """The sha256 of the package's wheels in a folder of this machine: those that stand in its SHA256SUMS where it has
    one, else those that the files have now.
    """
    sums = folder / "SHA256SUMS"
    if sums.is_file():
        lines = [line.split() for line in sums.read_text(encoding="utf-8").splitlines()]
        return [line[0] for line in lines if len(line) == 2 and line[1].endswith(".whl")]
    return [sha256_of(wheel) for wheel in sorted(folder.glob(f"{_NAME.replace('-', '_')}-*.whl"))]


def _pip_install(version: str, hashes: Iterable[str], *options: str) -> str | None:
    """Install a wheel with one of these sha256, never compiling; what went wrong, or None."""
    command = [
        _uv(),
        "pip",
        "install",
        "--quiet",
        "--python",
        sys.executable,
        "--no-deps",
        "--reinstall-package",
        _NAME,
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirements:
        requirements.write(f"{_NAME}=={version} {' '.join(f'--hash=sha256:{each}' for each in hashes)}\n")
        requirements.flush()
        command += ["--only-binary", _NAME, *options, "--require-hashes", "--requirement", requirements.name]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (a fixed command)
    return None if run.returncode == 0 else (run.stderr.strip().splitlines() or ["no word from uv"])[-1]


def _runs() -> bool:
    check = [sys.executable, "-c", "import llama_cpp; llama_cpp.llama_backend_init()"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0  # noqa: S603 (a fixed command)


def _compile(locked: LockedPackage, cache: Path, say: Say) -> None:
    """Leave a wheel in `cache`, saying how far the compiler is."""
    compiler = os.environ.get("CXX", "c++").split()[0]
    if not (shutil.which(compiler) or shutil.which("g++")):
        raise StartupError(f"{_NAME} must be compiled here and there is no C++ compiler: apt-get install g++")
    cache.mkdir(parents=True, exist_ok=True)
    say(f"{_NAME} {locked.version}: no ready wheel; compiling it once (3 to 5 minutes on two idle cores)")
    requirements = cache / "requirements.txt"
    requirements.write_text(f"{_NAME}=={locked.version} --hash=sha256:{locked.sha256}\n", encoding="utf-8")
    log = cache / "build.log"
    unfinished = cache / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [_uv(), "tool", "run", "--python", sys.executable, "pip", "wheel", "--verbose", "--no-deps"]
    command += ["--no-binary", _NAME, "--require-hashes", "--requirement", str(requirements)]
    # pip's own cache knows nothing of flags: it would hand out a wheel that was compiled with others.
    command += ["--wheel-dir", str(unfinished), "--no-cache-dir"]
    flags = [*_SKIPPED, f"-DCMAKE_PROJECT_llama_cpp_INCLUDE={_SKIPPED_TOO}", *_own_flags()]
    environment = os.environ | {"CMAKE_ARGS": " ".join(flags)}
    began = time.monotonic()
    with subprocess.Popen(  # noqa: S603 (a fixed command)
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as build:
        assert build.stdout is not None  # noqa: S101 (a pipe was asked for)
        _follow(build.stdout, log, began, say)
    wheels = list(unfinished.glob("*.whl"))
    if build.returncode != 0 or not wheels:
        raise StartupError(f"{_NAME} could not be compiled ({_complaint(log)}); the whole story is in {log}")
    wheel = wheels[0].rename(cache / wheels[0].name)
    (cache / "SHA256SUMS").write_text(f"{sha256_of(wheel)}  {wheel.name}\n", encoding="utf-8")
    shutil.rmtree(unfinished)
    say(f"{_NAME} {locked.version}: compiled in {time.monotonic() - began:.0f} s")


def _follow(output: Iterator[str], log: Path, began: float, say: Say) -> None:
    """Write the build's words to `log` and its progress, now and then, to the user."""
    next_word = began + _WORD_EVERY_S
    progress = "fetching and unpacking"
    with log.open("w", encoding="utf-8") as out:
        for line in output:
            out.write(line)
            if step := _STEP.match(line):
                done, of = int(step[1]), int(step[2])
                progress = f"[{done}/{of}] {100 * done // of:3d}%"
            if (now := time.monotonic()) >= next_word:
                next_word = now + _WORD_EVERY_S
                say(f"{_NAME}: {progress}  {now - began:.0f} s")


def _complaint(log: Path) -> str:
    """The line of a build log that says most."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return (errors or lines or ["nothing was said"])[0][:200]


def _uv() -> str:
    if (uv := find_uv()) is None:
        raise StartupError("uv is missing; run this by way of make or deploy/environment.sh, which fetch it")
    return uv


def main() -> int:
    try:
        ensure_llama(read_stack_settings(), lambda line: print(f"  {line}", flush=True))
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
