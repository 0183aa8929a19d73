"""The package `http`: operations of an API by its OpenAPI 3 description (a file or a URL) and their operationIds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import Field, model_validator

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.openapi.description import Described, Description, path_of, read_description
from services.nlu.tools.openapi.schema import DescriptionError
from services.nlu.tools.package import Asked, NoOptions, Operation, PackageContext
from services.nlu.tools.rest.answers import Answer
from services.nlu.tools.rest.client import IDEMPOTENT, Limits, RestClient
from services.nlu.tools.rest.credentials import Credentials, FixedHeaders, Grant, OAuthTokens, basic, bearer
from services.nlu.tools.rest.failures import BadAnswer
from services.nlu.tools.rest.sites import Sites, token_file
from services.nlu.tools.schemas import MOST_STEPS_OF_ANSWERS, by_schema, check_of
from services.nlu.tools.secrets import SecretFields, plain_urls
from services.runtime.errors import StartupError

_MAX_DESCRIPTION_BYTES = 8 << 20
_FETCH_S = 10.0
_ACCEPTED = 202  # it is not done yet (RFC 9110, 15.3.3)


class OpenApiPackage:
    """The operations that are listed, and no others."""

    class Options(NoOptions):
        """Of the agent's file."""

        description: str = Field(min_length=1, description="Path or URL of the OpenAPI document.")
        operations: tuple[str, ...] = Field(min_length=1, description="operationIds that become tools.")
        server: str = Field("", pattern=r"^(https?://\S+)?$", description="In place of the document's first server.")
        reads: tuple[str, ...] = Field((), description="operationIds that change nothing although they are no GET.")
        needs_credentials: bool = True
        key_header: str = Field(
            "", pattern=r"^[A-Za-z0-9-]*$", description="Header in which the API takes an idempotency key."
        )
        timeout_s: float = Field(8.0, gt=0, le=60)

        @model_validator(mode="after")
        def _reads_are_operations(self) -> OpenApiPackage.Options:
            if unknown := [name for name in self.reads if name not in self.operations]:
                raise ValueError(f"reads: {', '.join(unknown)} is not among the operations")
            return self

    class Secrets(SecretFields):
        """The secrets of the API's security scheme: a token, a key, a name and password, or a client of OAuth."""

        token: str = ""
        api_key: str = ""
        username: str = ""
        password: str = ""
        client_id: str = ""
        client_secret: str = ""
        refresh_token: str = ""
        token_url: str = ""

    def __init__(self, options: Options, context: PackageContext) -> None:
        self._options, self._context = options, context
        self._sites: Sites[OpenApiPackage.Secrets, RestClient] = Sites(context, self.Secrets, self._client)
        self._without: RestClient | None = None
        self._description = Description("", {}, {})
        self._operations: tuple[Operation, ...] = ()

    async def open(self) -> None:
        where = f"agent {self._context.agent_id}: tools: {self._context.name}: {self._options.description}"
        source = self._options.description
        # A person who changes a description on its way could have the credentials sent to a server of their own.
        self._context.secrets.refuse_plain(where, plain_urls(description=source))
        try:
            text = await (_fetch(source) if source.startswith(("http://", "https://")) else _read_file(source))
            found_at = source if source.startswith("http") else ""
            self._description = await asyncio.to_thread(read_description, text, found_at=found_at)
        except RecursionError as error:
            raise StartupError(f"{where}: it lies too deep in itself") from error
        except (OSError, UnicodeDecodeError, DescriptionError, aiohttp.ClientError, TimeoutError) as error:
            raise StartupError(f"{where}: {error or type(error).__name__}") from error
        unknown = [name for name in self._options.operations if name not in self._description.operations]
        if unknown:
            known = ", ".join(sorted(self._description.operations))
            raise StartupError(f"{where}: there is no operation {', '.join(unknown)}; there are {known}")
        if not self._server.startswith(("http://", "https://")):
            raise StartupError(f"{where}: it names no server: set the option `server`")
        self._context.secrets.refuse_plain(where, plain_urls(server=self._server, token_url=self._token_url()))
        try:
            self._operations = tuple(
                self._made(self._description.operations[name]) for name in self._options.operations
            )
        except (ValueError, TypeError, RecursionError) as error:  # TypeError: a date of YAML
            raise StartupError(f"{where}: a schema is none: {error}") from error
        names = [operation.name for operation in self._operations]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise StartupError(f"{where}: two operations would be called {', '.join(twice)}: list one of them")

    def operations(self) -> Sequence[Operation]:
        return self._operations

    async def close(self) -> None:
        await self._sites.close()
        if self._without is not None:
            await self._without.close()

    @property
    def _server(self) -> str:
        return (self._options.server or self._description.server).rstrip("/")

    def _made(self, described: Described) -> Operation:
        writes = not described.is_safe and described.operation_id not in self._options.reads
        answer_check = (
            by_schema(described.answer, most_steps=MOST_STEPS_OF_ANSWERS)
            if described.answer and _is_object(described.answer)
            else None
        )

        async def run(arguments: Mapping[str, Any], asked: Asked) -> object:
            answer = await self._ask(described, arguments, asked, writes=writes)
            value = _value_of(answer)
            if answer_check is not None:
                if not isinstance(value, dict):
                    raise BadAnswer(f"{answer.who} answered with no object, which its description says it is")
                try:
                    await asyncio.to_thread(answer_check, value)
                except ToolRefused as refused:
                    raise BadAnswer(f"{answer.who} answered otherwise than its description says: {refused}") from None
            return {"status": "accepted", "result": value} if writes and answer.status == _ACCEPTED else value

        return Operation(
            "".join(char if char.isalnum() or char in "_-" else "_" for char in described.operation_id)[:31],
            described.summary,
            arguments_json := json.dumps(described.arguments),
            check_of(arguments_json),
            run,
            writes=writes,
            is_repeatable=described.method.upper() in IDEMPOTENT or bool(self._options.key_header),
            timeout_s=self._options.timeout_s + 1.0,
        )

    async def _ask(self, described: Described, arguments: Mapping[str, Any], asked: Asked, *, writes: bool) -> Answer:
        client, key = await self._site(asked.tenant_id)
        headers, query = {}, list(key.items())
        own = {self._options.key_header.lower(), self._key_header.lower()}
        for parameter in described.parameters:
            value = arguments.get(parameter.name)
            if value is None or parameter.place == "path":
                continue
            if parameter.place == "header":
                if parameter.name.lower() not in own:
                    headers[parameter.name] = _header(parameter.name, value)
            elif parameter.name in key:
                continue
            elif isinstance(value, list) and parameter.explodes:
                query += [(parameter.name, _text(each)) for each in value]
            else:
                query.append((parameter.name, _text(value)))
        if writes and self._options.key_header:
            headers[self._options.key_header] = asked.key
        try:
            path = path_of(described, arguments)
        except ValueError as error:
            raise ToolRefused(str(error)) from error
        is_repeatable = described.method.upper() in IDEMPOTENT or not writes or bool(self._options.key_header)
        return await client.ask(
            described.method.upper(),
            self._server + path,
            params=query,
            json=arguments.get("body"),
            headers=headers,
            is_repeatable=is_repeatable,
            wants_json=described.answer is not None,
        )

    async def _site(self, tenant_id: str) -> tuple[RestClient, Mapping[str, str]]:
        """The client, and what goes into the query: an API key, where its scheme says so."""
        if not self._options.needs_credentials:
            if self._without is None:
                self._without = RestClient(self._context.name, FixedHeaders(), limits=self._limits)
            return self._without, {}
        client, secrets = await self._sites.of(tenant_id)
        scheme = self._key_scheme
        return client, ({str(scheme["name"]): secrets.api_key} if scheme and scheme.get("in") == "query" else {})

    @property
    def _key_scheme(self) -> Mapping[str, Any] | None:
        schemes = self._description.schemes.values()
        return next((each for each in schemes if each.get("type") == "apiKey" and each.get("name")), None)

    @property
    def _key_header(self) -> str:
        """The header of an API's key; empty: it has none."""
        scheme = self._key_scheme
        return str(scheme["name"]) if scheme and scheme.get("in") == "header" else ""

    @property
    def _limits(self) -> Limits:
        return Limits(whole_s=self._options.timeout_s, try_s=self._options.timeout_s)

    def _client(self, tenant_id: str, secrets: Secrets) -> RestClient:
        who = self._sites.who(self._context.name, tenant_id)
        credentials = self._credentials(who, tenant_id, secrets)
        return RestClient(who, credentials, limits=self._limits, hidden=(secrets.api_key,))

    def _credentials(self, who: str, tenant_id: str, secrets: Secrets) -> Credentials:
        if secrets.client_id and (url := secrets.token_url or self._token_url()):
            kind = "refresh_token" if secrets.refresh_token else "client_credentials"
            form = {"grant_type": kind, "client_id": secrets.client_id, "client_secret": secrets.client_secret}
            grant = Grant(url, form, secrets.refresh_token)
            return OAuthTokens(who, lambda: grant, file=token_file(self._context, tenant_id))
        if secrets.token:
            return bearer(secrets.token)
        if secrets.username:
            return basic(secrets.username, secrets.password)
        scheme = self._key_scheme
        if secrets.api_key and scheme and scheme.get("in") == "query":
            return FixedHeaders()
        if secrets.api_key:
            return FixedHeaders({str(scheme["name"]) if scheme else "X-API-Key": secrets.api_key})
        return FixedHeaders()

    def _token_url(self) -> str:
        for scheme in self._description.schemes.values():
            for flow in (scheme.get("flows") or {}).values():
                if scheme.get("type") == "oauth2" and flow.get("tokenUrl"):
                    return str(flow["tokenUrl"])
        return ""


def _value_of(answer: Answer) -> object:
    """JSON as it is, text as text. Raises BadAnswer for a page."""
    kind = answer.headers.get("Content-Type", "")
    if not answer.body:
        return {"status": "done"}
    if "json" in kind:
        return answer.json()
    if "html" in kind or answer.body.lstrip()[:1] == b"<":
        raise BadAnswer(f"{answer.who} answered {answer.status} with a page for people, not with data")
    return {"text": answer.body.decode(errors="replace")}


def _is_object(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("type", "object") == "object")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_text(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value)


def _header(name: str, value: Any) -> str:
    text = _text(value)
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ToolRefused(f"{name}: a header has no control characters")
    return text


async def _fetch(url: str) -> str:
    timeout = aiohttp.ClientTimeout(total=_FETCH_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        if 300 <= response.status < 400:
            raise DescriptionError(f"answered {response.status}, a redirect: write the URL where it is")
        if response.status != 200:
            raise DescriptionError(f"answered {response.status}")
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > _MAX_DESCRIPTION_BYTES:
                raise DescriptionError(f"has more than {_MAX_DESCRIPTION_BYTES} bytes")
        return content.decode()


async def _read_file(path: str) -> str:
    return await asyncio.to_thread(lambda: Path(path).expanduser().read_text(encoding="utf-8"))
