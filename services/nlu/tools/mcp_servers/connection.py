"""A connection to one MCP server, which is reconnected when it is lost."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, RequestParamsMeta, Tool
from pydantic import ValidationError

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.mcp_servers.transport import BoundedTransport
from services.nlu.tools.rest.answers import without_secrets
from services.nlu.tools.rest.client import MAX_BYTES
from services.nlu.tools.rest.failures import BadAnswer, BrokenOff, CallFailed, Refused, TooSlow, Unreachable
from services.nlu.tools.schemas import MOST_STEPS_OF_ANSWERS, check_of
from services.runtime.errors import root_cause
from services.runtime.logs import get_logger

log = get_logger(__name__)

Streams = Any  # of a transport; their type is the client's own

_CONNECT_S = 20.0
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_MAX_PAGES = 20
_REFUSALS = frozenset({-32600, -32601, -32602})  # JSON-RPC: the request is at fault
_LATE = frozenset({-32001, 408})  # how the client says that no answer came in time


@asynccontextmanager
async def over_stdio(command: str, arguments: list[str], environment: Mapping[str, str]) -> AsyncIterator[Streams]:
    """A server in a process of its own. It is given these variables, PATH, HOME and their like, and nothing else of
    this process; what it writes to stderr is dropped.
    """
    parameters = StdioServerParameters(command=command, args=arguments, env=dict(environment))
    with open(os.devnull, "w") as dropped:  # noqa: ASYNC230, PTH123 - no disk is waited for
        async with stdio_client(parameters, errlog=dropped) as streams:
            yield streams


@asynccontextmanager
async def over_http(url: str, headers: Mapping[str, str], *, limit_s: float) -> AsyncIterator[Streams]:
    """A server behind streamable HTTP."""
    timeout = httpx2.Timeout(limit_s, read=limit_s + 30.0)
    asked = {**headers, "Accept-Encoding": "identity"}  # a megabyte that is packed can be a gigabyte
    async with (
        # No proxy and no .netrc of the environment: they would see, or add, credentials that were not meant for them.
        httpx2.AsyncClient(headers=asked, timeout=timeout, trust_env=False, transport=BoundedTransport()) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MAX_BYTES) as streams,
    ):
        yield streams


def _check_by(schema: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    check_of(json.dumps(schema), most_steps=MOST_STEPS_OF_ANSWERS)(content)


class McpConnection:
    """One task holds it from its beginning to its end, as the client wants it."""

    def __init__(
        self,
        who: str,
        transport: Callable[[], Transport],
        *,
        limit_s: float,
        hidden: Sequence[str] = (),
        prepare: Callable[[Sequence[Tool]], None] = lambda tools: None,
    ) -> None:
        """`who` names the server in messages; `limit_s` bounds a call in seconds; `hidden` are its credentials, which
        are taken out of what it says; `prepare` is called in a thread with the tools before anybody sees them.
        """
        self._prepare = prepare
        self._hidden = tuple(hidden)
        self.who, self.tools = who, tuple[Tool, ...]()
        self._transport, self._limit_s = transport, limit_s
        self._client: Client | None = None
        self._lost = asyncio.Event()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Returns when its tools are known, or after 20 s without: then it goes on trying."""
        self._task = asyncio.create_task(self._keep())
        with suppress(TimeoutError):
            async with asyncio.timeout(_CONNECT_S):
                await self._ready.wait()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def call(self, name: str, arguments: Mapping[str, Any], meta: Mapping[str, str]) -> CallToolResult:
        """Raises CallFailed."""
        client = self._client
        if client is None:
            raise Unreachable(f"{self.who} is not connected")
        try:
            async with asyncio.timeout(self._limit_s):
                return await client.call_tool(name, dict(arguments), meta=cast(RequestParamsMeta, dict(meta)))
        except TimeoutError as error:
            raise TooSlow(f"{self.who} gave no answer within {self._limit_s:g} s") from error
        except MCPError as error:
            raise self._failure(error) from error
        except (ValidationError, RuntimeError) as error:
            raise BadAnswer(f"{self.who} answered otherwise than the protocol or its own schema says") from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, httpx2.HTTPError, OSError) as error:
            self._lost.set()
            raise BrokenOff(f"the connection to {self.who} broke: {type(error).__name__}") from error

    def without_secrets(self, text: str) -> str:
        return without_secrets(text.encode(errors="replace"), self._hidden).decode()

    def _failure(self, error: MCPError) -> CallFailed:
        code, said = error.error.code, self.without_secrets(error.error.message)[:200]
        if code in _REFUSALS:
            return Refused(f"{self.who}: {said}")
        if code in _LATE:
            return TooSlow(f"{self.who} gave no answer in time")
        self._lost.set()
        return BrokenOff(f"{self.who}: {said}")

    async def _keep(self) -> None:
        n_failed = 0
        while True:
            self._lost.clear()
            try:
                async with Client(self._transport(), read_timeout_seconds=_CONNECT_S + self._limit_s) as client:
                    # The client would check results by jsonschema on the loop, however long that takes.
                    session: Any = client.session
                    session.validate_tool_result = self._check_result
                    tools = await self._listed(client)
                    await asyncio.to_thread(self._prepare, tools)
                    self.tools = tools
                    self._client, n_failed = client, 0
                    self._ready.set()
                    await self._lost.wait()
                    log.warning("tool_server_lost", what=self.who)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # whatever a server of others does, this one goes on
                cause = root_cause(error)
                log.warning("tool_server_lost", what=self.who, why=f"{type(cause).__name__}: {cause}")
            finally:
                self._client = None
            n_failed += 1
            wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(n_failed - 1, 10))
            await asyncio.sleep(wait_s * (0.5 + 0.5 * random.random()))

    async def _check_result(self, name: str, result: CallToolResult) -> None:
        """Raises RuntimeError, as the client's own does: a result is not as its tool's output schema says."""
        schema = next((tool.output_schema for tool in self.tools if tool.name == name), None)
        if schema is None:
            return
        if not isinstance(result.structured_content, dict):
            raise RuntimeError(f"{name} has an output schema and gave no structured content")
        try:
            await asyncio.to_thread(_check_by, schema, result.structured_content)
        except (ToolRefused, ValueError, RecursionError) as error:
            raise RuntimeError(f"{name}: {error}") from error

    async def _listed(self, client: Client) -> tuple[Tool, ...]:
        async with asyncio.timeout(_CONNECT_S):
            found: list[Tool] = []
            cursor: str | None = None
            for _ in range(_MAX_PAGES):
                page = await client.list_tools(cursor=cursor, cache_mode="refresh")
                found += page.tools
                cursor = page.next_cursor
                if not cursor:
                    break
            return tuple(found)
