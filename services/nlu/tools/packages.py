"""The tool packages of one agent: opened, their deeds behind one outbox, their tools by tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.tool_packages import PackageUse
from services.nlu.agent.tools import Tool
from services.nlu.engine import ToolSpec
from services.nlu.settings import NluSettings
from services.nlu.tools.journal import Journal
from services.nlu.tools.operations import OperationDeed, OperationLookUp
from services.nlu.tools.outbox import Outbox, OutboxTool
from services.nlu.tools.outbox_file import OutboxFile
from services.nlu.tools.package import Operation, Package, PackageContext
from services.nlu.tools.secrets import NoSecrets, TenantSecrets, open_secrets
from services.nlu.tools.sqlite_thread import SqliteThread
from services.runtime.errors import NotServing, StartupError
from services.runtime.logs import get_logger

log = get_logger(__name__)

OUTBOX = "tools.sqlite"
"""File of the deeds of an agent's packages, in its folder of NLU_DATA_DIR."""
_CLOSE_S = 5.0
_MOST_KNOWN = 1000  # tenants


class AgentPackages:
    """The packages that one agent's file names. `<data_dir>/<agent_id>/` holds tools.sqlite, their outbox, and
    sent.sqlite.
    """

    def __init__(self, profile: AgentProfile, settings: NluSettings) -> None:
        self._profile, self._settings = profile, settings
        self._packages: list[tuple[PackageUse, Package]] = []
        self._journal: Journal | None = None
        self._outbox: Outbox | None = None
        self._deeds: dict[str, OperationDeed] = {}
        self._in_order: dict[tuple[str, str], list[str]] = {}  # names of deeds by prefix and argument
        self._kept_s = settings.deeds_kept_s
        self._known: dict[str, tuple[list[Sequence[Operation]], Mapping[str, Tool]]] = {}  # by tenant

    async def load(self) -> None:
        """Connect, and do what an earlier process has decided and not done.

        Raises StartupError, NotServing where credentials are missing: one line each.
        """
        if not self._profile.packages:
            return
        settings = self._settings
        secrets = open_secrets(
            settings.tenant_secrets_dir,
            settings.tenant_secrets.get_secret_value(),
            allow_insecure=settings.allow_insecure,
        )
        if settings.data_dir is not None:
            self._open_files(settings.data_dir / self._profile.agent_id)
        for use in self._profile.packages:
            context = PackageContext(
                agent_id=self._profile.agent_id,
                name=use.name,
                place=use.place,
                timezone=self._profile.timezone,
                region=self._profile.region,
                tenants=self._tenants(use, secrets),
                secrets=secrets,
                data_dir=settings.data_dir,
                allow=tuple(use.allow),
            )
            package: Package = use.kind(use.options, context)
            self._packages.append((use, package))
            await package.open()
            self._check_allowed(use, package)
        self._put_behind_outbox()
        if self._outbox is not None:
            self._outbox.start()

    def tools(self, tenant_id: str) -> Mapping[str, Tool]:
        """The tools of one tenant's calls, by name."""
        known = self._known.get(tenant_id)
        listed = [package.operations() for _, package in self._packages]
        if known is not None and all(now is was for now, was in zip(listed, known[0], strict=True)):
            return known[1]
        tools = self._tools(tenant_id)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[tenant_id] = (listed, tools)
        return tools

    def _tools(self, tenant_id: str) -> Mapping[str, Tool]:
        self._put_behind_outbox()
        found: dict[str, Tool] = {}
        for use, operation in self._operations():
            if operation.tenants is not None and tenant_id not in operation.tenants:
                continue
            name = operation.spec(use.name).name
            if not operation.writes:
                found[name] = OperationLookUp(operation, use.name, tenant_id)
            elif self._outbox is not None:
                found[name] = OutboxTool(self._deeds[name], self._outbox, tenant_id, spec=operation.spec(use.name))
        return found

    def specs(self, tenant_id: str) -> tuple[ToolSpec, ...]:
        return tuple(tool.spec for tool in self.tools(tenant_id).values())

    async def close(self) -> None:
        """Let go of every connection, whatever the others do."""
        if self._outbox is not None:
            await self._outbox.stop()
        for use, package in self._packages:
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await package.close()
            except Exception as error:
                log.warning("tools_not_closed", what=use.name, why=f"{type(error).__name__}: {error}")

    def _operations(self) -> Iterator[tuple[PackageUse, Operation]]:
        for use, package in self._packages:
            for operation in package.operations():
                if not use.allow or operation.name in use.allow:
                    yield use, operation

    def _put_behind_outbox(self) -> None:
        """Deeds that have come to be known; a server of tools may say them late."""
        if self._outbox is None or self._journal is None:
            return
        writing: dict[tuple[str, str], list[Operation]] = {}
        for use, operation in self._operations():
            if operation.writes:
                writing.setdefault((use.name, operation.spec(use.name).name), []).append(operation)
        for (prefix, name), operations in writing.items():
            if name in self._deeds:
                self._deeds[name].serve(operations)
            else:
                self._deeds[name] = OperationDeed(operations, prefix, self._journal)
                self._add(prefix, name, operations[0].in_order_by)

    def _add(self, prefix: str, name: str, argument: str) -> None:
        """Have the outbox do a deed, behind those of its package that must come before it."""
        if self._outbox is None:
            return
        if not argument:
            self._outbox.add(self._deeds[name])
            return
        names = self._in_order.setdefault((prefix, argument), [])
        names.append(name)
        self._outbox.add_in_order([self._deeds[each] for each in names], argument)

    def _check_allowed(self, use: PackageUse, package: Package) -> None:
        where = f"agent {self._profile.agent_id}: tools: {use.name}"
        known = {operation.name: operation for operation in package.operations()}
        if not known:
            return  # not known before it is open, or while its server does not answer
        unknown = [name for name in use.allow if name not in known]
        if unknown:
            raise StartupError(f"{where}: allow: no tool is called {', '.join(unknown)}; there are {', '.join(known)}")
        writing = [name for name in (use.allow or known) if known[name].writes]
        if writing and self._outbox is None:
            raise NotServing(
                f"{where}: {', '.join(writing)} write: set NLU_DATA_DIR for their outbox, or `allow` the others only"
            )

    def _tenants(self, use: PackageUse, secrets: TenantSecrets) -> tuple[str, ...]:
        """Return the tenants that are served, each with its credentials checked. Raises NotServing."""
        tenants = self._profile.tenants or secrets.tenants(use.place) or ("",)
        needs = use.kind.Secrets is not None and getattr(use.options, "needs_credentials", True)
        for tenant_id in tenants if needs else ():
            try:
                secrets.read(tenant_id, use.place, use.kind.Secrets)
            except NoSecrets as missing:
                raise NotServing(f"agent {self._profile.agent_id}: tools: {missing}") from missing
        return tenants

    def _open_files(self, folder: Path) -> None:
        try:
            self._journal = Journal(folder / "sent.sqlite", f"sent-{self._profile.agent_id}")
            file = OutboxFile(folder / OUTBOX)
        except Exception as error:
            raise StartupError(f"agent {self._profile.agent_id}: tools: {folder} cannot be used: {error}") from error
        worker = SqliteThread(f"tools-{self._profile.agent_id}")
        self._outbox = Outbox(file, worker, kept_s=self._kept_s, forget=self._journal.forget_all)
