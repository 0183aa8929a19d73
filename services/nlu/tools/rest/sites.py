"""One system for several tenants: a client for each, replaced when its credentials change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

import aiohttp

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.package import PackageContext
from services.nlu.tools.rest.token_file import TokenFile
from services.nlu.tools.secrets import NO_TENANT, NoSecrets, SecretFields
from services.runtime.logs import get_logger

log = get_logger(__name__)

Fields = TypeVar("Fields", bound=SecretFields)

_LEFT_S = 60.0  # that requests under way may go on with a client which has been replaced


class Client(Protocol):
    """The client of one system."""

    async def close(self) -> None: ...


Asks = TypeVar("Asks", bound=Client)


class Sites(Generic[Fields, Asks]):
    """Clients of the tenants' sites, by tenant."""

    def __init__(self, context: PackageContext, kind: type[Fields], make: Callable[[str, Fields], Asks]) -> None:
        self._context, self._kind, self._make = context, kind, make
        self._clients: dict[str, tuple[Asks, Fields]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def who(self, system: str, tenant_id: str) -> str:
        return f"{system} of tenant {tenant_id!r}" if tenant_id else system

    async def of(self, tenant_id: str) -> tuple[Asks, Fields]:
        """The client, and the credentials as they are now. Raises ToolRefused where the tenant has none."""
        read = self._context.secrets.read
        try:
            secrets = await asyncio.to_thread(read, tenant_id, self._context.place, self._kind)
        except NoSecrets as missing:
            log.warning("tool_failed", tool=self._context.name, complaint=str(missing))
            raise ToolRefused(f"{self._context.place}: there are no credentials for this tenant") from missing
        known = self._clients.get(tenant_id)
        if known is not None and known[1] == secrets:
            return known
        if known is not None:
            self._closes(known[0])
        self._clients[tenant_id] = (self._make(tenant_id, secrets), secrets)
        return self._clients[tenant_id]

    async def close(self) -> None:
        for task in tuple(self._closing):
            task.cancel()
        for client, _ in self._clients.values():
            with suppress(aiohttp.ClientError, OSError):
                await client.close()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _closes(self, client: Asks) -> None:
        """Requests under way end first."""

        async def later() -> None:
            try:
                await asyncio.sleep(_LEFT_S)
            finally:
                await client.close()

        task = asyncio.create_task(later())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def token_file(context: PackageContext, tenant_id: str) -> TokenFile | None:
    """Return where refresh tokens are kept that the server changes; None: nowhere."""
    if context.data_dir is None:
        return None
    return TokenFile(context.data_dir / "tokens" / (tenant_id or NO_TENANT) / f"{context.place}.json")
