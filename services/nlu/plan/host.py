"""Memory of this machine: RAM within the cgroup's limit, and that of the GPUs by llama.cpp's own backends."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MEMINFO = Path("/proc/meminfo")
_GPU_TYPES = frozenset({1, 2})  # GGML_BACKEND_DEVICE_TYPE_GPU and _IGPU


@dataclass(frozen=True, slots=True)
class HostMemory:
    """Memory of a machine in bytes. 0: not known."""

    ram_bytes: int  # that this process may use at most
    available_bytes: int  # free now, or cache that can be given up
    gpu_free_bytes: tuple[int, ...] = ()
    gpu_total_bytes: tuple[int, ...] = ()


def host_memory(*, with_gpus: bool = True) -> HostMemory:
    """Return the memory there is now. GPUs are those that CUDA_VISIBLE_DEVICES leaves, in its order."""
    known = _meminfo()
    limits = [known.get("MemTotal", 0), *_cgroup_limits()]
    ram_bytes = min((limit for limit in limits if limit > 0), default=0)
    available = min(known.get("MemAvailable", 0), ram_bytes) if ram_bytes else 0
    gpus = _gpus() if with_gpus else ()
    return HostMemory(ram_bytes, available, tuple(free for free, _ in gpus), tuple(total for _, total in gpus))


def _meminfo() -> dict[str, int]:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    entries = (line.split() for line in lines)
    return {entry[0].rstrip(":"): int(entry[1]) * 1024 for entry in entries if len(entry) == 3}


def _cgroup_limits() -> list[int]:
    found = []
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):
            found.append(int(path.read_text(encoding="ascii")))
    return found


def _gpus() -> tuple[tuple[int, int], ...]:
    """Return the free and all bytes of each GPU; empty where llama.cpp has no backend for GPUs, or finds none."""
    try:
        import llama_cpp  # noqa: PLC0415 - only a machine that loads a model has it
    except ModuleNotFoundError:
        return ()
    folder = Path(llama_cpp.__file__).parent / "lib"
    try:
        registry, base = ctypes.CDLL(str(folder / "libggml.so")), ctypes.CDLL(str(folder / "libggml-base.so"))
        registry.ggml_backend_dev_count.restype = ctypes.c_size_t
        registry.ggml_backend_dev_get.restype = ctypes.c_void_p
        registry.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
        base.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
        sizes = ctypes.POINTER(ctypes.c_size_t)
        base.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, sizes, sizes]
    except (OSError, AttributeError):
        return ()
    found = []
    for index in range(registry.ggml_backend_dev_count()):
        device = registry.ggml_backend_dev_get(index)
        if base.ggml_backend_dev_type(device) in _GPU_TYPES:
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            base.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
            found.append((free.value, total.value))
    return tuple(found)
