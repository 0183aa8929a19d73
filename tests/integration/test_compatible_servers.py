"""Servers that call themselves compatible with OpenAI, in what its documents leave open: how a stream ends, how calls
are numbered, where an error or a refusal stands. Each is answered as its sender meant it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from services.nlu.engine import CutShort, Message, ReplyPart, ReplyRequest, Role, TextMade, ToolWanted
from services.nlu.engines.openai.engine import OpenAiEngine
from services.nlu.settings import NluSettings
from services.runtime.breaker import ErrorClass
from services.runtime.errors import NotServing
from services.runtime.providers import ProviderFailed
from tests.integration.waiting import until_awaited

REQUEST = ReplyRequest("a", 1, (Message(Role.SYSTEM, "Be kind."), Message(Role.CALLER, "Hello?")), "en")
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
MODELS = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"data": []}'
HOLD_S = 3.0  # a server that says no more and does not close
DONE = b"data: [DONE]\n\n"


def event(delta: object, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]} | more)}\n\n".encode()


def in_chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


@asynccontextmanager
async def engine_of(
    *pieces: bytes, holds: bool = False, models: bytes = MODELS, **settings: object
) -> AsyncIterator[OpenAiEngine]:
    """The engine at a server that writes these bytes to each question and closes, or says no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                lengths = [line.partition(":")[2] for line in head.split("\r\n") if line.startswith("content-length:")]
                await reader.readexactly(int(lengths[0]) if lengths else 0)
                if head.startswith("get"):
                    writer.write(models)
                    continue
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.005)
                if holds:
                    await asyncio.sleep(HOLD_S)
                return
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    known = {"openai_base_url": f"http://127.0.0.1:{port}/v1", "openai_model": "x", "remote_stall_limit_s": HOLD_S}
    engine = OpenAiEngine(NluSettings.model_validate(known | {"openai_api_key": "sk-1"} | settings))
    try:
        await engine.load(())
        yield engine
    finally:
        await engine.close()
        server.close()


async def parts_of(*pieces: bytes, holds: bool = False) -> list[ReplyPart]:
    async with engine_of(*pieces, holds=holds) as engine:
        return [part async for part in engine.reply(REQUEST)]


def text_of(parts: list[ReplyPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextMade))


async def first_words(engine: OpenAiEngine) -> str:
    """The beginning of an answer whose rest is not asked for."""
    async with aclosing(engine.reply(REQUEST)) as parts:
        async for part in parts:
            if isinstance(part, TextMade):
                return part.text
    return ""


def calls_of(parts: list[ReplyPart]) -> list[tuple[str, object]]:
    return [(part.name, json.loads(part.arguments_json)) for part in parts if isinstance(part, ToolWanted)]


# The end of an answer


@pytest.mark.parametrize(
    "ending",
    [
        (SSE, event({"content": "Hi."}), event({}, "stop")),
        (SSE, event({"content": "Hi."}, "stop"), event({}, None, usage={"total_tokens": 3})),
        (CHUNKED, in_chunk(event({"content": "Hi."}, "stop")), in_chunk(DONE)),
        (CHUNKED, in_chunk(event({"content": "Hi."}, "stop"))),
        (CHUNKED, in_chunk(event({"content": "Hi."}, "stop")), b"ffff\r\ndata: {"),
        (CHUNKED, in_chunk(event({"content": "Hi."}, "stop")), b"no chunk at all"),
        (SSE.replace(b"HTTP/1.1", b"HTTP/1.0"), event({"content": "Hi."}, "stop"), DONE),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + SSE, event({"content": "Hi."}, "stop"), DONE),
    ],
    ids=["no-done", "usage-last", "no-last-chunk", "cut-after-finish", "half-chunk", "bad-chunk", "http-1.0", "hints"],
)
async def test_a_whole_answer_stays_whole_however_its_connection_ends(ending: tuple[bytes, ...]) -> None:
    parts = await parts_of(*ending)
    assert text_of(parts) == "Hi."
    assert CutShort() not in parts


async def test_a_server_that_keeps_the_stream_open_behind_its_last_word_is_not_waited_for() -> None:
    began_s = time.monotonic()
    parts = await parts_of(SSE, event({"content": "Hi."}, "stop"), holds=True)
    assert text_of(parts) == "Hi."
    assert time.monotonic() - began_s < HOLD_S / 2


async def test_calls_are_not_kept_back_by_a_stream_that_stays_open() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    parts = await parts_of(SSE, event({"tool_calls": [call]}), event({}, "tool_calls"), holds=True)
    assert calls_of(parts) == [("f", {})]


async def test_a_stream_that_breaks_before_its_finish_is_no_answer() -> None:
    with pytest.raises(ProviderFailed):
        await parts_of(CHUNKED, in_chunk(event({"content": "Hi."})), b"no chunk at all")


# The kind of body


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"application/json", event({"content": "Hi."}, "stop") + DONE),
        (b"text/plain", event({"content": "Hi."}, "stop") + DONE),
        (b"application/octet-stream", b"\n\n: hello\n\n" + event({"content": "Hi."}, "stop")),
        (b"text/event-stream", json.dumps({"choices": [{"message": {"content": "Hi."}}]}).encode()),
        (b"application/json; charset=utf-8", b"\xef\xbb\xbf \r\n" + b'{"choices": [{"message": {"content": "Hi."}}]}'),
    ],
    ids=["events-as-json", "events-as-text", "events-as-bytes", "json-as-events", "json-with-mark"],
)
async def test_the_body_says_what_it_is_whatever_its_type_says(kind: bytes, body: bytes) -> None:
    pieces = [body[at : at + 3] for at in range(0, len(body), 3)]
    assert text_of(await parts_of(SSE.replace(b"text/event-stream", kind), *pieces)) == "Hi."


# Calls of tools


def piece(name: str = "", arguments: object = "", **more: object) -> dict[str, object]:
    return {"function": {"name": name, "arguments": arguments}} | more


@pytest.mark.parametrize(
    "pieces",
    [
        [[piece("f", '{"x": 1}', index=0, id="")], [piece("g", "{}", index=0, id="")]],
        [[piece("f", '{"x": 1}')], [piece("g", "{}")]],
        [[piece("f", '{"x"', index="0"), piece("g", "{", index="1")], [piece("", ": 1}", index="0")],
         [piece("", "}", index="1")]],
        [[piece("f", '"{\\"x\\": 1}"', index=0), piece("g", "null", index=1)]],
        [[piece("f", {"x": 1}, index=0), piece("g", None, index=1)]],
        [[piece("f", "", index=0, id="a")], [piece("f", '{"x": ', index=0, id="a")], [piece("f", "1}", index=0)],
         [piece("g", "", index=1, id="b")]],
    ],
    ids=["all-0-no-ids", "no-numbers", "numbers-as-text", "json-in-json", "objects", "names-again"],
)  # fmt: skip
async def test_calls_come_out_the_same_however_they_are_written(pieces: list[list[dict[str, object]]]) -> None:
    events = [event({"tool_calls": calls}) for calls in pieces]
    assert calls_of(await parts_of(SSE, *events, event({}, "tool_calls"), DONE)) == [("f", {"x": 1}), ("g", {})]


async def test_two_calls_of_one_tool_are_two() -> None:
    calls = [[piece("f", '{"x": 1}', index=0)], [piece("f", '{"x": 2}', index=0)]]
    events = [event({"tool_calls": each}) for each in calls]
    assert calls_of(await parts_of(SSE, *events, event({}, "stop"), DONE)) == [("f", {"x": 1}), ("f", {"x": 2})]


async def test_a_call_in_the_older_form_is_one() -> None:
    """`function_call`, which OpenAI's API had before tools and llama-cpp-python's server still sends beside them."""
    old = [
        event({"function_call": {"name": "f", "arguments": '{"x"'}}),
        event({"function_call": {"arguments": ": 1}"}}),
    ]
    assert calls_of(await parts_of(SSE, *old, event({}, "function_call"), DONE)) == [("f", {"x": 1})]


async def test_a_call_in_both_forms_is_one() -> None:
    both = {"function_call": {"name": "f", "arguments": "{}"}, "tool_calls": [piece("f", "{}", index=0, id="a")]}
    assert calls_of(await parts_of(SSE, event(both), event({}, "tool_calls"), DONE)) == [("f", {})]


# Refusals and errors


async def test_a_refusal_is_what_the_model_says() -> None:
    parts = await parts_of(
        SSE, event({"content": None, "refusal": "I cannot help with that."}), event({}, "stop"), DONE
    )
    assert text_of(parts) == "I cannot help with that."


@pytest.mark.parametrize(
    "said",
    [
        b'data: {"object": "error", "message": "too long", "type": "invalid_request_error", "code": 400}\n\n',
        b'error: {"message": "too long", "type": "invalid_request_error", "code": 400}\n\n',
        b'event: error\ndata: {"error": {"message": "too long", "type": "invalid_request_error", "code": 400}}\n\n',
        b'event: error\ndata: {"message": "too long", "type": "invalid_request_error", "code": 400}\n\n',
    ],
    ids=["vllm", "llama-server", "event", "event-bare"],
)
async def test_an_error_in_the_stream_has_its_class_wherever_it_stands(said: bytes) -> None:
    with pytest.raises(ProviderFailed, match="too long") as failed:
        await parts_of(SSE, said)
    assert failed.value.error_class is ErrorClass.REQUEST


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_and_says_where_to(status: int) -> None:
    """The key would go to whoever is named there."""
    head = f"HTTP/1.1 {status} Go\r\nLocation: https://user:secret@other.test/v1/chat/completions?key=1\r\n"
    with pytest.raises(ProviderFailed, match=r"points to https://\*{3}@other\.test/v1/chat/completions$") as failed:
        await parts_of(f"{head}Content-Length: 0\r\n\r\n".encode())
    assert failed.value.error_class is (ErrorClass.FATAL if status in {301, 308} else ErrorClass.TRANSIENT)
    assert "secret" not in failed.value.message
    assert "key=1" not in failed.value.message


# The key


async def test_a_key_that_may_not_list_models_may_still_answer() -> None:
    """Keys of OpenAI that are restricted to chat get 403 for the list."""
    body = b'{"error": {"message": "You have insufficient permissions. Missing scopes: api.model.read"}}'
    models = b"HTTP/1.1 403 No\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    async with engine_of(SSE, event({"content": "Hi."}, "stop"), DONE, models=models) as engine:
        assert text_of([part async for part in engine.reply(REQUEST)]) == "Hi."


async def test_a_key_that_is_refused_is_told_at_the_start() -> None:
    models = b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}"
    with pytest.raises(NotServing, match="NLU_OPENAI_API_KEY"):
        async with engine_of(SSE, models=models):
            pass


REASONED = (SSE, event({"content": "Okay, the caller asks"}), event({"content": " for Secret.</thi"}))
ANSWERED = (event({"content": "nk>\n\nYes, "}), event({"content": "we do."}, "stop"), DONE)


async def test_a_server_that_begins_inside_a_thought_is_known_by_its_first_answer() -> None:
    async with engine_of(*REASONED, *ANSWERED) as engine:
        first = [part async for part in engine.reply(REQUEST)]
        second = [part async for part in engine.reply(REQUEST)]
    assert text_of(first).endswith("</think>\n\nYes, we do.")  # whose end the turn takes for what it is
    assert text_of(second).strip() == "Yes, we do."


async def test_a_thinking_model_is_known_by_an_answer_that_is_not_read_to_its_end() -> None:
    """A turn ends a reply after three sentences, and a thought has more."""
    thought = [event({"content": f"The caller may mean number {number}. "}) for number in range(9)]
    async with engine_of(SSE, *thought, event({"content": "</think>\n\nYes, "}), *ANSWERED[1:]) as engine:
        assert (await first_words(engine)).startswith("The caller")

        async def begins_with_the_answer() -> bool:
            return (await first_words(engine)).strip().startswith("Yes,")

        await until_awaited(begins_with_the_answer, 5)


async def test_a_thinking_model_is_known_by_an_answer_that_comes_whole() -> None:
    content = "The caller may mean it.</think>\n\nYes, we do."
    async with engine_of(SSE, json.dumps({"choices": [{"message": {"content": content}}]}).encode()) as engine:
        assert (await first_words(engine)).startswith("The caller")
        assert (await first_words(engine)).strip().startswith("Yes,")


async def test_the_rest_of_an_answer_is_read_only_until_the_server_is_known() -> None:
    async with engine_of(SSE, event({"content": "Yes, "}), event({"content": "we do."}, "stop"), DONE) as engine:
        assert text_of([part async for part in engine.reply(REQUEST)]) == "Yes, we do."
        assert await first_words(engine)
        assert engine._reading_on is None


async def test_of_a_server_that_is_set_to_begin_inside_a_thought_only_answers_are_speech() -> None:
    async with engine_of(*REASONED, *ANSWERED, openai_begins_in_reasoning=True) as engine:
        parts = [part async for part in engine.reply(REQUEST)]
    assert text_of(parts).strip() == "Yes, we do."


async def test_an_answer_without_a_thought_is_spoken_where_thoughts_are_usual() -> None:
    async with engine_of(
        SSE, event({"content": "Yes, we do."}, "stop"), DONE, openai_begins_in_reasoning=True
    ) as engine:
        parts = [part async for part in engine.reply(REQUEST)]
    assert text_of(parts) == "Yes, we do."


async def test_a_thought_that_used_up_the_answer_fails_the_turn() -> None:
    async with engine_of(*REASONED, event({}, "length"), DONE, openai_begins_in_reasoning=True) as engine:
        with pytest.raises(ProviderFailed) as failed:
            _ = [part async for part in engine.reply(REQUEST)]
    assert failed.value.error_class is ErrorClass.TRANSIENT
