"""The engine openai against a server that speaks the real wire format, with every fault a provider has shown."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from services.nlu.engine import Began, CutShort, Message, ReplyPart, ReplyRequest, Role, TextMade, ToolSpec, ToolWanted
from services.nlu.engines.openai.engine import OpenAiEngine
from services.nlu.settings import NluSettings
from services.runtime.breaker import ErrorClass
from services.runtime.errors import NotServing
from services.runtime.providers import ProviderFailed
from tests.fakes.chat_server import Action, Answer, ChatServer, Cut, Finish, Raw, Status, Text, Tool, Wait, chat_server

CLOCK = ToolSpec(
    "current_time", "Says the time.", '{"type": "object", "properties": {"time_zone": {"type": "string"}}}'
)
MESSAGES = (Message(Role.SYSTEM, "Be kind.", tools=(CLOCK,)), Message(Role.CALLER, "Hello?"))
REQUEST = ReplyRequest("a", 1, MESSAGES, "en")


@asynccontextmanager
async def engine_at(server: ChatServer, **change: object) -> AsyncIterator[OpenAiEngine]:
    known = {"openai_base_url": server.base_url, "openai_model": "stand-in", "remote_stall_limit_s": 0.5}
    engine = OpenAiEngine(NluSettings.model_validate(known | change))
    try:
        await engine.load(())
        yield engine
    finally:
        await engine.close()


async def parts_of(answer: Answer | Sequence[Action], request: ReplyRequest = REQUEST) -> list[ReplyPart]:
    async with chat_server(answer) as server, engine_at(server) as engine:
        return [part async for part in engine.reply(request)]


async def failure_of(answer: Answer | Sequence[Action]) -> ProviderFailed:
    with pytest.raises(ProviderFailed) as failed:
        await parts_of(answer)
    assert "\n" not in failed.value.message
    return failed.value


async def test_an_answer_comes_piece_by_piece() -> None:
    parts = await parts_of([Text("Hel"), Text("lo"), Text(" there."), Finish()])
    assert parts == [Began(), TextMade("Hel"), TextMade("lo"), TextMade(" there.")]


async def test_what_is_sent_is_a_chat_completion() -> None:
    history = (
        *MESSAGES,
        Message(Role.AGENT, "One moment."),
        Message(Role.TOOL, 'current_time({"time_zone": "UTC"}): {"time": "10:00"}'),
        Message(Role.CALLER, "And?"),
    )
    async with chat_server([Text("Ten."), Finish()]) as server, engine_at(server, openai_api_key="sk-1") as engine:
        _ = [part async for part in engine.reply(ReplyRequest("a", 1, history, "en"))]
        asked, headers = server.requests[0], server.headers[-1]
    assert (asked["model"], asked["stream"], asked["max_tokens"]) == ("stand-in", True, 96)
    assert headers["authorization"] == "Bearer sk-1"
    assert [message["role"] for message in asked["messages"]] == [
        "system", "user", "assistant", "assistant", "tool", "user",
    ]  # fmt: skip
    call = asked["messages"][3]["tool_calls"][0]
    assert call["function"] == {"name": "current_time", "arguments": '{"time_zone": "UTC"}'}
    assert asked["messages"][4] == {"role": "tool", "tool_call_id": call["id"], "content": '{"time": "10:00"}'}
    assert asked["tools"][0]["function"]["parameters"] == json.loads(CLOCK.parameters_json)


async def test_a_tool_call_split_over_chunks_is_put_together() -> None:
    parts = await parts_of(
        [Tool("current_time", ('{"time', '_zone": ', '"UTC"}')), Tool("hang_up"), Finish("tool_calls")]
    )
    assert parts == [Began(), ToolWanted("current_time", '{"time_zone": "UTC"}'), ToolWanted("hang_up", "{}")]


async def test_an_answer_that_hit_its_bound_is_cut_short() -> None:
    assert (await parts_of([Text("Well, I"), Finish("length")]))[-1] == CutShort()


@pytest.mark.parametrize("split", range(1, 120, 7))
async def test_events_may_be_cut_anywhere(split: int) -> None:
    whole = "data: " + json.dumps({"choices": [{"delta": {"content": "Chào bạn."}}]}, ensure_ascii=False) + "\r\n\r\n"
    end = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n: a comment\n\ndata: [DONE]\n\n'
    content = whole.encode() + end
    parts = await parts_of([Raw(content[:split]), Wait(0.01), Raw(content[split:])])
    assert parts == [Began(), TextMade("Chào bạn.")]


BUSY = ("Retry-After", "7")
DATE = ("Retry-After", (datetime.now(UTC) + timedelta(seconds=3600)).strftime("%a, %d %b %Y %H:%M:%S GMT"))


@pytest.mark.parametrize(
    ("status", "error_class", "reason"),
    [
        (Status(429, headers=(BUSY,)), ErrorClass.OVERLOADED, "ENGINE_BUSY"),
        (Status(429, headers=(DATE,)), ErrorClass.OVERLOADED, "ENGINE_BUSY"),
        (Status(429, '{"error": {"code": "insufficient_quota"}}'), ErrorClass.FATAL, "ENGINE_FAILED"),
        (Status(500), ErrorClass.TRANSIENT, "ENGINE_FAILED"),
        (Status(502, "<html>Bad gateway</html>"), ErrorClass.TRANSIENT, "ENGINE_FAILED"),
        (Status(503, headers=(BUSY,)), ErrorClass.OVERLOADED, "ENGINE_FAILED"),
        (Status(401), ErrorClass.FATAL, "ENGINE_FAILED"),
        (Status(404), ErrorClass.FATAL, "ENGINE_FAILED"),
        (Status(400), ErrorClass.REQUEST, "ENGINE_FAILED"),
        (Status(400, '{"error": {"code": "context_length_exceeded"}}'), ErrorClass.REQUEST, "HISTORY_TOO_LONG"),
        (Status(302), ErrorClass.TRANSIENT, "ENGINE_FAILED"),
    ],
    ids=lambda value: f"{value.code}" if isinstance(value, Status) else None,
)
async def test_a_status_has_its_class(status: Status, error_class: ErrorClass, reason: str) -> None:
    failed = await failure_of([status])
    assert (failed.error_class, failed.reason) == (error_class, reason)
    assert str(status.code) in failed.message
    if status.headers:
        assert 6 < failed.retry_after_s < 3601


@pytest.mark.parametrize(
    "answer",
    [
        [Text("Hello"), Cut()],
        [Text("Hello"), Cut(cleanly=True)],
        [Text("Hello"), Raw(b'data: {"choices": [{"del'), Cut(cleanly=True)],
        [Cut()],
        [Cut(cleanly=True)],
        [Text("Hello"), Wait(60)],
        [Wait(60)],
        [Raw(b"data: {not json}\n\n")],
        [Raw(b"data: [1, 2]\n\n")],
        [Raw(b'data: {"choices": [{"delta": {"content": 7}}]}\n\n')],
        [Raw(b"data: \xff\xfe\n\n")],
        [Raw(b'data: {"error": {"message": "CUDA out of memory", "code": 500}}\n\n')],
        [Raw(b"data: " + b"x" * 2_000_000)],
        [Tool("current_time", ('{"time_zone"',)), Finish("tool_calls")],
        [Tool("current_time", ("[1]",)), Finish("tool_calls")],
        [Tool("current_time", ("x" * 40_000,)), Finish("tool_calls")],
        [Finish("content_filter")],
    ],
    ids=str,
)
async def test_a_broken_answer_fails_the_turn_and_nothing_else(answer: Sequence[Action]) -> None:
    good: list[Action] = [Text("Good."), Finish()]
    answers = [answer, good]
    async with chat_server(lambda _: answers.pop(0)) as server, engine_at(server) as engine:
        began = time.monotonic()
        with pytest.raises(ProviderFailed):
            _ = [part async for part in engine.reply(REQUEST)]
        assert time.monotonic() - began < 2.0
        assert [part async for part in engine.reply(REQUEST)] == [Began(), TextMade("Good.")]


async def test_a_server_that_never_ends_is_cut_short() -> None:
    def endless(asked: object) -> Sequence[Action]:
        return [Text("word " * 20)] * 100_000

    began = time.monotonic()
    async with chat_server(endless) as server, engine_at(server, remote_stall_limit_s=2.5) as engine:
        parts = [part async for part in engine.reply(REQUEST)]
    assert parts[-1] == CutShort()
    assert sum(len(part.text) for part in parts if isinstance(part, TextMade)) <= 96 * 16
    assert time.monotonic() - began < 3.0


async def test_a_megabyte_in_one_token_is_refused() -> None:
    failed = await failure_of([Text("x" * 1_000_000), Finish()])
    assert "more than" in failed.message


async def test_closing_the_iterator_closes_the_request() -> None:
    async with chat_server([Text("One"), Wait(60)]) as server, engine_at(server) as engine:
        async with aclosing(engine.reply(REQUEST)) as parts:
            async for part in parts:
                if isinstance(part, TextMade):
                    break
        async with asyncio.timeout(2):
            while not server.n_closed_by_client:
                await asyncio.sleep(0.01)


async def test_connections_are_open_before_the_first_call_and_used_again() -> None:
    async with chat_server([Text("Yes."), Finish()]) as server, engine_at(server) as engine:
        opened = server.n_connections
        assert opened > 0
        for _ in range(5):
            _ = [part async for part in engine.reply(REQUEST)]
        assert server.n_connections == opened


async def test_a_long_turn_is_sent_whole() -> None:
    said = Message(Role.CALLER, "word " * 20_000)
    async with chat_server([Text("Yes."), Finish()]) as server, engine_at(server) as engine:
        _ = [part async for part in engine.reply(ReplyRequest("a", 1, (said,), "en"))]
        assert server.requests[0]["messages"][-1]["content"] == said.text


async def test_a_key_that_is_refused_is_told_at_the_start() -> None:
    async with chat_server([Finish()]) as server:
        server.models_status = 401
        with pytest.raises(NotServing, match="NLU_OPENAI_API_KEY"):
            async with engine_at(server):
                pass


async def test_without_a_key_openai_itself_is_not_asked() -> None:
    engine = OpenAiEngine(NluSettings())
    with pytest.raises(NotServing, match="NLU_OPENAI_API_KEY is not set"):
        await engine.load(())


async def test_a_key_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-file\n")
    async with (
        chat_server([Text("Yes."), Finish()]) as server,
        engine_at(server, openai_api_key_file=tmp_path / "key") as engine,
    ):
        _ = [part async for part in engine.reply(REQUEST)]
        assert server.headers[-1]["authorization"] == "Bearer sk-file"


async def test_a_server_that_is_away_at_the_start_is_asked_when_it_is_there() -> None:
    async with chat_server([Finish()]) as server:
        port = server.port
    engine = OpenAiEngine(NluSettings.model_validate({"openai_base_url": f"http://localhost:{port}/v1"}))
    await engine.load(())
    try:
        with pytest.raises(ProviderFailed) as failed:
            _ = [part async for part in engine.reply(REQUEST)]
        assert failed.value.error_class is ErrorClass.TRANSIENT
        async with chat_server([Text("Here."), Finish()], port=port):
            assert [part async for part in engine.reply(REQUEST)] == [Began(), TextMade("Here.")]
    finally:
        await engine.close()


@pytest.mark.parametrize("is_expired", [True, False], ids=["expired", "foreign"])
async def test_a_certificate_that_is_expired_or_foreign_is_refused(is_expired: bool, tmp_path: Path) -> None:
    authority = trustme.CA()
    now = datetime.now(UTC)
    certificate = authority.issue_cert(
        "localhost",
        not_before=now - timedelta(days=9),
        not_after=now - timedelta(days=1) if is_expired else now + timedelta(days=1),
    )
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(tls)
    (authority if is_expired else trustme.CA()).cert_pem.write_to_path(tmp_path / "ca.pem")
    async with chat_server([Finish()], tls=tls) as server:
        with pytest.raises(NotServing, match="certificate is refused"):
            async with engine_at(server, openai_ca_file=tmp_path / "ca.pem"):
                pass


async def test_a_certificate_of_a_named_authority_is_taken(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with (
        chat_server([Text("Safe."), Finish()], tls=tls) as server,
        engine_at(server, openai_ca_file=tmp_path / "ca.pem") as engine,
    ):
        assert [part async for part in engine.reply(REQUEST)] == [Began(), TextMade("Safe.")]


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with chat_server([Text("By proxy."), Finish()]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://localhost:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        engine = OpenAiEngine(NluSettings.model_validate({"openai_base_url": "http://models.invalid/v1"}))
        await engine.load(())
        try:
            assert [part async for part in engine.reply(REQUEST)] == [Began(), TextMade("By proxy.")]
        finally:
            await engine.close()
        assert proxy.paths[-1].startswith("http://models.invalid/v1/")


async def test_our_side_adds_little_to_the_first_token() -> None:
    """p95 of a whole request to its first token, against a server that answers at once."""
    async with chat_server([Text("Yes."), Finish()]) as server, engine_at(server) as engine:
        took: list[float] = []
        for _ in range(100):
            began = time.perf_counter()
            ends = [time.perf_counter() async for part in engine.reply(REQUEST) if isinstance(part, TextMade)]
            took.append(ends[0] - began)
    took.sort()
    print(f"first token p50 {took[50] * 1000:.2f} ms, p95 {took[95] * 1000:.2f} ms")
    assert took[50] < 0.05, "the server's side and a busy machine are in it"
