"""Build every image, print its size, its layers' causes and its time, and hold it to its budget: `make images`.

python -m deploy.containers.images [NAME ...] [--fresh-base]

deploy/docker/images.toml lists the images and their budgets. Beside out/images/<name>.cdx.json, the bill of materials,
lies out/images/images.env with the id of every image: `docker compose --env-file` runs exactly those, now or later.
"""

import argparse
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from deploy.containers import sbom
from deploy.containers.base import NAME as BASE
from deploy.containers.base import BasePlan, ensure_base
from deploy.containers.docker import (
    ROOT,
    DockerFault,
    advice,
    check_daemon,
    docker,
    file_fault,
    find_program,
    inspect,
    run_logged,
)
from deploy.containers.gpu_images import build_args

TABLE: Final = ROOT / "deploy" / "docker" / "images.toml"
OUT: Final = ROOT / "out" / "images"
_CA: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_COMPILERS: Final = ("cc", "gcc", "g++", "c++", "clang", "ld", "as", "make", "cmake", "nvcc", "rustc")
_CHECK: Final = f"id -u; for tool in {' '.join(_COMPILERS)}; do command -v $tool; done; true"
_SMALL_MB: Final = 1.0


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """One row of images.toml."""

    name: str
    about: str
    dockerfile: str
    budget_mb: float
    parts: dict[str, str]  # the large parts, and why they are there
    tag: str = ""
    is_for_gpus: bool = False  # built only when it is named

    @property
    def variable(self) -> str:
        """The variable that compose.yaml names the image by."""
        return f"TONG_DAI_{self.name.upper().replace('-', '_')}_IMAGE"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, and the instruction that made it."""

    size_mb: float
    cause: str


def read_table(path: Path = TABLE) -> tuple[BasePlan, list[ImagePlan]]:
    """The base and the images."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    base = table["base"]
    return BasePlan(base["registry"], base["suite"], tuple(base["packages"])), [
        ImagePlan(**{"tag": f"tong-dai/{each['name']}", **each}) for each in table["image"]
    ]


def over_budget(image: ImagePlan, size_mb: float) -> str:
    """The complaint about an image that is too large; empty: it is not."""
    if size_mb <= image.budget_mb:
        return ""
    if not image.budget_mb:
        return f"{image.tag} has no budget yet: it is {size_mb:.0f} MB"
    return (
        f"{image.tag} is {size_mb:.0f} MB, its budget {image.budget_mb:.0f} MB: see which layer grew, "
        f"and take it out or say in {TABLE.relative_to(ROOT)} why it is needed"
    )


def layers_of(history: str) -> list[Layer]:
    """The layers in what `docker history --no-trunc --human=false` printed, as size, tab, cause."""
    layers = []
    for line in history.splitlines():
        size, _, cause = line.partition("\t")
        words = " ".join(cause.replace("/bin/sh -c", "").replace("# buildkit", "").replace("#(nop)", "").split())
        layers.append(Layer(int(size) / 1e6, words or "the base"))
    return layers


def check_image(tag: str) -> None:
    """Run the image as the stack does. Raises DockerFault: it is root's, or holds a compiler."""
    said = docker(
        *("run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL"),
        "--entrypoint",
        "sh",
        tag,
        "-c",
        _CHECK,
    ).split()
    if said[:1] == ["0"]:
        raise DockerFault(f"{tag} runs as root: its Dockerfile lacks USER 10001")
    if said[1:]:
        raise DockerFault(f"{tag} holds what it must not: {', '.join(said[1:])}: leave it in the build stage")


def build(image: ImagePlan, buildx: str, labels: dict[str, str]) -> float:
    """Build one image with BuildKit. Returns the seconds it took. Raises DockerFault."""
    args = build_args(image.name, buildx, lambda line: print(line, flush=True)) if image.is_for_gpus else {}
    if image.name != "nlu-cuda":
        args["BASE"] = BASE
    command = [buildx, "build", "--network", "host", "--file", image.dockerfile, "--tag", image.tag, "--load"]
    command += ["--progress", "plain"]
    for name, value in args.items():
        command += ["--build-arg", f"{name}={value}"]
    for name, value in labels.items():
        command += ["--label", f"{name}={value}"]
    if _CA.is_file():
        command += ["--secret", f"id=ca,src={_CA}"]
    log = OUT / f"{image.name}.log"
    began = time.monotonic()
    if fault := run_logged([*command, "."], log):
        raise DockerFault(advice(f"{image.tag} cannot be built, see {log}: {fault}"))
    return time.monotonic() - began


def labels_of(image: ImagePlan, base_id: str) -> dict[str, str]:
    """The labels of OCI's image specification."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "org.opencontainers.image"
    return {
        f"{prefix}.title": image.tag,
        f"{prefix}.description": image.about,
        f"{prefix}.version": project["version"],
        f"{prefix}.licenses": project["license"],
        f"{prefix}.revision": _revision(),
        f"{prefix}.base.name": BASE,
        f"{prefix}.base.digest": base_id,
    }


def _revision() -> str:
    ran = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    return ran.stdout.strip() or "unknown"


def write_sbom(image: ImagePlan, image_id: str, version: str) -> Path:
    """Leave the bill of materials in out/images. Raises DockerFault."""
    listing = docker("run", "--rm", "--network", "none", "--entrypoint", "python", image.tag, "-c", sbom.LISTING)
    packages = sbom.read_listing(listing)
    hashes = sbom.read_hashes(ROOT / "uv.lock")
    document = sbom.make_sbom(image.tag, image_id, version, packages, hashes, now=datetime.now(UTC))
    path = OUT / f"{image.name}.cdx.json"
    path.write_text(sbom.to_json(document), encoding="utf-8")
    return path


def report(image: ImagePlan, base_mb: float, seconds: float) -> str:
    """Print an image's size with its layers' causes. Returns the complaint when it is over its budget."""
    about = inspect(image.tag)
    size_mb = about["Size"] / 1e6
    history = docker("history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", image.tag)
    print(f"{image.tag}  {size_mb:.1f} MB of {image.budget_mb:.0f}, built in {seconds:.0f} s  {about['Id'][:19]}")
    print(f"  {base_mb:8.1f} MB  base: {image.parts['base']}")
    for layer in reversed(layers_of(history)):
        if layer.size_mb >= _SMALL_MB and layer.size_mb != base_mb:
            because = f": {image.parts['packages']}" if "venv" in layer.cause else ""
            print(f"  {layer.size_mb:8.1f} MB  {layer.cause[:70]}{because}")
    return over_budget(image, size_mb)


def build_all(names: Sequence[str], *, is_base_fresh: bool) -> list[str]:
    """Build, check and report the images `names`; none: all. Returns the complaints. Raises DockerFault."""
    base, images = read_table()
    wanted = [image for image in images if image.name in names or not (names or image.is_for_gpus)]
    if unknown := set(names) - {image.name for image in images}:
        raise DockerFault(f"no such image: {', '.join(sorted(unknown))}: there are {', '.join(i.name for i in images)}")
    print(f"Docker {check_daemon()}", flush=True)
    buildx = find_program("docker-buildx")
    base_id = ensure_base(base, lambda line: print(line, flush=True), is_fresh=is_base_fresh)
    base_mb = inspect(BASE)["Size"] / 1e6
    complaints = []
    for image in wanted:
        labels = labels_of(image, base_id)
        seconds = build(image, buildx, labels)
        check_image(image.tag)
        complaints.append(report(image, base_mb, seconds))
        place = write_sbom(image, inspect(image.tag)["Id"], labels["org.opencontainers.image.version"])
        print(f"            bill of materials: {place.relative_to(ROOT)}", flush=True)
    _write_ids(images)
    return [complaint for complaint in complaints if complaint]


def _write_ids(images: Sequence[ImagePlan]) -> None:
    """The ids of all images that are here, for `docker compose --env-file`."""
    found = {
        image.variable: docker("image", "inspect", "--format", "{{.Id}}", image.tag, is_checked=False)
        for image in images
    }
    lines = [f"{variable}={image_id}\n" for variable, image_id in found.items() if image_id]
    (OUT / "images.env").write_text("".join(lines), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.containers.images", description="Build the images.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="images of deploy/docker/images.toml; none: all")
    parser.add_argument("--fresh-base", action="store_true", help="make or pull the base once more")
    asked = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        complaints = build_all(asked.names, is_base_fresh=asked.fresh_base)
    except DockerFault as fault:
        print(fault, file=sys.stderr)
        return 1
    except OSError as error:
        print(file_fault(error), file=sys.stderr)
        return 1
    print(f"all in {time.monotonic() - began:.0f} s; ids in out/images/images.env")
    print(*complaints, sep="\n", end="\n" if complaints else "", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
