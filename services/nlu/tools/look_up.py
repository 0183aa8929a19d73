"""A tool that changes nothing, as a tool of one tenant's calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from services.nlu.agent.tools import ToolRefused
from services.nlu.engine import ToolSpec
from services.nlu.tools.deed import NotReached


class LookUp(Protocol):
    """Looks something up in a system of the tenant's."""

    spec: ToolSpec

    async def look_up(self, arguments: Mapping[str, object], *, tenant_id: str) -> str:
        """The result as JSON. Raises ToolRefused, and NotReached where the system does not answer."""


class LookUpTool:
    """A tool that only reads. It needs no outbox, since it may run any number of times."""

    def __init__(self, look_up: LookUp, tenant_id: str) -> None:
        self.spec = replace(look_up.spec, writes=False)
        self._look_up, self._tenant_id = look_up, tenant_id

    async def run(self, arguments: Mapping[str, object], *, idempotency_key: str) -> str:
        try:
            return await self._look_up.look_up(arguments, tenant_id=self._tenant_id)
        except NotReached as error:
            raise ToolRefused("it does not answer") from error
