"""Bitrix24 by its REST API (https://apidocs.bitrix24.com), through an inbound webhook or an application's tokens.

A lead carries the key as ORIGIN_ID and is looked for before it is added. Calls go into telephony, which only an
application may write to; through a webhook they are activities of a contact. Tasks cannot be looked for by a key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.crm.arguments import contact, crm_operations
from services.nlu.tools.crm.phones import notations
from services.nlu.tools.package import Asked, NoOptions, Operation, PackageContext
from services.nlu.tools.rest.answers import Answer, said_by
from services.nlu.tools.rest.client import Limits, RestClient, all_pages
from services.nlu.tools.rest.credentials import Credentials, FixedHeaders, Grant, OAuthTokens
from services.nlu.tools.rest.failures import (
    BadAnswer,
    CallFailed,
    CredentialsRefused,
    NotAllowed,
    Refused,
    ServerFailed,
    TooBusy,
)
from services.nlu.tools.rest.sites import Sites, token_file
from services.nlu.tools.secrets import SecretFields
from services.runtime.json_text import read_json

ORIGINATOR = "tong-dai"

_TOKEN_URL = "https://oauth.bitrix24.tech/oauth/token/"  # noqa: S105
_LATER = "try again later"
_RENEW = "its credentials have to be renewed by the operator"
_RIGHTS = "these credentials may not do this"
_MEANT: dict[str, tuple[type[CallFailed], str]] = {
    **dict.fromkeys(("QUERY_LIMIT_EXCEEDED", "OVERLOAD_LIMIT", "OPERATION_TIME_LIMIT"), (TooBusy, _LATER)),
    **dict.fromkeys(("EXPIRED_TOKEN", "INVALID_TOKEN", "NO_AUTH_FOUND"), (CredentialsRefused, _RENEW)),
    **dict.fromkeys(("INVALID_CREDENTIALS", "WRONG_AUTH_TYPE"), (CredentialsRefused, _RENEW)),
    **dict.fromkeys(("INSUFFICIENT_SCOPE", "ACCESS_DENIED", "USER_ACCESS_ERROR"), (NotAllowed, _RIGHTS)),
    **dict.fromkeys(("INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER"), (ServerFailed, _LATER)),
}
_CONTACT_TYPE = 3
_CALL_TYPE = 2
_INCOMING = 1  # direction of an activity
_INBOUND = 2  # type of a call in telephony
_OVER = ("CALL_NOT_FOUND", "NOT FOUND", "ALREADY")  # how a second end of a call is refused


class Bitrix24Package:
    """Contacts, leads, tasks and calls of a Bitrix24."""

    default_name = "crm"

    class Options(NoOptions):
        """Of the agent's file."""

        user_id: int = Field(1, ge=1, description="Employee who is responsible for what is created.")
        source_id: str = Field("CALL", max_length=50, description="Source of leads, of the list in Bitrix24.")
        timeout_s: float = Field(8.0, gt=0, le=60)

    class Secrets(SecretFields):
        """An inbound webhook's URL, or the tokens of an application."""

        webhook_url: str = Field("", pattern=r"^(https?://[^/\s]+/rest/\d+/[^/\s]+/?)?$")
        portal_url: str = Field("", pattern=r"^(https?://[^/\s]+)?$")
        client_id: str = ""
        client_secret: str = ""
        refresh_token: str = ""
        token_url: str = _TOKEN_URL

        @model_validator(mode="after")
        def _has_one_way(self) -> Bitrix24Package.Secrets:
            if not self.webhook_url and not (self.portal_url and self.client_id and self.refresh_token):
                raise ValueError("webhook_url, or portal_url, client_id, client_secret and refresh_token, are missing")
            return self

    def __init__(self, options: Options, context: PackageContext) -> None:
        self._options, self._context = options, context
        self._sites: Sites[Bitrix24Package.Secrets, RestClient] = Sites(context, self.Secrets, self._client)
        self._operations = crm_operations(
            find_contact=self._find_contact,
            create_lead=self._create_lead,
            create_task=self._create_task,
            log_call=self._log_call,
            repeatable=frozenset({"create_lead", "note_conversation"}),
            timeout_s=2 * self._options.timeout_s,
        )

    async def open(self) -> None:
        """Do nothing: the first request connects."""

    async def close(self) -> None:
        await self._sites.close()

    def operations(self) -> Sequence[Operation]:
        return self._operations

    def _client(self, tenant_id: str, secrets: Secrets) -> RestClient:
        who = self._sites.who("Bitrix24", tenant_id)
        limits = Limits(whole_s=self._options.timeout_s)
        if secrets.webhook_url:
            code = secrets.webhook_url.rstrip("/").rpartition("/")[2]
            return RestClient(who, FixedHeaders(), limits=limits, fault=_fault, hidden=(code,))

        def grant() -> Grant:
            form = {"client_id": secrets.client_id, "client_secret": secrets.client_secret}
            return Grant(secrets.token_url, {"grant_type": "refresh_token", **form}, secrets.refresh_token)

        tokens: Credentials = OAuthTokens(who, grant, file=token_file(self._context, tenant_id))
        return RestClient(who, tokens, limits=limits, fault=_fault, token_field="auth")  # noqa: S106

    async def _call(
        self, tenant_id: str, method: str, params: Mapping[str, Any], *, is_repeatable: bool = True
    ) -> dict[str, Any]:
        """The whole answer of a method; what it gave stands under `result`."""
        client, secrets = await self._sites.of(tenant_id)
        base = secrets.webhook_url.rstrip("/") or f"{secrets.portal_url}/rest"
        answer = await client.ask("POST", f"{base}/{method}", json=params, is_repeatable=is_repeatable)
        value = answer.object()
        if "result" not in value:
            raise BadAnswer(f"{client.who} answered {method} without a result")
        return value

    async def _find_contact(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        values = list(notations(arguments["phone"], self._context.region))
        same = {"type": "PHONE", "values": values, "entity_type": "CONTACT"}
        found = (await self._call(asked.tenant_id, "crm.duplicate.findbycomm", same))["result"]
        ids = found.get("CONTACT", []) if isinstance(found, dict) else []
        if not ids:
            return {"contacts": []}

        async def page(start: int) -> tuple[list[Any], int | None]:
            params = {
                "filter": {"ID": ids},
                "select": ["ID", "NAME", "LAST_NAME", "PHONE", "EMAIL"],
                "start": start,
            }
            answer = await self._call(asked.tenant_id, "crm.contact.list", params)
            items, following = answer["result"], answer.get("next")
            if not isinstance(items, list):
                raise BadAnswer("Bitrix24 answered a list that is none")
            return items, following if isinstance(following, int) else None

        contacts = await all_pages(0, page)
        return {"contacts": [_told(one) for one in contacts if isinstance(one, dict)][:10]}

    async def _create_lead(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        origin = {"ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": asked.key}
        known = (await self._call(asked.tenant_id, "crm.lead.list", {"filter": origin, "select": ["ID"]}))["result"]
        if isinstance(known, list) and known:
            return {"lead_id": str(known[0].get("ID"))}
        name = f"{arguments['first_name']} {arguments['last_name']}".strip()
        fields = {
            "TITLE": name,
            "NAME": arguments["first_name"],
            "LAST_NAME": arguments["last_name"],
            "COMPANY_TITLE": arguments["company"],
            "PHONE": [{"VALUE": arguments["phone"], "VALUE_TYPE": "WORK"}],
            "EMAIL": [{"VALUE": arguments["email"], "VALUE_TYPE": "WORK"}] if arguments["email"] else "",
            "COMMENTS": arguments["note"],
            "SOURCE_ID": self._options.source_id,
            "ASSIGNED_BY_ID": self._options.user_id,
            **origin,
        }
        added = await self._add(asked, "crm.lead.add", _filled(fields))
        return {"lead_id": str(added)}

    async def _create_task(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        contact = arguments.get("contact_id", "")
        fields = {
            "TITLE": arguments["subject"],
            "DESCRIPTION": arguments["note"],
            "RESPONSIBLE_ID": self._options.user_id,
            "DEADLINE": arguments["due"].isoformat() if "due" in arguments else "",
            "UF_CRM_TASK": [f"C_{contact}"] if contact else "",
        }
        added = await self._add(asked, "tasks.task.add", _filled(fields))
        task = added.get("task") if isinstance(added, dict) else None
        if not isinstance(task, dict) or "id" not in task:
            raise BadAnswer("Bitrix24 answered a new task without its id")
        return {"task_id": str(task["id"])}

    async def _log_call(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        _, secrets = await self._sites.of(asked.tenant_id)
        if secrets.webhook_url:
            return await self._add_activity(arguments, asked)
        started, user = arguments["started"].isoformat(), self._options.user_id
        call_id = asked.noted
        if not call_id:
            call = {"USER_ID": user, "PHONE_NUMBER": arguments["phone"], "TYPE": _INBOUND, "CALL_START_DATE": started}
            registered = await self._call(  # the same call again within 30 minutes gives the same CALL_ID
                asked.tenant_id, "telephony.externalcall.register", {**call, "CRM_CREATE": 0, "SHOW": 0}
            )
            call_id = str(registered["result"].get("CALL_ID", ""))
            if asked.note is not None:
                await asked.note(call_id)
        end = {"CALL_ID": call_id, "USER_ID": user, "DURATION": arguments["duration_s"], "STATUS_CODE": "200"}
        try:
            await self._call(asked.tenant_id, "telephony.externalcall.finish", end, is_repeatable=False)
        except Refused as refused:
            if not asked.noted or not any(word in str(refused).upper() for word in _OVER):
                raise  # else the first try had ended it
        return {"call_id": call_id}

    async def _add_activity(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        contact = arguments.get("contact_id")
        if not contact:
            raise ToolRefused("contact_id: through a webhook Bitrix24 notes calls of known contacts only")
        origin = {"ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": asked.key}
        wanted = {"filter": origin, "select": ["ID"]}
        known = (await self._call(asked.tenant_id, "crm.activity.list", wanted))["result"]
        if isinstance(known, list) and known:
            return {"activity_id": str(known[0].get("ID"))}
        started = arguments["started"].isoformat()
        fields = {
            "OWNER_TYPE_ID": _CONTACT_TYPE,
            "OWNER_ID": contact,
            "TYPE_ID": _CALL_TYPE,
            "COMMUNICATIONS": [
                {"VALUE": arguments["phone"], "ENTITY_TYPE_ID": _CONTACT_TYPE, "ENTITY_ID": contact, "TYPE": "PHONE"}
            ],
            "SUBJECT": arguments["subject"],
            "DESCRIPTION": arguments["summary"],
            "START_TIME": started,
            "END_TIME": started,
            "COMPLETED": "Y",
            "DIRECTION": _INCOMING,
            "RESPONSIBLE_ID": self._options.user_id,
            **origin,
        }
        return {"activity_id": str(await self._add(asked, "crm.activity.add", _filled(fields)))}

    async def _add(self, asked: Asked, method: str, fields: Mapping[str, Any]) -> Any:
        return (await self._call(asked.tenant_id, method, {"fields": fields}, is_repeatable=False))["result"]


def _told(found: Mapping[str, Any]) -> dict[str, Any]:
    name = " ".join(str(found[part]) for part in ("NAME", "LAST_NAME") if found.get(part))
    return contact(found.get("ID"), name, _first(found, "PHONE"), _first(found, "EMAIL"))


def _first(contact: Mapping[str, Any], field: str) -> str | None:
    values = contact.get(field)
    first = values[0] if isinstance(values, list) and values else None
    return str(first.get("VALUE")) if isinstance(first, dict) else None


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != ""}


def _fault(answer: Answer) -> CallFailed | None:
    """Errors have a code in the body; some stand under a status of another meaning, as a limit under 503."""
    if b'"error"' not in answer.body:
        return None
    try:
        value = read_json(answer.body)
    except ValueError:
        return None
    code = str(value.get("error", "")).upper() if isinstance(value, dict) else ""
    if not code or "result" in value:
        return None
    otherwise = (ServerFailed, _LATER) if answer.status >= 500 else (Refused, "")
    kind, hint = _MEANT.get(code, otherwise)
    text = f"{answer.who} answered {code}: {said_by(answer)}"
    return kind(f"{text}: {hint}" if hint else text, status=answer.status)
