"""Register of a hotel as `graph` reads it: the booked rooms, and the bookings of a number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path

from services.nlu.agent.graph.stays import Rooms
from services.nlu.agent.profile import AgentProfile
from services.nlu.settings import NluSettings
from services.nlu.tools.clinic.diary import Appointment
from services.nlu.tools.clinic.noted import with_noted
from services.nlu.tools.clinic.whose import forms_of
from services.nlu.tools.deed import NotReached
from services.nlu.tools.hotel.package import PACKAGE, path_of
from services.nlu.tools.hotel.register import Register, Stay
from services.nlu.tools.outbox_file import OutboxFile
from services.nlu.tools.packages import OUTBOX
from services.nlu.tools.sqlite_thread import SqliteThread
from services.runtime.errors import StartupError


class House:
    """One agent's rooms, read. What writes are the tools of the package `hotel`."""

    def __init__(self, rooms: Rooms, path: Path, agent_id: str, region: str) -> None:
        """`region`: whose telephone numbers callers give."""
        self.rooms, self._path, self._agent_id, self._region = rooms, path, agent_id, region

    def open(self) -> None:
        """Raises StartupError."""
        try:
            self._register = Register(self._path, self.rooms.counts)
            self._outbox = OutboxFile(self._path.parent / OUTBOX)
        except Exception as error:
            raise StartupError(f"agent {self._agent_id}: tools: hotel: {self._path} cannot be used: {error}") from error
        self._worker = SqliteThread(f"house-{self._agent_id}")

    async def booked(self, tenant_id: str, *, since: date) -> tuple[Stay, ...] | None:
        """The bookings from a day on; None: it cannot be read."""
        try:
            return await self._worker.run(lambda: self._register.booked(tenant_id, since=since))
        except NotReached:
            return None

    async def standing(self, tenant_id: str, phone: str, *, since: date) -> Sequence[Appointment] | None:
        """Return the coming bookings of a number, under any name, by their first day, with those that are only noted;
        None: they cannot be read.
        """
        forms = forms_of(phone, self._region)
        try:
            # The outbox first: a deed that is done in between is then in both, and in neither the other way.
            noted = await self._worker.run(lambda: self._outbox.pending(tenant_id, "phone", forms))
            found = await self._worker.run(lambda: self._register.find(tenant_id, forms, since=since))
        except NotReached:
            return None
        held = [
            Appointment(one.id, datetime.combine(one.arrives, time()), one.room, one.name, one.phone) for one in found
        ]
        return with_noted(held, noted)


def house_of(profile: AgentProfile, settings: NluSettings) -> House | None:
    """The rooms that an agent's file lets; None: none, or nothing keeps what is booked.

    Raises StartupError where a room is no service of the file.
    """
    use = next((use for use in profile.packages if use.package == PACKAGE), None)
    if use is None or settings.data_dir is None:
        return None
    counts: dict[str, int] = dict(use.options.rooms)  # type: ignore[attr-defined] # HotelPackage's own options
    known = {service.id for service in profile.facts.services}
    if unknown := [room for room in counts if room not in known]:
        raise StartupError(f"agent {profile.agent_id}: tools: hotel: rooms: {', '.join(unknown)}: no service of facts")
    path = path_of(settings.data_dir, profile.agent_id)
    return House(Rooms(counts, use.name), path, profile.agent_id, profile.region)
