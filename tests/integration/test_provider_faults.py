"""Faults of providers that lie below events and statuses: in the connection, the headers, the bytes; and settings that
no provider can serve with. `openai` and `gemini` each fail with their class in bounded time, or answer in spite of it.
"""

import asyncio
import gzip
import json
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.nlu.engine import Message, NluEngine, ReplyPart, ReplyRequest, Role, TextMade, ToolWanted
from services.nlu.engines.gemini import GeminiEngine
from services.nlu.engines.openai.engine import OpenAiEngine
from services.nlu.settings import NluSettings
from services.runtime.breaker import ErrorClass
from services.runtime.errors import NotServing, StartupError
from services.runtime.providers import ProviderFailed

REQUEST = ReplyRequest("a", 1, (Message(Role.SYSTEM, "Be kind."), Message(Role.CALLER, "Hello?")), "en")
ENGINES: dict[str, Callable[[NluSettings], NluEngine]] = {"openai": OpenAiEngine, "gemini": GeminiEngine}
STALL_S = 0.6
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

Handler = Callable[[asyncio.StreamWriter, int], Awaitable[bool]]
"""Writes the answer of one request; the second argument counts all requests. True: the connection stays."""


def event_of(kind: str, text: str, *, is_last: bool = False) -> bytes:
    """An event of the provider's format that brings some text."""
    if kind == "openai":
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop" if is_last else None}
        return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}} | (
        {"finishReason": "STOP"} if is_last else {}
    )
    return f"data: {json.dumps({'candidates': [candidate]})}\r\n\r\n".encode()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """The port of a server that answers GET well and everything else by the handler."""
    n_asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_asked
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                lengths = [line.partition(":")[2] for line in head.split("\r\n") if line.startswith("content-length:")]
                await reader.readexactly(int(lengths[0]) if lengths else 0)
                if head.startswith("get"):
                    body = b'{"name": "models/x", "data": []}'
                    known = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                    writer.write(known.encode() + body)
                    continue
                n_asked += 1
                if not await handler(writer, n_asked):
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        except asyncio.CancelledError:  # the test is over
            return
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


def forever(piece: bytes, *, every_s: float = 0.0, head: bytes = HEAD) -> Handler:
    async def handler(writer: asyncio.StreamWriter, n_asked: int) -> bool:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every_s)

    return handler


def once(*pieces: bytes, head: bytes = HEAD) -> Handler:
    async def handler(writer: asyncio.StreamWriter, n_asked: int) -> bool:
        for piece in (head, *pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        return False

    return handler


async def frozen(writer: asyncio.StreamWriter, n_asked: int) -> bool:
    await asyncio.sleep(60)
    return False


def settings_for(kind: str, port: int, **change: object) -> NluSettings:
    url = f"http://127.0.0.1:{port}"
    known: dict[str, object] = {"remote_stall_limit_s": STALL_S, "turn_limit_s": 2.0}
    if kind == "openai":
        known |= {"openai_base_url": f"{url}/v1", "openai_model": "x"}
    else:
        known |= {"gemini_base_url": url, "gemini_model": "x", "gemini_api_key": "key"}
    return NluSettings.model_validate(known | change)


async def ask(kind: str, handler: Handler, *, n_turns: int = 1, **change: object) -> list[ReplyPart]:
    async with serving(handler) as port:
        engine = ENGINES[kind](settings_for(kind, port, **change))
        await engine.load(())
        try:
            for _ in range(n_turns):
                parts = [part async for part in engine.reply(REQUEST)]
        finally:
            await engine.close()
    return parts


def text_of(parts: list[ReplyPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextMade))


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize(
    "handler",
    [
        frozen,
        forever(b"X-A: b\r\n", every_s=0.1, head=b"HTTP/1.1 200 OK\r\n"),
        forever(b"x", every_s=0.1, head=b"HTTP/1.1 500 No\r\nContent-Length: 1000000\r\n\r\n"),
        forever(b": ping\n\n", every_s=0.1),
        forever(b": ping\n\n" * 2000),
        forever(b"x" * 65536),
        forever(b"nonsense\n" * 7000),
        once(b"data: " + b"[" * 200_000 + b"\n\n"),
        once(b"<html>Log in</html>", head=HEAD.replace(b"text/event-stream", b"text/html")),
        once(b"", head=HEAD.replace(b"200 OK", b"204 No Content")),
    ],
    ids=["frozen", "drips-headers", "drips-error", "comments", "flood", "one-line", "lines", "deep", "html", "204"],
)
async def test_a_server_that_says_nothing_of_use_fails_the_turn_in_time(kind: str, handler: Handler) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with pytest.raises(ProviderFailed) as failed:
        await ask(kind, handler)
    assert time.monotonic() - began < STALL_S + 2.0
    assert failed.value.error_class is ErrorClass.TRANSIENT
    assert "\n" not in failed.value.message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000


@pytest.mark.parametrize("kind", ENGINES)
async def test_events_without_words_are_no_progress(kind: str) -> None:
    with pytest.raises(ProviderFailed, match="sent nothing for"):
        await ask(kind, forever(event_of(kind, ""), every_s=0.1))


@pytest.mark.parametrize("kind", ENGINES)
async def test_an_answer_that_drips_for_ever_ends_with_the_turns_time(kind: str) -> None:
    with pytest.raises(ProviderFailed, match="took over 2 s"):
        await ask(kind, forever(event_of(kind, "a"), every_s=0.3))


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_connection_closed_while_it_was_idle_costs_no_turn(kind: str) -> None:
    async def closes_at_the_next_request(writer: asyncio.StreamWriter, n_asked: int) -> bool:
        if n_asked % 2 == 0:
            return False
        body = event_of(kind, "Hi.", is_last=True)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return True

    assert text_of(await ask(kind, closes_at_the_next_request, n_turns=4)) == "Hi."


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("rest", [b"", b"ffff\r\ndata: {", b"no chunk at all"], ids=["cut", "half", "bad"])
async def test_a_connection_that_breaks_behind_the_last_word_changes_no_answer(kind: str, rest: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = event_of(kind, "Hi.", is_last=True)
    whole = f"{len(body):x}\r\n".encode() + body + b"\r\n"
    assert text_of(await ask(kind, once(whole, rest, head=head))) == "Hi."


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_stream_that_stays_open_behind_the_last_word_changes_no_answer(kind: str) -> None:
    async def stays_open(writer: asyncio.StreamWriter, n_asked: int) -> bool:
        writer.write(HEAD + event_of(kind, "Hi.", is_last=True))
        return await frozen(writer, n_asked)

    assert text_of(await ask(kind, stays_open)) == "Hi."


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("said", ["Hi \ud800 there.", "Hi \x00 there.", "Hi \x1b there."])
async def test_what_no_message_can_carry_is_left_out(kind: str, said: str) -> None:
    assert text_of(await ask(kind, once(event_of(kind, said, is_last=True)))) == "Hi  there."


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_compressed_body_that_was_not_asked_for_is_refused(kind: str) -> None:
    head = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    with pytest.raises(ProviderFailed, match="gzip"):
        await ask(kind, once(gzip.compress(event_of(kind, "Hi.", is_last=True)), head=head))


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize(
    ("asked", "least_s", "most_s"),
    [
        ("9" * 400, 600, 86400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 600, 86400),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0, 0),
        ("-5", 0, 0),
        ("soon", 0, 0),
        ("nan", 0, 0),
        ("2.5", 2.5, 2.5),
    ],
)
async def test_whatever_retry_after_says_the_pause_is_a_number(
    kind: str, asked: str, least_s: float, most_s: float
) -> None:
    head = f"HTTP/1.1 429 Busy\r\nRetry-After: {asked}\r\nConnection: close\r\n\r\n"
    with pytest.raises(ProviderFailed) as failed:
        await ask(kind, once(b'{"error": {"message": "no"}}', head=head.encode()))
    assert failed.value.error_class is ErrorClass.OVERLOADED
    assert least_s <= failed.value.retry_after_s <= most_s
    assert failed.value.retry_delay_ms <= 60_000


# OpenAI's shape, as other servers write it


def chunk(delta: dict[str, object], finish: str | None = None, **more: object) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': delta, 'finish_reason': finish}]} | more)}\n\n".encode()


def call(call_id: str, name: str, arguments: object, index: int | None = 0) -> dict[str, object]:
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + chunk({"content": "Hi."}, "stop"),
        chunk({"content": "Hi."}, "stop").replace(b"\n", b"\r"),
        chunk({"content": "Hi."}, "stop").replace(b"data: ", b"data:"),
        chunk({"content": [{"type": "text", "text": "Hi."}]}, "stop"),
        chunk({"content": "Hi."}) + b"data: [DONE]\n\n",
        b"event: ping\ndata: {}\n\n" + chunk({"content": "Hi."}, "stop") + b'data: {"choices": null}\n\n',
        chunk({"reasoning_content": "Let me see."}) + chunk({"content": "Hi."}, "eos"),
    ],
    ids=["mark", "returns", "no-space", "list", "done-alone", "ping", "thoughts"],
)
async def test_an_answer_is_read_however_a_server_writes_it(body: bytes) -> None:
    assert text_of(await ask("openai", once(*(body[at : at + 5] for at in range(0, len(body), 5))))) == "Hi."


async def test_a_server_that_does_not_stream_is_heard() -> None:
    body = json.dumps({"choices": [{"message": {"content": "Hi."}, "finish_reason": "stop"}]}).encode()
    parts = await ask("openai", once(body, head=HEAD.replace(b"text/event-stream", b"application/json")))
    assert text_of(parts) == "Hi."


@pytest.mark.parametrize(
    "body",
    [
        chunk({"tool_calls": [call("a", "f", '{"x":1}')]})
        + chunk({"tool_calls": [call("b", "g", "{}")]}, "tool_calls"),
        chunk({"tool_calls": [call("a", "f", '{"x":1}', None), call("b", "g", "{}", None)]}, "stop"),
        chunk({"tool_calls": [call("a", "f", '{"x"')]})
        + chunk({"tool_calls": [call("a", "f", ":1}"), call("b", "g", {}, 1)]}, "tool_calls"),
    ],
    ids=["all-are-0", "no-index", "names-again"],
)
async def test_calls_are_kept_apart_however_a_server_counts_them(body: bytes) -> None:
    wanted = [part for part in await ask("openai", once(body)) if isinstance(part, ToolWanted)]
    assert [(each.name, json.loads(each.arguments_json)) for each in wanted] == [("f", {"x": 1}), ("g", {})]


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow"}, ErrorClass.OVERLOADED),
        ({"type": "insufficient_quota", "message": "pay"}, ErrorClass.FATAL),
        ({"code": "invalid_api_key"}, ErrorClass.FATAL),
        ({"code": "context_length_exceeded"}, ErrorClass.REQUEST),
        ({"type": "overloaded_error"}, ErrorClass.TRANSIENT),
        ("overloaded", ErrorClass.TRANSIENT),
    ],
)
async def test_an_error_within_a_stream_has_its_class_by_its_name(error: object, error_class: ErrorClass) -> None:
    with pytest.raises(ProviderFailed) as failed:
        await ask("openai", once(chunk({"content": "Well"}) + f"data: {json.dumps({'error': error})}\n\n".encode()))
    assert failed.value.error_class is error_class


async def test_an_answer_that_ends_with_an_error_is_none() -> None:
    with pytest.raises(ProviderFailed, match="'error'"):
        await ask("openai", once(chunk({"content": "Well"}) + chunk({}, "error")))


# Settings that no provider can serve with: told at the start, in one line, and the process stays up


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("key", ["sk-1\nsk-2", "sk 1", "khóa"])
async def test_a_key_that_is_none_is_refused_and_not_told(kind: str, key: str) -> None:
    engine = ENGINES[kind](settings_for(kind, 9, **{f"{kind}_api_key": key}))
    with pytest.raises(NotServing, match=f"NLU_{kind.upper()}_API_KEY is no key") as refused:
        await engine.load(())
    assert key not in str(refused.value)


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_file_with_a_key_that_cannot_be_read_now_is_read_again_at_the_next_start(kind: str) -> None:
    file = Path("/proc/self/mem")  # reading its first byte is an input/output error
    engine = ENGINES[kind](settings_for(kind, 9, **{f"{kind}_api_key": "", f"{kind}_api_key_file": file}))
    with pytest.raises(StartupError, match=f"NLU_{kind.upper()}_API_KEY_FILE=.* cannot be loaded now") as refused:
        await engine.load(())
    assert not isinstance(refused.value, NotServing)


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize(
    ("name", "value"), [("HTTP_PROXY", "gopher://proxy:1"), ("HTTPS_PROXY", "http://proxy:port"), ("ALL_PROXY", "::")]
)
async def test_a_proxy_that_is_none_is_told(kind: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(NotServing, match="proxy") as refused:
        await ENGINES[kind](settings_for(kind, 9)).load(())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ENGINES)
async def test_certificates_of_the_environment_that_are_not_there_are_told(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(NotServing, match="certificates"):
        await ENGINES[kind](settings_for(kind, 9)).load(())
