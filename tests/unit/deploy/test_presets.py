"""The presets are what the planner says, and what compose and Kubernetes use."""

from pathlib import Path

import pytest
import yaml

from services.call_gateway.settings import GatewaySettings
from services.nlu.plan.command import parse_gpus, propose
from services.nlu.plan.gguf_file import read_shape
from services.nlu.plan.memory import Layout, make_plan
from services.nlu.settings import NluSettings
from tests.unit.deploy.test_deployment_files import read_yaml
from tests.unit.nlu.gguf_files import write_dense_header, write_scout_header

_DEPLOY = Path(__file__).parents[3] / "deploy"
_KINDS = {"nlu": "StatefulSet", "tts": "Deployment"}
PRESETS = sorted((_DEPLOY / "presets").glob("*.env"))


def read_preset(name: str) -> dict[str, str]:
    lines = (_DEPLOY / "presets" / f"{name}.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_can_be_read_and_its_sizes_go_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in read_preset(path.stem).items():
        monkeypatch.setenv(name, value)
    settings = NluSettings()
    assert settings.slots >= min(256, 2 * settings.max_streams + 6)
    assert settings.context_tokens >= settings.max_streams * 2048


@pytest.mark.parametrize(("name", "gpus", "calls"), [("scout-6xv100", "6x32", None), ("one-24gb-gpu", "1x24", 64)])
def test_the_presets_of_gpus_are_what_the_planner_prints(
    name: str, gpus: str, calls: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    shape = read_shape(write_scout_header(path) if name.startswith("scout") else write_dense_header(path))
    layout = Layout(gpu_bytes=parse_gpus(gpus), has_flash_attention=True)
    proposal = propose(shape, layout, n_calls=calls, tokens_per_call=4096, n_openings=6)
    preset = read_preset(name)
    assert proposal.settings == {key: preset[key] for key in proposal.settings}
    assert make_plan(shape, proposal.layout).fits


def test_kubernetes_has_the_values_of_the_preset_and_a_volume_for_the_model() -> None:
    patches = yaml.safe_load((_DEPLOY / "kubernetes" / "gpu" / "kustomization.yaml").read_text(encoding="utf-8"))
    found, storage = {}, ""
    for patch in patches["patches"]:
        for operation in yaml.safe_load(patch["patch"]):
            if operation["path"].endswith("/env/-"):
                found[operation["value"]["name"]] = operation["value"]["value"]
            if operation["path"].endswith("/storage"):
                storage = str(operation["value"])
    preset = {key: value for key, value in read_preset("scout-6xv100").items() if value}
    assert found == preset
    assert int(storage.removesuffix("Gi")) * 2**30 > 65e9


def test_compose_reads_a_preset_that_exists() -> None:
    nlu = yaml.safe_load((_DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["nlu"]
    assert nlu["env_file"][0]["path"] == "presets/${TONG_DAI_PRESET:-cpu}.env"
    assert (_DEPLOY / "presets" / "cpu.env").is_file()


def gpu_patches(name: str) -> dict[str, object]:
    """The values that the GPU overlay of Kubernetes sets for a service, by path."""
    overlay = yaml.safe_load((_DEPLOY / "kubernetes" / "gpu" / "kustomization.yaml").read_text(encoding="utf-8"))
    (patch,) = [each for each in overlay["patches"] if each["target"] == {"kind": _KINDS[name], "name": name}]
    return {operation["path"]: operation["value"] for operation in yaml.safe_load(patch["patch"])}


def compose_gpus(name: str) -> set[str]:
    """The GPUs that compose.gpu.yaml gives a service where no variable says otherwise."""
    overlay = read_yaml(_DEPLOY / "compose.gpu.yaml")[0]["services"]
    value = overlay[name]["environment"]["NVIDIA_VISIBLE_DEVICES"]
    return set(value.partition(":-")[2].rstrip("}").split(","))


def test_gpus_are_shared_out_as_the_planner_has_it_and_none_twice(tmp_path: Path) -> None:
    gpus = parse_gpus("6x32")
    shape = read_shape(write_scout_header(tmp_path / "model.gguf"))
    layout = Layout(gpu_bytes=gpus, has_flash_attention=True)
    proposal = propose(shape, layout, n_calls=None, tokens_per_call=4096, n_openings=6)
    n_gpus = len(proposal.settings["NLU_TENSOR_SPLIT"].split("/"))
    limit = "/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu"
    assert n_gpus == len(gpus) == len(compose_gpus("nlu")) == int(str(gpu_patches("nlu")[limit]))
    assert len(compose_gpus("tts")) == int(str(gpu_patches("tts")[limit])) == 2
    assert compose_gpus("nlu") | compose_gpus("tts") == {str(n) for n in range(8)}
    assert not compose_gpus("nlu") & compose_gpus("tts")


def test_a_gpu_server_takes_the_calls_of_a_gateway() -> None:
    streams = int(read_preset("scout-6xv100")["NLU_MAX_STREAMS"])
    assert streams >= GatewaySettings.model_fields["max_calls"].default


def test_a_compose_overlay_shares_gpus_by_percent() -> None:
    overlay = yaml.safe_load((_DEPLOY / "compose.mps.yaml").read_text(encoding="utf-8"))["services"]
    assert overlay["tts"]["environment"]["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] == "${TONG_DAI_TTS_MPS_PERCENT:-50}"
    own, daemon = overlay["tts"]["environment"], overlay["mps"]["environment"]
    assert own["CUDA_MPS_PIPE_DIRECTORY"] == daemon["CUDA_MPS_PIPE_DIRECTORY"]
