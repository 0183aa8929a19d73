"""Docker as the commands here use it: a daemon that answers, and the programs docker, docker-buildx, docker-compose.

Every fault is a DockerFault whose message is one line that says what to do. BuildKit and Compose are plugins of the
docker client; where they are not installed, their programs are unpacked from Debian's archive into .cache/docker.
"""

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

from deploy.asterisk.archive import unpack_package
from services.runtime.errors import StartupError

ROOT: Final = Path(__file__).parents[2]
_UNPACKED: Final = ROOT / ".cache" / "docker"
_PLUGINS: Final = "usr/libexec/docker/cli-plugins"
_SUITE: Final = "trixie"  # Compose 2.26 and buildx 0.13: Debian 12's are older than the files here need
_NEW_ENOUGH: Final = {"docker-compose": (2, 24), "docker-buildx": (0, 10)}
_DISK_FULL: Final = "no space left on device"
_STEP: Final = re.compile(r"^#\d+ ([0-9.]+ )?")  # what BuildKit's plain progress puts before each line
_FAILED_STEP: Final = re.compile(r"^#(\d+) ERROR\b")
_LONGEST_CAUSE: Final = 300
HOW_TO_START: Final = "as root: `apt-get install docker.io debootstrap`, then `make docker-start`"


class DockerFault(Exception):
    """Docker cannot do what was asked. The message is one line that says what to do."""


def check_daemon() -> str:
    """The version of the daemon that answers. Raises DockerFault: no docker, no daemon, or no permission."""
    if shutil.which("docker") is None:
        raise DockerFault(f"Docker is not installed: {HOW_TO_START}")
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (docker of PATH)
    if ran.returncode == 0 and ran.stdout.strip():
        return ran.stdout.strip()
    # Where DOCKER_HOST or Docker's context says that the daemon is.
    host = docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", is_checked=False)
    if host.startswith("unix://"):
        _check_socket(Path(host.removeprefix("unix://")))
    raise DockerFault(f"no Docker daemon answers at {host or 'all'} ({last_line(ran.stderr)}): {HOW_TO_START}")


def _check_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except PermissionError:
            raise DockerFault(
                f"you may not use Docker at {path}: `sudo usermod -aG docker $USER` and log in again, or use sudo"
            ) from None
        except FileNotFoundError:
            raise DockerFault(f"no Docker daemon runs: {path} is not there: {HOW_TO_START}") from None
        except OSError as error:
            raise DockerFault(f"no Docker daemon answers at {path} ({error}): {HOW_TO_START}") from None


def docker(*arguments: str, is_checked: bool = True) -> str:
    """The output of a docker command. Raises DockerFault with its last line when it fails."""
    ran = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607 (docker of PATH)
    if is_checked and ran.returncode != 0:
        raise DockerFault(advice(f"docker {arguments[0]}: {last_line(ran.stderr)}"))
    return ran.stdout.strip()


def inspect(name: str) -> dict[str, Any]:
    """Return what Docker knows of an image or a container. Raises DockerFault when there is none."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", name))
    return found[0]


def find_program(name: str) -> str:
    """docker-compose or docker-buildx: on PATH or as a plugin, new enough, else unpacked. Raises DockerFault."""
    places = [shutil.which(name)]
    places += [str(Path(folder) / name) for folder in _plugin_folders()]
    unpacked = _UNPACKED / name / "root"
    places.append(str(unpacked / _PLUGINS / name))
    for place in places:
        if place and _version(place) >= _NEW_ENOUGH[name]:
            return place
    try:
        unpack_package(_SUITE, name, unpacked)
    except StartupError as error:
        wanted = ".".join(map(str, _NEW_ENOUGH[name]))
        raise DockerFault(f"{name} {wanted} or newer is missing: install it ({error})") from error
    return str(unpacked / _PLUGINS / name)


def _plugin_folders() -> list[Path]:
    folders = [Path("/usr/local/lib"), Path("/usr/local/libexec"), Path("/usr/lib"), Path("/usr/libexec")]
    return [Path.home() / ".docker/cli-plugins", *(folder / "docker/cli-plugins" for folder in folders)]


def _version(program: str) -> tuple[int, ...]:
    """Return the version as (2, 26, 1); empty: the command is missing or does not run."""
    try:
        ran = subprocess.run([program, "version"], capture_output=True, text=True, check=False)  # noqa: S603 (found above)
    except OSError:
        return ()
    words = [word.lstrip("v") for word in ran.stdout.split()]
    numbers = next((word for word in words if word[:1].isdigit() and "." in word), "")
    return tuple(int(part) for part in numbers.split("-")[0].split("+")[0].split(".") if part.isdigit())


def run_logged(command: list[str], log: Path) -> str:
    """Run a build with its output in `log`. Returns the line that says most when it fails, else nothing."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as out:
        ran = subprocess.run(  # noqa: S603 (a program found by find_program)
            command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, check=False,
            env=os.environ | {"DOCKER_BUILDKIT": "1"},
        )  # fmt: skip
    if ran.returncode == 0:
        return ""
    return cause_of(log.read_text(encoding="utf-8", errors="replace").splitlines())


def cause_of(lines: list[str]) -> str:
    """The line of a failed build's output that says why: a full disk wherever it is told of, else the last words of the
    step that failed, else the last line with an error.
    """
    for line in lines:
        if _DISK_FULL in line.lower() or "enough free space" in line.lower():
            said = _STEP.sub("", line).strip()[-_LONGEST_CAUSE:]
            return said if _DISK_FULL in said.lower() else f"{said}: {_DISK_FULL}"
    failed = next((found[1] for line in lines if (found := _FAILED_STEP.match(line))), "")
    words = [line for line in lines if failed and re.match(rf"#{failed} [0-9.]+ ", line)]
    if words:
        return _STEP.sub("", words[-1]).strip()[-_LONGEST_CAUSE:]
    return last_line("\n".join([line for line in lines if "ERROR" in line or "error:" in line] or lines))


def advice(said: str) -> str:
    """A line of Docker's, with what to do about it where that is known."""
    if _DISK_FULL in said.lower():
        return f"{said}: the disk is full: `docker builder prune` frees the cache of builds, or give {_root()} more"
    if "address already in use" in said or "port is already allocated" in said:
        return f"{said}: another program has the port: stop it, or set the port's variable in .env"
    if "operation not supported" in said.lower() and ("network" in said or "bridge" in said or "veth" in said):
        return f"{said}: this kernel gives no bridge: without BRIDGE=1 the stack is on the host's network"
    return said


def file_fault(error: OSError) -> str:
    """A file that cannot be written or read, in one line with what to do about it."""
    place = f"{error.filename}: " if error.filename else ""
    return advice(f"{place}{error.strerror or error}")


def _root() -> str:
    return docker("info", "--format", "{{.DockerRootDir}}", is_checked=False) or "/var/lib/docker"


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
