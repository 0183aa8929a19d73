"""Protocol of the calendars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.nlu.tools.calendar.times import Span


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be made. Its key makes the same one of a second request."""

    title: str
    span: Span
    key: str
    text: str = ""
    place: str = ""


class Calendar(Protocol):
    """One calendar of one tenant. Everything raises CallFailed."""

    async def busy(self, span: Span) -> Sequence[tuple[datetime, datetime]]:
        """Return the busy times, in any order."""

    async def create(self, event: NewEvent) -> str:
        """The event's id; of a key that it has already, that one's."""

    async def move(self, event_id: str, span: Span) -> None:
        """Give it another time. The same a second time changes nothing."""

    async def delete(self, event_id: str) -> bool:
        """False: it is not there."""

    async def close(self) -> None:
        """Let go of the connection."""
