"""crm.zoho against a server with Zoho's REST shapes; Zoho's own SDK asks the same server the same."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore
from zohocrmsdk.src.com.zoho.api.logger import Logger
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.parameter_map import ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper, Record, RecordOperations, SearchRecordsParam
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig

from services.nlu.agent.tools import ToolRefused
from tests.integration.tools.opening import KEY, opened, run
from tests.integration.tools.rest_server import CUT_JSON, DOWN, HTML, HTML_502, SLOW, Reply, RestServer, Seen, serving

PACKAGE: dict[str, Any] = {"package": "crm.zoho", "options": {"timeout_s": 3}}
WITH_KEY: dict[str, Any] = {"package": "crm.zoho", "options": {"timeout_s": 3, "key_field": "Tong_Dai_Key"}}
REFRESH = "1000.r"
CLIENT = {"client_id": "1000.c", "client_secret": "s", "refresh_token": REFRESH}
FIELDS = ("Last_Name", "First_Name", "Phone", "Email", "Description", "Company", "Tong_Dai_Key")
LEAD = {"last_name": "Bell", "first_name": "Anna", "phone": "+84912345678", "company": "Bell Ltd"}
BUSY = Reply({"code": "TOO_MANY_REQUESTS", "message": "wait", "status": "error"}, 429, {"Retry-After": "0.05"})


class Zoho:
    """Fake Zoho: OAuth that fails with 200, searches in pages, inserts and upserts."""

    def __init__(self) -> None:
        self.token, self.n_tokens = "", 0
        self.records: dict[str, dict[str, Any]] = {}

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/oauth/v2/token":
            return self._token(seen)
        if "/settings/fields" in seen.path:
            kinds = {"data_type": "text", "json_type": "string", "length": 200}
            fields = [{"api_name": name, "id": str(n), "field_label": name, **kinds} for n, name in enumerate(FIELDS)]
            return Reply({"fields": fields})
        if seen.token != f"Zoho-oauthtoken {self.token}":
            return Reply({"code": "INVALID_TOKEN", "message": "invalid oauth token", "status": "error"}, status=401)
        return self._found(seen) if seen.method == "GET" else self._added(seen)

    def _token(self, seen: Seen) -> Reply:
        if seen.form["refresh_token"] != REFRESH:
            return Reply({"error": "invalid_code"})
        self.n_tokens += 1
        self.token = f"1000.a{self.n_tokens}"
        return Reply({"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"})

    def _added(self, seen: Seen) -> Reply:
        record = seen.json["data"][0]
        checked = seen.json.get("duplicate_check_fields", [])
        number = str(record[checked[0]]) if checked else f"55{len(self.records)}"
        self.records[number] = record
        done = {"code": "SUCCESS", "details": {"id": f"id-{number}"}, "message": "record added", "status": "success"}
        return Reply({"data": [done]}, status=201)

    def _found(self, seen: Seen) -> Reply:
        if seen.query["phone"] != "+84912345678":
            return Reply(status=204)
        number = int(seen.query["page"])
        one = {"id": f"id{number}", "Full_Name": f"Anna {number}", "Phone": "091 234 5678", "Mobile": None}
        return Reply({"data": [one], "info": {"more_records": number < 3, "page": number}})


def secrets(server: RestServer, **others: str) -> dict[str, str]:
    return {**CLIENT, "api_url": server.url, "accounts_url": server.url, **others}


def said(seen: Seen) -> tuple[str, str, dict[str, str], Any]:
    return seen.method, seen.path, seen.query, seen.json if seen.body else None


async def asked_by_sdk(server: RestServer, folder: Path, ask: Callable[[], Any]) -> None:
    def work() -> None:
        environment = DataCenter.Environment(server.url, f"{server.url}/oauth/v2/token", server.url)
        Initializer.initialize(
            environment=environment,
            token=OAuthToken(**CLIENT, find_user=False),
            store=FileStore(str(folder / "tokens.txt")),
            sdk_config=SDKConfig(auto_refresh_fields=False, pick_list_validation=False),
            resource_path=str(folder),
            logger=Logger.get_instance(level=Logger.Levels.ERROR, file_path=str(folder / "log")),
        )
        ask()

    await asyncio.to_thread(work)


async def test_a_contact_is_found_over_all_pages_as_the_oracle_asks(tmp_path: Path) -> None:
    async with serving(Zoho()) as server, opened(tmp_path, PACKAGE, secrets(server)) as tools:
        found = await run(tools, "crm_find_contact", phone="0912345678")
        assert [one["name"] for one in found["contacts"]] == ["Anna 1", "Anna 2", "Anna 3"]
        ours = next(said(seen) for seen in server.of("GET") if seen.query["phone"].startswith("+"))
        server.seen.clear()

        def ask() -> None:
            parameters = ParameterMap()
            parameters.add(SearchRecordsParam.phone, "+84912345678")
            parameters.add(SearchRecordsParam.fields, ours[2]["fields"])
            parameters.add(SearchRecordsParam.page, 1)
            parameters.add(SearchRecordsParam.per_page, 200)
            RecordOperations("Contacts").search_records(parameters, HeaderMap())

        await asked_by_sdk(server, tmp_path, ask)
        assert said(server.of("GET", "search")[0]) == ours


@pytest.mark.parametrize("package", [PACKAGE, WITH_KEY])
async def test_a_lead_is_what_the_oracle_creates(tmp_path: Path, package: dict[str, Any]) -> None:
    zoho = Zoho()
    async with serving(zoho) as server, opened(tmp_path, package, secrets(server)) as tools:
        made = await run(tools, "crm_create_lead", **LEAD)
        assert made["result"]["lead_id"].startswith("id-")
        (ours,) = server.of("POST", "Leads")
        server.seen.clear()

        def ask() -> None:
            record, body = Record(), BodyWrapper()
            for name, value in ours.json["data"][0].items():
                record.add_key_value(name, value)
            body.set_data([record])
            operations = RecordOperations("Leads")
            if "duplicate_check_fields" in ours.json:
                body.set_duplicate_check_fields(["Tong_Dai_Key"])
                operations.upsert_records(body, HeaderMap())
            else:
                operations.create_records(body, HeaderMap())

        await asked_by_sdk(server, tmp_path, ask)
        assert said(server.of("POST", "Leads")[0]) == said(ours)
    assert len({tuple(sorted(record.items())) for record in zoho.records.values()}) == 1


@pytest.mark.parametrize("fault", [BUSY, DOWN, HTML_502, HTML, CUT_JSON, Reply({}, is_cut=True)])
async def test_with_a_key_field_a_fault_leaves_one_record(tmp_path: Path, fault: Reply) -> None:
    zoho = Zoho()
    async with serving(zoho) as server, opened(tmp_path, WITH_KEY, secrets(server)) as tools:
        server.faults = [fault]
        assert (await run(tools, "crm_create_lead", **LEAD))["status"] == "done"
        assert len(server.of("POST", "upsert")) == 2
    assert list(zoho.records) == [KEY]


async def test_a_task_and_a_call_have_zohos_fields(tmp_path: Path) -> None:
    zoho = Zoho()
    async with serving(zoho) as server, opened(tmp_path, WITH_KEY, secrets(server)) as tools:
        task = {"subject": "Call back", "due": "2026-12-01", "contact_id": "77"}
        await run(tools, "crm_create_task", key="a" * 32, **task)
        call = {"phone": "+84912345678", "subject": "Asked", "started": "2026-11-30T09:30:00+07:00", "duration_s": 95}
        await run(tools, "crm_note_conversation", key="b" * 32, **call)
        assert [seen.path for seen in server.of("POST", "upsert")] == ["/crm/v8/Tasks/upsert", "/crm/v8/Calls/upsert"]
    assert zoho.records["a" * 32]["Who_Id"] == {"id": "77"}
    assert zoho.records["b" * 32]["Call_Duration"] == "01:35"
    assert datetime.fromisoformat(zoho.records["b" * 32]["Call_Start_Time"]).utcoffset() is not None


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (SLOW, "no answer within"),
        (Reply({"data": "none"}), "without data"),
        (Reply({"code": "NO_PERMISSION", "message": "no permission"}, status=403), "may not do this"),
    ],
)
async def test_a_failure_says_what_to_do(tmp_path: Path, fault: Reply, why: str) -> None:
    package = {"package": "crm.zoho", "options": {"timeout_s": 0.7}}
    async with serving(Zoho()) as server, opened(tmp_path, package, secrets(server)) as tools:
        server.faults = [fault] * 4
        with pytest.raises(ToolRefused, match=why):
            await run(tools, "crm_find_contact", phone="0912345678")


async def test_a_record_at_fault_and_a_token_refused_with_200_are_refusals(tmp_path: Path) -> None:
    async with serving(Zoho()) as server, opened(tmp_path, PACKAGE, secrets(server)) as tools:
        server.faults = [Reply({"data": [{"code": "INVALID_DATA", "message": "bad", "status": "error"}]}, status=202)]
        with pytest.raises(ToolRefused, match="INVALID_DATA"):
            await run(tools, "crm_create_lead", **LEAD)
    wrong = tmp_path / "wrong"
    async with (
        serving(Zoho()) as server,
        opened(wrong, PACKAGE, secrets(server, **{"refresh_token": "1000.x"})) as tools,
    ):
        with pytest.raises(ToolRefused, match="invalid_code"):
            await run(tools, "crm_find_contact", phone="0912345678")


async def test_a_token_is_renewed_once_after_a_401(tmp_path: Path) -> None:
    zoho = Zoho()
    async with serving(zoho) as server, opened(tmp_path, PACKAGE, secrets(server)) as tools:
        await run(tools, "crm_find_contact", phone="0912345678")
        zoho.token = "gone"  # noqa: S105
        found = await asyncio.gather(*(run(tools, "crm_find_contact", phone="0912345678") for _ in range(5)))
        assert all(len(each["contacts"]) == 3 for each in found)
    assert zoho.n_tokens == 2
