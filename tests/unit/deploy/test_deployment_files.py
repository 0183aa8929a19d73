"""The deployment's files parse, and speak of services, ports and metrics that exist."""

import configparser
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.stack import SERVICES, settings_of
from services.call_gateway.edges.ari.settings import AriSettings

_ROOT = Path(__file__).parents[3]
_DEPLOY = _ROOT / "deploy"
_NAMES = {service.name for service in SERVICES}


class ComposeLoader(yaml.SafeLoader):
    """Reads Compose's own tags too."""


ComposeLoader.add_constructor("!reset", lambda loader, node: None)
ComposeLoader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


def read_yaml(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8")
    return [document for document in yaml.load_all(text, Loader=ComposeLoader) if document]


@pytest.mark.parametrize("path", sorted(_DEPLOY.rglob("*.y*ml")), ids=lambda path: str(path.relative_to(_DEPLOY)))
def test_every_yaml_file_parses(path: Path):
    assert read_yaml(path)


def test_every_service_has_a_process_an_image_and_a_deployment():
    supervisor = configparser.RawConfigParser()
    supervisor.read(_DEPLOY / "supervisord.conf")
    programs = {name.removeprefix("program:") for name in supervisor.sections() if name.startswith("program:")}
    assert programs == _NAMES | {"call_gateway_standby"}
    supervisor_of_one = configparser.RawConfigParser()
    supervisor_of_one.read(_DEPLOY / "supervisord_one.conf")
    assert supervisor_of_one["program:stack"]["command"].endswith("-m deploy.one_process")
    assert {path.name.removesuffix(".Dockerfile") for path in (_DEPLOY / "docker").iterdir()} >= _NAMES
    assert read_yaml(_DEPLOY / "compose.yaml")[0]["services"].keys() >= _NAMES
    for name in _NAMES:
        assert (_DEPLOY / "kubernetes" / "stack" / f"{name.replace('_', '-')}.yaml").is_file()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_images_and_deployments_use_the_default_ports(service: Any):
    own = type(settings_of(service)).model_fields
    port, metrics_port = own["port"].default, own["metrics_port"].default
    image = (_DEPLOY / "docker" / f"{service.name}.Dockerfile").read_text(encoding="utf-8")
    assert f"EXPOSE {port} {metrics_port}" in image
    headless, deployment = read_yaml(_DEPLOY / "kubernetes" / "stack" / f"{service.name.replace('_', '-')}.yaml")
    assert headless["spec"]["clusterIP"] == "None"
    assert [each["port"] for each in headless["spec"]["ports"]] == [port, metrics_port]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "metrics", "containerPort": metrics_port} in container["ports"]
    pages = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert pages == {
        "startup": {"path": "/serving", "port": "metrics"},
        "readiness": {"path": "/ready", "port": "metrics"},
        "liveness": {"path": "/live", "port": "metrics"},
    }


REFERENCES = {
    "status.hostIP": "10.1.2.3",
    "metadata.name": "call-gateway-0",
    "stage-token": "from-a-secret",
    "ari-url": "https://pbx.example:8089",
    "ari-user": "tong-dai",
    "ari-password": "from-a-secret",
}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_deployments_expose_nothing_and_take_secrets_by_reference(service: Any, monkeypatch: pytest.MonkeyPatch):
    path = _DEPLOY / "kubernetes" / "stack" / f"{service.name.replace('_', '-')}.yaml"
    pod = read_yaml(path)[1]["spec"]["template"]["spec"]
    mounted = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    for entry in pod["containers"][0]["env"]:
        source = entry.get("valueFrom", {})
        reference = source.get("secretKeyRef", {}).get("key") or source.get("fieldRef", {}).get("fieldPath")
        value = entry.get("value") or REFERENCES[reference]
        monkeypatch.setenv(entry["name"], re.sub(r"\$\((\w+)\)", lambda found: os.environ[found[1]], value))
        if entry["name"].endswith(("_TOKEN", "_PASSWORD")):
            assert "secretKeyRef" in source, entry["name"]
        if entry["name"].endswith("_FILE"):
            folder = entry["value"].rpartition("/")[0]
            assert mounted[folder] in secrets, f"{entry['name']} lies in no secret"
    settings = settings_of(service)
    assert settings.exposures() == []
    assert settings.host not in ("127.0.0.1", "localhost"), "what is tested leaves loopback"
    if service.name == "call_gateway":
        assert AriSettings().exposures() == []
        assert AriSettings().app == REFERENCES["metadata.name"], "each pod has an ARI application of its own"
        assert AriSettings().media_host == REFERENCES["status.hostIP"], "Asterisk sends RTP to the node"


MANIFESTS = sorted([*(_DEPLOY / "kubernetes").rglob("*.yaml"), *_DEPLOY.glob("compose*.yaml")])


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(_DEPLOY)))
def test_every_manifest_says_where_its_secrets_come_from(path: Path):
    text = path.read_text(encoding="utf-8")
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    (said,) = re.findall(r"^# Secrets: (.*)", head, re.MULTILINE)
    used = set(re.findall(r"secretName: ([\w-]+)|secretKeyRef: \{ name: ([\w-]+)", text))
    names = {name for pair in used for name in pair if name}
    assert set(re.findall(r"[a-z-]+", said.partition(";")[0])) == names or not names, said
    assert names or said != "", said


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(_DEPLOY)))
def test_no_manifest_holds_a_secret(path: Path):
    for document in read_yaml(path):
        assert document.get("kind") != "Secret"
        for name, value in assignments(document):
            assert not re.search(r"(TOKEN|PASSWORD|KEY|SECRET)$", name) or value in ("", None), name


def assignments(node: Any) -> list[tuple[str, Any]]:
    """Every variable with a value of its own that a manifest sets, however deep."""
    if isinstance(node, list):
        return [found for each in node for found in assignments(each)]
    if not isinstance(node, dict):
        return []
    found = [(node["name"], node["value"])] if {"name", "value"} <= node.keys() else []
    environment = node.get("environment")
    found += list(environment.items()) if isinstance(environment, dict) else []
    return found + [each for value in node.values() for each in assignments(value)]


def test_a_container_sees_the_secrets_of_its_own_service_alone():
    services = read_yaml(_DEPLOY / "compose.yaml")[0]["services"]
    for name in _NAMES:
        mounted = [volume for volume in services[name]["volumes"] if ":/secrets:" in volume]
        assert mounted == [f"${{TONG_DAI_SECRETS_DIR:-../secrets}}/{name}:/secrets:ro"]
    own = [service for service, about in services.items() if "secrets.env" in str(about.get("env_file", ""))]
    assert own == ["call_gateway", "call_gateway_standby"]


@pytest.mark.parametrize("image", ["nlu", "nlu_cuda"])
def test_what_agents_tools_write_lies_in_the_volume_of_the_nlu(image: str):
    text = (_DEPLOY / "docker" / f"{image}.Dockerfile").read_text(encoding="utf-8")
    found = re.findall(r"\bNLU_DATA_DIR=(\S+)", text)
    pod = read_yaml(_DEPLOY / "kubernetes" / "stack" / "nlu.yaml")[1]["spec"]["template"]["spec"]
    assert found == [each["value"] for each in pod["containers"][0]["env"] if each["name"] == "NLU_DATA_DIR"]
    volumes = read_yaml(_DEPLOY / "compose.yaml")[0]["services"]["nlu"]["volumes"]
    (writable,) = [volume.partition(":")[2] for volume in volumes if not volume.endswith(":ro")]
    assert Path(found[0]).is_relative_to(writable), "the root is read-only, and the folder outlives the container"


SECRET = re.compile(r"^#([A-Z_]+_(?:API_KEY|TOKEN|PASSWORD|SECRET))=", re.MULTILINE)


def test_a_secret_in_the_settings_file_reaches_its_own_service_alone():
    """Compose hands .env to every container; what `environment` says goes before it, and an empty setting is unset."""
    secrets = set(SECRET.findall((_ROOT / ".env.example").read_text(encoding="utf-8")))
    assert {"NLU_OPENAI_API_KEY", "GATEWAY_STAGE_TOKEN", "GATEWAY_ARI_PASSWORD"} <= secrets
    prefixes = {service.name: f"{service.prefix}_" for service in SERVICES}
    given = {
        name: about
        for name, about in read_yaml(_DEPLOY / "compose.yaml")[0]["services"].items()
        if "../.env" in str(about.get("env_file"))
    }
    assert given.keys() == {*_NAMES, "models", "call_gateway_standby"}
    for name, about in given.items():
        prefixes.setdefault(name, prefixes.get(name.removesuffix("_standby"), "NOBODYS_"))
        others = {secret for secret in secrets if not secret.startswith(prefixes[name])}
        settings = {key: value for key, value in about["environment"].items() if key != "GATEWAY_STANDBY_LOCK_FILE"}
        assert settings == dict.fromkeys(others, ""), name


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_pod_sees_of_a_secret_of_several_services_its_own_part_alone(service: Any):
    path = _DEPLOY / "kubernetes" / "stack" / f"{service.name.replace('_', '-')}.yaml"
    pod = read_yaml(path)[1]["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    named = {entry.get("value", "") for entry in pod["containers"][0]["env"]}
    for volume in (volume for volume in pod["volumes"] if "secret" in volume):
        secret = volume["secret"]
        if secret["secretName"] != f"{service.name.replace('_', '-')}-tls":
            assert {f"{mounts[volume['name']]}/{item['path']}" for item in secret["items"]} <= named


def test_no_pod_is_given_a_token_of_the_cluster():
    for path in (_DEPLOY / "kubernetes" / "stack").glob("*.yaml"):
        for document in read_yaml(path):
            pod = document.get("spec", {}).get("template", {}).get("spec")
            assert pod is None or pod["automountServiceAccountToken"] is False, path.name


def test_settings_named_in_deployments_exist():
    named = set()
    for path in [*(_DEPLOY / "kubernetes").rglob("*.yaml"), *(_DEPLOY / "docker").iterdir()]:
        named |= set(re.findall(r"\b((?:STT|NLU|TTS|GATEWAY|TONG_DAI)_[A-Z_]+)\b", path.read_text(encoding="utf-8")))
    example = (_ROOT / ".env.example").read_text(encoding="utf-8")
    known = set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE))
    shared = {name.removeprefix("TONG_DAI_") for name in known if name.startswith("TONG_DAI_")}
    known |= {f"{service.prefix}_{name}" for service in SERVICES for name in shared}
    assert named - {"TONG_DAI_APP"} <= known  # that one is Asterisk's own variable


def test_dashboards_and_alerts_speak_of_metrics_that_exist():
    source = "\n".join(path.read_text(encoding="utf-8") for path in (_ROOT / "services").rglob("*.py"))
    exported = set(re.findall(r'"(voice_[a-z0-9_]+)"', source))
    dashboards = [json.loads(path.read_text(encoding="utf-8")) for path in (_DEPLOY / "grafana").rglob("*.json")]
    rules = (_DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\bvoice_[a-z0-9_]+\b", rules + json.dumps(dashboards)))
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= exported


def test_the_lock_file_names_no_folder_of_one_machine():
    lock = (_ROOT / "uv.lock").read_text(encoding="utf-8")
    assert not re.search(r'source = \{ registry = "(?!https://)', lock)


def test_uv_is_installed_by_hash_wherever_it_is():
    pinned = (_DEPLOY / "uv.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^uv==([\d.]+)", pinned, re.MULTILINE)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", pinned)) == 2
    script = (_DEPLOY / "environment.sh").read_text(encoding="utf-8")
    assert f"UV_VERSION={version} " in script
    for path in [_DEPLOY / "environment.sh", *(_DEPLOY / "docker").iterdir()]:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "pip install" not in line or "--require-hashes" in line, f"{path.name}: {line}"


def test_the_dialplan_puts_nothing_of_a_callers_into_its_words():
    """No argument has the caller's text (name, number, headers, what was dialled): it could hold a comma."""
    text = (_DEPLOY / "asterisk" / "production" / "extensions.conf").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{(\w+)", text.replace("not ${EXTEN}", "")))
    own = {name for name in used if name.startswith("TONG_DAI_")}
    assert used - own == {"CHANNEL", "CUT", "DIALSTATUS", "FIELDQTY", "GLOBAL", "STASISSTATUS"}
    assert "TONG_DAI_DESTINATION" in own, "the gateway sets it, to what the agent's file lists"


def test_every_service_of_kubernetes_has_a_disruption_budget_and_is_spread():
    folder = _DEPLOY / "kubernetes" / "stack"
    budgets = {each["metadata"]["name"]: each["spec"] for each in read_yaml(folder / "disruption.yaml")}
    assert budgets.keys() == {name.replace("_", "-") for name in _NAMES}
    for name, budget in budgets.items():
        workload = read_yaml(folder / f"{name}.yaml")[1]
        pod = workload["spec"]["template"]
        assert budget["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert budget["maxUnavailable"] == 1, "less would hold up every drain of a single replica"
        spread = (
            pod["spec"].get("topologySpreadConstraints")
            or pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        )
        assert [each["topologyKey"] for each in spread] == ["kubernetes.io/hostname"]
        assert spread[0]["labelSelector"]["matchLabels"] == budget["selector"]["matchLabels"]
    listed = read_yaml(folder / "kustomization.yaml")[0]["resources"]
    assert set(listed) == {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
