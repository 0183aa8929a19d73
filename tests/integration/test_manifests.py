"""Manifests by the tools that read them: Docker Compose out of Debian's archive, and the schemas of Kubernetes."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from pydantic import ValidationError

from deploy.containers.docker import find_program
from deploy.containers.stack import BRIDGE_FILES, FILES
from deploy.stack import SERVICES, settings_kind
from deploy.uv import find_uv
from services.runtime.identity import digest_of
from tests.integration.test_run_stack import Command

ROOT = Path(__file__).parents[2]
TOKEN = "compose-0123456789abcdef"  # noqa: S105 - a test's own
VALIDATOR = "kubernetes-validate==1.37.0"
NAMES = [service.name for service in SERVICES]
OVERLAY = ROOT / "deploy" / "compose.tls.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of a user: deploy/, and what they have put beside it."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".env").write_text("")
    return tmp_path


def resolved(project: Path, *files: str, profiles: tuple[str, ...] = ("observe",)) -> dict[str, Any]:
    """The configuration that Compose resolves from the files, with nothing of the developer's own settings."""
    named = [part for file in files for part in ("-f", str(project / "deploy" / file))]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TONG_DAI_", "COMPOSE_"))}
    chosen = [part for profile in profiles for part in ("--profile", profile)]
    command = [find_program("docker-compose"), *named, *chosen, "config", "--format", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=inherited)
    assert ran.returncode == 0, ran.stderr
    assert TOKEN not in ran.stdout
    services: dict[str, Any] = json.loads(ran.stdout)["services"]
    return services


def exposures(name: str, services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The exposures of a container of the service, by its own settings. Raises ValidationError: it does not start."""
    with monkeypatch.context() as patch:
        for key in list(os.environ):
            if key.startswith(("TONG_DAI_", "STT_", "NLU_", "TTS_", "GATEWAY_")):
                patch.delenv(key)
        for key, value in (services[name].get("environment") or {}).items():
            patch.setenv(key, str(value))
        service = next(each for each in SERVICES if each.name == name)
        return settings_kind(service)().exposures()


OVERLAYS = [
    FILES,
    ("compose.yaml", "compose.tls.yaml", "compose.bridge.yaml"),
    (*FILES, "compose.bridge.yaml"),
    (*FILES, *BRIDGE_FILES),
    ("compose.yaml", "compose.gpu.yaml"),
    ("compose.yaml", "compose.gpu-nlu.yaml"),
    ("compose.yaml", "compose.gpu.yaml", "compose.mps.yaml"),
]


@pytest.mark.parametrize("files", OVERLAYS, ids="+".join)
def test_compose_takes_every_overlay_and_each_service_keeps_its_limits(files: tuple[str, ...], project: Path) -> None:
    services = resolved(project, *files)
    for name in NAMES:
        about = services[name]
        assert int(about["mem_limit"]) >= 256 * 2**20
        assert about["read_only"] is True
        is_guest = str(about.get("network_mode", "")).startswith("service:")
        assert ("networks" in about or is_guest) == ("compose.bridge.yaml" in files)
        assert about["logging"]["options"]["max-file"] == "3"


def test_on_a_bridge_the_gateway_alone_is_published_and_the_stages_reach_nothing(project: Path) -> None:
    services = resolved(project, "compose.yaml", "compose.tls.yaml", "compose.bridge.yaml")
    assert [name for name in NAMES if services[name].get("ports")] == ["call_gateway"]
    for name in set(NAMES) - {"call_gateway"}:
        assert list(services[name]["networks"]) == ["stack"]
    gateway = services["call_gateway"]
    port = int(gateway["environment"]["GATEWAY_ARI_RTP_FIRST_PORT"])
    last = int(gateway["environment"]["GATEWAY_ARI_RTP_LAST_PORT"])
    published = {int(each["published"]) for each in gateway["ports"] if each["protocol"] == "udp"}
    assert published == set(range(port, last + 1))


def test_a_trial_on_a_bridge_has_the_gateway_beside_its_asterisk_and_publishes_grpc_alone(project: Path) -> None:
    services = resolved(project, *FILES, *BRIDGE_FILES, profiles=("standby", "call"))
    beside = {name for name, about in services.items() if about.get("network_mode") == "service:asterisk"}
    assert beside == {"call_gateway", "call_gateway_standby", "caller"}, "ARI of a trial is on loopback alone"
    published = {name: about["ports"] for name, about in services.items() if about.get("ports")}
    assert list(published) == ["asterisk"]
    assert [(each["host_ip"], each["published"]) for each in published["asterisk"]] == [("127.0.0.1", "50051")]
    for name in ("stt_proxy", "nlu", "tts"):
        assert list(services[name]["networks"]) == ["stack"], "it has no way out"
    gateway, standby = (services[name]["environment"] for name in ("call_gateway", "call_gateway_standby"))
    for name in ("STT", "NLU", "TTS", "ARI"):
        key = f"GATEWAY_{name}_{'URL' if name == 'ARI' else 'TARGET'}"
        assert gateway[key] == standby[key]
    assert gateway["GATEWAY_STANDBY_LOCK_FILE"] == standby["GATEWAY_STANDBY_LOCK_FILE"]


@pytest.mark.parametrize("name", NAMES)
def test_containers_are_on_loopback_by_default(name: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = resolved(project, "compose.yaml")
    assert exposures(name, services, monkeypatch) == []
    assert not any(key.endswith("_HOST") for key in services[name].get("environment") or {})


@pytest.mark.parametrize("name", NAMES)
def test_off_loopback_a_container_starts_with_the_overlay_alone(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".env").write_text("".join(f"{service.prefix}_HOST=10.9.8.7\n" for service in SERVICES))
    with pytest.raises(ValidationError, match="TONG_DAI_TLS_CERTIFICATE_FILE"):
        exposures(name, resolved(project, "compose.yaml"), monkeypatch)
    assert exposures(name, resolved(project, "compose.yaml", "compose.tls.yaml"), monkeypatch) == []


def test_a_password_for_the_gateway_is_seen_by_the_gateway_alone(project: Path) -> None:
    (project / "secrets" / "call_gateway").mkdir(parents=True)
    (project / "secrets" / "call_gateway" / "secrets.env").write_text("GATEWAY_ARI_PASSWORD=geheim\n")
    services = resolved(project, "compose.yaml", "compose.tls.yaml")
    assert "geheim" in services["call_gateway"]["environment"].values()
    others = {name: about for name, about in services.items() if name != "call_gateway"}
    assert "geheim" not in json.dumps(others)
    for name in NAMES:
        sources = [volume["source"] for volume in services[name]["volumes"] if volume["target"] == "/secrets"]
        assert sources == [str(project / "secrets" / name)]


def test_a_standby_is_the_gateway_again_and_waits_for_the_same_lock(project: Path) -> None:
    for files in (("compose.yaml",), ("compose.yaml", "compose.tls.yaml"), OVERLAYS[0]):
        services = resolved(project, *files)
        assert "call_gateway_standby" not in services, "it is started where it is asked for"
        both = resolved(project, *files, profiles=("standby",))
        gateway, standby = both["call_gateway"], both["call_gateway_standby"]
        kept = set(gateway) - {"depends_on"}
        assert {key: gateway[key] for key in kept} == {key: value for key, value in standby.items() if key in kept}
        assert set(standby["depends_on"]) == {"call_gateway"}
        lock = Path(gateway["environment"]["GATEWAY_STANDBY_LOCK_FILE"])
        (volume,) = [each for each in gateway["volumes"] if each["target"] == str(lock.parent)]
        assert volume["type"] == "volume"


def make_secrets(folder: Path) -> None:
    """Make the secrets that the overlay asks for: a folder for each service."""
    authority = trustme.CA()
    table = (
        f'[[tokens]]\nname = "gateway"\nsha256 = "{digest_of(TOKEN).hex()}"\ntenants = ["*"]\n'
        'scopes = ["connect"]\nexpires = 2999-01-01\n'
    )
    for name in NAMES:
        own = folder / name
        own.mkdir(parents=True)
        issued = authority.issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(str(own / "tls.crt"))
        issued.private_key_pem.write_to_path(str(own / "tls.key"))
        (own / "tokens.toml").write_text(table)
    authority.cert_pem.write_to_path(str(folder / "call_gateway" / "ca.crt"))
    (folder / "call_gateway" / "stage-token").write_text(f"{TOKEN}\n")


@pytest.mark.timeout(180)
def test_a_stack_with_the_settings_of_the_overlay_serves_and_its_stages_are_reached(project: Path) -> None:
    """The containers' own environment, with each service's /secrets where it lies outside."""
    make_secrets(project / "secrets")
    services = resolved(project, "compose.yaml", "compose.tls.yaml")
    settings: dict[str, str] = {}
    for service in SERVICES:
        for key, value in services[service.name]["environment"].items():
            own = key.replace("TONG_DAI_", f"{service.prefix}_", 1)
            here = str(value).replace("/secrets/", f"{project}/secrets/{service.name}/")
            settings[own] = here.replace("/var/lib/tong-dai/", f"{project}/")
    command = Command(**settings)
    for name, port in zip(("STT", "NLU", "TTS"), command.ports[::2], strict=False):
        command.environment[f"GATEWAY_{name}_TARGET"] = f"127.0.0.1:{port}"
    with command:
        command.wait_for("The stack serves")
        give_up = time.monotonic() + 30
        while True:
            ran = subprocess.run(
                [sys.executable, "-m", "deploy.probe", "call_gateway", "ready"],
                cwd=ROOT, env=command.environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if ran.returncode == 0:
                break
            assert time.monotonic() < give_up, ran.stdout
            time.sleep(0.5)


def patched(documents: list[Any], patches: list[dict[str, Any]]) -> list[Any]:
    """The resources with the operations of a kustomization on them (JSON Patch, RFC 6902: add and replace)."""
    for patch in patches:
        kind, name = patch["target"]["kind"], patch["target"]["name"]
        (found,) = [each for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name)]
        for operation in yaml.safe_load(patch["patch"]):
            *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
            node = found
            for part in way:
                node = node[int(part)] if isinstance(node, list) else node[part]
            assert operation["op"] == "add" or last in node, operation
            if isinstance(node, list):
                node.append(operation["value"])
            else:
                node[last] = operation["value"]
    return documents


def read_kustomizations() -> dict[str, list[Any]]:
    """Every resource of both kustomizations."""
    folder = ROOT / "deploy" / "kubernetes"
    listed = yaml.safe_load((folder / "stack" / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    texts = [(folder / "stack" / name).read_text(encoding="utf-8") for name in listed]
    gpu = yaml.safe_load((folder / "gpu" / "kustomization.yaml").read_text(encoding="utf-8"))

    def read() -> list[Any]:
        return [document for text in texts for document in yaml.safe_load_all(text) if document]

    return {"stack": read(), "gpu": patched(read(), gpu["patches"])}


@pytest.fixture(scope="module")
def kubernetes() -> dict[str, list[Any]]:
    """The manifests that `read_kustomizations` gives."""
    return read_kustomizations()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["stack", "gpu"])
def test_kubernetes_takes_every_resource(name: str, kubernetes: dict[str, list[Any]], tmp_path: Path) -> None:
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump_all(kubernetes[name]), encoding="utf-8")
    validator = shutil.which("kubernetes-validate")
    uv = find_uv()
    assert validator or uv, "uv comes with deploy/environment.sh"
    command = [validator] if validator else [str(uv), "tool", "run", "--from", VALIDATOR, "kubernetes-validate"]
    ran = subprocess.run([*command, "--strict", str(file)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (ran.stdout + ran.stderr).count(" passed ") == len(kubernetes[name])
