"""The plan of memory: llama.cpp's rule of layers, the bounds, and its own figures where a model is at hand."""

import ctypes
import re
from pathlib import Path

import llama_cpp as llama
import pytest

from services.nlu.engines.llama_cpp.model import LlamaModel, ModelOptions
from services.nlu.plan.checking import find_misfit, find_misfit_here
from services.nlu.plan.command import main, parse_gpus
from services.nlu.plan.gguf_file import ModelShape, read_shape
from services.nlu.plan.host import HostMemory
from services.nlu.plan.memory import Layout, best_split, find_fit, make_plan, place_layers
from services.runtime.errors import NotServing
from tests.unit.nlu.gguf_files import (
    write_scout_header,
    write_tiny_deepseek,
    write_tiny_llama4,
    write_tiny_mamba,
    write_windowed_header,
)

GB = 10**9
V100S = (32 * GB,) * 6
_SILENT = llama.llama_log_callback(lambda *_: None)
MODELS = Path("~/.cache/tong-dai/models").expanduser()


@pytest.fixture(scope="module")
def scout(tmp_path_factory: pytest.TempPathFactory) -> ModelShape:
    return read_shape(write_scout_header(tmp_path_factory.mktemp("gguf") / "scout.gguf"))


def scout_layout(**change: object) -> Layout:
    return Layout(**{"gpu_bytes": V100S, "has_flash_attention": True, "n_seq_max": 256} | change)  # type: ignore[arg-type]


def test_the_header_says_what_the_model_is(scout: ModelShape) -> None:
    assert scout.weight_bytes == pytest.approx(65 * GB, rel=0.01)
    assert (scout.n_layers, scout.n_experts, scout.n_experts_used, scout.sliding_window) == (48, 16, 1, 8192)
    assert scout.n_parameters == pytest.approx(108e9, rel=0.01)


@pytest.mark.parametrize(("cache_type", "kib", "calls"), [("f16", 192, 155), ("q8_0", 102, 290)])
def test_scout_takes_what_the_arithmetic_of_the_architecture_says(
    scout: ModelShape, cache_type: str, kib: int, calls: int
) -> None:
    layout = scout_layout(type_k=cache_type, type_v=cache_type, n_ctx=1024)
    plan = make_plan(scout, layout)
    a_token = sum(device.kv for device in plan.devices) / 1024
    assert a_token == pytest.approx(kib * 1024, rel=0.001)
    left = sum(device.capacity - device.weights - device.reserve for device in plan.devices[1:])
    assert left / (a_token * 4096) == pytest.approx(calls, rel=0.03)


@pytest.mark.parametrize("cache_type", ["f16", "q8_0"])
def test_on_six_v100s_sequences_are_what_bounds_scout(scout: ModelShape, cache_type: str) -> None:
    layout = scout_layout(type_k=cache_type, type_v=cache_type, tensor_split=(8, 8, 8, 8, 8, 9))
    fit = find_fit(scout, layout, tokens_per_call=4096, n_openings=6)
    assert fit.calls == 125
    assert fit.by_cells > 125
    assert "sequences" in fit.bound


def test_equal_parts_overload_the_first_gpu_and_whole_layers_do_not(scout: ModelShape) -> None:
    equal, best = scout_layout(), scout_layout(tensor_split=best_split(scout, scout_layout()))
    assert [place_layers(48, equal).count(gpu) for gpu in range(1, 7)] == [9, 8, 8, 8, 8, 8]
    fits = [find_fit(scout, layout, tokens_per_call=4096, n_openings=6) for layout in (equal, best)]
    assert fits[0].by_cells < 125 < fits[1].by_cells
    assert fits[0].tightest == "GPU 0"


def test_a_plan_counts_every_byte_once(scout: ModelShape) -> None:
    for layout in (
        scout_layout(),
        scout_layout(split_mode="row"),
        scout_layout(split_mode="none", main_gpu=2),
        scout_layout(n_gpu_layers=20),
        Layout(),
    ):
        plan = make_plan(scout, layout)
        assert sum(device.weights for device in plan.devices) == pytest.approx(scout.weight_bytes, abs=16)
        assert sum(device.n_layers for device in plan.devices) == 48


def test_what_cannot_fit_is_refused_with_the_figures(scout: ModelShape) -> None:
    fault = find_misfit(scout, make_plan(scout, scout_layout(gpu_bytes=(24 * GB,) * 2, n_ctx=8192)))
    assert fault is not None
    assert re.search(r"needs 3\d\.\d GB on GPU 0 \(weights 3\d\.\d, cells", fault)
    here = find_misfit_here(scout, Layout(n_gpu_layers=0), HostMemory(16 * GB, 12 * GB))
    assert here is not None
    assert "there are 16.0" in here.why
    assert not here.may_pass
    assert find_misfit_here(scout, Layout(n_gpu_layers=0, n_ctx=4096), HostMemory(96 * GB, 40 * GB)) is None
    no_gpu = find_misfit_here(scout, Layout(n_gpu_layers=-1), HostMemory(96 * GB, 40 * GB))
    assert no_gpu is not None
    assert "finds none" in no_gpu.why
    assert not no_gpu.may_pass


def test_memory_that_others_hold_now_may_be_free_at_the_next_start(scout: ModelShape) -> None:
    ram = find_misfit_here(scout, Layout(n_gpu_layers=0, n_ctx=65536), HostMemory(96 * GB, 4 * GB))
    assert ram is not None
    assert ram.may_pass
    held, empty = (2 * GB,) * 6, (32 * GB,) * 6
    layout = scout_layout(n_ctx=8192)
    gpus = find_misfit_here(scout, layout, HostMemory(96 * GB, 40 * GB, held, empty))
    assert gpus is not None
    assert gpus.may_pass
    small = find_misfit_here(scout, layout, HostMemory(96 * GB, 40 * GB, held, (8 * GB,) * 6))
    assert small is not None
    assert not small.may_pass


def test_the_command_names_the_bound_and_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scout = write_scout_header(tmp_path / "scout.gguf")
    assert main(["--model", str(scout), "--gpus", "6x32", "--calls", "100", "--check"]) == 0
    said = capsys.readouterr().out
    assert "125 calls of 4096 tokens fit. Bound by sequences" in said
    assert {"NLU_TENSOR_SPLIT=8/8/8/8/8/9", "NLU_CONTEXT_TOKENS=409600", "NLU_SLOTS=206"} <= set(said.splitlines())
    assert main(["--model", str(scout), "--gpus", "6x32", "--calls", "126", "--check"]) == 1
    assert "126 calls do not fit, 125 do" in capsys.readouterr().err
    assert main(["--model", str(scout), "--gpus", "2x24"]) == 1
    assert "GB on GPU 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "sizes"), [("6x32", [32 * GB] * 6), ("32,24", [32 * GB, 24 * GB]), ("1x80GiB", [80 * 2**30]), ("cpu", [])]
)
def test_gpus_are_written_as_people_do(value: str, sizes: list[int]) -> None:
    assert list(parse_gpus(value)) == sizes


@pytest.mark.parametrize("value", ["six", "6x", "0x0", "-1", "32;24"])
def test_other_ways_to_write_gpus_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="write 6x32"):
        parse_gpus(value)


@pytest.mark.parametrize("value", ["0x32", "17x32", "1000000x32", "9x32,9x24"])
def test_no_more_gpus_are_planned_for_than_llama_cpp_takes(value: str) -> None:
    with pytest.raises(ValueError, match="takes 1 to 16 GPUs"):
        parse_gpus(value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tensor-split", "a,b"], "write each GPU's share"),
        (["--tensor-split", "0/0"], "write each GPU's share"),
        (["--tensor-split", "nan"], "write each GPU's share"),
        (["--tensor-split=-1/2"], "write each GPU's share"),
        (["--tensor-split", "1/1/1"], "3 shares, and there are 2 GPUs"),
        (["--ram", "nan"], "--ram must be"),
        (["--ram", "-5"], "--ram must be"),
        (["--openings", "-3"], "--openings must be"),
        (["--gpu-layers", "-5"], "--gpu-layers at least"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    model = write_tiny_llama4(tmp_path / "tiny.gguf")
    try:
        status = main(["--model", str(model), "--gpus", "2x24", *options])
    except SystemExit as refused:  # argparse's
        status = int(refused.code or 0)
    assert status in {1, 2}
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("length", [0, 3, 4, 11, 24, 200, 2000, -200])
def test_a_file_cut_short_is_refused_in_one_line(tmp_path: Path, length: int) -> None:
    whole = write_tiny_llama4(tmp_path / "tiny.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[:length])
    with pytest.raises(NotServing, match="not a GGUF model") as refused:
        read_shape(cut)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"PK\x03\x04" + b"x" * 100, b"GGUF" + b"\xff" * 100, b"GGUF nonsense"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "foreign.gguf").write_bytes(content)
    with pytest.raises(NotServing, match="not a GGUF model"):
        read_shape(tmp_path / "foreign.gguf")


@pytest.mark.parametrize("key", ["block_count", "embedding_length"])
@pytest.mark.parametrize("count", [0, 5, 2**32 - 1])
def test_a_count_that_is_not_that_of_the_tensors_is_refused(tmp_path: Path, key: str, count: int) -> None:
    path = write_tiny_llama4(tmp_path / "tiny.gguf")
    content, named = bytearray(path.read_bytes()), f"llama4.{key}".encode()
    place = content.index(named) + len(named) + 4  # behind the type of the value
    content[place : place + 4] = count.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(NotServing, match=f"{key} is {count}"):
        read_shape(path)


@pytest.mark.parametrize("has_flash", [True, False])
def test_a_latent_cache_and_experts_by_layer_are_counted_as_llama_cpp_does(tmp_path: Path, has_flash: bool) -> None:
    path = write_tiny_deepseek(tmp_path / "tiny.gguf")
    shape = read_shape(path)
    assert shape.kind == "deepseek2, 4 experts, 2 a token"
    said = logged_sizes(path, n_ctx=4096, n_ubatch=64, has_flash=has_flash, cache_type="f16")
    plan = make_plan(shape, Layout(n_ctx=4096, n_ubatch=64, has_flash_attention=has_flash)).devices[0]
    assert plan.kv / 2**20 == pytest.approx(said["KV"], rel=0.01)
    assert shape.weight_bytes / 2**20 == pytest.approx(said["model"], rel=0.05)


def test_layers_with_a_window_and_layers_without_a_cache_of_their_own_are_told(tmp_path: Path) -> None:
    shape = read_shape(write_windowed_header(tmp_path / "windowed.gguf"))
    assert shape.key_widths == shape.value_widths == (256, 256, 512, 256, 0, 0)
    a_token = [shape.kv_bytes_per_token(layer, 2, 2, has_flash_attention=True) for layer in range(6)]
    assert a_token == [1024, 1024, 2048, 1024, 0, 0]
    padded = [shape.kv_bytes_per_token(layer, 2, 2, has_flash_attention=False) for layer in range(6)]
    assert padded == [1536, 1536, 2048, 1536, 0, 0], "rows of values are as wide as the widest"
    gpu = make_plan(shape, Layout(gpu_bytes=(GB,), has_flash_attention=True))
    assert gpu.devices[0].weights == (1024 * 512 + 1024 * 6 * 256) * 144 // 256, "all embeddings are on the CPU"
    assert sum(device.weights for device in gpu.devices) == shape.weight_bytes + shape.tied_bytes


def test_a_model_whose_layers_keep_a_state_is_refused_with_what_serves_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_tiny_mamba(tmp_path / "tiny.gguf")
    assert main(["--model", str(path), "--gpus", "1x24"]) == 1
    assert "architecture mamba" in (said := capsys.readouterr().err)
    assert "llama-server" in said
    options = ModelOptions(context_tokens=256, n_slots=2, batch_tokens=32, threads=1, gpu_layers=0, temperature=0.0)
    with pytest.raises(NotServing, match="NLU_ENGINE=openai"):
        LlamaModel(path, options)


@pytest.mark.models
@pytest.mark.parametrize("name", ["qwen2.5-0.5b-instruct", "qwen2.5-1.5b-instruct"])
@pytest.mark.parametrize(
    ("n_ctx", "n_ubatch", "has_flash", "cache_type"),
    [(8192, 512, False, "f16"), (32768, 512, True, "f16"), (65536, 256, True, "q8_0")],
)
def test_the_figures_are_those_of_llama_cpps_own_log(
    name: str, n_ctx: int, n_ubatch: int, has_flash: bool, cache_type: str
) -> None:
    path = MODELS / name / "model.gguf"
    if not path.is_file():
        pytest.fail(f"fetch it first: make models MODELS={name}")
    said = logged_sizes(path, n_ctx=n_ctx, n_ubatch=n_ubatch, has_flash=has_flash, cache_type=cache_type)
    shape = read_shape(path)
    layout = Layout(
        n_ctx=n_ctx,
        n_ubatch=n_ubatch,
        has_flash_attention=has_flash,
        type_k=cache_type,
        type_v=cache_type,
        n_seq_max=48,
    )
    plan = make_plan(shape, layout).devices[0]
    assert plan.weights / 2**20 == pytest.approx(said["model"], rel=0.03)
    assert plan.kv / 2**20 == pytest.approx(said["KV"], rel=0.03)
    in_all = said["model"] + said["KV"] + said["compute"] + said["output"] + said["repack"]
    assert plan.total / 2**20 == pytest.approx(in_all, rel=0.03)


def logged_sizes(path: Path, *, n_ctx: int, n_ubatch: int, has_flash: bool, cache_type: str) -> dict[str, float]:
    """The sizes of llama.cpp's buffers by its own log, in MiB."""
    lines: list[str] = []

    @llama.llama_log_callback
    def keep(level: int, text: bytes, data: object) -> None:
        lines.append(text.decode(errors="replace"))

    llama.llama_backend_init()
    llama.llama_log_set(keep, ctypes.c_void_p(0))
    try:
        model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = n_ctx, n_ubatch, n_ubatch, 48
        params.n_outputs_max = 48
        params.kv_unified = params.swa_full = True
        params.flash_attn_type = int(has_flash)
        params.type_k = params.type_v = {"f16": 1, "q8_0": 8}[cache_type]
        context = llama.llama_init_from_model(model, params)
        llama.llama_free(context)
        llama.llama_model_free(model)
    finally:
        llama.llama_log_set(_SILENT, ctypes.c_void_p(0))
    said = "".join(lines)

    def size(pattern: str) -> float:
        return sum(float(found) for found in re.findall(pattern + r" buffer size =\s*([\d.]+) MiB", said))

    return {
        "model": size("CPU_Mapped model"),
        "repack": size("CPU_REPACK model"),
        "KV": size("CPU KV"),
        "compute": size("sched_reserve:        CPU compute"),
        "output": size("CPU  output"),
    }
