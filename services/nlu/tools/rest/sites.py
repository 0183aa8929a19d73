"""One system for several tenants: a client for each, made anew when its credentials change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.package import PackageContext
from services.nlu.tools.rest.client import RestClient, close_all
from services.nlu.tools.rest.token_file import TokenFile
from services.nlu.tools.secrets import NO_TENANT, NoSecrets, SecretFields
from services.runtime.logs import get_logger

log = get_logger(__name__)

Fields = TypeVar("Fields", bound=SecretFields)


class Sites(Generic[Fields]):
    """By tenant."""

    def __init__(self, context: PackageContext, kind: type[Fields], make: Callable[[str, Fields], RestClient]) -> None:
        self._context, self._kind, self._make = context, kind, make
        self._clients: dict[str, tuple[RestClient, Fields]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def who(self, system: str, tenant_id: str) -> str:
        return f"{system} of tenant {tenant_id!r}" if tenant_id else system

    async def of(self, tenant_id: str) -> tuple[RestClient, Fields]:
        """The client, and the credentials as they are now. Raises ToolRefused where the tenant has none."""
        read = self._context.secrets.read
        try:
            secrets = await asyncio.to_thread(read, tenant_id, self._context.name, self._kind)
        except NoSecrets as missing:
            log.warning("tool_failed", tool=self._context.name, complaint=str(missing))
            raise ToolRefused(f"{self._context.name}: there are no credentials for this tenant") from missing
        known = self._clients.get(tenant_id)
        if known is not None and known[1] == secrets:
            return known
        if known is not None:
            self._closes(known[0])
        self._clients[tenant_id] = (self._make(tenant_id, secrets), secrets)
        return self._clients[tenant_id]

    async def close(self) -> None:
        await close_all([client for client, _ in self._clients.values()])
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _closes(self, client: RestClient) -> None:
        """Requests under way end first, within their limit."""

        async def later() -> None:
            await asyncio.sleep(client.limits.whole_s)
            await client.close()

        task = asyncio.create_task(later())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def token_file(context: PackageContext, tenant_id: str) -> TokenFile | None:
    """Where refresh tokens are kept that the server changes; None: nowhere."""
    if context.data_dir is None:
        return None
    return TokenFile(context.data_dir / "tokens" / (tenant_id or NO_TENANT) / f"{context.name}.json")
