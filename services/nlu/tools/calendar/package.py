"""The packages `calendar.caldav`, `calendar.google` and `calendar.microsoft` (Outlook by Microsoft Graph)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.arguments import ArgumentsModel, by_model, schema_of
from services.nlu.tools.calendar.caldav import CalDavCalendar, CalDavSecrets
from services.nlu.tools.calendar.google import GoogleCalendar, GoogleSecrets
from services.nlu.tools.calendar.graph import GraphCalendar, GraphSecrets
from services.nlu.tools.calendar.provider import Calendar, NewEvent
from services.nlu.tools.calendar.times import Span, merged, read_span
from services.nlu.tools.package import Asked, NoOptions, Operation, PackageContext, Run
from services.nlu.tools.rest.client import Limits
from services.nlu.tools.rest.sites import Sites, token_file
from services.nlu.tools.secrets import SecretFields

_WHEN = "2026-12-01T10:00, by the tenant's clock, or with an offset; or a day, 2026-12-01"
_STARTS = Field(min_length=10, max_length=32, description=_WHEN)
_ENDS = Field(min_length=10, max_length=32, description="As the beginning; of days the last one.")
_SIGN = "A-Za-z0-9_=+@"
# Not of dots alone: as a segment of a URL they lead to the calendar itself (RFC 3986, 5.2.4).
_ID = Field(min_length=1, max_length=1024, pattern=f"^[{_SIGN}.-]*[{_SIGN}-][{_SIGN}.-]*$", description="From book.")


class FreeBusy(ArgumentsModel):
    """Arguments of free_busy."""

    starts: str = _STARTS
    ends: str = _ENDS


class BookEvent(ArgumentsModel):
    """Arguments of book."""

    title: str = Field(min_length=1, max_length=200)
    starts: str = _STARTS
    ends: str = _ENDS
    text: str = Field("", max_length=4000)
    place: str = Field("", max_length=200)


class MoveEvent(ArgumentsModel):
    """Arguments of move."""

    event_id: str = _ID
    starts: str = _STARTS
    ends: str = _ENDS


class CancelEvent(ArgumentsModel):
    """Arguments of cancel."""

    event_id: str = _ID


class _CalendarOptions(NoOptions):
    timeout_s: float = Field(8.0, gt=0, le=60)


class _CalendarPackage:
    """The common part of the three calendar packages: one calendar of each tenant."""

    default_name = "calendar"
    Secrets: ClassVar[type[SecretFields]]

    def __init__(self, options: Any, context: PackageContext) -> None:
        self._options, self._context = options, context
        self._zone = ZoneInfo(context.timezone)
        self._limits = Limits(whole_s=options.timeout_s)
        self._sites: Sites[Any, Calendar] = Sites(context, self.Secrets, self._calendar)
        self._operations = (
            self._made("free_busy", "When the calendar is busy.", FreeBusy, self._free_busy, writes=False),
            self._made("book", "Makes an event in the calendar.", BookEvent, self._book),
            self._made("move", "Gives an event of the calendar another time.", MoveEvent, self._move),
            self._made("cancel", "Deletes an event of the calendar.", CancelEvent, self._cancel),
        )

    async def open(self) -> None:
        """Do nothing: the first request connects."""

    async def close(self) -> None:
        await self._sites.close()

    def operations(self) -> Sequence[Operation]:
        return self._operations

    def _made(
        self, name: str, description: str, model: type[ArgumentsModel], run: Run, *, writes: bool = True
    ) -> Operation:
        return Operation(
            name,
            description,
            schema_of(model),
            by_model(model),
            run,
            writes=writes,
            timeout_s=2 * self._options.timeout_s,
        )

    def _calendar(self, tenant_id: str, secrets: Any) -> Calendar:
        raise NotImplementedError

    async def _free_busy(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        span = self._span(arguments)
        calendar, _ = await self._sites.of(asked.tenant_id)
        busy = merged(await calendar.busy(span), span)
        return {
            "busy": [{"starts": self._told(starts), "ends": self._told(ends)} for starts, ends in busy],
            "timezone": self._zone.key,
        }

    async def _book(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        span = self._span(arguments)
        calendar, _ = await self._sites.of(asked.tenant_id)
        event = NewEvent(arguments["title"], span, asked.key, arguments["text"], arguments["place"])
        return {"event_id": await calendar.create(event), "starts": self._told(span.starts)}

    async def _move(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        span = self._span(arguments)
        calendar, _ = await self._sites.of(asked.tenant_id)
        await calendar.move(arguments["event_id"], span)
        return {"event_id": arguments["event_id"], "starts": self._told(span.starts)}

    async def _cancel(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        """Of a second try under its key "not there" says that the first one has done it."""
        calendar, _ = await self._sites.of(asked.tenant_id)
        if asked.note is not None and not asked.noted:
            await asked.note("deleting")
        if not await calendar.delete(arguments["event_id"]) and not asked.noted:
            raise ToolRefused("event_id: there is no such event")
        return {"deleted": arguments["event_id"]}

    def _span(self, arguments: Mapping[str, Any]) -> Span:
        try:
            return read_span(arguments["starts"], arguments["ends"], self._zone)
        except ValueError as error:
            raise ToolRefused(f"starts, ends: {error}") from error

    def _told(self, moment: datetime) -> str:
        return moment.astimezone(self._zone).isoformat(timespec="minutes")


class CalDavPackage(_CalendarPackage):
    """A calendar behind CalDAV."""

    Options = _CalendarOptions
    Secrets = CalDavSecrets

    def _calendar(self, tenant_id: str, secrets: CalDavSecrets) -> Calendar:
        who = self._sites.who("the calendar", tenant_id)
        return CalDavCalendar(who, secrets, limits=self._limits, zone=self._zone)


class GooglePackage(_CalendarPackage):
    """A Google calendar."""

    class Options(_CalendarOptions):
        """Of the agent's file."""

        calendar: str = Field(min_length=1, max_length=200, description="The calendar's id, an address.")

    Secrets = GoogleSecrets

    def _calendar(self, tenant_id: str, secrets: GoogleSecrets) -> Calendar:
        return GoogleCalendar(
            self._sites.who("Google Calendar", tenant_id),
            secrets,
            self._options.calendar,
            limits=self._limits,
            timezone=self._zone.key,
            file=token_file(self._context, tenant_id),
        )


class GraphPackage(_CalendarPackage):
    """The calendar of a mailbox in Microsoft 365."""

    class Options(_CalendarOptions):
        """Of the agent's file."""

        mailbox: str = Field(pattern=r"^[^@/\s]+@[^@/\s]+$", description="The mailbox's address.")

    Secrets = GraphSecrets

    def _calendar(self, tenant_id: str, secrets: GraphSecrets) -> Calendar:
        return GraphCalendar(
            self._sites.who("Outlook", tenant_id),
            secrets,
            self._options.mailbox,
            limits=self._limits,
            file=token_file(self._context, tenant_id),
        )
