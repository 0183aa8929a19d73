"""Outlook's calendar by Microsoft Graph, version 1.0 (https://learn.microsoft.com/graph/api/resources/calendar).

`transactionId` makes one event of repeated requests. Times travel in UTC, so no zone's name has to be known there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from pydantic import Field

from services.nlu.tools.calendar.provider import NewEvent
from services.nlu.tools.calendar.times import Span
from services.nlu.tools.rest.client import Limits, RestClient
from services.nlu.tools.rest.credentials import Grant, OAuthTokens
from services.nlu.tools.rest.failures import BadAnswer
from services.nlu.tools.rest.token_file import TokenFile
from services.nlu.tools.secrets import SecretFields

_SCOPE = "https://graph.microsoft.com/.default"
_FREE = frozenset({"free", "workingElsewhere"})
_GONE = frozenset({404})


class GraphSecrets(SecretFields):
    """Of an app registration; with a refresh token it acts for one user, else for the mailboxes it may use."""

    directory_id: str = Field(pattern=r"^[A-Za-z0-9.-]+$")  # of the Entra tenant
    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1)
    refresh_token: str = ""
    api_url: str = Field("https://graph.microsoft.com", pattern=r"^https?://[^/\s]+$")
    login_url: str = Field("https://login.microsoftonline.com", pattern=r"^https?://[^/\s]+$")


class GraphCalendar:
    """The default calendar of one mailbox."""

    def __init__(
        self, who: str, secrets: GraphSecrets, mailbox: str, *, limits: Limits, file: TokenFile | None
    ) -> None:
        self._who, self._mailbox = who, mailbox
        self._base = f"{secrets.api_url}/v1.0/users/{quote(mailbox, safe='@')}"

        def grant() -> Grant:
            kind = "refresh_token" if secrets.refresh_token else "client_credentials"
            form = {"client_id": secrets.client_id, "client_secret": secrets.client_secret, "scope": _SCOPE}
            url = f"{secrets.login_url}/{secrets.directory_id}/oauth2/v2.0/token"
            return Grant(url, {"grant_type": kind, **form}, secrets.refresh_token)

        self._client = RestClient(who, OAuthTokens(who, grant, file=file), limits=limits)

    async def close(self) -> None:
        await self._client.close()

    async def busy(self, span: Span) -> Sequence[tuple[datetime, datetime]]:
        wanted = {
            "schedules": [self._mailbox],
            "startTime": _utc(span.starts),
            "endTime": _utc(span.ends),
            "availabilityViewInterval": 30,
        }
        url = f"{self._base}/calendar/getSchedule"
        answer = (await self._client.ask("POST", url, json=wanted, is_repeatable=True)).object()
        schedules = answer.get("value")
        first = schedules[0] if isinstance(schedules, list) and schedules else None
        items = first.get("scheduleItems") if isinstance(first, dict) else None
        if not isinstance(first, dict) or not isinstance(items, list) or first.get("error"):
            raise BadAnswer(f"{self._who} does not say when {self._mailbox} is busy")
        try:
            return [(_moment(each["start"]), _moment(each["end"])) for each in items if each.get("status") not in _FREE]
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(f"{self._who} answered times that are none") from error

    async def create(self, event: NewEvent) -> str:
        body: dict[str, Any] = {"subject": event.title, "transactionId": event.key, **_times(event.span)}
        if event.text:
            body["body"] = {"contentType": "text", "content": event.text}
        if event.place:
            body["location"] = {"displayName": event.place}
        made = (await self._client.ask("POST", f"{self._base}/events", json=body, is_repeatable=True)).object()
        if not isinstance(made.get("id"), str):
            raise BadAnswer(f"{self._who} answered a new event without its id")
        return str(made["id"])

    async def move(self, event_id: str, span: Span) -> None:
        url = f"{self._base}/events/{quote(event_id, safe='')}"
        await self._client.ask("PATCH", url, json=_times(span), is_repeatable=True)

    async def delete(self, event_id: str) -> bool:
        url = f"{self._base}/events/{quote(event_id, safe='')}"
        return (await self._client.ask("DELETE", url, expected=_GONE)).status not in _GONE


def _times(span: Span) -> dict[str, Any]:
    if span.days:
        return {"isAllDay": True, "start": _midnight(span.days[0]), "end": _midnight(span.days[1])}
    return {"isAllDay": False, "start": _utc(span.starts), "end": _utc(span.ends)}


def _midnight(day: date) -> dict[str, str]:
    return {"dateTime": f"{day.isoformat()}T00:00:00", "timeZone": "UTC"}


def _utc(moment: datetime) -> dict[str, str]:
    return {"dateTime": moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds"), "timeZone": "UTC"}


def _moment(given: dict[str, str]) -> datetime:
    """Seven digits of a second's fraction are more than Python reads."""
    if given["timeZone"] != "UTC":
        raise ValueError("asked for in UTC")
    return datetime.fromisoformat(given["dateTime"].partition(".")[0]).replace(tzinfo=UTC)
