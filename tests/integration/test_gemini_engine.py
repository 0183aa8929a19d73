"""The engine gemini: the official client against a server that speaks the API's wire format, and its faults."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest

from services.nlu.engine import Began, CutShort, Message, ReplyPart, ReplyRequest, Role, TextMade, ToolSpec, ToolWanted
from services.nlu.engines.gemini import GeminiEngine
from services.nlu.settings import NluSettings
from services.runtime.breaker import ErrorClass
from services.runtime.errors import NotServing
from services.runtime.providers import ProviderFailed
from tests.fakes.chat_server import Action, Answer, ChatServer, Cut, Finish, Raw, Status, Text, Tool, Wait, chat_server

CLOCK = ToolSpec(
    "current_time", "Says the time.", '{"type": "object", "properties": {"time_zone": {"type": "string"}}}'
)
MESSAGES = (
    Message(Role.SYSTEM, "Be kind.", tools=(CLOCK,)),
    Message(Role.AGENT, "Hello!"),
    Message(Role.CALLER, "What time is it?"),
)
REQUEST = ReplyRequest("a", 1, MESSAGES, "en")


@asynccontextmanager
async def engine_at(server: ChatServer, **change: object) -> AsyncIterator[GeminiEngine]:
    known = {"gemini_base_url": server.gemini_url, "gemini_api_key": "key-1", "remote_stall_limit_s": 0.5}
    engine = GeminiEngine(NluSettings.model_validate(known | change))
    try:
        await engine.load(())
        yield engine
    finally:
        await engine.close()


async def parts_of(answer: Answer | Sequence[Action], request: ReplyRequest = REQUEST) -> list[ReplyPart]:
    async with chat_server(answer) as server, engine_at(server) as engine:
        return [part async for part in engine.reply(request)]


async def test_an_answer_comes_piece_by_piece() -> None:
    parts = await parts_of([Text("It is"), Text(" ten."), Finish()])
    assert parts == [Began(), TextMade("It is"), TextMade(" ten.")]


async def test_persona_history_and_tools_are_sent_as_the_api_has_them() -> None:
    history = (*MESSAGES, Message(Role.TOOL, 'current_time({"time_zone": "UTC"}): {"time": "10:00"}'))
    async with chat_server([Text("Ten."), Finish()]) as server, engine_at(server) as engine:
        _ = [part async for part in engine.reply(ReplyRequest("a", 1, history, "en"))]
        asked, headers, path = server.requests[0], server.headers[-1], server.paths[-1]
    assert path.endswith("models/gemini-2.5-flash:streamGenerateContent?alt=sse")
    assert headers["x-goog-api-key"] == "key-1"
    assert asked["systemInstruction"]["parts"] == [{"text": "Be kind."}]
    assert [content["role"] for content in asked["contents"]] == ["user", "model", "user", "model", "user"]
    assert asked["contents"][3]["parts"][0]["functionCall"] == {"name": "current_time", "args": {"time_zone": "UTC"}}
    answered = asked["contents"][4]["parts"][0]["functionResponse"]
    assert answered == {"name": "current_time", "response": {"time": "10:00"}}
    assert asked["tools"][0]["functionDeclarations"][0]["name"] == "current_time"
    assert asked["generationConfig"]["maxOutputTokens"] == 96


async def test_a_tool_is_asked_for() -> None:
    parts = await parts_of([Tool("current_time", ('{"time_zone": "UTC"}',)), Finish()])
    assert parts == [Began(), ToolWanted("current_time", '{"time_zone": "UTC"}')]


async def test_an_answer_that_hit_its_bound_is_cut_short() -> None:
    assert (await parts_of([Text("Well, I"), Finish("length")]))[-1] == CutShort()
    assert (await parts_of([Text("Well, I"), Finish("content_filter")]))[-1] == CutShort()


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (Status(429, headers=(("Retry-After", "7"),)), ErrorClass.OVERLOADED),
        (Status(500), ErrorClass.TRANSIENT),
        (Status(503), ErrorClass.TRANSIENT),
        (Status(403), ErrorClass.FATAL),
        (Status(400), ErrorClass.REQUEST),
    ],
    ids=lambda value: f"{value.code}" if isinstance(value, Status) else None,
)
async def test_a_status_has_its_class(status: Status, error_class: ErrorClass) -> None:
    with pytest.raises(ProviderFailed) as failed:
        await parts_of([status])
    assert failed.value.error_class is error_class
    if status.headers:
        assert failed.value.retry_after_s == 7


@pytest.mark.parametrize(
    "answer",
    [
        [Text("It is"), Cut()],
        [Text("It is"), Cut(cleanly=True)],
        [Text("It is"), Wait(60)],
        [Wait(60)],
        [Raw(b"data: {not json}\n\n")],
        [Finish("content_filter")],
        [Finish("MALFORMED_FUNCTION_CALL")],
        [Finish()],
        [Raw(b'data: {"promptFeedback": {"blockReason": "SAFETY"}}\r\n\r\n')],
        [Text("x" * 1_000_000), Finish()],
    ],
    ids=lambda answer: str(answer)[:60],
)
async def test_a_broken_answer_fails_the_turn_and_nothing_else(answer: Sequence[Action]) -> None:
    good: list[Action] = [Text("Good."), Finish()]
    answers = [answer, good]
    async with chat_server(lambda _: answers.pop(0)) as server, engine_at(server) as engine:
        began = time.monotonic()
        with pytest.raises(ProviderFailed) as failed:
            _ = [part async for part in engine.reply(REQUEST)]
        assert "\n" not in failed.value.message
        assert time.monotonic() - began < 3.0
        assert [part async for part in engine.reply(REQUEST)] == [Began(), TextMade("Good.")]


async def test_a_connection_that_breaks_before_the_first_word_is_replaced_once() -> None:
    good: list[Action] = [Text("Good."), Finish()]
    answers: list[Sequence[Action]] = [[Cut()], good, [Cut()], [Cut()]]
    async with chat_server(lambda _: answers.pop(0)) as server, engine_at(server) as engine:
        assert [part async for part in engine.reply(REQUEST)] == [Began(), TextMade("Good.")]
        with pytest.raises(ProviderFailed):
            _ = [part async for part in engine.reply(REQUEST)]
    assert not answers


async def test_a_server_that_never_ends_is_cut_short() -> None:
    parts = await parts_of([Text("word " * 20)] * 2000)
    assert parts[-1] == CutShort()


async def test_closing_the_iterator_closes_the_request() -> None:
    async with chat_server([Text("One"), Wait(60)]) as server, engine_at(server) as engine:
        async with aclosing(engine.reply(REQUEST)) as parts:
            async for part in parts:
                if isinstance(part, TextMade):
                    break
        assert server.requests


async def test_without_a_key_nothing_is_asked() -> None:
    with pytest.raises(NotServing, match="NLU_GEMINI_API_KEY is not set"):
        await GeminiEngine(NluSettings()).load(())


async def test_a_key_that_is_refused_is_told_at_the_start() -> None:
    async with chat_server([Finish()]) as server:
        server.models_status = 403
        with pytest.raises(NotServing, match="NLU_GEMINI_API_KEY"):
            async with engine_at(server):
                pass
