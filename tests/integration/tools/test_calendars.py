"""The three calendar packages against servers with their REST shapes: one set of tests for all."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from icalendar import Calendar

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.packages import AgentPackages
from tests.integration.tools.opening import KEY, opened, run
from tests.integration.tools.rest_server import BUSY, CUT_JSON, DOWN, HTML, SLOW, Reply, RestServer, Seen, serving

TIMES = {"starts": "2026-12-01T10:00", "ends": "2026-12-01T10:30"}


class Google:
    """Of Google Calendar: ids are the client's; the same one twice is a conflict."""

    package: ClassVar = {"package": "calendar.google", "options": {"calendar": "desk@example.com", "timeout_s": 2}}

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}

    def secrets(self, url: str) -> dict[str, str]:
        tokens = {"client_id": "c", "client_secret": "s", "refresh_token": "r", "token_url": f"{url}/token"}
        return {**tokens, "api_url": url}

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/token":
            return Reply({"access_token": "a", "expires_in": 3600})
        if seen.path.endswith("/freeBusy"):
            busy = [
                {"start": "2026-12-01T03:15:00Z", "end": "2026-12-01T04:00:00Z"},
                {"start": "2026-12-01T10:00:00+07:00", "end": "2026-12-01T10:30:00+07:00"},
            ]
            return Reply({"calendars": {"desk@example.com": {"busy": busy}}})
        event_id = seen.path.rpartition("/")[2]
        if seen.method == "POST":
            if seen.json["id"] in self.events:
                return Reply({"error": {"code": 409, "message": "The requested identifier already exists."}}, 409)
            self.events[seen.json["id"]] = seen.json
        elif event_id not in self.events:
            return Reply({"error": {"code": 404, "message": "Not Found"}}, 404)
        elif seen.method == "PATCH":
            self.events[event_id] |= seen.json
        else:
            del self.events[event_id]
            return Reply(status=204)
        return Reply({"id": event_id, "status": "confirmed"})

    def times(self) -> list[tuple[str, str]]:
        return [(str(each["start"]["dateTime"]), str(each["end"]["dateTime"])) for each in self.events.values()]

    def days(self) -> list[tuple[str, str]]:
        return [(each["start"]["date"], each["end"]["date"]) for each in self.events.values()]


class Graph:
    """Of Microsoft Graph: one event for each transactionId."""

    package: ClassVar = {"package": "calendar.microsoft", "options": {"mailbox": "desk@example.com", "timeout_s": 2}}

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}

    def secrets(self, url: str) -> dict[str, str]:
        return {"directory_id": "dir", "client_id": "c", "client_secret": "s", "api_url": url, "login_url": url}

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/dir/oauth2/v2.0/token":
            assert seen.form["grant_type"] == "client_credentials"
            return Reply({"access_token": "a", "expires_in": "3599", "token_type": "Bearer"})
        if seen.path.endswith("/getSchedule"):
            items = [
                {"status": "busy", "start": at("03:15"), "end": at("04:00")},
                {"status": "tentative", "start": at("03:00"), "end": at("03:30")},
                {"status": "free", "start": at("05:00"), "end": at("06:00")},
            ]
            return Reply({"value": [{"scheduleId": "desk@example.com", "scheduleItems": items}]})
        event_id = seen.path.rpartition("/")[2]
        if seen.method == "POST":
            event_id = "AAMk" + seen.json["transactionId"]
            self.events.setdefault(event_id, seen.json)
            return Reply({"id": event_id}, status=201)
        if event_id not in self.events:
            return Reply({"error": {"code": "ErrorItemNotFound", "message": "not found"}}, 404)
        if seen.method == "DELETE":
            del self.events[event_id]
            return Reply(status=204)
        self.events[event_id] |= seen.json
        return Reply({"id": event_id})

    def times(self) -> list[tuple[str, str]]:
        return [
            (each["start"]["dateTime"] + "+00:00", each["end"]["dateTime"] + "+00:00") for each in self.events.values()
        ]

    def days(self) -> list[tuple[str, str]]:
        assert all(each["isAllDay"] for each in self.events.values())
        return [(each["start"]["dateTime"][:10], each["end"]["dateTime"][:10]) for each in self.events.values()]


def at(clock: str) -> dict[str, str]:
    return {"dateTime": f"2026-12-01T{clock}:00.0000000", "timeZone": "UTC"}


class CalDav:
    """Of a CalDAV server: files with tags, put where none is."""

    package: ClassVar = {"package": "calendar.caldav", "options": {"timeout_s": 2}}

    def __init__(self) -> None:
        self.events: dict[str, bytes] = {}

    def secrets(self, url: str) -> dict[str, str]:
        return {"url": f"{url}/dav/desk/", "username": "desk", "password": "pw"}

    def __call__(self, seen: Seen) -> Reply:
        name = seen.path.rpartition("/")[2].removesuffix(".ics")
        tag = f'"{hash(self.events.get(name))}"'
        if seen.method == "REPORT":
            assert b'start="20261130T170000Z"' in seen.body
            return Reply(text=MULTISTATUS, status=207, content_type="application/xml")
        if seen.method == "PUT":
            wrong = "If-Match" in seen.headers and seen.headers["If-Match"] != tag
            if wrong or (seen.headers.get("If-None-Match") == "*" and name in self.events):
                return Reply(status=412, text="", content_type="text/plain")
            self.events[name] = seen.body
            return Reply(status=201, text="", content_type="text/plain")
        if name not in self.events:
            return Reply(status=404, text="", content_type="text/plain")
        if seen.method == "DELETE":
            del self.events[name]
            return Reply(status=204)
        return Reply(text=self.events[name].decode(), content_type="text/calendar", headers={"ETag": tag})

    def _all(self) -> list[Any]:
        return [Calendar.from_ical(text).walk("VEVENT")[0] for text in self.events.values()]

    def times(self) -> list[tuple[str, str]]:
        return [(each["dtstart"].dt.isoformat(), each["dtend"].dt.isoformat()) for each in self._all()]

    def days(self) -> list[tuple[str, str]]:
        return self.times()


def _event(lines: str) -> str:
    text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n"
    return f"{text}{lines}\nEND:VEVENT\nEND:VCALENDAR"


MULTISTATUS = (
    '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">'
    + "".join(
        f"<d:response><d:href>/1.ics</d:href><d:propstat><d:prop><c:calendar-data>{_event(lines)}</c:calendar-data>"
        "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        for lines in (
            "DTSTART:20261201T031500Z\nDTEND:20261201T040000Z",
            "DTSTART;TZID=Asia/Ho_Chi_Minh:20261124T100000\nDURATION:PT30M\nRRULE:FREQ=WEEKLY;COUNT=9",
            "DTSTART:20261201T050000Z\nDTEND:20261201T060000Z\nTRANSP:TRANSPARENT",
        )
    )
    + "</d:multistatus>"
)

Vendor = Google | Graph | CalDav


@pytest.fixture(params=[Google, Graph, CalDav])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    made: Vendor = request.param()
    return made


@asynccontextmanager
async def calendar(
    tmp_path: Path, vendor: Vendor, handle: Any = None, **fields: Any
) -> AsyncIterator[tuple[RestServer, AgentPackages]]:
    async with serving(handle or vendor, spares=lambda seen: "token" in seen.path) as server:
        package: ClassVar = {**vendor.package, "name": "calendar"}
        async with opened(tmp_path, package, vendor.secrets(server.url), **fields) as tools:
            yield server, tools


async def test_busy_times_are_told_by_the_tenants_clock(tmp_path: Path, vendor: Vendor) -> None:
    async with calendar(tmp_path, vendor) as (_, tools):
        told = await run(tools, "calendar_free_busy", starts="2026-12-01", ends="2026-12-01")
        assert told["busy"] == [{"starts": "2026-12-01T10:00+07:00", "ends": "2026-12-01T11:00+07:00"}]


async def test_an_event_is_made_moved_and_deleted(tmp_path: Path, vendor: Vendor) -> None:
    async with calendar(tmp_path, vendor) as (_, tools):
        made = await run(tools, "calendar_book", title="Phòng 12", **TIMES, place="Huế")
        (event_id,) = vendor.events
        assert made["result"] == {"event_id": event_id, "starts": "2026-12-01T10:00+07:00"}
        assert KEY in event_id
        assert normal(vendor.times()) == [("2026-12-01T03:00:00+00:00", "2026-12-01T03:30:00+00:00")]
        moved = {"event_id": event_id, "starts": "2026-12-02T15:00", "ends": "2026-12-02T15:30"}
        await run(tools, "calendar_move", key="b" * 32, **moved)
        assert normal(vendor.times()) == [("2026-12-02T08:00:00+00:00", "2026-12-02T08:30:00+00:00")]
        await run(tools, "calendar_move", key="c" * 32, event_id=event_id, starts="2026-12-24", ends="2026-12-26")
        assert vendor.days() == [("2026-12-24", "2026-12-27")]
        await run(tools, "calendar_cancel", key="d" * 32, event_id=event_id)
        assert vendor.events == {}
        with pytest.raises(ToolRefused, match="no such event"):
            await run(tools, "calendar_cancel", key="e" * 32, event_id=event_id)


@pytest.mark.parametrize("fault", [BUSY, DOWN, Reply({}, is_cut=True)])
async def test_a_fault_leaves_one_event(tmp_path: Path, vendor: Vendor, fault: Reply) -> None:
    n_asked = 0

    def lose(seen: Seen) -> Reply:
        nonlocal n_asked
        reply = vendor(seen)
        if "token" in seen.path:
            return reply
        n_asked += 1
        return fault if n_asked == 1 else reply  # it is done, and the answer is lost

    async with calendar(tmp_path, vendor, lose) as (_, tools):
        assert (await run(tools, "calendar_book", title="x", **TIMES))["status"] == "done"
    assert len(vendor.events) == 1


async def test_a_delete_whose_answer_is_lost_is_done(tmp_path: Path, vendor: Vendor) -> None:
    is_lost = False

    def lose(seen: Seen) -> Reply:
        reply = vendor(seen)
        return Reply({}, is_cut=True) if seen.method == "DELETE" and is_lost else reply

    async with calendar(tmp_path, vendor, lose) as (_, tools):
        made = await run(tools, "calendar_book", title="x", **TIMES)
        event_id = made["result"]["event_id"]
        is_lost = True
        assert (await run(tools, "calendar_cancel", key="b" * 32, event_id=event_id))["status"] == "pending"
        is_lost = False
        told = {"status": "pending"}
        while told["status"] == "pending":
            told = await run(tools, "calendar_cancel", key="b" * 32, event_id=event_id)
        assert told["status"] == "done"


@pytest.mark.parametrize(
    ("fault", "why"), [(SLOW, "no answer"), (HTML, "no|XML"), (CUT_JSON, "no|XML"), (Reply({"value": 1}), "say|XML|no")]
)
async def test_what_cannot_be_read_is_told(tmp_path: Path, vendor: Vendor, fault: Reply, why: str) -> None:
    async with calendar(tmp_path, vendor) as (server, tools):
        server.faults = [fault] * 4
        with pytest.raises(ToolRefused, match=why):
            await run(tools, "calendar_free_busy", starts="2026-12-01", ends="2026-12-01")


@pytest.mark.parametrize(
    ("times", "why"),
    [
        (("2026-12-01T10:30", "2026-12-01T10:00"), "not behind"),
        (("2026-12-01T10:30", "2026-12-01"), "two times, or two days"),
        (("2026-02-30", "2026-03-01"), "day"),
        (("2026-12-01T10:30", "2027-12-01T10:00"), "longer than"),
        (("yesterday!!", "2026-12-01T10:00"), "starts"),
    ],
)
async def test_times_that_are_none_are_told(tmp_path: Path, times: tuple[str, str], why: str) -> None:
    async with calendar(tmp_path, Google()) as (_, tools):
        with pytest.raises(ToolRefused, match=why):
            await run(tools, "calendar_book", title="x", starts=times[0], ends=times[1])


async def test_the_clock_of_a_zone_with_summer_time_is_followed(tmp_path: Path, vendor: Vendor) -> None:
    async with calendar(tmp_path, vendor, timezone="Europe/Berlin") as (_, tools):
        await run(tools, "calendar_book", title="x", starts="2026-10-25T01:30", ends="2026-10-25T03:30")
        assert normal(vendor.times()) == [("2026-10-24T23:30:00+00:00", "2026-10-25T02:30:00+00:00")]
        with pytest.raises(ToolRefused, match="put forward over this time"):
            await run(
                tools, "calendar_book", key="b" * 32, title="x", starts="2026-03-29T02:30", ends="2026-03-29T04:00"
            )


async def test_a_service_account_signs_for_its_token(tmp_path: Path) -> None:
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    google = Google()
    async with serving(google) as server:
        account = json.dumps({"client_email": "desk@project.example", "private_key": pem})
        secrets = {"service_account_json": account, "token_url": f"{server.url}/token", "api_url": server.url}
        async with opened(tmp_path, {**google.package, "name": "calendar"}, secrets) as tools:
            await run(tools, "calendar_book", title="x", **TIMES)
        form = server.of("POST", "token")[0].form
    claims = jwt.decode(form["assertion"], private.public_key(), algorithms=["RS256"], audience=f"{server.url}/token")
    assert claims["iss"] == "desk@project.example"
    assert re.fullmatch(r"urn:.*jwt-bearer", form["grant_type"])


def normal(times: list[tuple[str, str]]) -> list[tuple[str, str]]:
    from datetime import UTC, datetime

    def utc(text: str) -> str:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()

    return [(utc(starts), utc(ends)) for starts, ends in times]
