"""The engine `openai` at a real llama-server, which `python -m deploy.llama_server` builds."""

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.llama_server.__main__ import binary_of
from deploy.llama_wheel import read_lock
from services.nlu.engine import Began, CutShort, Message, ReplyPart, ReplyRequest, Role, TextMade, ToolSpec, ToolWanted
from services.nlu.engines.openai.engine import OpenAiEngine
from services.nlu.settings import NluSettings
from services.runtime.breaker import ErrorClass
from services.runtime.errors import NotServing
from services.runtime.models import model_dir
from services.runtime.providers import ProviderFailed
from tests.fakes.ports import free_port

MODEL = model_dir(NluSettings().models_dir, "qwen2.5-0.5b-instruct") / "model.gguf"
KEY = "sk-here"
CLOCK = ToolSpec(
    "current_time",
    "Says what time it is in a time zone. Call it whenever somebody asks for the time.",
    '{"type": "object", "properties": {"time_zone": {"type": "string"}}, "required": ["time_zone"]}',
)
SYSTEM = "You answer the telephone of a dental clinic. Answer in one short sentence."
MODEL_LIMIT_S = 60.0  # on two busy cores

pytestmark = pytest.mark.timeout(300)


@dataclass
class Server:
    """One llama-server process."""

    port: int
    process: asyncio.subprocess.Process

    async def get(self, path: str) -> object:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {KEY}"}
        )

        def read() -> object:
            with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 (our own server)
                return json.loads(response.read())

        return await asyncio.to_thread(read)

    async def until_ready(self) -> None:
        async with asyncio.timeout(MODEL_LIMIT_S):
            while True:
                try:
                    await self.get("/health")
                    return
                except (urllib.error.URLError, OSError):
                    await asyncio.sleep(0.2)

    async def until_idle(self) -> None:
        """No slot computes anything."""
        async with asyncio.timeout(MODEL_LIMIT_S):
            while any(slot["is_processing"] for slot in await self.get("/slots")):  # type: ignore[attr-defined] # JSON
                await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[Server]:
    binary = os.environ.get("LLAMA_SERVER") or binary_of(read_lock().version)
    port = port or free_port()
    process = await asyncio.create_subprocess_exec(
        binary, "-m", MODEL, "--port", str(port), "-np", "2", "-c", "2048", "-t", "2", "--jinja", "--slots",
        "--api-key", KEY, "--log-disable", env=os.environ | {"OMP_WAIT_POLICY": "passive"},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Server(port, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def engine_at(port: int, **change: object) -> AsyncIterator[OpenAiEngine]:
    known: dict[str, object] = {"openai_base_url": f"http://127.0.0.1:{port}/v1", "openai_model": "qwen"}
    known |= {"openai_api_key": KEY, "remote_stall_limit_s": MODEL_LIMIT_S, "turn_limit_s": 2 * MODEL_LIMIT_S}
    engine = OpenAiEngine(NluSettings.model_validate(known | {"temperature": 0.0} | change))
    try:
        await engine.load(())
        yield engine
    finally:
        await engine.close()


def asking(text: str, *, tools: tuple[ToolSpec, ...] = ()) -> ReplyRequest:
    messages = (Message(Role.SYSTEM, SYSTEM, tools=tools), Message(Role.CALLER, text))
    return ReplyRequest("a", 1, messages, "en")


async def parts_of(engine: OpenAiEngine, request: ReplyRequest) -> list[ReplyPart]:
    return [part async for part in engine.reply(request)]


async def test_a_real_server_answers_calls_tools_and_lets_go() -> None:
    """One server for all of it: loading a model takes seconds."""
    async with serving() as server:
        await server.until_ready()
        async with engine_at(server.port) as engine:
            parts = await parts_of(engine, asking("When do you open?"))
            assert parts[0] == Began()
            assert sum(isinstance(part, TextMade) for part in parts) > 3, "piece by piece"

            parts = await parts_of(engine, asking("What time is it in Hanoi now?", tools=(CLOCK,)))
            wanted = [part for part in parts if isinstance(part, ToolWanted)]
            assert [call.name for call in wanted] == ["current_time"]
            assert "time_zone" in json.loads(wanted[0].arguments_json)

            async with aclosing(engine.reply(asking("Count from one to five hundred, each number in words."))) as reply:
                async for part in reply:
                    if isinstance(part, TextMade):
                        break
            await server.until_idle()

            with pytest.raises(ProviderFailed) as failed:
                await parts_of(engine, asking("word " * 5000))
            assert (failed.value.reason, failed.value.error_class) == ("HISTORY_TOO_LONG", ErrorClass.REQUEST)

        async with engine_at(server.port, max_reply_tokens=8) as engine:
            parts = await parts_of(engine, asking("Count from one to five hundred, each number in words."))
            assert parts[-1] == CutShort()

        with pytest.raises(NotServing, match="NLU_OPENAI_API_KEY"):
            async with engine_at(server.port, openai_api_key="sk-other"):
                pass


async def test_a_server_that_dies_in_mid_answer_fails_that_turn_and_serves_the_next_once_it_is_back() -> None:
    port = free_port()
    async with serving(port) as server:
        await server.until_ready()
        async with engine_at(port) as engine:
            question = asking("Count from one to five hundred, each number in words.")
            with pytest.raises(ProviderFailed) as failed:
                await _kill_in_mid_answer(engine, question, server)
            assert failed.value.error_class is ErrorClass.TRANSIENT
            await server.process.wait()
            async with serving(port) as back:
                await back.until_ready()
                assert len(await parts_of(engine, asking("When do you open?"))) > 3


async def _kill_in_mid_answer(engine: OpenAiEngine, question: ReplyRequest, server: Server) -> None:
    async for part in engine.reply(question):
        if isinstance(part, TextMade) and server.process.returncode is None:
            server.process.kill()


def test_the_binary_is_that_of_the_wheels_version() -> None:
    assert Path(os.environ.get("LLAMA_SERVER") or binary_of(read_lock().version)).is_file(), (
        "build it: python -m deploy.llama_server"
    )
