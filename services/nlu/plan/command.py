"""`python -m services.nlu plan`: a model's memory on each device, the calls that fit, and the settings for it."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.nlu.plan.checking import GB, find_misfit
from services.nlu.plan.gguf_file import ModelShape, read_shape
from services.nlu.plan.host import host_memory
from services.nlu.plan.memory import (
    CELLS_STEP,
    MOST_SEQUENCES,
    SEQUENCES_A_CALL,
    TYPE_BYTES,
    Fit,
    Layout,
    Plan,
    best_split,
    find_fit,
    make_plan,
)
from services.runtime.errors import StartupError
from services.runtime.models import model_dir

_GPUS = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)(gib|gb|g)?")
_LEAST_BATCH = 512
MOST_GPUS = 16  # LLAMA_MAX_DEVICES of a build with GPUs
MOST_SHARE = 1e6
MOST_RAM_GB = 10**6


@dataclass(frozen=True, slots=True)
class Proposal:
    """A layout, and the calls that fit into it."""

    layout: Layout
    fit: Fit
    n_calls: int
    n_openings: int

    @property
    def slots(self) -> int:
        return min(MOST_SEQUENCES, max(4, self.n_calls * SEQUENCES_A_CALL + self.n_openings))

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings by their names in the environment."""
        layout = self.layout
        found = {
            "NLU_GPU_LAYERS": str(layout.n_gpu_layers if layout.gpu_bytes else 0),
            "NLU_CONTEXT_TOKENS": str(layout.n_ctx),
            "NLU_SLOTS": str(self.slots),
            "NLU_BATCH_TOKENS": str(max(_LEAST_BATCH, self.slots)),
            "NLU_N_UBATCH": str(layout.n_ubatch),
            "NLU_MAX_STREAMS": str(max(1, self.n_calls)),
            "NLU_TYPE_K": layout.type_k,
            "NLU_TYPE_V": layout.type_v,
            "NLU_FLASH_ATTN": "on" if layout.has_flash_attention else "off",
        }
        if layout.gpu_bytes:
            found["NLU_SPLIT_MODE"] = layout.split_mode
            found["NLU_MAIN_GPU"] = str(layout.main_gpu)
        if layout.tensor_split:
            found["NLU_TENSOR_SPLIT"] = "/".join(f"{share:g}" for share in layout.tensor_split)
        return found


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit status: 0, or 1 where the request does not fit or the file cannot be read."""
    asked = _parse(arguments)
    try:
        shape = read_shape(_model_path(asked.model, asked.models_dir))
        layout = _layout(asked)
    except (StartupError, ValueError) as error:
        print(f"plan: {error}", file=sys.stderr)
        return 1
    proposal = propose(shape, layout, n_calls=asked.calls, tokens_per_call=asked.tokens, n_openings=asked.openings)
    plan = make_plan(shape, proposal.layout)
    print(describe(shape, plan, proposal, tokens_per_call=asked.tokens, n_asked=asked.calls))
    if fault := _fault(shape, plan, proposal, asked.calls, asked.tokens):
        print(f"plan: {fault}", file=sys.stderr)
        return 1 if asked.check or not proposal.fit.calls else 0
    return 0


def propose(
    shape: ModelShape, layout: Layout, *, n_calls: int | None, tokens_per_call: int, n_openings: int
) -> Proposal:
    """Return the settings for so many calls, or for as many as fit."""
    if not layout.tensor_split:
        layout = replace(layout, tensor_split=best_split(shape, layout))
    most = min(MOST_SEQUENCES, 2 * (n_calls or MOST_SEQUENCES) + n_openings)
    layout = replace(layout, n_seq_max=most)
    fit = find_fit(shape, layout, tokens_per_call=tokens_per_call, n_openings=n_openings)
    served = min(fit.calls, n_calls) if n_calls else fit.calls
    wanted = max(served, 1) * tokens_per_call
    n_ctx = max(CELLS_STEP, min(fit.n_ctx, wanted) // CELLS_STEP * CELLS_STEP)
    return Proposal(replace(layout, n_ctx=n_ctx), fit, served, n_openings)


def describe(shape: ModelShape, plan: Plan, proposal: Proposal, *, tokens_per_call: int, n_asked: int | None) -> str:
    """Return the report as text."""
    lines = [
        f"{shape.name}: {shape.kind}; {shape.n_parameters / 1e9:.1f} billion parameters, "
        f"{shape.weight_bytes / GB:.1f} GB, {shape.n_layers} layers",
        f"one token of a call takes {sum(_kv(shape, plan.layout)) / 1024:.0f} KiB "
        f"({plan.layout.type_k} keys, {plan.layout.type_v} values)",
        "",
        f"{'':8}{'layers':>7}{'weights':>9}{'cells':>9}{'work':>8}{'context':>9}{'in all':>9}{'of':>8}  GB",
    ]
    for device in plan.devices:
        columns = (device.weights, device.kv, device.compute, device.reserve, device.total)
        weights, kv, compute, reserve, total = (f"{size / GB:.2f}" for size in columns)
        capacity = f"{device.capacity / GB:.1f}" if device.capacity else "-"
        lines.append(
            f"{device.name:8}{device.n_layers:>7}{weights:>9}{kv:>9}{compute:>8}{reserve:>9}{total:>9}{capacity:>8}"
        )
    fit = proposal.fit
    lines += [
        "",
        f"{fit.calls} calls of {tokens_per_call} tokens fit. Bound by {fit.bound}.",
        f"(cells alone: {fit.by_cells} calls, {fit.n_ctx} tokens; sequences alone: {fit.by_sequences} calls)",
    ]
    if n_asked and n_asked <= fit.calls:
        lines.append(f"The settings below are for the {n_asked} that are asked for.")
    lines += ["", *(f"{name}={value}" for name, value in proposal.settings.items())]
    return "\n".join(lines)


def _kv(shape: ModelShape, layout: Layout) -> list[float]:
    key, value = TYPE_BYTES[layout.type_k], TYPE_BYTES[layout.type_v]
    has_flash = layout.has_flash_attention
    return [
        shape.kv_bytes_per_token(layer, key, value, has_flash_attention=has_flash) for layer in range(shape.n_layers)
    ]


def _fault(shape: ModelShape, plan: Plan, proposal: Proposal, n_asked: int | None, tokens_per_call: int) -> str | None:
    if not proposal.fit.calls:
        wanted = make_plan(shape, replace(plan.layout, n_ctx=tokens_per_call))
        return find_misfit(shape, wanted) or f"no call fits: {proposal.fit.bound}"
    if n_asked and n_asked > proposal.fit.calls:
        return f"{n_asked} calls do not fit, {proposal.fit.calls} do; bound by {proposal.fit.bound}"
    return find_misfit(shape, plan)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.nlu plan", description=__doc__)
    parser.add_argument("--model", required=True, help="a GGUF file (of several: the first), or a name of models.toml")
    parser.add_argument(
        "--gpus", help="6x32, or 32,32,24 (GB of 10^9 bytes; GiB if written so); cpu; none: this machine"
    )
    parser.add_argument("--ram", type=float, help="GB of RAM; none: this machine's")
    parser.add_argument("--calls", type=int, help="calls at once that must fit; none: as many as do")
    parser.add_argument("--tokens", type=int, default=4096, help="tokens a call: instructions, history and reply")
    parser.add_argument("--openings", type=int, default=6, help="pinned openings of prompts: agents times languages")
    parser.add_argument("--type-k", default="f16", choices=TYPE_BYTES, help="llama.cpp's --cache-type-k")
    parser.add_argument("--type-v", default="f16", choices=TYPE_BYTES, help="other than f16 needs flash attention")
    parser.add_argument("--flash-attn", default="", choices=["on", "off"], help="default: on with GPUs")
    parser.add_argument("--split-mode", default="layer", choices=["layer", "row", "none"])
    parser.add_argument("--tensor-split", default="", help="shares by comma or slash; none: the best whole layers")
    parser.add_argument("--main-gpu", type=int, default=0)
    parser.add_argument("--gpu-layers", type=int, default=-1)
    parser.add_argument("--ubatch", type=int, default=512, help="llama.cpp's n_ubatch")
    parser.add_argument("--models-dir", type=Path, default=Path("~/.cache/tong-dai/models"))
    parser.add_argument("--check", action="store_true", help="exit 1 when what is asked for does not fit")
    asked = parser.parse_args(arguments)
    if asked.tokens < CELLS_STEP or (asked.calls is not None and asked.calls < 1) or asked.ubatch < 1:
        parser.error(f"--tokens must be at least {CELLS_STEP}, --calls and --ubatch at least 1")
    if asked.openings < 0 or asked.gpu_layers < -1:
        parser.error("--openings must be at least 0, --gpu-layers at least -1, which is all of them")
    if asked.ram is not None and not 0 < asked.ram < MOST_RAM_GB:
        parser.error(f"--ram must be more than 0 and less than {MOST_RAM_GB}, in GB")
    return asked


def _layout(asked: argparse.Namespace) -> Layout:
    host = host_memory(with_gpus=asked.gpus is None)
    gpus = host.gpu_free_bytes if asked.gpus is None else parse_gpus(asked.gpus)
    ram_bytes = round(asked.ram * GB) if asked.ram else (host.ram_bytes if not gpus else 0)
    has_flash = asked.flash_attn == "on" if asked.flash_attn else bool(gpus)
    if asked.type_v not in {"f16", "f32", "bf16"} and not has_flash:
        raise ValueError("--type-v: quantised values need flash attention: --flash-attn on")
    if not 0 <= asked.main_gpu < max(len(gpus), 1):
        raise ValueError(f"--main-gpu {asked.main_gpu}: there are {len(gpus)} GPUs")
    shares = _parse_shares(asked.tensor_split)
    if len(shares) > len(gpus):
        raise ValueError(f"--tensor-split {asked.tensor_split}: {len(shares)} shares, and there are {len(gpus)} GPUs")
    return Layout(
        gpu_bytes=gpus,
        ram_bytes=ram_bytes,
        n_gpu_layers=asked.gpu_layers if gpus else 0,
        split_mode=asked.split_mode,
        tensor_split=shares,
        main_gpu=asked.main_gpu,
        type_k=asked.type_k,
        type_v=asked.type_v,
        has_flash_attention=has_flash,
        n_ubatch=asked.ubatch,
    )


def parse_gpus(value: str) -> tuple[int, ...]:
    """Return the bytes of each GPU: "6x32", "24", "32,32,24", "1x80GiB"; "cpu" is none. Raises ValueError."""
    if value.strip().lower() in {"cpu", "0", "none", ""}:
        return ()
    sizes: list[int] = []
    for part in value.lower().split(","):
        found = _GPUS.fullmatch(part.strip())
        if found is None or float(found[2]) <= 0:
            raise ValueError(f"--gpus {value}: write 6x32 for six GPUs of 32 GB, 32,24 for two unequal ones, or cpu")
        unit = 2**30 if found[3] == "gib" else GB
        count = int(found[1] or 1)
        if not 1 <= count <= MOST_GPUS - len(sizes):
            raise ValueError(f"--gpus {value}: llama.cpp takes 1 to {MOST_GPUS} GPUs, write 6x32 for six of 32 GB")
        sizes += [round(float(found[2]) * unit)] * count
    return tuple(sizes)


def _parse_shares(value: str) -> tuple[float, ...]:
    """Each GPU's share of a tensor_split, "8/8/9" or "8,8,9"; empty: none is given. Raises ValueError."""
    try:
        shares = tuple(float(share) for share in re.split(r"[,/]", value) if share.strip())
    except ValueError:
        shares = (-1.0,)
    if shares and (not all(0 <= share < MOST_SHARE for share in shares) or not sum(shares)):
        raise ValueError(f"--tensor-split {value}: write each GPU's share, as in 8/8/8/8/8/9")
    return shares


def _model_path(model: str, models_dir: Path) -> Path:
    if model.endswith(".gguf") or "/" in model:
        return Path(model).expanduser()
    return model_dir(models_dir.expanduser(), model) / "model.gguf"
