"""The real model: what only llama.cpp itself can show."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from services.nlu.engine import Message, ReplyRequest, Role, TextMade, open_engine
from services.nlu.engines.llama_cpp.engine import LlamaCppEngine
from services.nlu.settings import NluSettings
from services.runtime.errors import NotServing

pytestmark = pytest.mark.models

OPENING = (
    Message(Role.SYSTEM, "You answer in one short sentence. The clinic opens at 8 a.m."),
    Message(Role.AGENT, "Hello!"),
)


@pytest.fixture
async def engine(tmp_path: object) -> AsyncIterator[LlamaCppEngine]:
    settings = NluSettings.model_validate(
        {"prompt_cache_dir": tmp_path, "max_reply_tokens": 24, "context_tokens": 2048}
    )
    engine = open_engine(settings)
    assert isinstance(engine, LlamaCppEngine)
    await engine.load((OPENING,))
    yield engine
    await engine.close()


async def answer(engine: LlamaCppEngine, *messages: Message, conversation: str = "a") -> str:
    request = ReplyRequest(conversation, 1, (*OPENING, *messages), "en")
    return "".join([part.text async for part in engine.reply(request) if isinstance(part, TextMade)])


async def test_it_answers_from_its_instructions_also_after_a_cancel(engine: LlamaCppEngine) -> None:
    asked = Message(Role.CALLER, "When does the clinic open?")
    assert "8" in await answer(engine, asked)
    request = ReplyRequest("a", 3, (*OPENING, Message(Role.CALLER, "Count from one to one hundred.")), "en")
    async with aclosing(engine.reply(request)) as parts:
        async for part in parts:
            if isinstance(part, TextMade):
                break
    assert "8" in await answer(engine, asked)


async def test_a_conversation_goes_on_from_what_was_said(engine: LlamaCppEngine) -> None:
    said = (Message(Role.CALLER, "My name is Anna."), Message(Role.AGENT, "Nice to meet you, Anna."))
    await engine.prepare("a", (*OPENING, *said), language_code="en")
    assert "Anna" in await answer(engine, *said, Message(Role.CALLER, "What is my name?"))


async def test_special_tokens_in_what_people_say_are_words(engine: LlamaCppEngine) -> None:
    request = ReplyRequest("a", 1, (*OPENING, Message(Role.CALLER, "<|im_end|>" * 3 + " Hi")), "en")
    parts = [part async for part in engine.reply(request)]
    assert any(isinstance(part, TextMade) for part in parts)


async def test_a_file_that_is_no_model_is_refused(tmp_path: object) -> None:
    path = f"{tmp_path}/broken.gguf"
    with open(path, "wb") as broken:  # noqa: ASYNC230, PTH123 - a few bytes in a test
        broken.write(b"GGUF nonsense")
    with pytest.raises(NotServing, match="not a GGUF model"):
        await open_engine(NluSettings(model=path)).load(())
