"""A real Asterisk for one test, and what lies in it."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from deploy.asterisk.archive import ensure_asterisk
from deploy.asterisk.private_pbx import PbxPorts, PrivatePbx
from tests.fakes.ports import free_port

ROOT = Path(__file__).parents[2]
RTP_PORTS = (30000, 30999)


@asynccontextmanager
async def running_pbx(folder: Path, *, longest_call_s: int = 600, ring_s: int = 30) -> AsyncIterator[PrivatePbx]:
    """A private Asterisk on free ports; its state and logs are in `folder`."""
    unpacked = await asyncio.to_thread(ensure_asterisk, ROOT / ".cache/asterisk", print)
    ports = PbxPorts(free_port(), free_port(socket.SOCK_DGRAM), *RTP_PORTS)
    pbx = PrivatePbx(unpacked, folder, ports=ports, longest_call_s=longest_call_s, ring_s=ring_s)
    await pbx.start()
    try:
        yield pbx
    finally:
        await pbx.stop()


def number(pbx: PrivatePbx, extension: str = "1000") -> str:
    """The SIP address that a phone dials."""
    return f"sip:{extension}@127.0.0.1:{pbx.ports.sip}"


async def ask(pbx: PrivatePbx, path: str) -> Any:
    """A list of ARI's, for example "channels"."""
    who = {"api_key": f"{pbx.account.user}:{pbx.account.password}"}
    async with aiohttp.ClientSession() as http, http.get(f"{pbx.ari_url}/ari/{path}", params=who) as response:
        response.raise_for_status()
        return await response.json()


async def wait_empty(pbx: PrivatePbx, *, limit_s: float = 5.0) -> None:
    """Wait until Asterisk holds neither channel nor bridge."""
    async with asyncio.timeout(limit_s):
        while await ask(pbx, "channels") or await ask(pbx, "bridges"):
            await asyncio.sleep(0.05)


async def wait_for_app(pbx: PrivatePbx, *, limit_s: float = 20.0) -> None:
    """Wait until an application takes calls: a gateway is connected to ARI."""
    async with asyncio.timeout(limit_s):
        while not await ask(pbx, "applications"):
            await asyncio.sleep(0.05)


@dataclass(slots=True)
class EdgeProcess:
    """The ARI edge in a process of its own, with a session that echoes (echo_session.py)."""

    process: asyncio.subprocess.Process
    events: list[dict[str, Any]] = field(default_factory=list)

    async def wait_for(self, event: str, *, limit_s: float = 8.0, **fields: Any) -> dict[str, Any]:
        """The first event of this kind with these fields, from the beginning on."""

        def is_it(told: dict[str, Any]) -> bool:
            return told["event"] == event and all(told.get(name) == value for name, value in fields.items())

        async with asyncio.timeout(limit_s):
            while True:
                found = next(filter(is_it, self.events), None)
                if found is not None:
                    return found
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """Kill Asterisk, as a crash would end it."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def running_edge(pbx: PrivatePbx, **settings: str) -> AsyncIterator[EdgeProcess]:
    """The edge, connected to `pbx`. `settings` are the fields of AriSettings."""
    environment = {f"GATEWAY_ARI_{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.echo_session",
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "GATEWAY_ARI_URL": pbx.ari_url, **environment},
    )
    edge = EdgeProcess(process)

    async def read(lines: asyncio.StreamReader) -> None:
        async for line in lines:
            edge.events.append(json.loads(line))

    async with asyncio.TaskGroup() as tasks:
        assert process.stdout is not None
        reader = tasks.create_task(read(process.stdout))
        try:
            await edge.wait_for("connected")
            yield edge
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            reader.cancel()
