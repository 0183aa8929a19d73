"""Packages in an agent's file: what is wrong is one line with line and field; credentials; deeds behind the outbox."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.nlu.agent.profile import read_agents
from services.nlu.settings import NluSettings
from services.nlu.tools.packages import AgentPackages
from services.nlu.tools.secrets import NoSecrets, SecretFields, TenantSecrets, open_secrets
from services.runtime.errors import NotServing, StartupError
from tests.integration.tools.opening import opened, profile_of, run, settings_of, write_agent

ZOHO = {"package": "crm.zoho"}
FIELDS = {"client_id": "c", "client_secret": "s", "refresh_token": "r"}


@pytest.mark.parametrize(
    ("tools", "field", "why"),
    [
        ([{"package": "crm.sugar"}], "package: crm.sugar", "tools.0.package: there is no package 'crm.sugar'"),
        (["sing"], "tools:", "no tool is called sing"),
        ([{"name": "x"}], "name: x", "which package"),
        ([{**ZOHO, "option": {}}], "option: {}", "tools.0.option: there is no such field"),
        ([{**ZOHO, "options": {"key": 1}}], "key: 1", "tools.0.options.key: Extra inputs"),
        ([{**ZOHO, "options": {"timeout_s": -1}}], "timeout_s: -1", "tools.0.options.timeout_s: Input should be"),
        ([{**ZOHO, "options": [1]}], "options:", "write a mapping"),
        ([{**ZOHO, "name": "a b"}], "name: a b", "use letters, digits"),
        ([{**ZOHO, "allow": "create_lead"}], "allow: create_lead", "list the names"),
        ([ZOHO, ZOHO], "tools:", "two packages are named 'crm'"),
        ([{"package": "no_such_module:X"}], "package: no_such_module:X", "needs the Python package no_such_module"),
        ([{"package": "json:X"}], "package: json:X", "json has no X"),
        ([{"package": "mcp", "allow": ["a"]}], "- allow:", "either `command` or `url`"),
        ([{"package": "mcp", "options": {"url": "https://a.example"}}], "- options:", "allow: list the tools"),
        ([{"package": "calendar.google"}], "package: calendar.google", "calendar: Field required"),
        (["current_time", {**ZOHO, "options": {"key_field": "a b"}}], "key_field: a b", "tools.1.options.key_field"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_line_and_field(
    tmp_path: Path, tools: Any, field: str, why: str
) -> None:
    path = write_agent(tmp_path, tools)
    with pytest.raises(StartupError) as error:
        read_agents(tmp_path)
    lines = path.read_text(encoding="utf-8").splitlines()
    line = int(str(error.value).split("line ")[1].split(":")[0])
    assert field in lines[line - 1]
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_single_tools_and_packages_stand_in_one_list(tmp_path: Path) -> None:
    profile = profile_of(tmp_path, ["current_time", {**ZOHO, "name": "crm", "allow": ["find_contact"]}])
    assert profile.tools == ("current_time",)
    (use,) = profile.packages
    assert (use.package, use.name, use.allow) == ("crm.zoho", "crm", ("find_contact",))


def test_nothing_is_imported_before_a_file_names_it() -> None:
    script = (
        "import sys; from pathlib import Path; from services.nlu.agent.profile import read_agents;"
        "import services.nlu.tools.packages; read_agents(Path('deploy/agents'));"
        "print([name for name in ('aiohttp', 'aiosmtplib', 'icalendar', 'jsonschema', 'mcp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def loaded(tmp_path: Path, tools: Any, settings: NluSettings, **fields: Any) -> AgentPackages:
    packages = AgentPackages(profile_of(tmp_path, tools, **fields), settings)
    await packages.load()
    return packages


@pytest.mark.parametrize(
    ("secrets", "why"),
    [
        (None, "crm.zoho of tenant 'acme': there are no credentials"),
        ({"acme": {"crm.zoho": {"client_id": "c", "client_secret": "s3cr3t"}}}, "refresh_token: Field required"),
        ({"acme": {"crm.zoho": {**FIELDS, "api_url": "s3cr3t"}}}, "api_url: String should match"),
    ],
)
async def test_missing_credentials_keep_it_from_serving_in_one_line(tmp_path: Path, secrets: Any, why: str) -> None:
    with pytest.raises(NotServing) as error:
        await loaded(tmp_path, [ZOHO], settings_of(tmp_path, secrets), tenants=["acme"])
    assert why in str(error.value)
    assert "\n" not in str(error.value)
    assert "s3cr3t" not in str(error.value)


async def test_deeds_need_a_place_for_their_outbox(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"acme": {"crm.zoho": FIELDS}}).model_copy(update={"data_dir": None})
    with pytest.raises(NotServing, match="create_lead, create_task, note_conversation write: set NLU_DATA_DIR"):
        await loaded(tmp_path, [ZOHO], settings)
    packages = await loaded(tmp_path, [{**ZOHO, "allow": ["find_contact"]}], settings)
    assert list(packages.tools("acme")) == ["crm_find_contact"]
    await packages.close()


async def test_an_allowed_name_that_is_none_is_told(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"acme": {"crm.zoho": FIELDS}})
    with pytest.raises(StartupError, match="no tool is called sing; there are find_contact"):
        await loaded(tmp_path, [{**ZOHO, "allow": ["sing"]}], settings)


async def test_reading_tools_and_deeds_are_marked(tmp_path: Path) -> None:
    async with opened(tmp_path, ZOHO, FIELDS) as packages:
        writes = {spec.name: spec.writes for spec in packages.specs("acme")}
    assert writes == {
        "crm_find_contact": False,
        "crm_create_lead": True,
        "crm_create_task": True,
        "crm_note_conversation": True,
    }


class Fields(SecretFields):
    """Of these tests."""

    key: str


def test_credentials_of_a_folder_are_a_file_each_and_win(tmp_path: Path) -> None:
    place = tmp_path / "acme" / "crm"
    place.mkdir(parents=True)
    (place / "key").write_text(" from the folder\n")
    secrets = open_secrets(tmp_path, '{"acme": {"crm": {"key": "x"}}, "_": {"crm": {"key": "of none"}}}')
    assert secrets.read("acme", "crm", Fields).key == "from the folder"
    assert secrets.read("", "crm", Fields).key == "of none"
    assert secrets.tenants("crm") == ("", "acme")
    (place / "key").write_text("renewed")
    assert secrets.read("acme", "crm", Fields).key == "renewed"
    assert "renewed" not in repr(secrets.read("acme", "crm", Fields))


@pytest.mark.parametrize("tenant_id", ["..", "../acme", "_", "acme/..", ".", "a\x00b", "acme\n", "ACME"])
def test_no_tenant_reads_anothers_credentials(tmp_path: Path, tenant_id: str) -> None:
    for tenant in ("acme", "_"):
        (tmp_path / "x" / tenant / "crm").mkdir(parents=True)
        (tmp_path / "x" / tenant / "crm" / "key").write_text("k")
    (tmp_path / "crm").mkdir()
    (tmp_path / "crm" / "key").write_text("outside")
    with pytest.raises(NoSecrets):
        TenantSecrets(tmp_path / "x").read(tenant_id, "crm", Fields)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": {"b": 1}}'])
def test_credentials_that_are_no_json_keep_it_from_serving(text: str) -> None:
    with pytest.raises(NotServing, match="NLU_TENANT_SECRETS"):
        open_secrets(None, text)


OWN = """
from pydantic import BaseModel
from services.nlu.tools.arguments import ArgumentsModel, by_model, schema_of
from services.nlu.tools.package import NoOptions, Operation


class Wish(ArgumentsModel):
    text: str


class Kitchen:
    Options = NoOptions
    Secrets = None

    def __init__(self, options, context):
        self.name = context.name

    async def open(self): ...

    async def close(self): ...

    async def cook(self, arguments, asked):
        return {"cooked": arguments["text"], "for": asked.tenant_id, "key": asked.key}

    def operations(self):
        return [Operation("cook", "Cooks.", schema_of(Wish), by_model(Wish), self.cook, writes=True)]
"""


async def test_a_package_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_kitchen.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    async with opened(tmp_path, {"package": "own_kitchen:Kitchen", "name": "kitchen"}) as packages:
        made = await asyncio.gather(*(run(packages, "kitchen_cook", key="a" * 32, text="phở") for _ in range(3)))
    assert made == [{"status": "done", "result": {"cooked": "phở", "for": "acme", "key": "a" * 32}}] * 3


def test_a_service_without_credentials_stays_up_and_serves_nothing(tmp_path: Path) -> None:
    """The service is not started again and again, as a container would be."""
    write_agent(tmp_path / "agents", [ZOHO], tenants=["acme"])
    environment = {
        "PYTHONPATH": ":".join(sys.path),
        "NLU_AGENTS_DIR": str(tmp_path / "agents"),
        "NLU_DEFAULT_AGENT": "hotel",
        "NLU_ENGINE": "script",
        "NLU_AGENT_KIND": "prompt",
        "NLU_PORT": "0",
        "NLU_METRICS_PORT": "0",
        "NLU_DATA_DIR": str(tmp_path / "data"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "services.nlu"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "no credentials" in line)
        assert "crm.zoho of tenant 'acme'" in line
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert yaml.safe_load((tmp_path / "agents/hotel.yaml").read_text())["tools"]
