"""Salesforce by its REST API (https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/).

A record with an external id field is created by an upsert under the key, which a second time changes nothing: the
administrator makes that field (text, 32 characters, unique, external id) on Lead and Task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from services.nlu.tools.crm.arguments import contact, crm_operations
from services.nlu.tools.crm.phones import is_same, significant
from services.nlu.tools.package import Asked, NoOptions, Operation, PackageContext
from services.nlu.tools.rest.answers import Answer
from services.nlu.tools.rest.client import Limits, RestClient, all_pages
from services.nlu.tools.rest.credentials import Grant, OAuthTokens
from services.nlu.tools.rest.failures import BadAnswer, CallFailed, TooBusy
from services.nlu.tools.rest.sites import Sites, token_file
from services.nlu.tools.secrets import SecretFields

_FIELDS = ("Id", "Name", "Phone", "MobilePhone", "Email")


class SalesforcePackage:
    """Contacts, leads and tasks of a Salesforce organisation."""

    default_name = "crm"

    class Options(NoOptions):
        """Of the agent's file."""

        api_version: str = Field("60.0", pattern=r"^\d{2,3}\.\d$")
        key_field: str = Field("", pattern=r"^([A-Za-z]\w*__c)?$", description="External id field on Lead and Task.")
        company: str = Field("-", min_length=1, description="Of leads without one; Salesforce wants a company.")
        timeout_s: float = Field(8.0, gt=0, le=60)

    class Secrets(SecretFields):
        """Of a connected app: with a refresh token, or of the client credentials flow."""

        instance_url: str = Field(pattern=r"^https?://[^/\s]+$")
        client_id: str = Field(min_length=1)
        client_secret: str = Field(min_length=1)
        refresh_token: str = ""
        token_url: str = ""  # left out: of the instance

    def __init__(self, options: Options, context: PackageContext) -> None:
        self._options, self._context = options, context
        self._sites: Sites[SalesforcePackage.Secrets, RestClient] = Sites(context, self.Secrets, self._client)
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
        who = self._sites.who("Salesforce", tenant_id)

        def grant() -> Grant:
            form = {"client_id": secrets.client_id, "client_secret": secrets.client_secret}
            kind = "refresh_token" if secrets.refresh_token else "client_credentials"
            url = secrets.token_url or f"{secrets.instance_url}/services/oauth2/token"
            return Grant(url, {"grant_type": kind, **form}, secrets.refresh_token)

        tokens = OAuthTokens(who, grant, file=token_file(self._context, tenant_id))
        return RestClient(who, tokens, limits=Limits(whole_s=self._options.timeout_s), fault=_fault)

    def _url(self, secrets: Secrets, path: str) -> str:
        return f"{secrets.instance_url}/services/data/v{self._options.api_version}/{path}"

    async def _find_contact(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        client, secrets = await self._sites.of(asked.tenant_id)
        phone, region = arguments["phone"], self._context.region
        pattern = "%" + "%".join(significant(phone, region))  # digits only; whatever stands between them
        fields = ", ".join(_FIELDS)
        soql = f"SELECT {fields} FROM Contact WHERE Phone LIKE '{pattern}' OR MobilePhone LIKE '{pattern}'"  # noqa: S608

        async def page(url: str) -> tuple[list[Any], str | None]:
            params = {"q": soql} if url.endswith("/query/") else None
            found = (await client.ask("GET", url, params=params)).object()
            records, following = found.get("records"), found.get("nextRecordsUrl")
            if not isinstance(records, list):
                raise BadAnswer(f"{client.who} answered a query without records")
            if found.get("done", True) or not isinstance(following, str):
                return records, None
            if not following.startswith("/"):  # behind the instance's name it could make another host of it
                raise BadAnswer(f"{client.who} answered a page whose place is no path")
            return records, f"{secrets.instance_url}{following}"

        records = await all_pages(self._url(secrets, "query/"), page)
        contacts = [
            contact(one.get("Id"), one.get("Name"), one.get("Phone"), one.get("Email"))
            for one in records
            if isinstance(one, dict)
            and any(is_same(one.get(field), phone, region) for field in ("Phone", "MobilePhone"))
        ]
        return {"contacts": contacts[:10]}

    async def _create_lead(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        record = {
            "LastName": arguments["last_name"],
            "FirstName": arguments["first_name"],
            "Company": arguments["company"] or self._options.company,
            "Phone": arguments["phone"],
            "Email": arguments["email"],
            "Description": arguments["note"],
        }
        return {"lead_id": await self._create("Lead", record, asked)}

    async def _create_task(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        record = {
            "Subject": arguments["subject"],
            "Description": arguments["note"],
            "ActivityDate": arguments["due"].isoformat() if "due" in arguments else "",
            "WhoId": arguments.get("contact_id", ""),
        }
        return {"task_id": await self._create("Task", record, asked)}

    async def _log_call(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        record = {
            "Subject": arguments["subject"],
            "TaskSubtype": "Call",
            "CallType": "Inbound",
            "Status": "Completed",
            "CallDurationInSeconds": arguments["duration_s"],
            "ActivityDate": arguments["started"].date().isoformat(),
            "Description": f"{arguments['phone']} {arguments['started'].isoformat()}\n{arguments['summary']}".strip(),
            "WhoId": arguments.get("contact_id", ""),
        }
        return {"task_id": await self._create("Task", record, asked)}

    async def _create(self, kind: str, record: Mapping[str, Any], asked: Asked) -> str:
        client, secrets = await self._sites.of(asked.tenant_id)
        filled = {name: value for name, value in record.items() if value != ""}
        if field := self._options.key_field:
            url = self._url(secrets, f"sobjects/{kind}/{field}/{asked.key}")
            answer = await client.ask("PATCH", url, json=filled, is_repeatable=True)
            if answer.status == 204:  # it was there, as versions before 46.0 say it
                return asked.key
        else:
            answer = await client.ask("POST", self._url(secrets, f"sobjects/{kind}/"), json=filled)
        created = answer.object()
        if not isinstance(created.get("id"), str) or created.get("success") is not True:
            raise BadAnswer(f"{client.who} answered a new {kind} without its id")
        return str(created["id"])


def _fault(answer: Answer) -> CallFailed | None:
    """403 with REQUEST_LIMIT_EXCEEDED is the limit of a day's requests, not of rights."""
    if answer.status == 403 and b"REQUEST_LIMIT_EXCEEDED" in answer.body:
        return TooBusy(f"{answer.who} has answered as many requests as it may for now: try again later", status=403)
    return None
