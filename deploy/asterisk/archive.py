"""A real Asterisk out of Debian's archive, unpacked into a folder: no root, and the machine stays as it was.

apt verifies the archive's signatures with the machine's own keyring, inside a folder of its own; maintainer scripts
never run. The packages bring their own C library, so the host's age does not matter.
"""

import fcntl
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.runtime.errors import StartupError

Say = Callable[[str], None]

_DEFAULT_MIRROR: Final = "http://deb.debian.org/debian"
_TOOLS: Final = ("apt-get", "dpkg-deb", "dpkg")
_COMMAND_LIMIT_S: Final = 300
_CONTROL_FILES: Final = "var/lib/dpkg/status.d"
"""Folder under the root with the control file of each package that is unpacked there, for bills of materials."""
_CLOSED: Final = (
    "Could not connect",
    "Unable to connect",
    "resolv",
    "timed out",
    "Connection failed",
    "403",
    "407",
    "502",
)
"""Words of apt that mean: no suite can be had from here, try no other."""

_SLIM: Final = tuple(
    line
    for line in (Path(__file__).parent / "packages.txt").read_text(encoding="utf-8").splitlines()
    if line[:1] != "#"
)


@dataclass(frozen=True, slots=True)
class _Source:
    """One attempt: a Debian suite, and whether apt resolves every dependency or we name what is needed."""

    suite: str
    packages: tuple[str, ...]
    is_closure: bool


_SOURCES: Final = (
    _Source("forky", _SLIM, is_closure=False),
    _Source("sid", _SLIM, is_closure=False),
    _Source("sid", ("asterisk",), is_closure=True),  # package names have moved on
    _Source("bullseye", ("asterisk",), is_closure=True),  # Asterisk 16, the last one in a stable release
)


@dataclass(frozen=True, slots=True)
class UnpackedAsterisk:
    """The folders of an unpacked Asterisk."""

    root: Path

    @property
    def modules(self) -> Path:
        return next(self.root.glob("usr/lib/**/asterisk/modules"))

    @property
    def data(self) -> Path:
        return self.root / "usr/share/asterisk"

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs Asterisk: through its own loader, with its own libraries."""
        loader = next(
            path.resolve()
            for pattern in (
                "usr/lib64/ld-linux*",
                "usr/lib/ld-linux*",
                "usr/lib/*-linux-gnu*/ld-linux*",
                "lib/*/ld-[0-9]*",
            )
            for path in sorted(self.root.glob(pattern))
        )
        folders = [*self.root.glob("usr/lib/*-linux-gnu*"), *self.root.glob("lib/*-linux-gnu*"), self.root / "usr/lib"]
        libraries = ":".join(str(folder) for folder in folders)
        return [str(loader), "--library-path", libraries, str(self.root / "usr/sbin/asterisk"), *arguments]

    def version(self) -> str:
        """Return the output of `asterisk -V`. Raises subprocess.SubprocessError when it does not run."""
        return _run(self.command("-V"), limit_s=20).stdout.strip()


def ensure_asterisk(folder: Path, say: Say) -> UnpackedAsterisk:
    """Unpack Asterisk under `folder`, unless it is there. Raises StartupError saying why it cannot be had."""
    unpacked = UnpackedAsterisk(folder.resolve() / "root")
    if _runs(unpacked):
        return unpacked
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise StartupError(
            f"a private Asterisk is unpacked with {', '.join(missing)}, which this machine lacks (it needs Debian or "
            "Ubuntu): install Asterisk 20 or later yourself and set GATEWAY_ARI_URL"
        )
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:  # one process fetches, and the others wait for it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _runs(unpacked):
            _fetch_from_any(folder, unpacked, say)
    return unpacked


def _fetch_from_any(folder: Path, unpacked: UnpackedAsterisk, say: Say) -> None:
    """Unpack it from the first of the sources that has it for this machine. Raises StartupError: none has."""
    fault = ""
    for source in _SOURCES:
        say(f"fetching Asterisk from Debian {source.suite} ({'all its' if source.is_closure else '26'} packages)")
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as scratch:
            fault = _fetch(source, Path(scratch))
            fresh = UnpackedAsterisk(Path(scratch) / "root")
            if not fault and _runs(fresh):
                shutil.rmtree(unpacked.root, ignore_errors=True)
                fresh.root.rename(unpacked.root)
                return
        say(f"  not from {source.suite}: {fault or 'it does not run here'}")
        if any(word in fault for word in _CLOSED):
            raise StartupError(
                f"Debian's archive cannot be reached from here ({fault}): `make pbx` needs it once. "
                "EDGE=grpc needs no Asterisk, and any Asterisk 20 or later serves with GATEWAY_ARI_URL"
            )
    raise StartupError(f"no Asterisk for this machine in Debian's archive ({fault or 'it does not run here'})")


def unpack_package(suite: str, name: str, root: Path) -> None:
    """Unpack one package, without what it depends on, into `root`. Raises StartupError saying why it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="fetch-") as scratch:
        if fault := _fetch(_Source(suite, (name,), is_closure=False), Path(scratch)):
            raise StartupError(f"{name} cannot be had from Debian {suite}: {fault}")
        root.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(scratch) / "root", root)


def _runs(unpacked: UnpackedAsterisk) -> bool:
    try:
        return bool(unpacked.version())
    except (OSError, StopIteration, subprocess.SubprocessError):
        return False


def _fetch(source: _Source, scratch: Path) -> str:
    """Download and unpack; the fault in one line, or nothing."""
    apt = _private_apt(source, scratch)
    downloads = scratch / "downloads"
    downloads.mkdir()
    if source.is_closure:
        fetch = [*apt, "install", "-y", "--no-install-recommends", "--download-only", *source.packages]
        fetch += ["-o", f"Dir::Cache::archives={downloads}"]
        (downloads / "partial").mkdir()
    else:
        fetch = [*apt, "download", *source.packages]
    for command in ([*apt, "update"], fetch):
        try:
            done = _run(command, folder=downloads, is_checked=False)
        except subprocess.TimeoutExpired:
            return "Debian's archive timed out"
        if done.returncode != 0 or "Failed to fetch" in done.stderr:
            return _first_error(done.stderr)
    listing = scratch / "root" / _CONTROL_FILES
    listing.mkdir(parents=True)
    for package in sorted(downloads.glob("*.deb")):
        done = _run(["dpkg-deb", "-x", str(package), str(scratch / "root")], is_checked=False)
        if done.returncode != 0:
            return f"{package.name} cannot be unpacked: {_first_error(done.stderr)}"
        control = _run(["dpkg-deb", "-f", str(package)]).stdout
        (listing / package.stem).write_text(control, encoding="utf-8")
    return ""


def _private_apt(source: _Source, scratch: Path) -> list[str]:
    """apt-get with a world of its own under `scratch`, and the machine's proxy settings and keys."""
    for folder in ("etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "lists/partial", "cache/archives/partial", "dpkg"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "dpkg/status").touch()
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f" signed-by={keyring}" if keyring.exists() else ""
    architecture = _run(["dpkg", "--print-architecture"]).stdout.strip()
    sources = scratch / "etc/apt/sources.list"
    sources.write_text(f"deb [arch={architecture}{signed}] {debian_mirror()} {source.suite} main\n", encoding="utf-8")
    options = {
        "Dir::State": scratch,
        "Dir::State::lists": scratch / "lists",
        "Dir::State::status": scratch / "dpkg/status",
        "Dir::Cache": scratch / "cache",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::Log": scratch,
        "APT::Architecture": architecture,
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",
        "Acquire::Languages": "none",
        "Acquire::Check-Valid-Until": "false",  # a snapshot or a slow mirror may be past its date
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "15",
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
    }
    return ["apt-get", "-q", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]


def debian_mirror() -> str:
    """The Debian mirror this machine already uses, else the archive's own address."""
    for listing in (*Path("/etc/apt/sources.list.d").glob("*"), Path("/etc/apt/sources.list")):
        if listing.suffix not in {".list", ".sources"} or not listing.is_file():
            continue
        text = listing.read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s*)?)(\S+/debian)/?(?:\s|$)", text, re.MULTILINE):
            return found[1]
    return _DEFAULT_MIRROR


def _run(
    command: list[str], *, folder: Path | None = None, limit_s: float = _COMMAND_LIMIT_S, is_checked: bool = True
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (fixed commands)
        command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=is_checked
    )


def _first_error(text: str) -> str:
    """The line that says most; apt names what it could not fetch before it gives up."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "Failed to fetch" in line] or [line for line in lines if line.startswith("E:")]
    return (telling or lines or ["no word why"])[0][:300]
