"""crm.bitrix24 against a server with Bitrix24's REST shapes; fast-bitrix24 asks the same server the same."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fast_bitrix24 import BitrixAsync

from services.nlu.agent.tools import ToolRefused
from tests.integration.tools.opening import KEY, opened, run
from tests.integration.tools.rest_server import CUT_JSON, HTML, HTML_502, SLOW, Reply, Seen, serving

PACKAGE: dict[str, Any] = {"package": "crm.bitrix24", "options": {"timeout_s": 3, "user_id": 7}}
LIMIT = Reply({"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}, status=503)
HOOK = "/rest/7/s3cretHook"
LEAD = {"last_name": "Lê", "first_name": "Hoa", "phone": "+84912345678", "email": "hoa@example.com", "note": "A room"}


class Portal:
    """Fake Bitrix24 portal: lists in pages of two, methods by webhook or by a token in the body."""

    def __init__(self) -> None:
        self.leads: dict[str, dict[str, Any]] = {}
        self.activities: dict[str, dict[str, Any]] = {}
        self.tasks: list[dict[str, Any]] = []
        self.calls: dict[str, bool] = {}
        self.token, self.refresh = "", "r0"

    def __call__(self, seen: Seen) -> Reply:
        if seen.path.startswith("/oauth"):
            if seen.form["refresh_token"] != self.refresh:
                return Reply({"error": "invalid_grant"}, status=400)
            self.token, self.refresh = f"a{len(self.refresh)}", self.refresh + "0"
            return Reply({"access_token": self.token, "refresh_token": self.refresh, "expires_in": 3600})
        if not seen.path.startswith(HOOK) and seen.json.get("auth") != self.token:
            return Reply({"error": "expired_token", "error_description": "The access token expired"}, status=401)
        method = seen.path.rpartition("/")[2]
        return getattr(self, method.replace(".", "_"))(seen.json)

    def crm_duplicate_findbycomm(self, params: dict[str, Any]) -> Reply:
        known = set(params["values"]) & {"+84912345678"}
        return Reply({"result": {"CONTACT": [11, 12, 13]} if known else []})

    def crm_contact_list(self, params: dict[str, Any]) -> Reply:
        ids, start = params["filter"]["ID"], params["start"]
        page = [
            {"ID": str(n), "NAME": "Hoa", "LAST_NAME": f"Lê {n}", "PHONE": [{"VALUE": "+84912345678"}]}
            for n in ids[start : start + 2]
        ]
        more = {"next": start + 2} if start + 2 < len(ids) else {}
        return Reply({"result": page, "total": len(ids), **more, "time": {"operating": 0.01}})

    def crm_lead_list(self, params: dict[str, Any]) -> Reply:
        lead = self.leads.get(params["filter"]["ORIGIN_ID"])
        return Reply({"result": [{"ID": lead["ID"]}] if lead else [], "total": int(bool(lead))})

    def crm_lead_add(self, params: dict[str, Any]) -> Reply:
        fields = params["fields"]
        number = 100 + len(self.leads)
        self.leads[fields["ORIGIN_ID"]] = {**fields, "ID": str(number)}
        return Reply({"result": number})

    def crm_activity_list(self, params: dict[str, Any]) -> Reply:
        known = self.activities.get(params["filter"]["ORIGIN_ID"])
        return Reply({"result": [{"ID": "1"}] if known else []})

    def crm_activity_add(self, params: dict[str, Any]) -> Reply:
        self.activities[params["fields"]["ORIGIN_ID"]] = params["fields"]
        return Reply({"result": 1})

    def tasks_task_add(self, params: dict[str, Any]) -> Reply:
        self.tasks.append(params["fields"])
        return Reply({"result": {"task": {"id": str(len(self.tasks)), "title": params["fields"]["TITLE"]}}})

    def telephony_externalcall_register(self, params: dict[str, Any]) -> Reply:
        running = [call_id for call_id, is_over in self.calls.items() if not is_over]
        call_id = running[0] if running else f"externalCall.{len(self.calls)}"
        self.calls[call_id] = False
        return Reply({"result": {"CALL_ID": call_id, "CRM_ENTITY_TYPE": "CONTACT", "CRM_ENTITY_ID": 11}})

    def telephony_externalcall_finish(self, params: dict[str, Any]) -> Reply:
        if self.calls.get(params["CALL_ID"]) is not False:
            return Reply({"error": "ERROR_CORE", "error_description": "Call is not found"}, status=400)
        self.calls[params["CALL_ID"]] = True
        return Reply({"result": {"CALL_ID": params["CALL_ID"], "CALL_DURATION": params["DURATION"]}})


def hook(url: str) -> dict[str, str]:
    return {"webhook_url": f"{url}{HOOK}/"}


def app(url: str) -> dict[str, str]:
    return {
        "portal_url": url,
        "client_id": "app",
        "client_secret": "s",
        "refresh_token": "r0",
        "token_url": f"{url}/oauth/token/",
    }


def said(seen: Seen) -> tuple[str, str, Any]:
    return seen.method, seen.path, seen.json


async def test_every_request_is_the_oracles(tmp_path: Path) -> None:
    portal = Portal()
    async with serving(portal) as server, opened(tmp_path, PACKAGE, hook(server.url)) as tools:
        found = await run(tools, "crm_find_contact", phone="0912345678")
        assert [one["id"] for one in found["contacts"]] == ["11", "12", "13"]
        made = await run(tools, "crm_create_lead", **LEAD)
        assert made["result"] == {"lead_id": "100"}
        await run(tools, "crm_create_task", key="b" * 32, subject="Call back", contact_id="11")
        ours = [said(seen) for seen in server.seen]
        first = portal.leads.pop(KEY)
        server.seen.clear()
        oracle = BitrixAsync(f"{server.url}{HOOK}/", verbose=False)
        for _, path, params in ours:
            await oracle.call(path.rpartition("/")[2], params, raw=True)
        assert [said(seen) for seen in server.seen] == ours
    assert portal.leads[KEY] == first
    assert portal.tasks[0] == portal.tasks[1]
    assert portal.tasks[0]["UF_CRM_TASK"] == ["C_11"]


@pytest.mark.parametrize("fault", [CUT_JSON, HTML, Reply({"result": 1}, is_cut=True), HTML_502])
async def test_a_lead_whose_answer_is_lost_is_found_again(tmp_path: Path, fault: Reply) -> None:
    portal = Portal()

    def lose(seen: Seen) -> Reply:
        reply = portal(seen)
        return fault if seen.path.endswith("crm.lead.add") and len(portal.leads) == 1 else reply

    async with serving(lose) as server, opened(tmp_path, PACKAGE, hook(server.url)) as tools:
        assert (await run(tools, "crm_create_lead", **LEAD))["status"] == "pending"
        async with asyncio.timeout(10):
            while (await run(tools, "crm_create_lead", **LEAD))["status"] != "done":
                await asyncio.sleep(0.1)
        assert len(server.of("POST", "crm.lead.add")) == 1
    assert len(portal.leads) == 1


async def test_a_limit_under_503_is_waited_for(tmp_path: Path) -> None:
    async with serving(Portal()) as server, opened(tmp_path, PACKAGE, hook(server.url)) as tools:
        server.faults = [LIMIT, LIMIT]
        assert (await run(tools, "crm_find_contact", phone="0912345678"))["contacts"]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (SLOW, "no answer within"),
        (Reply({"error": "insufficient_scope", "error_description": "no crm"}, status=403), "may not do this"),
        (Reply({"error": "INVALID_CREDENTIALS"}, status=401), "renewed by the operator"),
        (Reply({"time": {}}), "without a result"),
    ],
)
async def test_a_failure_says_what_to_do(tmp_path: Path, fault: Reply, why: str) -> None:
    package = {**PACKAGE, "options": {"timeout_s": 0.6}}
    async with serving(Portal()) as server, opened(tmp_path, package, hook(server.url)) as tools:
        server.faults = [fault] * 4
        with pytest.raises(ToolRefused, match=why) as refused:
            await run(tools, "crm_find_contact", phone="0912345678")
        assert "s3cretHook" not in str(refused.value)


CALL = {"phone": "+84912345678", "subject": "Asked for a room", "started": "2026-11-30T09:30:00+07:00"}


async def test_an_application_notes_a_call_in_telephony_once(tmp_path: Path) -> None:
    portal = Portal()

    def lose(seen: Seen) -> Reply:
        reply = portal(seen)
        return CUT_JSON if seen.path.endswith("finish") and len(server.of("POST", "finish")) == 1 else reply

    async with serving(lose) as server, opened(tmp_path, PACKAGE, app(server.url)) as tools:
        noted = await run(tools, "crm_note_conversation", **CALL, duration_s=95)
        async with asyncio.timeout(10):
            while noted["status"] != "done":
                await asyncio.sleep(0.1)
                noted = await run(tools, "crm_note_conversation", **CALL, duration_s=95)
    assert noted["result"] == {"call_id": "externalCall.0"}
    assert portal.calls == {"externalCall.0": True}


async def test_a_webhook_notes_a_call_as_an_activity_once(tmp_path: Path) -> None:
    portal = Portal()
    async with serving(portal) as server, opened(tmp_path, PACKAGE, hook(server.url)) as tools:
        with pytest.raises(ToolRefused, match="contact_id"):
            await run(tools, "crm_note_conversation", **CALL)
        noted = await run(tools, "crm_note_conversation", key="d" * 32, **CALL, contact_id="11")
    assert noted["result"] == {"activity_id": "1"}
    assert portal.activities["d" * 32]["DIRECTION"] == 1


async def test_a_refresh_token_that_changes_is_kept_for_the_next_process(tmp_path: Path) -> None:
    portal = Portal()
    for _ in range(2):
        async with serving(portal) as server, opened(tmp_path, PACKAGE, app(server.url)) as tools:
            assert (await run(tools, "crm_find_contact", phone="0912345678"))["contacts"]
            portal.token = "expired"  # noqa: S105
            assert (await run(tools, "crm_find_contact", phone="0912345678"))["contacts"]
    assert len(portal.refresh) > 2
    (kept,) = (tmp_path / "data/tokens/acme").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
