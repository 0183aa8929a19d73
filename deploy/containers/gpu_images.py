"""The parts of the GPU images on machines where no registry of images, or no index of torch wheels, is reached.

Every step but the GPU's own can be run on a machine without one: nvcc compiles for the architectures that are named.
"""

import tomllib
from typing import Final

from deploy.containers.base import BasePlan, Say, ensure_base
from deploy.containers.docker import ROOT, DockerFault, advice, run_logged
from deploy.model_sources import answers

_TABLE: Final = ROOT / "deploy" / "docker" / "images.toml"
_CUDA_FILE: Final = "deploy/docker/cuda_debian.Dockerfile"
_BASE: Final = "tong-dai/base-cuda"
_STAGES: Final = {"CUDA_DEVEL": "devel", "CUDA_RUNTIME": "runtime"}
_TORCH_INDEX: Final = "https://download.pytorch.org/whl/cu126"
_ANSWER_LIMIT_S: Final = 5.0


def build_args(name: str, buildx: str, say: Say) -> dict[str, str]:
    """The build arguments of the GPU image `name` on this machine. Raises DockerFault: a base cannot be made."""
    if name == "nlu-cuda":
        return _cuda_args(buildx, say)
    if answers(f"{_TORCH_INDEX}/torch/", _ANSWER_LIMIT_S):
        return {"TORCH_INDEX": _TORCH_INDEX}
    say(f"torch: {_TORCH_INDEX} is not reached: PyPI's torch, CUDA 13, which does not know the V100")
    return {"TORCH_INDEX": ""}


def _cuda_args(buildx: str, say: Say) -> dict[str, str]:
    if answers("https://registry-1.docker.io/v2/", _ANSWER_LIMIT_S):
        return {}  # the digests of the Dockerfile
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))["cuda"]
    ensure_base(BasePlan("", table["suite"], tuple(table["packages"])), say, name=_BASE)
    for stage in _STAGES.values():
        say(f"CUDA: {stage} of Debian {table['suite']}'s packages")
        _build_stage(buildx, stage)
    return {argument: f"tong-dai/cuda-{stage}" for argument, stage in _STAGES.items()}


def _build_stage(buildx: str, stage: str) -> None:
    log = ROOT / "out" / "images" / f"cuda-{stage}.log"
    command = [buildx, "build", "--network", "host", "--file", _CUDA_FILE, "--target", stage, "--load"]
    command += ["--build-arg", f"BASE={_BASE}", "--tag", f"tong-dai/cuda-{stage}", "--progress", "plain", "."]
    fault = run_logged(command, log)
    if fault:
        raise DockerFault(advice(f"tong-dai/cuda-{stage} cannot be built, see {log}: {fault}"))
