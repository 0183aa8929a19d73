"""The package mcp against a real server of the official package, in a process of its own."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.packages import AgentPackages
from services.runtime.errors import NotServing, StartupError
from tests.integration.tools.opening import KEY, opened, run

pytestmark = pytest.mark.timeout(240)
ALLOWED = ["free_rooms", "book_room", "refuse", "whisper", "sleep", "die", "flood"]
SERVER = str(Path(__file__).with_name("mcp_server.py"))


def stdio(**options: Any) -> dict[str, Any]:
    command = [sys.executable, SERVER, "stdio"]
    return {
        "package": "mcp",
        "name": "rooms",
        "allow": ALLOWED,
        "options": {"command": command, "reads": ["free_rooms"], "timeout_s": 30, **options},
    }


@asynccontextmanager
async def http_server(log: Path) -> AsyncIterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, SERVER, "http", str(port), env={"ROOMS_LOG": str(log)}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(90):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()


async def connected(tools: AgentPackages) -> None:
    """A busy machine starts a process late; the packages go on trying."""
    async with asyncio.timeout(90):
        while not tools.tools("acme"):
            await asyncio.sleep(0.1)


async def test_tools_of_a_server_on_stdio_are_the_agents(tmp_path: Path) -> None:
    log = tmp_path / "rooms.log"
    package = stdio(needs_credentials=True, key_argument="key")
    async with opened(tmp_path, package, {"ROOMS_LOG": str(log), "ROOMS_PASSWORD": "pw"}, tenants=["acme"]) as tools:
        await connected(tools)
        specs = {spec.name: spec for spec in tools.specs("acme")}
        assert tools.specs("other") == ()
        assert not specs["rooms_free_rooms"].writes
        assert specs["rooms_book_room"].writes
        assert '"key"' not in specs["rooms_book_room"].parameters_json
        assert (await run(tools, "rooms_free_rooms", nights=2)) == {"free": 8}
        booked = await run(tools, "rooms_book_room", guest="Anna")
        assert booked["status"] == "done"
        again = await run(tools, "rooms_book_room", guest="Anna")
        assert again == booked
        assert log.read_text() == f"Anna {KEY}\n"
        with pytest.raises(ToolRefused, match=r"pw nothing.*not known"):
            await run(tools, "rooms_whisper", key="b" * 32)
        with pytest.raises(ToolRefused, match="nights"):
            await run(tools, "rooms_free_rooms", nights="two")
        with pytest.raises(ToolRefused, match="no room"):
            await run(tools, "rooms_refuse", key="c" * 32, why="no room")
        with pytest.raises(ToolRefused, match="more than 16384 bytes"):
            await run(tools, "rooms_flood", key="d" * 32)


async def test_a_server_that_dies_is_started_again_and_a_deed_of_unknown_fate_is_not_sent_again(tmp_path: Path) -> None:
    async with opened(tmp_path, stdio()) as tools:
        await connected(tools)
        with pytest.raises(ToolRefused, match="not known"):
            await run(tools, "rooms_die", key="e" * 32)
        async with asyncio.timeout(90):
            while True:
                try:
                    assert (await run(tools, "rooms_free_rooms", nights=1)) == {"free": 9}
                    break
                except ToolRefused:
                    await asyncio.sleep(0.1)
        with pytest.raises(ToolRefused, match="not known"):
            await run(tools, "rooms_die", key="e" * 32)
        assert (await run(tools, "rooms_free_rooms", nights=1)) == {"free": 9}


async def test_a_slow_tool_is_given_up(tmp_path: Path) -> None:
    async with opened(tmp_path, stdio(timeout_s=2, reads=["free_rooms", "sleep"])) as tools:
        await connected(tools)
        with pytest.raises(ToolRefused, match=r"no answer within 2 s"):
            await run(tools, "rooms_sleep", seconds=6.0)


async def test_tools_of_a_server_by_http_are_the_agents(tmp_path: Path) -> None:
    log = tmp_path / "rooms.log"
    async with http_server(log) as url:
        options = {"url": url, "trusts_hints": True, "timeout_s": 30}
        package = {"package": "mcp", "name": "rooms", "allow": ALLOWED, "options": options}
        async with opened(tmp_path, package) as tools:
            await connected(tools)
            assert not {spec.name: spec for spec in tools.specs("acme")}["rooms_free_rooms"].writes
            assert (await run(tools, "rooms_free_rooms", nights=3)) == {"free": 7}
            assert (await run(tools, "rooms_book_room", guest="Bo"))["status"] == "done"
    assert log.read_text() == "Bo \n"


async def test_an_unreachable_server_does_not_keep_the_service_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.nlu.tools.mcp_servers.connection._CONNECT_S", 0.5)
    package = {"package": "mcp", "name": "rooms", "allow": ALLOWED, "options": {"url": "http://127.0.0.1:9/mcp"}}
    async with opened(tmp_path, package) as tools:
        assert tools.tools("acme") == {}
    async with opened(tmp_path, {**package, "options": {"command": ["/no/such/program"]}}) as tools:
        assert tools.tools("acme") == {}


async def test_an_allowed_tool_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.nlu.tools.mcp_servers.connection._CONNECT_S", 90.0)
    with pytest.raises(StartupError, match="no tool is called sing"):
        async with opened(tmp_path, {**stdio(), "allow": ["sing"]}):
            pass


async def test_missing_credentials_keep_it_from_serving(tmp_path: Path) -> None:
    with pytest.raises(NotServing, match="there are no credentials"):
        async with opened(tmp_path, stdio(needs_credentials=True), tenants=["acme"]):
            pass


async def test_only_allowed_tools_are_there(tmp_path: Path) -> None:
    async with opened(tmp_path, {**stdio(), "allow": ["free_rooms"]}) as tools:
        await connected(tools)
        assert list(tools.tools("acme")) == ["rooms_free_rooms"]
        assert isinstance(tools, AgentPackages)
