"""The package `mcp`: the tools of one MCP server, started as a process (stdio) or reached by streamable HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mcp.client import Transport
from mcp_types import CallToolResult, TextContent, Tool
from pydantic import ConfigDict, Field, model_validator

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.mcp_servers.connection import McpConnection, over_http, over_stdio
from services.nlu.tools.package import Asked, NoOptions, Operation, PackageContext
from services.nlu.tools.rest.client import MAX_BYTES
from services.nlu.tools.rest.failures import BadAnswer, Unreachable
from services.nlu.tools.schemas import Check, check_of
from services.nlu.tools.secrets import NoSecrets, SecretFields, plain_urls
from services.runtime.errors import NotServing
from services.runtime.logs import get_logger

log = get_logger(__name__)

_SECRET = re.compile(r"token|secret|passw|key|credential", re.IGNORECASE)  # in names of environment variables
KEY_META = "tong-dai/idempotency-key"
"""Of a call's `_meta`: the key of a deed, for servers that know it."""


class McpPackage:
    """A package of an MCP server's tools. The tools write unless the agent's file says otherwise: what a server says of
    itself is a hint.
    """

    must_allow = True  # a server adds tools when it likes: what may be called stands in the agent's file

    class Options(NoOptions):
        """Of the agent's file: `command` or `url`."""

        command: tuple[str, ...] = Field((), description="Program and arguments of a server on stdio.")
        url: str = Field("", pattern=r"^(https?://\S+)?$", description="Of a server on streamable HTTP.")
        reads: tuple[str, ...] = Field((), description="Tools that change nothing.")
        trusts_hints: bool = Field(False, description="Whether the server's readOnlyHint and idempotentHint count.")
        key_argument: str = Field("", description="Argument in which its tools take an idempotency key.")
        needs_credentials: bool = False
        timeout_s: float = Field(8.0, gt=0, le=60)

        @model_validator(mode="after")
        def _has_one_place(self) -> McpPackage.Options:
            if bool(self.command) == bool(self.url):
                raise ValueError("write either `command` or `url`")
            return self

    class Secrets(SecretFields):
        """On stdio each field is an environment variable of the server's; by HTTP `token` is the bearer token."""

        model_config = ConfigDict(extra="allow")

        token: str = ""

        def exposures(self) -> list[str]:
            """None: what a server does with its variables is its own matter. `url` is looked at beside."""
            return []

    def __init__(self, options: Options, context: PackageContext) -> None:
        self._options, self._context = options, context
        self._connections: dict[str, McpConnection] = {}
        self._refused: set[str] = set()
        self._listed: list[tuple[Tool, ...]] = []
        self._operations: tuple[Operation, ...] = ()

    async def open(self) -> None:
        where = f"agent {self._context.agent_id}: tools: {self._context.name}"
        self._context.secrets.refuse_plain(where, plain_urls(url=self._options.url))
        for tenant_id in self._context.tenants if self._options.needs_credentials else ("",):
            try:
                secrets = self._secrets(tenant_id)
            except NoSecrets as missing:
                raise NotServing(f"agent {self._context.agent_id}: tools: {missing}") from missing
            self._connections[tenant_id] = self._connection(tenant_id, secrets)
        await asyncio.gather(*(each.open() for each in self._connections.values()))

    def operations(self) -> Sequence[Operation]:
        """Return the operations of every connection; a tool is of the tenants whose servers list it. The same as long
        as those are.
        """
        listed = [connection.tools for connection in self._connections.values()]
        if len(listed) != len(self._listed) or any(
            now is not was for now, was in zip(listed, self._listed, strict=True)
        ):
            self._listed, self._operations = listed, self._all()
        return self._operations

    def _all(self) -> tuple[Operation, ...]:
        """Make the tools. A tenant sees its own server's description; tenants with the same one share a tool."""
        tools: dict[str, Tool] = {}
        tenants: dict[str, list[str]] = {}
        for tenant_id, connection in self._connections.items():
            known: set[str] = set()
            for tool in connection.tools:
                if (name := _name_of(tool)) in known:
                    self._refuse(tool.name, f"another tool of this server is called {name}")
                    continue
                known.add(name)
                said = tool.model_dump_json()
                tools.setdefault(said, tool)
                tenants.setdefault(said, []).append(tenant_id)
        made = [self._made(tool, tuple(tenants[said])) for said, tool in tools.items()]
        return tuple(operation for operation in made if operation is not None)

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self._connections.values()))

    def _secrets(self, tenant_id: str) -> SecretFields | None:
        if not self._options.needs_credentials:
            return None
        return self._context.secrets.read(tenant_id, self._context.place, self.Secrets)

    def _connection(self, tenant_id: str, secrets: SecretFields | None) -> McpConnection:
        options, values = self._options, secrets.model_dump() if secrets else {}
        who = f"{self._context.name} of tenant {tenant_id!r}" if tenant_id else self._context.name

        def transport() -> Transport:
            if options.command:
                environment = {name: str(value) for name, value in values.items() if value}
                return over_stdio(options.command[0], list(options.command[1:]), environment)
            token = values.get("token")
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return over_http(options.url, headers, limit_s=options.timeout_s)

        hidden = tuple(str(value) for name, value in values.items() if _SECRET.search(name))
        return McpConnection(who, transport, limit_s=options.timeout_s, hidden=hidden, prepare=self._prepare)

    def _prepare(self, tools: Sequence[Tool]) -> None:
        """Read the schemas, which takes seconds where a server wants it to. In a thread; what is read is kept."""
        for tool in tools:
            with suppress(ValueError, TypeError, RecursionError):
                self._read(tool)

    def _read(self, tool: Tool) -> tuple[str, Check]:
        """The schema as the model sees it, and its check. Raises ValueError, TypeError, RecursionError. Of tools that
        the agent's file does not allow nothing is read but the name.
        """
        if self._context.allow and _name_of(tool) not in self._context.allow:
            return "{}", _not_allowed
        shown = json.dumps(self._shown(tool.input_schema))
        return shown, check_of(shown)

    def _made(self, tool: Tool, tenants: tuple[str, ...]) -> Operation | None:
        """None: its schema is none."""
        try:
            shown, check = self._read(tool)
        except (ValueError, TypeError, RecursionError) as error:
            self._refuse(tool.name, str(error))
            return None
        hints = tool.annotations if self._options.trusts_hints else None
        is_read = tool.name in self._options.reads or bool(hints and hints.read_only_hint)
        takes_key = self._takes_key(tool.input_schema)

        async def run(arguments: Mapping[str, Any], asked: Asked) -> object:
            sent = {**arguments, self._options.key_argument: asked.key} if takes_key and asked.key else arguments
            connection = self._connections.get(asked.tenant_id if self._options.needs_credentials else "")
            if connection is None:
                raise Unreachable(f"{self._context.name}: there is no server for this tenant")
            result = await connection.call(tool.name, sent, {KEY_META: asked.key} if asked.key else {})
            return _value_of(result, connection)

        return Operation(
            _name_of(tool),
            (tool.description or tool.title or tool.name)[:500],
            shown,
            check,
            run,
            writes=not is_read,
            is_repeatable=is_read or takes_key or bool(hints and hints.idempotent_hint),
            timeout_s=self._options.timeout_s + 1.0,
            tenants=tenants if self._options.needs_credentials else None,
        )

    def _refuse(self, name: str, why: str) -> None:
        """Says so once."""
        if name not in self._refused:
            self._refused.add(name)
            log.warning("tool_refused", tool=name, why=why)

    def _takes_key(self, schema: Mapping[str, Any]) -> bool:
        properties = schema.get("properties")
        return (
            bool(self._options.key_argument)
            and isinstance(properties, dict)
            and (self._options.key_argument in properties)
        )

    def _shown(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The schema as the model sees it: the key is no matter of its own."""
        if not self._takes_key(schema):
            return dict(schema)
        key = self._options.key_argument
        properties = {name: each for name, each in schema["properties"].items() if name != key}
        required = [name for name in schema.get("required", ()) if name != key]
        return {**schema, "properties": properties, "required": required}


def _not_allowed(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    del arguments
    raise ToolRefused("the agent's file does not allow this tool")


def _name_of(tool: Tool) -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in tool.name)[:31]


def _value_of(result: CallToolResult, connection: McpConnection) -> object:
    """Return what a tool gives: its structured content, else its text. Raises ToolRefused, BadAnswer."""
    who = connection.who
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    if sum(len(text) for text in texts) > MAX_BYTES:
        raise BadAnswer(f"{who} answered with more than {MAX_BYTES} characters")
    text = connection.without_secrets("\n".join(texts))
    if result.is_error:
        raise ToolRefused(" ".join(text.split())[:500] or f"{who} refused, and did not say why")
    if result.structured_content is not None:
        try:
            return json.loads(connection.without_secrets(json.dumps(result.structured_content)))
        except ValueError as error:  # a number in it was a secret
            raise BadAnswer(f"{who} answered with what it was given to keep") from error
    return {"text": text}
