"""Memory model of llama.cpp: weights, keys and values, and work buffers a device. Sans-IO.

How layers are divided is llama.cpp's own rule (llama-model.cpp, load_tensors): the output matrix counts as one more
layer behind the last, and a layer belongs to the device in whose share of `tensor_split` its place lies. The work
buffers are measured ones put into a formula: within 3 % of llama.cpp's log on Qwen2.5 0.5B and 1.5B, with and without
flash attention, at 8 to 128 thousand cells.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import accumulate

from services.nlu.plan.gguf_file import ModelShape

MOST_SEQUENCES = 256  # LLAMA_MAX_SEQ
SEQUENCES_A_CALL = 2  # one for the turn that stands, one for drafts
CELLS_STEP = 256  # the cache grows by so many cells

TYPE_BYTES = {
    "f32": 4.0,
    "f16": 2.0,
    "bf16": 2.0,
    "q8_0": 34 / 32,
    "q5_1": 24 / 32,
    "q5_0": 22 / 32,
    "q4_1": 20 / 32,
    "q4_0": 18 / 32,
}
"""Bytes of one element of the cache, by llama.cpp's name of its type."""

CUDA_CONTEXT_BYTES = 512 * 2**20
"""Of a CUDA context with its kernels and cuBLAS, on each GPU; measured values of 300 to 500 MiB are reported."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a model over devices."""

    gpu_bytes: tuple[int, ...] = ()  # of each GPU; none: all on the CPU
    ram_bytes: int = 0  # 0: not limited
    n_gpu_layers: int = -1  # -1: all
    split_mode: str = "layer"
    tensor_split: tuple[float, ...] = ()  # empty: equal parts
    main_gpu: int = 0
    type_k: str = "f16"
    type_v: str = "f16"
    has_flash_attention: bool = False
    n_ctx: int = 8192
    n_ubatch: int = 512
    n_seq_max: int = 48
    extra_bytes: int = 0  # beside the weights, of adapters; on the main GPU
    context_bytes: int = CUDA_CONTEXT_BYTES


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """One device's memory, in bytes."""

    name: str
    capacity: int  # 0: not limited
    n_layers: int
    weights: int
    kv_per_cell: float
    n_ctx: int
    compute: int
    reserve: int

    @property
    def kv(self) -> int:
        return round(self.kv_per_cell * self.n_ctx)

    @property
    def total(self) -> int:
        return self.weights + self.kv + self.compute + self.reserve

    @property
    def fits(self) -> bool:
        return not self.capacity or self.total <= self.capacity


@dataclass(frozen=True, slots=True)
class Plan:
    """All devices; the CPU first."""

    devices: tuple[DevicePlan, ...]
    layout: Layout = field(repr=False)

    @property
    def fits(self) -> bool:
        return all(device.fits for device in self.devices)

    @property
    def tightest(self) -> DevicePlan:
        """Return the device with the smallest share of its memory left."""
        limited = [device for device in self.devices if device.capacity]
        return max(limited or self.devices, key=lambda device: device.total / (device.capacity or 2**63))


@dataclass(frozen=True, slots=True)
class Fit:
    """The calls that fit, and the bound on more."""

    n_ctx: int  # most cells that fit
    by_cells: int  # calls
    by_sequences: int  # calls
    tightest: str  # the device whose memory bounds the cells; empty: none does

    @property
    def calls(self) -> int:
        return min(self.by_cells, self.by_sequences)

    @property
    def bound(self) -> str:
        """Return the bound in words, for a person."""
        if self.by_sequences < self.by_cells:
            return f"sequences: llama.cpp keeps at most {MOST_SEQUENCES} apart, {SEQUENCES_A_CALL} a call"
        return f"cells: the memory of {self.tightest or 'the CPU'}"


def make_plan(shape: ModelShape, layout: Layout) -> Plan:
    """The plan of what every device holds."""
    places = place_layers(shape.n_layers, layout)
    key, value = TYPE_BYTES[layout.type_k], TYPE_BYTES[layout.type_v]
    n_devices = len(layout.gpu_bytes)
    weights, kv, counts = [0] * (n_devices + 1), [0.0] * (n_devices + 1), [0] * (n_devices + 1)
    for layer, place in enumerate(places[:-1]):
        _share(weights, shape.layer_bytes[layer], place, layout)
        kv[place] += shape.kv_bytes_per_token(layer, key, value, has_flash_attention=layout.has_flash_attention)
        counts[place] += 1
    weights[0] += shape.input_bytes
    tied = shape.tied_bytes if places[-1] == 0 else 0  # on the CPU the matrix is the embeddings' own
    _share(weights, shape.output_bytes - tied, places[-1], layout)
    if n_devices:
        weights[1 + min(layout.main_gpu, n_devices - 1)] += layout.extra_bytes
    else:
        weights[0] += layout.extra_bytes
    devices = []
    for place in range(n_devices + 1):
        works = counts[place] > 0 or places[-1] == place
        compute = _compute_bytes(shape, layout, has_output=places[-1] == place) if works else 0
        is_cpu = place == 0
        if is_cpu:
            compute += layout.n_seq_max * shape.n_vocab * 4  # the output buffer, which every device's logits end in
            compute += shape.repacked_bytes * counts[0] // max(shape.n_layers, 1)
        devices.append(
            DevicePlan(
                name="CPU" if is_cpu else f"GPU {place - 1}",
                capacity=layout.ram_bytes if is_cpu else layout.gpu_bytes[place - 1],
                n_layers=counts[place],
                weights=weights[place],
                kv_per_cell=kv[place],
                n_ctx=layout.n_ctx,
                compute=compute,
                reserve=0 if is_cpu else layout.context_bytes,
            )
        )
    return Plan(tuple(devices), layout)


def place_layers(n_layers: int, layout: Layout) -> list[int]:
    """Return for each layer, and behind them for the output, the device: 0 the CPU, 1 the first GPU and so on."""
    n_gpus = len(layout.gpu_bytes)
    if not n_gpus or layout.n_gpu_layers == 0:
        return [0] * (n_layers + 1)
    n_wanted = n_layers + 1 if layout.n_gpu_layers < 0 else min(layout.n_gpu_layers, n_layers + 1)
    first = n_layers + 1 - n_wanted
    if layout.split_mode == "none":
        return [0] * first + [1 + layout.main_gpu] * n_wanted
    shares = layout.tensor_split or (1.0,) * n_gpus
    shares = (*shares, *(0.0,) * (n_gpus - len(shares)))[:n_gpus]
    bounds = [bound / sum(shares) for bound in accumulate(shares)]
    return [0] * first + [1 + min(bisect_right(bounds, layer / n_wanted), n_gpus - 1) for layer in range(n_wanted)]


def find_fit(shape: ModelShape, layout: Layout, *, tokens_per_call: int, n_openings: int) -> Fit:
    """Return the most calls of so many tokens. The layout's own n_ctx does not count; openings are pinned sequences."""
    n_ctx, tightest = _most_cells(shape, layout)
    by_sequences = max(0, (MOST_SEQUENCES - n_openings) // SEQUENCES_A_CALL)
    return Fit(n_ctx, n_ctx // tokens_per_call, by_sequences, tightest)


def best_split(shape: ModelShape, layout: Layout) -> tuple[float, ...]:
    """Return a tensor_split of whole layers under which the most cells fit; equal parts give the first GPU one layer
    more.

    Empty where nothing is to be split.
    """
    n_gpus = len(layout.gpu_bytes)
    if n_gpus < 2 or layout.split_mode == "none" or layout.n_gpu_layers >= 0:
        return ()
    n_units = shape.n_layers + 1
    counts = [n_units // n_gpus + (gpu >= n_gpus - n_units % n_gpus) for gpu in range(n_gpus)]
    best = replace(layout, tensor_split=tuple(float(count) for count in counts))
    most, _ = _most_cells(shape, best)
    for _ in range(4 * n_gpus):  # move one layer from the tightest GPU to its neighbour while that helps
        moved = [
            other for other in _neighbours(counts) if _most_cells(shape, replace(best, tensor_split=other))[0] > most
        ]
        if not moved:
            break
        chosen = max(moved, key=lambda split: _most_cells(shape, replace(best, tensor_split=split))[0])
        best, counts = replace(best, tensor_split=chosen), [int(count) for count in chosen]
        most, _ = _most_cells(shape, best)
    return best.tensor_split


def _neighbours(counts: list[int]) -> list[tuple[float, ...]]:
    found = []
    for giver, count in enumerate(counts):
        for taker in (giver - 1, giver + 1):
            if count > 1 and 0 <= taker < len(counts):
                moved = list(counts)
                moved[giver] -= 1
                moved[taker] += 1
                found.append(tuple(float(one) for one in moved))
    return found


def _most_cells(shape: ModelShape, layout: Layout) -> tuple[int, str]:
    """Return the most cells, and the device that bounds them; work buffers grow with the cells, so they are searched
    for.
    """
    low, high = 0, 2**24 // CELLS_STEP
    while low < high:
        middle = (low + high + 1) // 2
        if make_plan(shape, replace(layout, n_ctx=middle * CELLS_STEP)).fits:
            low = middle
        else:
            high = middle - 1
    beyond = make_plan(shape, replace(layout, n_ctx=(low + 1) * CELLS_STEP))
    return low * CELLS_STEP, "" if beyond.fits else beyond.tightest.name


def _share(weights: list[int], n_bytes: int, place: int, layout: Layout) -> None:
    """Return the share of a layer on a device. Split mode row divides the matrices of a layer over all GPUs; keys and
    values stay where the layer is.
    """
    if layout.split_mode != "row" or place == 0:
        weights[place] += n_bytes
        return
    n_gpus = len(layout.gpu_bytes)
    shares = layout.tensor_split or (1.0,) * n_gpus
    for gpu, share in enumerate(shares[:n_gpus]):
        weights[1 + gpu] += round(n_bytes * share / sum(shares))


def _compute_bytes(shape: ModelShape, layout: Layout, *, has_output: bool) -> int:
    """Return the bytes of llama.cpp's compute buffer: the larger of what the logits and what one layer need at once."""
    n_tokens, n_ctx = layout.n_ubatch, layout.n_ctx
    logits = layout.n_seq_max * shape.n_vocab * 4 + 2 * n_tokens * shape.n_embd * 4 if has_output else 0
    if layout.has_flash_attention:
        layer = n_tokens * 4 * (2 * shape.n_ff + 6 * shape.n_embd) + 2 * n_ctx * n_tokens + 6 * 2**20
    else:
        kv_width = max(shape.value_widths) or max(shape.key_widths)
        layer = n_tokens * n_ctx * 4 * (shape.n_heads + 1) + 2 * n_ctx * kv_width * 4 + 10 * 2**20
    if shape.sliding_window:
        layer += (2 if layout.has_flash_attention else 4) * n_ctx * n_tokens  # a mask of its own
    return max(logits, layer)
