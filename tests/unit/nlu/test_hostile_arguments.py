"""Arguments that a model may not put into a request to a tenant's system, whatever a caller has talked it into."""

import json
import stat
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.arguments import by_model
from services.nlu.tools.calendar.caldav import CalDavCalendar, CalDavSecrets
from services.nlu.tools.calendar.events import busy_in
from services.nlu.tools.calendar.package import BookEvent, CancelEvent, MoveEvent
from services.nlu.tools.calendar.times import read_span
from services.nlu.tools.message.package import Email, MessagePackage
from services.nlu.tools.openapi.description import path_of, read_description
from services.nlu.tools.openapi.schema import DescriptionError
from services.nlu.tools.outbox_file import OutboxFile
from services.nlu.tools.package import PackageContext
from services.nlu.tools.rest.answers import Answer, without_secrets
from services.nlu.tools.rest.client import Limits
from services.nlu.tools.rest.failures import BadAnswer, Refused
from services.nlu.tools.secrets import NoSecrets, SecretFields, TenantSecrets
from services.runtime.errors import NotServing

UTC = ZoneInfo("UTC")
TIMES = {"starts": "2026-12-01T10:00", "ends": "2026-12-01T10:30"}


@pytest.mark.parametrize("event_id", [".", "..", "...", "../events", "a/b", "%2e%2e", ""])
def test_an_event_that_would_lead_to_the_calendar_itself_is_refused(event_id: str) -> None:
    for check in (by_model(CancelEvent), by_model(MoveEvent)):
        with pytest.raises(ToolRefused, match="event_id"):
            check({"event_id": event_id, **(TIMES if check is not by_model(CancelEvent) else {})})
    assert by_model(CancelEvent)({"event_id": "AAMkAG-_=+.@x"}) == {"event_id": "AAMkAG-_=+.@x"}


@pytest.mark.parametrize("control", ["\x00", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\ud800", "\x7f"])
def test_controls_are_refused_in_every_text(control: str) -> None:
    with pytest.raises(ToolRefused, match=r"subject: .*control"):
        by_model(Email)({"to": "anna@example.com", "subject": f"Hi{control}Bcc: all@example.com", "text": "t"})
    with pytest.raises(ToolRefused, match=r"title: .*control"):
        by_model(BookEvent)({"title": f"A{control}ATTENDEE:mailto:all@example.com", **TIMES})


def test_a_carriage_return_begins_no_property_of_an_event() -> None:
    checked = by_model(BookEvent)({"title": "A\rATTENDEE:mailto:all@example.com", "text": "one\r\ntwo", **TIMES})
    assert checked["title"] == "A\nATTENDEE:mailto:all@example.com"  # which iCalendar escapes
    assert checked["text"] == "one\ntwo"


@pytest.mark.parametrize("to", ["team:anna@example.com", "a(b)@example.com", "é@example.com", "a\\@example.com"])
def test_a_mail_goes_to_one_plain_mailbox(to: str) -> None:
    with pytest.raises(ToolRefused, match="to: "):
        by_model(Email)({"to": to, "subject": "s", "text": "t"})
    assert by_model(Email)({"to": "o'neil+x@example.com", "subject": "s", "text": "t"})["to"] == "o'neil+x@example.com"


PATHS = """
openapi: 3.0.3
paths:
  /files/{a}{b}/.{c}:
    get:
      operationId: read
      parameters:
        - {name: a, in: path, schema: {type: string}}
        - {name: b, in: path, schema: {type: string}}
        - {name: c, in: path, schema: {type: string}}
        - {name: authorization, in: header, schema: {type: string}}
        - {name: HOST, in: header, schema: {type: string}}
        - {name: Cookie, in: header, schema: {type: string}}
        - {name: X-Language, in: header, schema: {type: string}}
"""


def test_parameters_side_by_side_do_not_climb_a_path() -> None:
    read = read_description(PATHS).operations["read"]
    assert path_of(read, {"a": "x/..", "b": "{c}", "c": "txt"}) == "/files/x%2F..%7Bc%7D/.txt"
    for values in ({"a": "x", "b": "y", "c": "."}, {"a": "..", "b": "y", "c": "z"}, {"a": "x", "b": ".", "c": "z"}):
        with pytest.raises(ValueError, match=r"cannot stand|elsewhere"):
            path_of(read, values)


def test_two_dots_of_two_parameters_are_refused() -> None:
    read = read_description(PATHS.replace("/files/{a}{b}/.{c}", "/files/{a}{b}x/.{c}x").replace("{a}{b}x", "{a}."))
    with pytest.raises(ValueError, match=r"a: '\.'"):
        path_of(read.operations["read"], {"a": ".", "b": "y", "c": "z"})
    pair = read_description(PATHS.replace("/files/{a}{b}/.{c}", "/files/.{a}/rest"))
    assert path_of(pair.operations["read"], {"a": "x", "b": "y", "c": "z"}) == "/files/.x/rest"


def test_headers_that_show_who_asks_are_no_arguments() -> None:
    read = read_description(PATHS).operations["read"]
    assert [each.name for each in read.parameters if each.place == "header"] == ["X-Language"]
    assert "authorization" not in read.arguments["properties"]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("last", ["[*a27, *a27]", "&a28 [*a28, *a27]"])
def test_aliases_that_stand_for_millions_of_values_are_refused(last: str) -> None:
    names = "\n".join(f"x-{n}: &a{n} [{f'*a{n - 1}, *a{n - 1}' if n else '1, 1'}]" for n in range(28))
    with pytest.raises(DescriptionError, match="values lie in it"):
        read_description(f"openapi: 3.0.0\n{names}\nx-last: {last}\npaths: {{}}\n")


class Fields(SecretFields):
    """Of a system."""

    api_url: str
    password: str = ""


@pytest.mark.parametrize(
    "url", ["http://crm.example/rest/7/c0debook/", "HTTP://user:pw123456@10.0.0.7", "http://[::2]/"]
)
def test_credentials_go_to_no_other_machine_in_plain_text(url: str) -> None:
    held = {"acme": {"crm": {"api_url": url, "password": "long and secret"}}}
    with pytest.raises(NoSecrets, match=r"(?i)api_url http.*plain text: use https") as refused:
        TenantSecrets(None, held).read("acme", "crm", Fields)
    assert not any(word in str(refused.value) for word in ("c0debook", "pw123456", "long and secret"))
    assert TenantSecrets(None, held, allow_insecure=True).read("acme", "crm", Fields).api_url == url


@pytest.mark.parametrize(
    "url", ["https://crm.example/x", "http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]/"]
)
def test_https_and_loopback_serve(url: str) -> None:
    assert TenantSecrets(None, {"acme": {"crm": {"api_url": url}}}).read("acme", "crm", Fields).api_url == url


def test_what_the_operator_allows_is_warned_of_each_minute() -> None:
    now = [0.0]
    held = {"acme": {"crm": {"api_url": "http://crm.example"}}}
    secrets = TenantSecrets(None, held, allow_insecure=True, clock=lambda: now[0])
    with structlog.testing.capture_logs() as lines:
        for seconds in (0.0, 30.0, 61.0):
            now[0] = seconds
            secrets.read("acme", "crm", Fields)
    assert [line["event"] for line in lines] == ["insecure", "insecure"]
    assert "crm of tenant 'acme': api_url http://crm.example" in lines[0]["exposure"]


def test_mails_go_to_no_other_machine_in_plain_text() -> None:
    held = {"smtp_host": "mail.example", "smtp_from": "desk@example.com", "smtp_encryption": "none"}
    assert "smtp_encryption" in MessagePackage.Secrets.model_validate(held).exposures()[0]
    for mended in ({"smtp_encryption": "tls"}, {"smtp_host": "127.0.0.1"}):
        assert MessagePackage.Secrets.model_validate({**held, **mended}).exposures() == []


@pytest.mark.parametrize(
    ("region", "number", "may"),
    [
        ("US", "+12025550123", True),
        ("US", "+18765551234", False),  # Jamaica
        ("US", "+19005551234", False),  # premium
        ("VN", "+84912345678", True),
        ("VN", "+841900123456", False),  # premium
        ("VN", "+447700900000", False),
        ("RU", "+77011234567", False),  # Kazakhstan
        ("GB", "+447012345678", False),  # a personal number
        ("", "+84912345678", False),
    ],
)
def test_numbers_that_cost_are_not_written_to_without_a_list(region: str, number: str, may: bool) -> None:
    context = PackageContext("x", "message", "message", region=region)
    assert MessagePackage(MessagePackage.Options(), context)._may_reach(number) is may


def test_an_address_of_the_agents_file_is_held_to_the_same() -> None:
    with pytest.raises(NotServing, match="agent x: server"):
        TenantSecrets().refuse_plain("agent x", ["server http://api.example: use https"])


def test_secrets_are_taken_out_of_what_a_system_says_however_it_is_written() -> None:
    secret = 'tok/en"ü-1234'  # noqa: S105
    body = json.dumps({"a": secret}) + json.dumps({"a": secret}, ensure_ascii=False) + secret
    body += json.dumps({"a": secret}).replace("/", "\\/")
    found = without_secrets(body.encode(), [secret, "abc"]).decode()
    assert "en" not in found.replace("***", "")
    assert without_secrets(b"a cab", ["abc"]) == b"a cab", "a short secret could be any word"


def calendar(rule: str) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z"]
    return "\n".join([*lines, "DTSTART:19700101T000000Z", "DURATION:PT1H", rule, "END:VEVENT", "END:VCALENDAR"])


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "rule",
    [
        "RRULE:FREQ=SECONDLY",
        "RRULE:FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=HOURLY",
        "RRULE:FREQ=DAILY;INTERVAL=0",
        "RRULE:FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=" + ",".join(map(str, range(60))),
    ],
)
def test_an_invitation_that_repeats_without_end_does_not_hold_the_loop(rule: str) -> None:
    with pytest.raises(ValueError, match=r"rule|interval|INTERVAL"):
        busy_in(calendar(rule), read_span("2026-12-01", "2026-12-02", UTC), UTC)


def test_a_daily_event_since_1970_is_read() -> None:
    found = busy_in(calendar("RRULE:FREQ=DAILY"), read_span("2026-12-01", "2026-12-02", UTC), UTC)
    assert len(found) == 2


def dav() -> CalDavCalendar:
    secrets = CalDavSecrets(url="https://dav.example/c", username="u", password="p")  # noqa: S106
    return CalDavCalendar("the calendar", secrets, limits=Limits(), zone=UTC)


BOMB = '<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;">]><D:multistatus xmlns:D="DAV:">&b;</D:multistatus>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
async def test_a_document_type_is_not_read_in_any_encoding(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding.partition("-")[0]}-{encoding.split("-")[1]}"?>{BOMB}'
    with pytest.raises(BadAnswer, match=r"document type|no XML"):
        dav()._calendars(text.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_a_plain_answer_is_read_in_any_encoding(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><D:multistatus xmlns:D="DAV:"'
    text += ' xmlns:C="urn:ietf:params:xml:ns:caldav">'
    text += "<C:calendar-data>BEGIN</C:calendar-data></D:multistatus>"
    assert dav()._calendars(text.encode(encoding)) == ["BEGIN"]


def test_what_callers_gave_lies_on_disk_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "hotel" / "tools.sqlite"
    OutboxFile(path).close()
    file: Any = path.stat().st_mode
    assert stat.S_IMODE(file) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


EVENT = "DTSTART:20261201T100000Z"
UNREADABLE = [
    f"{EVENT}\n{EVENT}",
    f"{EVENT}\nRRULE:FREQ=DAILY\nRRULE:FREQ=DAILY",
    f"{EVENT}\nRECURRENCE-ID:20261201T100000Z\nRECURRENCE-ID:20261201T100000Z",
    f"{EVENT}\nDURATION:P99999999999999D",
    f"{EVENT}\nRRULE:FREQ=DAILY\nEXDATE;VALUE=PERIOD:20261201T100000Z/PT1H",
    "DTSTART;TZID=America/New_York:99991231T230000\nDTEND;TZID=America/New_York:99991231T235900",
    "DTSTART;VALUE=PERIOD:20261201T100000Z/PT1H",
    "DTSTART;VALUE=TEXT:hello",
    "SUMMARY:never",
]


def event(lines: str) -> str:
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"


def multistatus(*texts: str) -> bytes:
    listed = "".join(f"<C:calendar-data>{text}</C:calendar-data>" for text in texts)
    names = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    return f"<D:multistatus {names}>{listed}</D:multistatus>".encode()


DAY = read_span("2026-12-01", "2026-12-02", UTC)


@pytest.mark.parametrize("lines", UNREADABLE)
def test_an_event_that_is_none_is_an_answer_that_cannot_be_read(lines: str) -> None:
    with pytest.raises(BadAnswer, match="an event that cannot be read"):
        dav()._busy_in(multistatus(event(lines)), DAY)


@pytest.mark.timeout(60)
def test_rules_that_never_come_true_are_read_for_a_bounded_time() -> None:
    never = event(f"{EVENT}\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")
    head, _, rest = never.partition("BEGIN:VEVENT")
    one, _, end = rest.partition("END:VCALENDAR")
    many = head + f"BEGIN:VEVENT{one}" * 100 + f"END:VCALENDAR{end}"
    with pytest.raises(BadAnswer, match="within 2 s"):
        dav()._busy_in(multistatus(many), DAY)


def test_a_rule_with_very_many_values_is_not_followed() -> None:
    places = ",".join(str(n) for n in range(1, 367))
    with pytest.raises(ValueError, match="too many values"):
        busy_in(calendar(f"RRULE:FREQ=YEARLY;BYDAY=MO;BYSETPOS={places}"), DAY, UTC)


class Files:
    """One file of a CalDAV server that takes a change and loses its answer, so that the change comes a second time."""

    def __init__(self, *, others: bytes = b"") -> None:
        self.text = event(f"{EVENT}\nDTEND:20261201T110000Z").encode()
        self._others = others

    async def ask(self, method: str, url: str, *, data: bytes = b"", **_: Any) -> Answer:
        if method == "GET":
            return Answer("dav", 200, {"ETag": '"1"'}, self.text)
        self.text = self._others or data
        return Answer("dav", 412, {}, b"")


async def test_a_move_whose_answer_was_lost_is_done() -> None:
    made, files = dav(), Files()
    made._client = files  # type: ignore[assignment] # no server
    await made.move("a", read_span("2026-12-03T10:00", "2026-12-03T11:00", UTC))
    assert b"20261203T100000Z" in files.text


async def test_a_move_of_what_somebody_else_has_changed_is_refused() -> None:
    made = dav()
    made._client = Files(others=event("DTSTART:20261207T100000Z").encode())  # type: ignore[assignment] # no server
    with pytest.raises(Refused, match="somebody has changed"):
        await made.move("a", read_span("2026-12-03T10:00", "2026-12-03T11:00", UTC))
