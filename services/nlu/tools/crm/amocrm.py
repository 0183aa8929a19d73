"""amoCRM (Kommo) by its REST API, version 4 (https://www.amocrm.ru/developers/content/crm_platform/api-reference).

With a text field of the administrator's on leads a lead carries the key and is looked for before it is created. Tasks
and calls cannot be looked for: one of unknown fate is not sent a second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from services.nlu.tools.crm.arguments import contact, crm_operations
from services.nlu.tools.crm.phones import is_same, significant
from services.nlu.tools.package import Asked, NoOptions, Operation, PackageContext
from services.nlu.tools.rest.client import Limits, RestClient, all_pages
from services.nlu.tools.rest.credentials import Credentials, Grant, OAuthTokens, bearer
from services.nlu.tools.rest.failures import BadAnswer, CallFailed, Refused
from services.nlu.tools.rest.sites import Sites, token_file
from services.nlu.tools.secrets import SecretFields

_SPOKE = 4  # status of a call: a conversation took place
_FOLLOW_UP = 1  # type of a task
_PAGE = 250


class AmoCrmPackage:
    """Contacts, leads, tasks and calls of an amoCRM account."""

    default_name = "crm"

    class Options(NoOptions):
        """Of the agent's file."""

        key_field_id: int = Field(0, ge=0, description="Id of a text field on leads that holds the key.")
        source: str = Field("Tong Dai", min_length=1, max_length=64, description="Source that calls are noted under.")
        timeout_s: float = Field(8.0, gt=0, le=60)

    class Secrets(SecretFields):
        """A long-lived token, or the client of an integration. Its refresh token changes with each use."""

        account_url: str = Field(pattern=r"^https?://[^/\s]+$")
        token: str = ""
        client_id: str = ""
        client_secret: str = ""
        refresh_token: str = ""
        redirect_uri: str = ""

        @model_validator(mode="after")
        def _has_one_way(self) -> AmoCrmPackage.Secrets:
            if not self.token and not (self.client_id and self.client_secret and self.refresh_token):
                raise ValueError("token, or client_id, client_secret, refresh_token and redirect_uri, are missing")
            return self

    def __init__(self, options: Options, context: PackageContext) -> None:
        self._options, self._context = options, context
        self._sites: Sites[AmoCrmPackage.Secrets, RestClient] = Sites(context, self.Secrets, self._client)
        self._operations = crm_operations(
            find_contact=self._find_contact,
            create_lead=self._create_lead,
            create_task=self._create_task,
            log_call=self._log_call,
            repeatable=frozenset({"create_lead"} if self._options.key_field_id else ()),
            timeout_s=2 * self._options.timeout_s,
        )

    async def open(self) -> None:
        """Do nothing: the first request connects."""

    async def close(self) -> None:
        await self._sites.close()

    def operations(self) -> Sequence[Operation]:
        return self._operations

    def _client(self, tenant_id: str, secrets: Secrets) -> RestClient:
        who = self._sites.who("amoCRM", tenant_id)

        def grant() -> Grant:
            form = {
                "client_id": secrets.client_id,
                "client_secret": secrets.client_secret,
                "grant_type": "refresh_token",
                "redirect_uri": secrets.redirect_uri,
            }
            return Grant(f"{secrets.account_url}/oauth2/access_token", form, secrets.refresh_token, sends_json=True)

        file = token_file(self._context, tenant_id)
        credentials: Credentials = bearer(secrets.token) if secrets.token else OAuthTokens(who, grant, file=file)
        return RestClient(who, credentials, limits=Limits(whole_s=self._options.timeout_s))

    async def _find_contact(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        phone, region = arguments["phone"], self._context.region
        found = await self._listed("contacts", significant(phone, region), asked)
        contacts = [
            contact(
                str(one.get("id")),
                one.get("name"),
                next(iter(_values(one, "PHONE")), None),
                next(iter(_values(one, "EMAIL")), None),
            )
            for one in found
            if any(is_same(value, phone, region) for value in _values(one, "PHONE"))
        ]
        return {"contacts": contacts[:10]}

    async def _create_lead(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        field_id = self._options.key_field_id
        key = [{"field_id": field_id, "values": [{"value": asked.key}]}] if field_id else []
        if field_id:
            known = [one for one in await self._listed("leads", asked.key, asked) if _holds(one, field_id, asked.key)]
            if known:
                return {"lead_id": str(known[0].get("id"))}
        values = [{"field_code": "PHONE", "values": [{"value": arguments["phone"], "enum_code": "WORK"}]}]
        if arguments["email"]:
            values.append({"field_code": "EMAIL", "values": [{"value": arguments["email"], "enum_code": "WORK"}]})
        contact = {"last_name": arguments["last_name"], "first_name": arguments["first_name"]}
        embedded: dict[str, Any] = {
            "contacts": [{**{name: text for name, text in contact.items() if text}, "custom_fields_values": values}]
        }
        if arguments["company"]:
            embedded["companies"] = [{"name": arguments["company"]}]
        lead: dict[str, Any] = {"name": f"{arguments['first_name']} {arguments['last_name']}".strip()}
        lead |= {"request_id": asked.key, "_embedded": embedded}
        if key:
            lead["custom_fields_values"] = key
        client, secrets = await self._sites.of(asked.tenant_id)
        made = (await client.ask("POST", f"{secrets.account_url}/api/v4/leads/complex", json=[lead])).json()
        leads = made.get("_embedded", {}).get("leads") if isinstance(made, dict) else made  # Kommo wraps the list
        first = leads[0] if isinstance(leads, list) and leads and isinstance(leads[0], dict) else {}
        if "id" not in first:
            raise BadAnswer(f"{client.who} answered a new lead without its id")
        told = {"lead_id": str(first["id"]), "contact_id": str(first.get("contact_id"))}
        if arguments["note"]:
            told["note"] = await self._noted(f"leads/{first['id']}", arguments["note"], asked)
        return told

    async def _noted(self, place: str, text: str, asked: Asked) -> str:
        """The lead is kept even when its note fails."""
        client, secrets = await self._sites.of(asked.tenant_id)
        note = [{"note_type": "common", "params": {"text": text}}]
        try:
            await client.ask("POST", f"{secrets.account_url}/api/v4/{place}/notes", json=note)
        except CallFailed as failure:
            return f"not added: {failure}"
        return "added"

    async def _create_task(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        zone = ZoneInfo(self._context.timezone)
        due = arguments.get("due") or (datetime.now(zone) + timedelta(days=1)).date()
        ends = datetime.combine(due, time(23, 59), tzinfo=zone)
        task: dict[str, Any] = {
            "text": f"{arguments['subject']}\n{arguments['note']}".strip(),
            "complete_till": int(ends.timestamp()),
            "task_type_id": _FOLLOW_UP,
            "request_id": asked.key,
        }
        if contact := arguments.get("contact_id"):
            task |= {"entity_id": _number(contact), "entity_type": "contacts"}
        return {"task_id": await self._create("tasks", task, asked)}

    async def _log_call(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        call = {
            "direction": "inbound",
            "uniq": asked.key,
            "duration": arguments["duration_s"],
            "source": self._options.source,
            "phone": arguments["phone"],
            "call_result": f"{arguments['subject']}\n{arguments['summary']}".strip(),
            "call_status": _SPOKE,
            "created_at": int(arguments["started"].timestamp()),
        }
        return {"call_id": await self._create("calls", call, asked)}

    async def _create(self, kind: str, record: Mapping[str, Any], asked: Asked) -> str:
        client, secrets = await self._sites.of(asked.tenant_id)
        made = (await client.ask("POST", f"{secrets.account_url}/api/v4/{kind}", json=[record])).object()
        errors = made.get("errors")
        if isinstance(errors, list) and errors:
            first = errors[0] if isinstance(errors[0], dict) else {}
            raise Refused(f"{client.who} refused: {first.get('title') or first.get('detail') or 'it does not say why'}")
        items = made.get("_embedded", {}).get(kind)
        if not isinstance(items, list) or not items or "id" not in items[0]:
            raise BadAnswer(f"{client.who} answered one of {kind} without its id")
        return str(items[0]["id"])

    async def _listed(self, kind: str, query: str, asked: Asked) -> list[dict[str, Any]]:
        client, secrets = await self._sites.of(asked.tenant_id)

        async def page(number: int) -> tuple[list[Any], int | None]:
            params = {"query": query, "page": str(number), "limit": str(_PAGE)}
            answer = await client.ask("GET", f"{secrets.account_url}/api/v4/{kind}", params=params)
            if answer.status == 204:
                return [], None
            value = answer.object()
            items = value.get("_embedded", {}).get(kind)
            if not isinstance(items, list):
                raise BadAnswer(f"{client.who} answered a list without {kind}")
            return items, number + 1 if "next" in value.get("_links", {}) else None

        return [one for one in await all_pages(1, page) if isinstance(one, dict)]


def _values(entity: Mapping[str, Any], code: str) -> list[str]:
    fields = entity.get("custom_fields_values") or []
    return [str(each.get("value")) for one in fields if one.get("field_code") == code for each in one.get("values", ())]


def _holds(entity: Mapping[str, Any], field_id: int, key: str) -> bool:
    fields = entity.get("custom_fields_values") or []
    return any(
        one.get("field_id") == field_id and any(each.get("value") == key for each in one.get("values", ()))
        for one in fields
    )


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
