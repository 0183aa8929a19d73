"""Metrics and probes over HTTP/1.1, answered by the event loop itself: one that hangs fails the scrape and the probe.

`/metrics` for Prometheus; `/live` says that the loop runs; `/serving` that the engine is loaded, works, and new streams
are taken; `/ready` that every part (Asterisk, the stages) is there as well. Nothing here holds a word of a call.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from services.runtime.lifecycle import Lifecycle, State
from services.runtime.watchdog import ENGINE_THREADS, EngineThreads

MAX_CONNECTIONS: Final = 32
MAX_HEAD_BYTES: Final = 8 << 10
LIMIT_S: Final = 5.0  # for one request with its answer
PLAIN: Final = "text/plain; charset=utf-8"
CANNOT_SERVE = "cannot serve: "  # begins the line of /serving that says what a person must mend


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: str
    body: bytes
    content_type: str = PLAIN


class Probes:
    """Health of the service: whether it serves, and what is not ready."""

    def __init__(self, lifecycle: Lifecycle, threads: EngineThreads = ENGINE_THREADS, *, service: str = "") -> None:
        self._lifecycle, self._threads, self._service = lifecycle, threads, service

    def faults(self, *, with_parts: bool) -> list[str]:
        """Return why no call should be sent here now, one line each; empty: all is well."""
        found = []
        if self._lifecycle.state is not State.SERVING:
            found.append(f"state: {self._lifecycle.state.name.lower()}")
            if self._lifecycle.fault:
                found.append(f"{CANNOT_SERVE}{self._lifecycle.fault}")
        if late := self._threads.find_late(self._service):
            found.append(f"engine {late.engine}: thread {late.thread} {late.cause}")
        if with_parts:
            found += [f"{name}: not ready" for name, is_ready in self._lifecycle.parts.items() if not is_ready]
        return found


class MonitoringServer:
    """The HTTP server. Each connection carries one request. When there are too many, the one that has waited longest is
    closed: connections without a request do not keep out those who have one.
    """

    def __init__(self, probes: Probes) -> None:
        self._probes = probes
        self._open: dict[asyncio.Timeout, None] = {}  # the one that waits longest first
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_HEAD_BYTES)

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            longest = next(iter(self._open))
            del self._open[longest]
            with suppress(RuntimeError):  # its own limit has just expired: it is about to leave
                longest.reschedule(asyncio.get_running_loop().time())
        limit = asyncio.timeout(LIMIT_S)
        is_answered = False
        try:
            async with limit:
                self._open[limit] = None
                await self._answer(reader, writer)
            is_answered = True
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a prober that left or sent no request is no fault
        finally:
            self._open.pop(limit, None)
            if is_answered:
                writer.close()
            else:
                writer.transport.abort()  # `close` would wait for a client that does not read

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *fields = head.split("\r\n")
        method, path, *_ = [*request.split(), "", ""]
        accept = next((field.partition(":")[2].strip() for field in fields if field.lower().startswith("accept:")), "")
        answer = self._find(method, path.partition("?")[0], accept)
        writer.write(
            f"HTTP/1.1 {answer.status}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n".encode("latin-1")
        )
        writer.write(b"" if method == "HEAD" else answer.body)
        await writer.drain()

    def _find(self, method: str, path: str, accept: str) -> Answer:
        if method not in ("GET", "HEAD"):
            return Answer("405 Method Not Allowed", b"")
        pages: dict[str, Callable[[], Answer]] = {
            "/metrics": lambda: _metrics(accept),
            "/live": lambda: Answer("200 OK", b"live\n"),
            "/serving": lambda: _said(self._probes.faults(with_parts=False)),
            "/ready": lambda: _said(self._probes.faults(with_parts=True)),
        }
        page = pages.get(path)
        return Answer("404 Not Found", b"metrics, live, serving, ready\n") if page is None else page()


def _said(faults: list[str]) -> Answer:
    if faults:
        return Answer("503 Service Unavailable", "".join(f"{fault}\n" for fault in faults).encode())
    return Answer("200 OK", b"ok\n")


def _metrics(accept: str) -> Answer:
    try:
        encode, content_type = choose_encoder(accept)
        body = encode(REGISTRY)
    except Exception:  # the library parses versions and escaping unchecked: the default format suits everybody
        encode, content_type = choose_encoder("")
        body = encode(REGISTRY)
    return Answer("200 OK", body, content_type)
