"""The base of every image: pulled by digest where a registry is reached, else made here from Debian's archive.

deploy/docker/images.toml names both. The image is called tong-dai/base, whichever it is.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.asterisk.archive import debian_mirror
from deploy.containers.docker import DockerFault, advice, docker, last_line
from deploy.model_sources import answers

Say = Callable[[str], None]

NAME: Final = "tong-dai/base"
_ANSWER_LIMIT_S: Final = 5.0
_USELESS: Final = (
    "var/cache/apt/*.bin", "var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "var/log/*.log", "var/log/apt/*",
    "usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "usr/share/info/*",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BasePlan:
    """The section of images.toml about the base image."""

    registry: str  # a reference with its digest
    suite: str
    packages: tuple[str, ...]

    @property
    def host(self) -> str:
        """The registry's own host, as in registry-1.docker.io."""
        host = self.registry.split("/", 1)[0]
        return "registry-1.docker.io" if host == "docker.io" else host


def ensure_base(plan: BasePlan, say: Say, *, is_fresh: bool = False, name: str = NAME) -> str:
    """Have the image `name`, and say where it is from. Returns its id. Raises DockerFault."""
    found = docker("image", "inspect", "--format", "{{.Id}}", name, is_checked=False)
    if found and not is_fresh:
        label = '{{index .Config.Labels "org.opencontainers.image.base.name"}}'
        origin = docker("image", "inspect", "--format", label, name) or "pulled"
        say(f"base: {name} is here ({origin})")
        return found
    began = time.monotonic()
    if plan.registry and answers(f"https://{plan.host}/v2/", _ANSWER_LIMIT_S):
        try:
            docker("pull", plan.registry)
        except DockerFault as fault:
            say(f"base: {plan.host} does not give {plan.registry} ({fault})")
        else:
            docker("tag", plan.registry, name)
            say(f"base: pulled {plan.registry} in {time.monotonic() - began:.0f} s")
            return docker("image", "inspect", "--format", "{{.Id}}", name)
    say(f"base: {name}: no registry of images is reached: making it from Debian {plan.suite} with debootstrap")
    made = _make(plan, name)
    say(f"base: made in {time.monotonic() - began:.0f} s")
    return made


def _make(plan: BasePlan, name: str) -> str:
    if shutil.which("debootstrap") is None:
        raise DockerFault("debootstrap is missing, and no registry of images is reached: apt-get install debootstrap")
    if os.geteuid() != 0:
        raise DockerFault(f"debootstrap needs root: run `sudo make images` once; {name} is kept and serves everybody")
    with tempfile.TemporaryDirectory(prefix="base-", dir="/var/tmp") as scratch:
        root = Path(scratch) / "root"
        packages = ",".join(plan.packages)
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", plan.suite, str(root), debian_mirror()]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (a fixed command)
        if ran.returncode != 0:
            raise DockerFault(advice(f"debootstrap failed: {last_line(ran.stdout + ran.stderr)}"))
        _trim(root)
        archive = Path(scratch) / "base.tar"
        _pack(root, archive)
        label = f"debian:{plan.suite} by debootstrap from {debian_mirror()}"
        changes = ["ENV LANG=C.UTF-8", 'CMD ["python3"]', f'LABEL org.opencontainers.image.base.name="{label}"']
        options = [part for change in changes for part in ("--change", change)]
        return docker("import", *options, str(archive), name)


def _pack(root: Path, archive: Path) -> None:
    command = ["tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), "."]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (a fixed command)
    if ran.returncode != 0:
        raise DockerFault(advice(ran.stderr.strip().partition("\n")[0]))


def _trim(root: Path) -> None:
    """Leave out what no container reads; licences stay."""
    for pattern in _USELESS:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                _keep_licences(path) if pattern.startswith("usr/share/doc") else shutil.rmtree(path)
            else:
                path.unlink()
    (root / "usr/bin/python").symlink_to("python3")
    sources = root / "etc/apt/sources.list"
    text = sources.read_text(encoding="utf-8") if sources.is_file() else ""
    sources.write_text(re.sub(r"^deb-src.*\n", "", text, flags=re.MULTILINE), encoding="utf-8")


def _keep_licences(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "copyright" and not path.is_symlink():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
