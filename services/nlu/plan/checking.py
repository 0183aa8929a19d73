"""Check of a plan against the memory there is, by the server before it loads a model and by `plan --check`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.nlu.plan.gguf_file import ModelShape
from services.nlu.plan.host import HostMemory
from services.nlu.plan.memory import Layout, Plan, make_plan

GB = 10**9


def find_misfit(shape: ModelShape, plan: Plan, available_bytes: int = 0) -> str | None:
    """Return why the model cannot be loaded so, with the figures and what to lower; None: it can.

    Weights on the CPU are mapped from the file and shared with its cache, so they count against all of the RAM; the
    rest is memory of the process's own and counts against what is `available_bytes` now. 0: not known.
    """
    for device in plan.devices:
        if not device.fits:
            return (
                f"{shape.name} needs {device.total / GB:.1f} GB on {device.name} (weights {device.weights / GB:.1f}, "
                f"cells {device.kv / GB:.1f} for {device.n_ctx} tokens, work "
                f"{(device.compute + device.reserve) / GB:.1f}) "
                f"and there are {device.capacity / GB:.1f}: {_remedy(shape, plan.layout)}"
            )
    cpu = plan.devices[0]
    own = cpu.kv + cpu.compute
    if available_bytes and own > available_bytes:
        return (
            f"{shape.name} needs {own / GB:.1f} GB of free RAM beside its weights (cells {cpu.kv / GB:.1f} for "
            f"{cpu.n_ctx} tokens, work {cpu.compute / GB:.1f}) and {available_bytes / GB:.1f} are free: "
            f"{_remedy(shape, plan.layout)}"
        )
    return None


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a model cannot be loaded on this machine."""

    why: str
    may_pass: bool = False  # it fits the machine, but not beside what other processes hold now


def find_misfit_here(shape: ModelShape, layout: Layout, host: HostMemory) -> Misfit | None:
    """Find a misfit for this machine's memory; the layout's own capacities do not count."""
    if layout.n_gpu_layers != 0 and not host.gpu_free_bytes:
        return Misfit(
            "NLU_GPU_LAYERS asks for GPUs and llama.cpp finds none: compile it with CUDA (deploy/docker/"
            "nlu_cuda.Dockerfile), look at CUDA_VISIBLE_DEVICES, or set NLU_GPU_LAYERS=0"
        )
    has_gpus = layout.n_gpu_layers != 0
    # The contexts of GPUs that report their memory exist already.
    now = replace(layout, gpu_bytes=host.gpu_free_bytes if has_gpus else (), ram_bytes=host.ram_bytes, context_bytes=0)
    if (why := find_misfit(shape, make_plan(shape, now), host.available_bytes)) is None:
        return None
    alone = replace(now, gpu_bytes=host.gpu_total_bytes if has_gpus else ())
    return Misfit(why, may_pass=find_misfit(shape, make_plan(shape, alone)) is None)


def _remedy(shape: ModelShape, layout: Layout) -> str:
    lower = "lower NLU_CONTEXT_TOKENS"
    if layout.type_k == "f16" and layout.has_flash_attention:
        lower += ", set NLU_TYPE_K=q8_0 and NLU_TYPE_V=q8_0"
    return f"{lower}, or take a smaller model; python -m services.nlu plan --model FILE says what fits"
