"""Google Calendar by its REST API, version 3 (https://developers.google.com/calendar/api/v3/reference).

An event's id is ours to choose, of the signs a-v and 0-9: the key is one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import Field, model_validator

from services.nlu.tools.calendar.provider import NewEvent
from services.nlu.tools.calendar.times import Span
from services.nlu.tools.rest.answers import Answer
from services.nlu.tools.rest.client import Limits, RestClient
from services.nlu.tools.rest.credentials import Grant, OAuthTokens
from services.nlu.tools.rest.failures import BadAnswer, CallFailed, TooBusy
from services.nlu.tools.rest.token_file import TokenFile
from services.nlu.tools.secrets import SecretFields
from services.runtime.json_text import read_json

_SCOPE = "https://www.googleapis.com/auth/calendar"
_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105
_BY_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_THERE = frozenset({409})
_GONE = frozenset({404, 410})


class GoogleSecrets(SecretFields):
    """A service account's key, or a client with a refresh token."""

    service_account_json: str = ""
    subject: str = ""  # whom the service account stands for, where it may
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    api_url: str = Field("https://www.googleapis.com", pattern=r"^https?://[^/\s]+$")
    token_url: str = _TOKEN_URL

    @model_validator(mode="after")
    def _has_one_way(self) -> GoogleSecrets:
        if self.service_account_json:
            account = read_json(self.service_account_json)
            if not isinstance(account, dict) or not account.get("client_email") or not account.get("private_key"):
                raise ValueError("service_account_json: client_email and private_key are missing")
        elif not (self.client_id and self.client_secret and self.refresh_token):
            raise ValueError("service_account_json, or client_id, client_secret and refresh_token, are missing")
        return self


class GoogleCalendar:
    """One calendar."""

    def __init__(
        self, who: str, secrets: GoogleSecrets, calendar: str, *, limits: Limits, timezone: str, file: TokenFile | None
    ) -> None:
        self._secrets, self._calendar, self._timezone = secrets, calendar, timezone
        tokens = OAuthTokens(who, lambda: _grant(secrets), file=file)
        self._client = RestClient(who, tokens, limits=limits, fault=_fault)
        self._who = who

    async def close(self) -> None:
        await self._client.close()

    async def busy(self, span: Span) -> Sequence[tuple[datetime, datetime]]:
        wanted = {
            "timeMin": span.starts.isoformat(),
            "timeMax": span.ends.isoformat(),
            "items": [{"id": self._calendar}],
        }
        answer = await self._client.ask("POST", f"{self._base}/freeBusy", json=wanted, is_repeatable=True)
        calendar = (answer.object().get("calendars") or {}).get(self._calendar)
        if not isinstance(calendar, dict) or calendar.get("errors") or not isinstance(calendar.get("busy"), list):
            raise BadAnswer(f"{self._who} does not say when {self._calendar} is busy: is the calendar shared with it?")
        try:
            return [(_moment(each["start"]), _moment(each["end"])) for each in calendar["busy"]]
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(f"{self._who} answered times that are none") from error

    async def create(self, event: NewEvent) -> str:
        body = {"id": event.key, "summary": event.title, "description": event.text, "location": event.place}
        filled = {name: value for name, value in body.items() if value} | self._times(event.span)
        await self._client.ask("POST", self._events, json=filled, is_repeatable=True, expected=_THERE)
        return event.key

    async def move(self, event_id: str, span: Span) -> None:
        url = f"{self._events}/{quote(event_id, safe='')}"
        await self._client.ask("PATCH", url, json=self._times(span), is_repeatable=True)

    async def delete(self, event_id: str) -> bool:
        url = f"{self._events}/{quote(event_id, safe='')}"
        return (await self._client.ask("DELETE", url, expected=_GONE)).status not in _GONE

    @property
    def _base(self) -> str:
        return f"{self._secrets.api_url}/calendar/v3"

    @property
    def _events(self) -> str:
        return f"{self._base}/calendars/{quote(self._calendar, safe='')}/events"

    def _times(self, span: Span) -> dict[str, Any]:
        """A field that does not hold is null, so that a moved event of whole days may get times."""
        if span.days:
            first, end = span.days
            return {
                "start": {"date": first.isoformat(), "dateTime": None},
                "end": {"date": end.isoformat(), "dateTime": None},
            }
        return {
            side: {"dateTime": moment.isoformat(), "timeZone": self._timezone, "date": None}
            for side, moment in (("start", span.starts), ("end", span.ends))
        }


def _grant(secrets: GoogleSecrets) -> Grant:
    if not secrets.service_account_json:
        form = {"client_id": secrets.client_id, "client_secret": secrets.client_secret}
        return Grant(secrets.token_url, {"grant_type": "refresh_token", **form}, secrets.refresh_token)
    import jwt  # noqa: PLC0415 - only service accounts need it

    account: Mapping[str, str] = json.loads(secrets.service_account_json)
    now = int(time.time())
    claims = {"iss": account["client_email"], "scope": _SCOPE, "aud": secrets.token_url, "iat": now, "exp": now + 3600}
    if secrets.subject:
        claims["sub"] = secrets.subject
    assertion = jwt.encode(claims, account["private_key"], algorithm="RS256")
    return Grant(secrets.token_url, {"grant_type": _BY_JWT, "assertion": assertion})


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment


def _fault(answer: Answer) -> CallFailed | None:
    """403 with rateLimitExceeded is a limit, not a question of rights."""
    if answer.status == 403 and b"ateLimitExceeded" in answer.body:
        return TooBusy(f"{answer.who} has answered as many requests as it may for now: try again later", status=403)
    return None
