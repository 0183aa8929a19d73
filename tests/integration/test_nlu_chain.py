"""openai>llama_cpp with the real engines: the provider is killed in mid-reply, and the local model goes on."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.nlu.engine import MadeBy, Message, ReplyRequest, Role, TextMade, open_engine
from services.nlu.engines.chain import ChainEngine
from services.nlu.settings import NluSettings
from tests.fakes.chat_server import Action, Cut, Finish, Status, Text, chat_server
from tests.unit.nlu.gguf_files import write_tiny_llama4

OPENING = (
    Message(Role.SYSTEM, "You answer in one short sentence. The clinic opens at 8 a.m."),
    Message(Role.AGENT, "Hello!"),
)
ASKED = (*OPENING, Message(Role.CALLER, "When does the clinic open?"))


async def chain_at(base_url: str, model: str, folder: Path) -> ChainEngine:
    settings = NluSettings.model_validate(
        {
            "engines": "*=openai>llama_cpp",
            "openai_base_url": base_url,
            "model": model,
            "prompt_cache_dir": folder,
            "max_reply_tokens": 16,
            "reply_limit_s": 120,  # a busy machine takes long, and the words are what is looked at
            "context_tokens": 2048,
        }
    )
    engine = open_engine(settings)
    assert isinstance(engine, ChainEngine)
    await engine.load((OPENING,))
    return engine


@pytest.mark.models
async def test_a_provider_killed_in_mid_reply_is_gone_on_from_by_the_local_model(tmp_path: Path) -> None:
    answer: list[Action] = [Text("The clinic"), Text(" opens"), Text(" at "), Cut()]
    async with chat_server(answer) as server:
        engine = await chain_at(server.base_url, "qwen2.5-0.5b-instruct", tmp_path)
        try:
            await engine.prepare("a", OPENING, language_code="en")
            said, made_by, last_s, gap_s = "", [], time.monotonic(), 0.0
            async for part in engine.reply(ReplyRequest("a", 1, ASKED, "en")):
                if isinstance(part, MadeBy):
                    made_by.append(part.engine)
                elif isinstance(part, TextMade):
                    gap_s, last_s = max(gap_s, time.monotonic() - last_s), time.monotonic()
                    said += part.text
        finally:
            await engine.close()
    print(f"\nlongest silence between two pieces {gap_s:.2f} s: {said!r}")
    assert made_by == ["openai", "llama_cpp"]
    assert said.startswith("The clinic opens at")
    assert said.count("The clinic opens") == 1
    assert "8" in said


async def test_a_provider_that_answers_500_is_left_alone_after_two_tries(tmp_path: Path) -> None:
    model = write_tiny_llama4(tmp_path / "tiny.gguf")

    def answer(asked: dict[str, Any]) -> Sequence[Action]:
        return [Status(500)] if len(server.requests) <= 2 else [Text("Back."), Finish()]

    async with chat_server(answer) as server:
        engine = await chain_at(server.base_url, str(model), tmp_path)
        try:
            for turn_id in range(1, 5):
                parts = [part async for part in engine.reply(ReplyRequest("a", turn_id, ASKED, "en"))]
                assert MadeBy("llama_cpp") in parts
            assert len(server.requests) == 2, "the breaker is open"
            engine.board.trip("openai", 0, is_allowed=True)
            parts = [part async for part in engine.reply(ReplyRequest("a", 9, ASKED, "en"))]
            assert MadeBy("openai") in parts
        finally:
            await engine.close()
