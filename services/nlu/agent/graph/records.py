"""Records that an agent books in: a clinic's diary or a hotel's register, as its turns see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.nlu.agent.graph.house import House
from services.nlu.agent.graph.seen import seen_by
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.standing import StandingBookings
from services.nlu.agent.graph.stays import Stays
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.graph.work import Work
from services.nlu.agent.profile import AgentProfile
from services.nlu.tools.clinic.diary import Appointment
from services.nlu.tools.clinic.package import ClinicPackage


class Records:
    """The diary or the register of one agent, and its bookings in them."""

    def __init__(
        self,
        profile: AgentProfile,
        finders: Mapping[str, SlotFinder],
        clinic: ClinicPackage | None,
        house: House | None,
    ) -> None:
        """`finders` by the tags of the agent's languages."""
        self._clinic, self._house = clinic, house
        self.bookings: Mapping[str, StandingBookings] = {}
        """The bookings in each language; empty: nothing is booked."""
        self._stays: Mapping[str, Stays] = {}
        if clinic:
            self.bookings = {tag: StandingBookings(profile, tag, finders[tag], Templates(tag)) for tag in finders}
        elif house:
            self._stays = {tag: Stays(profile, tag, finders[tag], house.rooms) for tag in finders}
            self.bookings = self._stays

    async def free(self, work: Work) -> Sequence[datetime] | None:
        """Times that can be booked; None: the diary cannot be read, or there is none."""
        return await self._clinic.free(work.tenant_id) if self._clinic else None

    async def standing(self, work: Work, phone: str) -> Sequence[Appointment] | None:
        """The bookings that stand for a number; None: the diary cannot be read."""
        if self._house:
            return await self._house.standing(work.tenant_id, phone, since=work.now.date()) if phone else ()
        if self._clinic is None:
            return None
        return await self._clinic.standing(work.tenant_id, phone) if phone else ()

    async def see(self, work: Work, phone: str) -> None:
        """Show the bookings of the turn's language what it sees; `phone`: the number whose appointments are found."""
        if bookings := self.bookings.get(work.language_code):
            found = await self.standing(work, phone) or ()
            stays = await self._house.booked(work.tenant_id, since=work.now.date()) if self._house else None
            parts = work.all_parts or work.parts
            seen = seen_by(
                work.free, work.history, work.text, parts, own=work.own, found=found, now=work.now, phone=phone
            )

            def show() -> None:
                bookings.see(seen)
                if self._house:
                    self._stays[work.language_code].stays = stays

            work.show = show
            show()
