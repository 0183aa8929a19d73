"""The `tools:` of an agent's file: names of single tools, and packages with their options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ValidationError

from services.nlu.agent.facts_file import AgentFileError

EXTRA = "nlu-tools"
TOOL_PACKAGES = {
    "calendar.caldav": "services.nlu.tools.calendar.package:CalDavPackage",
    "calendar.google": "services.nlu.tools.calendar.package:GooglePackage",
    "calendar.microsoft": "services.nlu.tools.calendar.package:GraphPackage",
    "crm.amocrm": "services.nlu.tools.crm.amocrm:AmoCrmPackage",
    "crm.bitrix24": "services.nlu.tools.crm.bitrix24:Bitrix24Package",
    "crm.salesforce": "services.nlu.tools.crm.salesforce:SalesforcePackage",
    "crm.zoho": "services.nlu.tools.crm.zoho:ZohoPackage",
    "http": "services.nlu.tools.openapi.package:OpenApiPackage",
    "mcp": "services.nlu.tools.mcp_servers.package:McpPackage",
    "message": "services.nlu.tools.message.package:MessagePackage",
}
"""Imported only where an agent's file names them."""

_FIELDS = ("package", "name", "allow", "options")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class PackageUse:
    """One place in an agent's file that names a package."""

    package: str
    name: str  # prefix of its tools
    place: str  # where its credentials lie: the name that the file gives, else the package's
    allow: tuple[str, ...]  # operations that may be called; empty: all of a package that says itself which there are
    options: BaseModel
    kind: Any  # the package's class


def split_tools(listed: Any) -> tuple[Any, tuple[PackageUse, ...]]:
    """The names of single tools, and the packages. Raises AgentFileError with the field's path."""
    if not isinstance(listed, list | tuple):
        return listed, ()
    names, uses = [], []
    for index, each in enumerate(listed):
        if isinstance(each, Mapping):
            uses.append(_read(each, ("tools", index)))
        else:
            names.append(each)
    seen: set[str] = set()
    for use in uses:
        if use.name in seen:
            raise AgentFileError(("tools",), f"two packages are named {use.name!r}: give one of them a `name`")
        seen.add(use.name)
    return names, tuple(uses)


def _read(fields: Mapping[str, Any], at: tuple[str | int, ...]) -> PackageUse:
    for field in fields:
        if field not in _FIELDS:
            raise AgentFileError((*at, str(field)), f"there is no such field: use {', '.join(_FIELDS)}")
    package = fields.get("package")
    if not isinstance(package, str) or not package:
        raise AgentFileError(at, f"which package? There are {', '.join(sorted(TOOL_PACKAGES))}")
    kind = _kind(package, (*at, "package"))
    last_part = re.sub(r"[^A-Za-z0-9_-]", "_", package.rpartition(":")[2].rpartition(".")[2])
    name = fields.get("name", getattr(kind, "default_name", last_part))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AgentFileError((*at, "name"), f"{name!r}: use letters, digits, _ and -, 32 at most")
    allow = fields.get("allow", ())
    if not isinstance(allow, list | tuple) or not all(isinstance(each, str) for each in allow):
        raise AgentFileError((*at, "allow"), "list the names of operations")
    if getattr(kind, "must_allow", False) and not allow:
        raise AgentFileError((*at, "allow"), "list the tools of this server that may be called")
    place = package if "name" not in fields and package in TOOL_PACKAGES else name
    return PackageUse(package, name, place, tuple(allow), _options(kind, fields.get("options"), (*at, "options")), kind)


def _kind(package: str, at: tuple[str | int, ...]) -> Any:
    module, separator, attribute = TOOL_PACKAGES.get(package, package).partition(":")
    if not separator:
        known = ", ".join(sorted(TOOL_PACKAGES))
        raise AgentFileError(at, f"there is no package {package!r}: use {known}, or 'package.module:Class'")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as missing:
        hint = f": pip install 'tong-dai[{EXTRA}]'" if package in TOOL_PACKAGES else ""
        raise AgentFileError(at, f"{package} needs the Python package {missing.name}{hint}") from missing
    except AttributeError as missing:
        raise AgentFileError(at, f"{module} has no {attribute}") from missing


def _options(kind: Any, given: Any, at: tuple[str | int, ...]) -> BaseModel:
    if given is not None and not isinstance(given, Mapping):
        raise AgentFileError(at, "write a mapping of options")
    try:
        options: BaseModel = kind.Options.model_validate(dict(given or {}))
    except ValidationError as error:
        first = error.errors()[0]
        loc = tuple(part for part in first["loc"] if isinstance(part, str | int))
        raise AgentFileError((*at, *loc), first["msg"].removeprefix("Value error, ")) from error
    return options
