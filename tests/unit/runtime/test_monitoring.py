"""The pages of probes and Prometheus are there for whoever asks, whatever else is connected or asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from services.runtime.lifecycle import Lifecycle
from services.runtime.monitoring import MAX_CONNECTIONS, MonitoringServer, Probes
from tests.fakes.ports import free_port

LIMIT_S = 5.0


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """The port of a server that runs inside the body."""
    server, port = MonitoringServer(Probes(Lifecycle())), free_port()
    await server.start("127.0.0.1", port)
    try:
        yield port
    finally:
        await server.close()


async def ask(port: int, path: str, *fields: str) -> bytes:
    """All of an answer; empty: none came."""
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", *fields, "", ""]).encode("latin-1"))
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@pytest.mark.parametrize("n_idle", [MAX_CONNECTIONS, 3 * MAX_CONNECTIONS])
async def test_idle_connections_do_not_fail_the_probe(n_idle: int, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(n_idle)]
        for _ in range(3):
            assert (await ask(port, "/live")).startswith(b"HTTP/1.1 200 OK")
        for _, writer in held:
            writer.close()
    assert not caplog.records, "a client that sends nothing is no trouble"


async def test_when_there_are_too_many_connections_those_that_waited_longest_are_closed() -> None:
    async with serving() as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CONNECTIONS + 2)]
        async with asyncio.timeout(1):
            for reader, _ in held[:2]:
                with suppress(ConnectionError):  # closed, or reset
                    assert await reader.read() == b""
        for _, writer in held[2:]:
            writer.write(b"GET /live HTTP/1.1\r\n\r\n")
        for reader, writer in held[2:]:
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
            writer.close()


@pytest.mark.parametrize(
    "accept",
    [
        "text/plain;version=x.y",
        "application/openmetrics-text;version=x.y",
        "text/plain;version=1.0.0;escaping=nonsense",
        "application/openmetrics-text;version=1.0.0;escaping=nonsense",
        "text/plain;version=",
        "text/plain;;;=",
        "*/*",
        "",
    ],
)
async def test_whatever_format_is_asked_for_the_figures_come(accept: str) -> None:
    async with serving() as port:
        answer = await ask(port, "/metrics", f"Accept: {accept}")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"python_info" in answer
