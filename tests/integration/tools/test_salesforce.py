"""crm.salesforce against a server with Salesforce's REST shapes; simple-salesforce asks the same server the same."""

import asyncio
import logging
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce

from services.nlu.agent.tools import ToolRefused
from tests.integration.tools.opening import KEY, opened, run
from tests.integration.tools.rest_server import (
    BUSY,
    CUT_JSON,
    DOWN,
    HTML,
    HTML_502,
    HUGE,
    SLOW,
    Reply,
    RestServer,
    Seen,
    serving,
)

CONTACTS = [
    {"Id": f"003{n:015d}", "Name": f"Contact {n}", "Phone": phone, "MobilePhone": None, "Email": f"c{n}@example.com"}
    for n, phone in enumerate(["(091) 234-5678", "+84 91 234 56 78", "00912345678x", "0812345678", "+1 912-345-678"])
]
PACKAGE: dict[str, Any] = {"package": "crm.salesforce", "options": {"timeout_s": 3}}
WITH_KEY: dict[str, Any] = {**PACKAGE, "options": {"timeout_s": 3, "key_field": "Tong_Dai_Key__c"}}
LEAD = {"last_name": "Bell", "first_name": "Anna", "phone": "+84912345678", "email": "anna@example.com"}


class Org:
    """Fake Salesforce: OAuth, SOQL in pages of two, creation, upsert by an external id."""

    def __init__(self) -> None:
        self.token, self.n_tokens = "", 0
        self.records: dict[str, dict[str, Any]] = {}
        self.url = ""

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/services/oauth2/token":
            return self._token(seen)
        if seen.token != f"Bearer {self.token}":
            return Reply([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}], status=401)
        if "/query" in seen.path:
            start = int(seen.path.rpartition("-")[2]) if "-" in seen.path else 0
            page = {
                "totalSize": len(CONTACTS),
                "done": start + 2 >= len(CONTACTS),
                "records": CONTACTS[start : start + 2],
            }
            if not page["done"]:
                page["nextRecordsUrl"] = f"/services/data/v60.0/query/01g0000000000000-{start + 2}"
            return Reply(page)
        parts = seen.path.split("/sobjects/")[1].strip("/").split("/")
        if seen.method == "PATCH":
            is_new = parts[2] not in self.records
            record = self.records.setdefault(parts[2], {**seen.json, "Id": f"00Q{len(self.records):015d}"})
            value = {"id": record["Id"], "success": True, "errors": [], "created": is_new}
            return Reply(value, status=201 if is_new else 200)
        if "LastName" not in seen.json and parts[0] == "Lead":
            missing = {"message": "Required fields are missing: [LastName]", "errorCode": "REQUIRED_FIELD_MISSING"}
            return Reply([missing], status=400)
        number = f"00Q{len(self.records):015d}"
        self.records[number] = seen.json
        return Reply({"id": number, "success": True, "errors": []}, status=201)

    def _token(self, seen: Seen) -> Reply:
        if seen.form.get("client_secret") != "s3cret":
            return Reply({"error": "invalid_client", "error_description": "invalid client credentials"}, status=400)
        self.n_tokens += 1
        self.token = f"00D-token-{self.n_tokens}"
        return Reply({"access_token": self.token, "instance_url": self.url, "token_type": "Bearer"})


SECRETS = {"client_id": "app", "client_secret": "s3cret", "refresh_token": "5Aep-refresh"}


class _ToHttp(HTTPAdapter):
    """simple-salesforce writes https in front of every URL; the local server speaks http."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        assert request.url is not None
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def oracle(server: RestServer, token: str) -> Salesforce:
    session = requests.Session()
    session.mount("https://", _ToHttp())
    return Salesforce(instance=server.url.removeprefix("http://"), session_id=token, version="60.0", session=session)


def said(seen: Seen) -> tuple[str, str, dict[str, str], Any]:
    return seen.method, unquote(seen.path), seen.query, seen.json if seen.body else None


async def test_a_contact_is_found_by_number_in_any_notation_over_all_pages(tmp_path: Path) -> None:
    org = Org()
    async with serving(org) as server, opened(tmp_path, PACKAGE, {**SECRETS, "instance_url": server.url}) as tools:
        found = await run(tools, "crm_find_contact", phone="0912345678")
        assert [one["name"] for one in found["contacts"]] == ["Contact 0", "Contact 1"]
        assert len(server.of("GET")) == 3
        ours = [said(seen) for seen in server.of("GET")]
        server.seen.clear()
        sf = oracle(server, org.token)
        await asyncio.to_thread(sf.query_all, ours[0][2]["q"])
        theirs = [said(seen) for seen in server.of("GET")]
    assert ours == theirs


async def test_a_lead_is_what_the_oracle_creates(tmp_path: Path) -> None:
    org = Org()
    async with serving(org) as server, opened(tmp_path, PACKAGE, {**SECRETS, "instance_url": server.url}) as tools:
        made = await run(tools, "crm_create_lead", **LEAD)
        assert made["status"] == "done"
        assert made["result"]["lead_id"].startswith("00Q")
        ours = server.of("POST", "sobjects")[0]
        server.seen.clear()
        lead = oracle(server, org.token).Lead
        assert lead is not None
        await asyncio.to_thread(lead.create, ours.json)
        assert said(server.of("POST", "sobjects")[0]) == said(ours)
    records = list(org.records.values())
    assert records[0] == records[1]
    assert records[0] == {
        "LastName": "Bell",
        "FirstName": "Anna",
        "Company": "-",
        "Phone": "+84912345678",
        "Email": "anna@example.com",
    }


async def test_an_upsert_under_the_key_is_what_the_oracle_upserts_and_is_one_record(tmp_path: Path) -> None:
    org = Org()
    async with serving(org) as server, opened(tmp_path, WITH_KEY, {**SECRETS, "instance_url": server.url}) as tools:
        server.faults = [CUT_JSON]  # after it was done there
        await run(tools, "crm_create_lead", **LEAD)
        ours = server.of("PATCH")
        assert len(ours) == 2
        assert ours[0].path == f"/services/data/v60.0/sobjects/Lead/Tong_Dai_Key__c/{KEY}"
        server.seen.clear()
        lead = oracle(server, org.token).Lead
        assert lead is not None
        await asyncio.to_thread(lead.upsert, f"Tong_Dai_Key__c/{KEY}", ours[0].json)
        assert said(server.of("PATCH")[0]) == said(ours[0])
    assert list(org.records) == [KEY]


async def test_a_task_and_a_call_are_tasks(tmp_path: Path) -> None:
    org = Org()
    async with serving(org) as server, opened(tmp_path, WITH_KEY, {**SECRETS, "instance_url": server.url}) as tools:
        await run(tools, "crm_create_task", subject="Call back", due="2026-12-01", contact_id="0031", key="a" * 32)
        await run(
            tools,
            "crm_note_conversation",
            key="b" * 32,
            phone="+84912345678",
            subject="Asked for a room",
            summary="Two nights.",
            started="2026-11-30T09:30:00+07:00",
            duration_s=95,
        )
    task, call = org.records["a" * 32], org.records["b" * 32]
    assert (task["Subject"], task["ActivityDate"], task["WhoId"]) == ("Call back", "2026-12-01", "0031")
    assert (call["TaskSubtype"], call["CallType"], call["CallDurationInSeconds"]) == ("Call", "Inbound", 95)


async def test_a_token_that_has_run_out_is_renewed_once_for_all_who_wait(tmp_path: Path) -> None:
    org = Org()
    async with serving(org) as server, opened(tmp_path, PACKAGE, {**SECRETS, "instance_url": server.url}) as tools:
        await run(tools, "crm_find_contact", phone="0912345678")
        org.token = "another one's"  # noqa: S105 - the session has ended
        asked = [run(tools, "crm_find_contact", phone="0912345678") for _ in range(8)]
        assert all(len(found["contacts"]) == 2 for found in await asyncio.gather(*asked))
        assert org.n_tokens == 2
        assert server.of("POST", "token")[0].form["grant_type"] == "refresh_token"


@pytest.mark.parametrize("fault", [BUSY, DOWN, HTML_502, HTML, CUT_JSON, Reply({}, is_cut=True)])
async def test_a_look_up_outlasts_a_fault(tmp_path: Path, fault: Reply) -> None:
    async with serving(Org()) as server, opened(tmp_path, PACKAGE, {**SECRETS, "instance_url": server.url}) as tools:
        server.faults = [fault]
        assert len((await run(tools, "crm_find_contact", phone="0912345678"))["contacts"]) == 2
        assert len(server.of("GET")) == 4


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (SLOW, "no answer within"),
        (HUGE, "more than 1048576 bytes"),
        (Reply({"totalSize": 1}), "without records"),
        (Reply([{"message": "No access", "errorCode": "INSUFFICIENT_ACCESS"}], status=403), "may not do this"),
        (Reply(status=302, headers={"Location": "http://127.0.0.1/elsewhere"}), "redirect"),
    ],
)
async def test_a_look_up_says_why_it_came_to_nothing(tmp_path: Path, fault: Reply, why: str) -> None:
    package = {**PACKAGE, "options": {"timeout_s": 0.6}}
    async with serving(Org()) as server, opened(tmp_path, package, {**SECRETS, "instance_url": server.url}) as tools:
        server.faults = [fault] * 5
        with pytest.raises(ToolRefused, match=why):
            await run(tools, "crm_find_contact", phone="0912345678")


@pytest.mark.parametrize("fault", [DOWN, CUT_JSON, Reply({}, is_cut=True), HTML])
async def test_without_a_key_field_a_lead_of_unknown_fate_is_not_sent_again(tmp_path: Path, fault: Reply) -> None:
    async with serving(Org()) as server, opened(tmp_path, PACKAGE, {**SECRETS, "instance_url": server.url}) as tools:
        server.faults = [fault]
        for _ in range(2):
            with pytest.raises(ToolRefused, match="not known"):
                await run(tools, "crm_create_lead", **LEAD)
        assert len(server.of("POST", "sobjects")) == 1


async def test_a_lead_that_was_certainly_not_made_is_tried_again(tmp_path: Path) -> None:
    org = Org()
    async with serving(org) as server, opened(tmp_path, PACKAGE, {**SECRETS, "instance_url": server.url}) as tools:
        server.faults = [Reply({}, status=429, headers={"Retry-After": "60"})]
        assert (await run(tools, "crm_create_lead", **LEAD))["status"] == "pending"
    assert org.records == {}
    async with serving(org) as server, opened(tmp_path, PACKAGE, {**SECRETS, "instance_url": server.url}) as tools:
        async with asyncio.timeout(10):
            while not org.records:  # the outbox of the next process
                await asyncio.sleep(0.05)
    assert len(org.records) == 1


async def test_a_refused_lead_is_told_with_its_reason(tmp_path: Path) -> None:
    async with serving(Org()) as server, opened(tmp_path, PACKAGE, {**SECRETS, "instance_url": server.url}) as tools:
        server.faults = [Reply([{"message": "bad e-mail", "errorCode": "INVALID_EMAIL_ADDRESS"}], status=400)]
        with pytest.raises(ToolRefused, match="bad e-mail"):
            await run(tools, "crm_create_lead", **LEAD)
        with pytest.raises(ToolRefused, match="phone"):
            await run(tools, "crm_create_lead", key="c" * 32, last_name="Bell", phone="1")


async def test_credentials_that_are_refused_are_told_and_stand_in_no_message_or_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = {**SECRETS, "client_secret": "wr0ng-and-secret"}
    async with serving(Org()) as server, opened(tmp_path, PACKAGE, {**secrets, "instance_url": server.url}) as tools:
        with pytest.raises(ToolRefused, match="renewed by the operator") as refused:
            await run(tools, "crm_find_contact", phone="0912345678")
        with pytest.raises(ToolRefused, match="no credentials for this tenant"):
            await run(tools, "crm_find_contact", tenant_id="other", phone="0912345678")
    written = str(refused.value) + caplog.text + "".join(capsys.readouterr())
    assert "wr0ng" not in written
    assert "5Aep" not in written


async def test_a_system_that_keeps_failing_is_left_alone(tmp_path: Path) -> None:
    async with serving(Org()) as server, opened(tmp_path, PACKAGE, {**SECRETS, "instance_url": server.url}) as tools:
        server.faults = [DOWN] * 20
        for _ in range(4):
            with pytest.raises(ToolRefused) as refused:
                await run(tools, "crm_find_contact", phone="0912345678")
        assert "has failed often" in str(refused.value)
        assert len(server.of("GET")) <= 6
