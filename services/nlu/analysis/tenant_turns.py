"""Fair semaphore: tenants take places in turns, so that a busy tenant delays the others by one piece of work."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime.errors import CapacityError


class TenantTurns:
    """Semaphore with round robin over the tenants that wait, and first in, first out within a tenant."""

    def __init__(self, n_places: int, *, most: int, most_of_one: int) -> None:
        """At most `most` may work and wait altogether, `most_of_one` of one tenant."""
        self._n_free, self._most, self._most_of_one = n_places, most, most_of_one
        self._n_of: dict[str, int] = {}  # that work or wait, by tenant
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # by tenant, whose turn is next first

    @asynccontextmanager
    async def place(self, tenant_id: str) -> AsyncIterator[None]:
        """Hold a place inside the body. Raises CapacityError."""
        n_all, n_own = sum(self._n_of.values()), self._n_of.get(tenant_id, 0)
        if n_all >= self._most or n_own >= self._most_of_one:
            raise CapacityError(f"{n_all} analyses wait, {n_own} of this tenant: ask again later")
        self._n_of[tenant_id] = n_own + 1
        try:
            await self._take(tenant_id)
            try:
                yield
            finally:
                self._give()
        finally:
            self._n_of[tenant_id] -= 1
            if not self._n_of[tenant_id]:
                del self._n_of[tenant_id]

    async def _take(self, tenant_id: str) -> None:
        if self._n_free:
            self._n_free -= 1
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append(given)
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self._give()  # it was given just before
            raise

    def _give(self) -> None:
        """Give a place to the first waiting task of the tenant whose turn it is; that tenant goes behind the others."""
        while self._waiting:
            tenant_id = next(iter(self._waiting))
            queue = self._waiting.pop(tenant_id)
            given = queue.popleft()
            if queue:
                self._waiting[tenant_id] = queue
            if not given.done():
                given.set_result(None)
                return
        self._n_free += 1
