"""The deployment's files parse, and speak of services, ports and metrics that exist."""

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.stack import SERVICES, settings_of

_ROOT = Path(__file__).parents[3]
_DEPLOY = _ROOT / "deploy"
_NAMES = {service.name for service in SERVICES}


def read_yaml(path: Path) -> list[Any]:
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


@pytest.mark.parametrize("path", sorted(_DEPLOY.rglob("*.y*ml")), ids=lambda path: str(path.relative_to(_DEPLOY)))
def test_every_yaml_file_parses(path: Path):
    assert read_yaml(path)


def test_every_service_has_a_process_an_image_and_a_deployment():
    supervisor = configparser.RawConfigParser()
    supervisor.read(_DEPLOY / "supervisord.conf")
    assert {name.removeprefix("program:") for name in supervisor.sections() if name.startswith("program:")} == _NAMES
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
    probe = deployment["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    assert probe["grpc"] == {"port": port, "service": service.full_name}


def test_settings_named_in_deployments_exist():
    named = set()
    for path in [*(_DEPLOY / "kubernetes").rglob("*.yaml"), *(_DEPLOY / "docker").iterdir()]:
        named |= set(re.findall(r"\b((?:STT|NLU|TTS|GATEWAY|TONG_DAI)_[A-Z_]+)\b", path.read_text(encoding="utf-8")))
    example = (_ROOT / ".env.example").read_text(encoding="utf-8")
    known = set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE))
    shared = {name.removeprefix("TONG_DAI_") for name in known if name.startswith("TONG_DAI_")}
    known |= {f"{service.prefix}_{name}" for service in SERVICES for name in shared}
    assert named <= known


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
