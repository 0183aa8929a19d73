"""Package of tools: operations on one kind of system, for the tenants of one agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from services.nlu.engine import ToolSpec
from services.nlu.tools.secrets import SecretFields, TenantSecrets

Run = Callable[[Mapping[str, Any], "Asked"], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Asked:
    """For whom an operation is run, and under which key: 32 hexadecimal digits, empty for one that writes nothing."""

    tenant_id: str
    key: str = ""
    note: Callable[[str], Awaitable[None]] | None = None  # keeps something for a second try under this key
    noted: str = ""  # by the first try


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a system can be asked for. `run` gives a JSON value; it raises CallFailed and ToolRefused."""

    name: str  # without the package's prefix
    description: str
    parameters_json: str  # a JSON schema of its arguments
    check: Callable[[Mapping[str, Any]], Mapping[str, Any]]  # the arguments, read; raises ToolRefused
    run: Run
    writes: bool = False
    is_repeatable: bool = True  # the same key may be sent twice: the system, or the adapter, knows it again
    timeout_s: float = 9.0
    tenants: tuple[str, ...] | None = None  # whose it is; None: everybody's
    in_order_by: str = ""  # an argument: deeds of the package with the same value are done in the order of decision

    def spec(self, prefix: str) -> ToolSpec:
        return ToolSpec(f"{prefix}_{self.name}", self.description, self.parameters_json, writes=self.writes)


class NoOptions(BaseModel):
    """Options of a package that has none; a base of those of others."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


@dataclass(frozen=True, slots=True)
class PackageContext:
    """The part of its agent that a package may know."""

    agent_id: str
    name: str  # of this use: prefix of its tools
    place: str  # where its credentials lie
    timezone: str = "UTC"
    region: str = ""  # whose telephone numbers callers give: ISO 3166-1
    tenants: tuple[str, ...] = ("",)  # those it must serve; "" is the tenant of calls that name none
    secrets: TenantSecrets = field(default_factory=TenantSecrets)
    data_dir: Path | None = None
    allow: tuple[str, ...] = ()  # operations that the agent may use; empty: all


class Package(Protocol):
    """Made once for each place in an agent's file that names it. Its class is named in the table of packages, or by
    "package.module:Class" in the file.
    """

    Options: ClassVar[type[BaseModel]]
    Secrets: ClassVar[type[SecretFields] | None]

    def __init__(self, options: Any, context: PackageContext) -> None:
        """`options` are of `Options`. Raises StartupError, one line that says what to do."""

    async def open(self) -> None:
        """Make ready. Raises StartupError; a system that does not answer now is none."""

    def operations(self) -> Sequence[Operation]:
        """Return the operations that are known by now."""

    async def close(self) -> None:
        """Let go of connections."""
