"""A calendar behind CalDAV (RFC 4791): Nextcloud, Radicale, Apple, Fastmail and others. Its URL is the collection's.

An event's file is named by the key and is put where no such file is (RFC 9110, If-None-Match: *).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from pydantic import Field

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.calendar.events import TooManyEvents, busy_in, event_text, moved_event
from services.nlu.tools.calendar.provider import NewEvent
from services.nlu.tools.calendar.times import Span
from services.nlu.tools.rest.answers import Answer
from services.nlu.tools.rest.client import Limits, RestClient
from services.nlu.tools.rest.credentials import basic
from services.nlu.tools.rest.failures import BadAnswer, Refused
from services.nlu.tools.secrets import SecretFields

_DAV, _CALDAV = "DAV:", "urn:ietf:params:xml:ns:caldav"
_READ_S = 2.0  # for the events of one answer
# Errors that icalendar and dateutil raise for text that is no event: a property that is there twice is a list to them.
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
_GONE = frozenset({404, 410})
_THERE = frozenset({412})


class CalDavSecrets(SecretFields):
    """Name and password; where the provider has them, an app's own password."""

    url: str = Field(pattern=r"^https?://\S+$", description="Of the calendar's collection.")
    username: str = Field(min_length=1)
    password: str = Field(min_length=1)


class CalDavCalendar:
    """One collection."""

    def __init__(self, who: str, secrets: CalDavSecrets, *, limits: Limits, zone: ZoneInfo) -> None:
        """`zone` is that of events which name none."""
        self._who, self._url, self._zone = who, secrets.url.rstrip("/"), zone
        self._client = RestClient(who, basic(secrets.username, secrets.password), limits=limits)

    async def close(self) -> None:
        await self._client.close()

    async def busy(self, span: Span) -> Sequence[tuple[datetime, datetime]]:
        starts, ends = _utc(span.starts), _utc(span.ends)
        query = (
            f'<?xml version="1.0" encoding="utf-8"?><C:calendar-query xmlns:D="{_DAV}" xmlns:C="{_CALDAV}"><D:prop>'
            f'<C:calendar-data><C:expand start="{starts}" end="{ends}"/></C:calendar-data></D:prop><C:filter>'
            '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
            f'<C:time-range start="{starts}" end="{ends}"/></C:comp-filter></C:comp-filter></C:filter>'
            "</C:calendar-query>"
        )
        answer = await self._client.ask(
            "REPORT",
            f"{self._url}/",
            data=query.encode(),
            headers={"Depth": "1", "Content-Type": "application/xml; charset=utf-8", "Accept": "application/xml"},
            wants_json=False,
        )
        return await asyncio.to_thread(self._busy_in, answer.body, span)  # of 1 MB, by libraries that take their time

    async def create(self, event: NewEvent) -> str:
        headers = {"If-None-Match": "*", "Content-Type": "text/calendar; charset=utf-8"}
        await self._client.ask(
            "PUT",
            self._file(event.key),
            data=event_text(event),
            headers=headers,
            wants_json=False,
            expected=_THERE,
        )
        return event.key

    async def move(self, event_id: str, span: Span) -> None:
        """Change the times of an event, only where the event is unchanged since it was read (If-Match)."""
        moved, there = await self._moved(event_id, span)
        if moved is None:
            return  # it has these times already
        headers = {"Content-Type": "text/calendar; charset=utf-8"}
        if tag := there.headers.get("ETag"):
            headers["If-Match"] = tag
        answer = await self._client.ask(
            "PUT", self._file(event_id), data=moved, headers=headers, wants_json=False, expected=_THERE
        )
        # Where the answer to a first try was lost, it was this one who changed it.
        if answer.status in _THERE and (await self._moved(event_id, span))[0] is not None:
            raise Refused(f"{self._who}: somebody has changed this event in between: look again")

    async def _moved(self, event_id: str, span: Span) -> tuple[bytes | None, Answer]:
        """The event with other times, None where it has them, and the answer that it stood in."""
        there = await self._client.ask("GET", self._file(event_id), wants_json=False)
        try:
            return await asyncio.to_thread(moved_event, there.body, span), there
        except _UNREADABLE as error:
            raise BadAnswer(f"{self._who} answered an event that cannot be read") from error

    async def delete(self, event_id: str) -> bool:
        answer = await self._client.ask("DELETE", self._file(event_id), wants_json=False, expected=_GONE)
        return answer.status not in _GONE

    def _file(self, event_id: str) -> str:
        if event_id in {"", ".", ".."}:
            raise ToolRefused("event_id: there is no such event")
        return f"{self._url}/{quote(event_id, safe='')}.ics"

    def _busy_in(self, body: bytes, span: Span) -> list[tuple[datetime, datetime]]:
        busy: list[tuple[datetime, datetime]] = []
        ends = time.monotonic() + _READ_S
        for text in self._calendars(body):
            try:
                busy += busy_in(text, span, self._zone, is_late=lambda: time.monotonic() > ends)
            except TooManyEvents:
                raise BadAnswer(f"{self._who} answered events that cannot be read within {_READ_S:g} s") from None
            except _UNREADABLE as error:
                raise BadAnswer(f"{self._who} answered an event that cannot be read") from error
        return busy

    def _calendars(self, body: bytes) -> list[str]:
        try:
            parser = ElementTree.XMLParser(target=_NoDocumentType())  # noqa: S314 - no entities of its own, 1 MB at most
            parser.feed(body)
            tree = parser.close()
        except _DocumentType:
            raise BadAnswer(f"{self._who} answered XML with a document type: it is not read") from None
        except (ElementTree.ParseError, LookupError, ValueError) as error:  # the latter two: an unknown encoding
            raise BadAnswer(f"{self._who} answered what is no XML") from error
        if tree.tag != f"{{{_DAV}}}multistatus":
            raise BadAnswer(f"{self._who} answered no list of events")
        return [node.text or "" for node in tree.iter(f"{{{_CALDAV}}}calendar-data")]


class _DocumentType(Exception):
    """Entities are declared in it, and a few of them expand to gigabytes."""


class _NoDocumentType(ElementTree.TreeBuilder):
    """Told of a document type by the parser, in whatever encoding it is written, before anything in it is read."""

    def doctype(self, name: str, pubid: str, system: str) -> None:
        raise _DocumentType(name)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
