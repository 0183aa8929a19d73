"""A package as an agent has it: opened from the lines of an agent's file, with credentials of a tenant."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.settings import NluSettings
from services.nlu.tools.packages import AgentPackages

ROOT = Path(__file__).parents[3]
KEY = "00112233445566778899aabbccddeeff"


def write_agent(folder: Path, tools: Any, **fields: Any) -> Path:
    """A copy of the hotel's file with other tools."""
    agent = yaml.safe_load((ROOT / "deploy/agents/hotel.yaml").read_text(encoding="utf-8"))
    agent |= {"tools": tools, "timezone": "Asia/Ho_Chi_Minh", "region": "VN", **fields}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "hotel.yaml"
    path.write_text(yaml.safe_dump(agent, allow_unicode=True), encoding="utf-8")
    return path


def profile_of(tmp_path: Path, tools: Any, **fields: Any) -> AgentProfile:
    write_agent(tmp_path / "agents", tools, **fields)
    return read_agents(tmp_path / "agents")["hotel"]


def settings_of(tmp_path: Path, secrets: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None) -> NluSettings:
    return NluSettings.model_validate(
        {
            "engine": "script",
            "data_dir": tmp_path / "data",
            "tenant_secrets": json.dumps(secrets) if secrets else "",
        }
    )


@asynccontextmanager
async def opened(
    tmp_path: Path, package: Mapping[str, Any], secrets: Mapping[str, str] | None = None, **fields: Any
) -> AsyncIterator[AgentPackages]:
    """The tenant is acme."""
    held = {"acme": {str(package.get("name", package["package"])): secrets}} if secrets else None
    packages = AgentPackages(profile_of(tmp_path, [package], **fields), settings_of(tmp_path, held))
    await packages.load()
    try:
        yield packages
    finally:
        await packages.close()


async def run(packages: AgentPackages, name: str, tenant_id: str = "acme", key: str = KEY, **arguments: Any) -> Any:
    """The result of one tool, read. Raises ToolRefused."""
    return json.loads(await packages.tools(tenant_id)[name].run(arguments, idempotency_key=key))
