"""The time that each HTTP client adds to a first token: `python -m tests.load.chat_clients`.

One server in a process of its own answers at once; the engine (httpx), the official openai client and a bare socket ask
it in turns. The bare socket's time is the server's and the machine's; what the others take beyond it is their own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

import openai

from services.nlu.engine import Message, ReplyRequest, Role, TextMade, open_engine
from services.nlu.engines.openai.engine import body_of
from services.nlu.settings import NluSettings

_ROUNDS, _ASKED = 3, 100
_SERVER = """
import asyncio
from tests.fakes.chat_server import Finish, Text, chat_server
async def main():
    async with chat_server([Text("Yes."), Finish()]) as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
_REQUEST = ReplyRequest("a", 1, (Message(Role.SYSTEM, "Be kind. " * 100), Message(Role.CALLER, "Hello?")), "en")


async def _measure(port: int) -> dict[str, list[float]]:
    base_url = f"http://127.0.0.1:{port}/v1"
    settings = NluSettings.model_validate({"engine": "openai", "openai_base_url": base_url, "openai_model": "stand-in"})
    body = body_of(_REQUEST, settings)
    engine = open_engine(settings)
    await engine.load(())
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n".encode()

    async def by_socket() -> float:
        began = time.perf_counter()
        writer.write(head + content)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"\n\n")
        took = time.perf_counter() - began
        await reader.readuntil(b"0\r\n\r\n")
        return took

    async def by_engine() -> float:
        began = time.perf_counter()
        ends = [time.perf_counter() async for part in engine.reply(_REQUEST) if isinstance(part, TextMade)]
        return ends[0] - began

    async def by_official() -> float:
        began, took = time.perf_counter(), 0.0
        async for chunk in await client.chat.completions.create(**body):
            if not took and chunk.choices and chunk.choices[0].delta.content:
                took = time.perf_counter() - began
        return took

    ways: dict[str, Callable[[], Awaitable[float]]] = {
        "bare socket": by_socket,
        "engine openai (httpx)": by_engine,
        "official openai client": by_official,
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, way in ways.items():
            found[name] += [await way() for _ in range(_ASKED)]
    writer.close()
    await client.close()
    await engine.close()
    return found


async def main() -> int:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SERVER, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        found = await _measure(int(await process.stdout.readline()))
    finally:
        process.kill()
        await process.wait()
    print(f"{'first token, ms':<26}{'p50':>8}{'p95':>8}")
    for name, seconds in found.items():
        ordered = sorted(seconds)
        p50, p95 = ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]
        print(f"{name:<26}{p50 * 1000:>8.2f}{p95 * 1000:>8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
