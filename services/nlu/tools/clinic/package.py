"""The package `clinic` of one agent: its diary and outbox opened, and its tools for one tenant's calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from services.nlu.agent.facts import Facts
from services.nlu.agent.tools import Tool, ToolRefused
from services.nlu.engine import ToolSpec
from services.nlu.tools.clinic.diary import Appointment, Diary
from services.nlu.tools.clinic.noted import with_noted
from services.nlu.tools.clinic.tools import Book, Cancel, Find, FreeTimes, Move, Times
from services.nlu.tools.clinic.whose import forms_of
from services.nlu.tools.deed import NotReached
from services.nlu.tools.outbox import KEPT_S, Outbox, OutboxTool
from services.nlu.tools.outbox_file import OutboxFile
from services.nlu.tools.sqlite_thread import SqliteThread
from services.runtime.errors import StartupError

BOOK, MOVE, CANCEL = Book.spec.name, Move.spec.name, Cancel.spec.name


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


class ClinicPackage:
    """The package of one agent. `<data_dir>/<agent_id>/` holds diary.sqlite and outbox.sqlite, of all its tenants."""

    def __init__(
        self,
        facts: Facts,
        agent_id: str,
        data_dir: Path,
        *,
        clock: Callable[[], datetime],
        region: str = "",
        kept_s: float = KEPT_S,
    ) -> None:
        """`clock` gives the time in the practice's zone; `region`: whose telephone numbers callers give; `kept_s`: how
        long a deed that has ended stays in the outbox.

        Raises StartupError where the files cannot be opened.
        """
        folder = data_dir / agent_id
        try:
            diary, outbox_file = Diary(folder / "diary.sqlite"), OutboxFile(folder / "outbox.sqlite")
        except Exception as error:
            raise StartupError(f"agent {agent_id}: tools: clinic: {folder} cannot be used: {error}") from error
        worker, times = SqliteThread(f"diary-{agent_id}"), Times(facts, clock)
        self.region = region
        self.free_times = FreeTimes(diary, worker, times)
        self._find = Find(diary, worker, times, region)
        self._deeds = (
            Book(diary, worker, times),
            Move(diary, worker, times, region),
            Cancel(diary, worker, times, region),
        )
        self.outbox = Outbox(outbox_file, SqliteThread(f"outbox-{agent_id}"), kept_s=kept_s)
        self.outbox.add_in_order(self._deeds, "phone")

    def start(self) -> None:
        """Do what an earlier process has decided and not done. Needs a running loop."""
        self.outbox.start()

    def tools(self, tenant_id: str) -> Mapping[str, Tool]:
        """The package's tools, by name."""
        deeds = {deed.spec.name: OutboxTool(deed, self.outbox, tenant_id) for deed in self._deeds}
        look_ups = {each.spec.name: LookUpTool(each, tenant_id) for each in (self.free_times, self._find)}
        return {**deeds, **look_ups}

    async def standing(self, tenant_id: str, phone: str) -> list[Appointment] | None:
        """Return the coming appointments of a number, under any name, with those that are only noted; None: the diary
        cannot be read.
        """
        try:
            # The outbox first: a deed that is done in between is then in both, and in neither the other way.
            noted = await self.outbox.pending(tenant_id, "phone", forms_of(phone, self.region))
            return with_noted(await self._find.standing(tenant_id, phone), noted)
        except NotReached:
            return None

    async def free(self, tenant_id: str) -> list[datetime] | None:
        """Times that can be had; None: the diary cannot be read."""
        try:
            return await self.free_times.free(tenant_id)
        except NotReached:
            return None
