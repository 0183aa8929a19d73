"""crm.amocrm against a server with amoCRM's REST shapes; amocrm-api-wrapper asks the same server the same."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from amocrm_api import AmoOAuthClient
from yarl import URL

from services.nlu.agent.tools import ToolRefused
from tests.integration.tools.opening import KEY, opened, run
from tests.integration.tools.rest_server import (
    BUSY,
    CUT_JSON,
    DOWN,
    HTML,
    HTML_502,
    SLOW,
    Reply,
    RestServer,
    Seen,
    serving,
)

PACKAGE: dict[str, Any] = {"package": "crm.amocrm", "options": {"timeout_s": 3}}
WITH_KEY: dict[str, Any] = {"package": "crm.amocrm", "options": {"timeout_s": 3, "key_field_id": 900}}
LEAD = {"last_name": "Иванова", "first_name": "Анна", "phone": "+84912345678", "email": "anna@example.com"}
CALL = {"phone": "+84912345678", "subject": "Asked", "started": "2026-11-30T09:30:00+07:00", "duration_s": 95}


class Account:
    """Fake amoCRM account: tokens of which each refresh token holds once, lists in pages, 204 where nothing is."""

    def __init__(self) -> None:
        self.access, self.refresh, self.n_renewals = "", "r0", 0
        self.leads: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/oauth2/access_token":
            if seen.json["refresh_token"] != self.refresh:
                return Reply({"hint": "Token has been revoked", "title": "Bad Request", "status": 400}, status=400)
            self.n_renewals += 1
            self.access, self.refresh = f"a{self.n_renewals}", f"r{self.n_renewals}"
            tokens = {"token_type": "Bearer", "expires_in": 86400, "access_token": self.access}
            return Reply({**tokens, "refresh_token": self.refresh})
        if seen.token != f"Bearer {self.access}":
            return Reply({"title": "Unauthorized", "status": 401, "detail": "Invalid token"}, status=401)
        if seen.method == "GET":
            return self._list(seen)
        return self._add(seen)

    def _list(self, seen: Seen) -> Reply:
        page, query = int(seen.query["page"]), seen.query["query"]
        if seen.path.endswith("/leads"):
            found = [lead for lead in self.leads if query in str(lead)]
            return Reply({"_page": 1, "_links": {}, "_embedded": {"leads": found}}) if found else Reply(status=204)
        if query not in "+84912345678":
            return Reply(status=204)
        phones = {"field_id": 1, "field_code": "PHONE", "values": [{"value": f"+8491234567{7 + page}"}]}
        contact = {"id": page, "name": f"Anna {page}", "custom_fields_values": [phones]}
        links = {"next": {"href": f"{seen.path}?page={page + 1}"}} if page < 2 else {}
        return Reply({"_page": page, "_links": links, "_embedded": {"contacts": [contact]}})

    def _add(self, seen: Seen) -> Reply:
        kind, (record, *_) = seen.path.rpartition("/")[2], seen.json
        if kind == "complex":
            self.leads.append({**record, "id": 10 + len(self.leads)})
            return Reply([{"id": self.leads[-1]["id"], "contact_id": 5, "request_id": [record["request_id"]]}])
        if kind == "calls" and record["phone"] != "+84912345678":
            return Reply({"_total_items": 0, "errors": [{"status": 263, "title": "Entity not found"}]})
        getattr(self, kind).append(record)
        return Reply({"_total_items": 1, "errors": [], "_embedded": {kind: [{"id": 70, "request_id": "0"}]}})


def secrets(server: RestServer) -> dict[str, str]:
    client = {"client_id": "c", "client_secret": "s", "redirect_uri": "https://example.com"}
    return {**client, "account_url": server.url, "refresh_token": "r0"}


def said(seen: Seen) -> tuple[str, str, dict[str, str], Any]:
    return seen.method, seen.path, seen.query, seen.json if seen.body else None


async def test_every_request_is_the_oracles(tmp_path: Path) -> None:
    account = Account()
    async with serving(account) as server, opened(tmp_path, PACKAGE, secrets(server)) as tools:
        found = await run(tools, "crm_find_contact", phone="0912345678")
        assert found["contacts"] == [{"id": "1", "name": "Anna 1", "phone": "+84912345678", "email": None}]
        made = await run(tools, "crm_create_lead", **LEAD, note="A room")
        assert made["result"] == {"lead_id": "10", "contact_id": "5", "note": "added"}
        await run(tools, "crm_create_task", key="b" * 32, subject="Call back", due="2026-12-01", contact_id="1")
        await run(tools, "crm_note_conversation", key="c" * 32, **CALL)
        ours = [said(seen) for seen in server.seen if "oauth2" not in seen.path]
        server.seen.clear()
        oracle = AmoOAuthClient(account.access, account.refresh, server.url, "c", "s", "https://example.com")

        def ask() -> None:
            oracle.create_leads_complex(ours[2][3])
            oracle.create_entity_note("leads", ours[3][3], 10)
            oracle.add_tasks(ours[4][3])
            oracle.create_calls(ours[5][3])

        await asyncio.to_thread(ask)
        assert [said(seen) for seen in server.seen] == ours[2:]
        for number, request in enumerate(ours[:2], 1):  # its lists cannot be sent: httpx's `get` takes no JSON
            query = request[2]["query"]
            url = URL(oracle._build_get_entities_url("contacts", 250, number, None, None, None, None, query))
            assert ("GET", url.path, dict(url.query), None) == request
    assert account.tasks[0]["complete_till"] == 1796144340  # the end of that day in Ho Chi Minh City
    assert account.calls[0]["uniq"] == "c" * 32
    assert account.calls[0] == account.calls[1]


async def test_a_refresh_token_holds_once_and_the_next_one_is_kept(tmp_path: Path) -> None:
    account = Account()
    for n_renewals in (1, 2):
        async with serving(account) as server, opened(tmp_path, PACKAGE, secrets(server)) as tools:
            account.access += " has ended" * (n_renewals - 1)
            found = await asyncio.gather(*(run(tools, "crm_find_contact", phone="0912345678") for _ in range(5)))
            assert all(each["contacts"] for each in found)
            assert account.n_renewals == n_renewals


@pytest.mark.parametrize("fault", [CUT_JSON, HTML, Reply([], is_cut=True), HTML_502])
async def test_with_a_key_field_a_lead_whose_answer_is_lost_is_found_again(tmp_path: Path, fault: Reply) -> None:
    account = Account()

    def lose(seen: Seen) -> Reply:
        reply = account(seen)
        return fault if seen.path.endswith("complex") and len(account.leads) == 1 else reply

    async with serving(lose) as server, opened(tmp_path, WITH_KEY, secrets(server)) as tools:
        made = await run(tools, "crm_create_lead", **LEAD)
        async with asyncio.timeout(10):
            while made["status"] != "done":
                await asyncio.sleep(0.1)
                made = await run(tools, "crm_create_lead", **LEAD)
    assert made["result"] == {"lead_id": "10"}
    assert [lead["custom_fields_values"][0]["values"][0]["value"] for lead in account.leads] == [KEY]


@pytest.mark.parametrize("fault", [CUT_JSON, DOWN])
async def test_without_one_a_lead_of_unknown_fate_is_not_sent_again(tmp_path: Path, fault: Reply) -> None:
    async with serving(Account()) as server, opened(tmp_path, PACKAGE, secrets(server)) as tools:
        server.faults = [fault]
        for _ in range(2):
            with pytest.raises(ToolRefused, match="not known"):
                await run(tools, "crm_create_lead", **LEAD)
        assert len(server.of("POST", "complex")) == 1


async def test_a_call_of_an_unknown_number_is_refused(tmp_path: Path) -> None:
    async with serving(Account()) as server, opened(tmp_path, PACKAGE, secrets(server)) as tools:
        with pytest.raises(ToolRefused, match="Entity not found"):
            await run(tools, "crm_note_conversation", **{**CALL, "phone": "+84900000000"})


@pytest.mark.parametrize("fault", [BUSY, DOWN, HTML, CUT_JSON])
async def test_a_look_up_outlasts_a_fault(tmp_path: Path, fault: Reply) -> None:
    async with serving(Account()) as server, opened(tmp_path, PACKAGE, secrets(server)) as tools:
        server.faults = [fault]
        assert (await run(tools, "crm_find_contact", phone="0912345678"))["contacts"]


async def test_a_slow_account_is_given_up(tmp_path: Path) -> None:
    package = {"package": "crm.amocrm", "options": {"timeout_s": 0.7}}
    async with serving(Account()) as server, opened(tmp_path, package, secrets(server)) as tools:
        server.faults = [SLOW]
        with pytest.raises(ToolRefused, match="no answer within"):
            await run(tools, "crm_find_contact", phone="0912345678")
