"""Zoho CRM by its REST API, version 8 (https://www.zoho.com/crm/developer/docs/api/v8/).

With a unique field of the administrator's on Leads, Tasks and Calls a record is upserted under the key; Zoho then finds
the first one again. Without it a deed of unknown fate is not sent a second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from services.nlu.tools.crm.arguments import contact, crm_operations
from services.nlu.tools.crm.phones import is_same, notations
from services.nlu.tools.package import Asked, NoOptions, Operation, PackageContext
from services.nlu.tools.rest.client import Limits, RestClient, all_pages
from services.nlu.tools.rest.credentials import Grant, OAuthTokens
from services.nlu.tools.rest.failures import BadAnswer, Refused
from services.nlu.tools.rest.sites import Sites, token_file
from services.nlu.tools.secrets import SecretFields

_FIELDS = "id,Full_Name,Phone,Mobile,Email"


class ZohoPackage:
    """Contacts, leads, tasks and calls of a Zoho CRM organisation."""

    default_name = "crm"

    class Options(NoOptions):
        """Of the agent's file."""

        key_field: str = Field("", pattern=r"^\w{0,50}$", description="Unique field on Leads, Tasks and Calls.")
        timeout_s: float = Field(8.0, gt=0, le=60)

    class Secrets(SecretFields):
        """Of a server-based client. The URLs are those of the organisation's data centre."""

        client_id: str = Field(min_length=1)
        client_secret: str = Field(min_length=1)
        refresh_token: str = Field(min_length=1)
        api_url: str = Field("https://www.zohoapis.com", pattern=r"^https?://[^/\s]+$")
        accounts_url: str = Field("https://accounts.zoho.com", pattern=r"^https?://[^/\s]+$")

    def __init__(self, options: Options, context: PackageContext) -> None:
        self._options, self._context = options, context
        self._sites: Sites[ZohoPackage.Secrets, RestClient] = Sites(context, self.Secrets, self._client)
        self._operations = crm_operations(
            find_contact=self._find_contact,
            create_lead=self._create_lead,
            create_task=self._create_task,
            log_call=self._log_call,
            repeatable=frozenset(
                {"create_lead", "create_task", "note_conversation"} if self._options.key_field else ()
            ),
            timeout_s=self._options.timeout_s + 1.0,
        )

    async def open(self) -> None:
        """Do nothing: the first request connects."""

    async def close(self) -> None:
        await self._sites.close()

    def operations(self) -> Sequence[Operation]:
        return self._operations

    def _client(self, tenant_id: str, secrets: Secrets) -> RestClient:
        who = self._sites.who("Zoho", tenant_id)

        def grant() -> Grant:
            form = {"client_id": secrets.client_id, "client_secret": secrets.client_secret}
            url = f"{secrets.accounts_url}/oauth/v2/token"
            return Grant(url, {"grant_type": "refresh_token", **form}, secrets.refresh_token)

        tokens = OAuthTokens(who, grant, scheme="Zoho-oauthtoken", file=token_file(self._context, tenant_id))
        return RestClient(who, tokens, limits=Limits(whole_s=self._options.timeout_s))

    async def _find_contact(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        client, secrets = await self._sites.of(asked.tenant_id)
        phone, region = arguments["phone"], self._context.region
        found: dict[str, dict[str, Any]] = {}
        for notation in notations(phone, region):  # Zoho compares signs

            async def page(number: int, notation: str = notation) -> tuple[list[Any], int | None]:
                params = {"phone": notation, "fields": _FIELDS, "page": str(number), "per_page": "200"}
                answer = await client.ask("GET", f"{secrets.api_url}/crm/v8/Contacts/search", params=params)
                if answer.status == 204:
                    return [], None
                value = answer.object()
                if not isinstance(value.get("data"), list):
                    raise BadAnswer(f"{client.who} answered a search without data")
                return value["data"], number + 1 if value.get("info", {}).get("more_records") is True else None

            for one in await all_pages(1, page):
                if isinstance(one, dict) and any(
                    is_same(one.get(field), phone, region) for field in ("Phone", "Mobile")
                ):
                    found[str(one.get("id"))] = one
        contacts = [
            contact(number, one.get("Full_Name"), one.get("Phone"), one.get("Email")) for number, one in found.items()
        ]
        return {"contacts": contacts[:10]}

    async def _create_lead(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        record = {
            "Last_Name": arguments["last_name"],
            "First_Name": arguments["first_name"],
            "Company": arguments["company"],
            "Phone": arguments["phone"],
            "Email": arguments["email"],
            "Description": arguments["note"],
        }
        return {"lead_id": await self._create("Leads", record, asked)}

    async def _create_task(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        record = {
            "Subject": arguments["subject"],
            "Description": arguments["note"],
            "Due_Date": arguments["due"].isoformat() if "due" in arguments else "",
            **_whose(arguments),
        }
        return {"task_id": await self._create("Tasks", record, asked)}

    async def _log_call(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        minutes, seconds = divmod(arguments["duration_s"], 60)
        record = {
            "Subject": arguments["subject"],
            "Call_Type": "Inbound",
            "Call_Start_Time": arguments["started"].isoformat(timespec="seconds"),
            "Call_Duration": f"{minutes:02}:{seconds:02}",
            "Description": f"{arguments['phone']}\n{arguments['summary']}".strip(),
            **_whose(arguments),
        }
        return {"call_id": await self._create("Calls", record, asked)}

    async def _create(self, module: str, record: Mapping[str, Any], asked: Asked) -> str:
        client, secrets = await self._sites.of(asked.tenant_id)
        filled = {name: value for name, value in record.items() if value != ""}
        url, body = f"{secrets.api_url}/crm/v8/{module}", {"data": [filled]}
        if field := self._options.key_field:
            upsert = {"data": [{**filled, field: asked.key}], "duplicate_check_fields": [field]}
            answer = await client.ask("POST", f"{url}/upsert", json=upsert, is_repeatable=True)
        else:
            answer = await client.ask("POST", url, json=body)
        data = answer.object().get("data")
        first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
        if first.get("status") == "error":  # under 202: of a request's records one is at fault
            where = first.get("details", {}).get("api_name", "")
            raise Refused(f"{client.who} refused: {first.get('code')}: {first.get('message')} {where}".strip())
        details = first.get("details")
        if not isinstance(details, dict) or "id" not in details:
            raise BadAnswer(f"{client.who} answered a new record without its id")
        return str(details["id"])


def _whose(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"Who_Id": {"id": arguments["contact_id"]}} if arguments.get("contact_id") else {}
