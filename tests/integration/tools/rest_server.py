"""A server on loopback that speaks what a test tells it, writes down what it was asked, and fails on command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[["Seen"], "Reply | Awaitable[Reply]"]


@dataclass(frozen=True)
class Seen:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        from urllib.parse import parse_qsl

        return dict(parse_qsl(self.body.decode()))

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "")


@dataclass(frozen=True)
class Reply:
    """Reply of the server. `text` stands in place of `value`."""

    value: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    content_type: str = "application/json"
    delay_s: float = 0.0
    is_cut: bool = False  # the connection breaks in the middle of the body


SLOW = Reply({}, delay_s=30.0)
HTML = Reply(text="<!DOCTYPE html><html><body>Maintenance</body></html>", content_type="text/html")
HTML_502 = Reply(text="<html><h1>Bad Gateway</h1></html>", status=502, content_type="text/html")
CUT_JSON = Reply(text='{"records": [{"Id": "003')
BUSY = Reply({"message": "slow down"}, status=429, headers={"Retry-After": "0.05"})
DOWN = Reply({"message": "try later"}, status=503)
HUGE = Reply(text='{"x": "' + "y" * (1 << 20) + '"}')


class RestServer:
    """`handle` answers what no fault is put before. Faults are taken first, one a request, but for the token's."""

    def __init__(self, handle: Handler, *, spares: Callable[[Seen], bool] = lambda seen: "token" in seen.path) -> None:
        self.seen: list[Seen] = []
        self.faults: list[Reply] = []
        self._handle, self._spares = handle, spares
        self.url = ""

    def of(self, method: str, part: str = "") -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method and part in seen.path]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.method, request.path, dict(request.query), dict(request.headers), await request.read())
        self.seen.append(seen)
        if self.faults and not self._spares(seen):
            reply = self.faults.pop(0)
        else:
            made = self._handle(seen)
            reply = await made if asyncio.iscoroutine(made) else made
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        text = reply.text if reply.text is not None else ("" if reply.status == 204 else json.dumps(reply.value))
        if reply.is_cut:
            response = web.StreamResponse(headers={"Content-Length": str(len(text) + 100)})
            await response.prepare(request)
            await response.write(text.encode())
            assert request.transport is not None
            request.transport.close()
            return response
        if reply.status == 204:
            return web.Response(status=204)
        return web.Response(
            body=text.encode(), status=reply.status, headers=reply.headers, content_type=reply.content_type
        )


@asynccontextmanager
async def serving(handle: Handler, **options: Any) -> AsyncIterator[RestServer]:
    server = RestServer(handle, **options)
    runner = web.ServerRunner(web.Server(server.answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
