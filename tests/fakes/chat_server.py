"""A server that speaks the wire formats of OpenAI's chat completions and of Gemini, and breaks on demand.

It is plain HTTP/1.1 on a socket, so that a fault can lie anywhere: in the status, in an event, between two of its
bytes. `python -m tests.fakes.chat_server PORT` serves answers for the conformance suite.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Text:
    """Some of the answer."""

    text: str


@dataclass(frozen=True)
class Tool:
    """A tool call; `pieces` cut its arguments, as servers do."""

    name: str
    pieces: tuple[str, ...] = ("{}",)


@dataclass(frozen=True)
class Finish:
    """The reason an answer ends for."""

    reason: str = "stop"


@dataclass(frozen=True)
class Raw:
    """Bytes of the stream as they are."""

    content: bytes


@dataclass(frozen=True)
class Wait:
    """Nothing for a while; for ever where it is long."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """The connection breaks; `cleanly`: the body ends as if it were whole."""

    cleanly: bool = False


@dataclass(frozen=True)
class Status:
    """No answer but a status."""

    code: int
    body: str = '{"error": {"message": "no"}}'
    headers: tuple[tuple[str, str], ...] = ()


Action = Text | Tool | Finish | Raw | Wait | Cut | Status
Answer = Callable[[dict[str, Any]], Sequence[Action]]


@dataclass
class ChatServer:
    """Fake chat server: it keeps the requests, and answers as it is told."""

    answer: Answer
    port: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    n_connections: int = 0
    n_closed_by_client: int = 0
    models_status: int = 200
    scheme: str = "http"

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/v1"

    @property
    def gemini_url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"


@asynccontextmanager
async def chat_server(
    answer: Answer | Sequence[Action], *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ChatServer]:
    """Serve for the time of the body."""
    state = ChatServer(answer if callable(answer) else lambda _: answer, scheme="https" if tls else "http")
    open_writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.n_connections += 1
        open_writers.add(writer)
        try:
            while await _one_request(state, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            state.n_closed_by_client += 1
        finally:
            open_writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def _one_request(state: ChatServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """False: the connection is over."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.split("\r\n")
    method, path, _ = line.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (entry.partition(":") for entry in rest if entry)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    state.paths.append(path)
    state.headers.append(headers)
    if method == "GET":
        _write_whole(writer, state.models_status, b'{"object": "list", "data": []}')
        await writer.drain()
        return True
    asked = json.loads(body)
    state.requests.append(asked)
    wire = _Gemini() if ":streamGenerateContent" in path else _OpenAi()
    actions = state.answer(asked)
    if actions and isinstance(actions[0], Status):
        _write_whole(writer, actions[0].code, actions[0].body.encode(), actions[0].headers)
        await writer.drain()
        return True
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for action in actions:
        match action:
            case Raw(content):
                _write_chunk(writer, content)
            case Wait(seconds):
                await writer.drain()
                await asyncio.wait({asyncio.ensure_future(_until_closed(reader))}, timeout=seconds)
                if reader.at_eof():
                    raise ConnectionResetError
            case Cut(cleanly):
                if cleanly:
                    writer.write(b"0\r\n\r\n")
                await writer.drain()
                writer.close()
                return False
            case _:
                for event in wire.events(action):
                    _write_chunk(writer, event)
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _until_closed(reader: asyncio.StreamReader) -> None:
    while not reader.at_eof():
        await asyncio.sleep(0.01)


class _OpenAi:
    """chat.completion.chunk objects, then [DONE]."""

    def __init__(self) -> None:
        self._n_tools = 0

    def events(self, action: Action) -> list[bytes]:
        match action:
            case Text(text):
                return [self._event({"content": text})]
            case Tool(name, pieces):
                index, self._n_tools = self._n_tools, self._n_tools + 1
                first = {"index": index, "id": f"call_{index}", "type": "function"}
                calls: list[dict[str, Any]] = [first | {"function": {"name": name, "arguments": ""}}]
                calls += [{"index": index, "function": {"arguments": piece}} for piece in pieces]
                return [self._event({"tool_calls": [call]}) for call in calls]
            case Finish(reason):
                done = self._event({}, reason)
                return [done, b'data: {"choices": [], "usage": {"total_tokens": 9}}\n\n', b"data: [DONE]\n\n"]
        raise TypeError(action)

    def _event(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "stand-in",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
        return f"data: {json.dumps(chunk)}\n\n".encode()


_GEMINI_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}


class _Gemini:
    """GenerateContentResponse objects, with alt=sse."""

    def events(self, action: Action) -> list[bytes]:
        match action:
            case Text(text):
                return [self._event([{"text": text}])]
            case Tool(name, pieces):
                return [self._event([{"functionCall": {"name": name, "args": json.loads("".join(pieces))}}])]
            case Finish(reason):
                return [self._event([{"text": ""}], _GEMINI_REASONS.get(reason, reason))]
        raise TypeError(action)

    def _event(self, parts: list[dict[str, Any]], finish: str | None = None) -> bytes:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return f"data: {json.dumps({'candidates': [candidate], 'modelVersion': 'stand-in'})}\r\n\r\n".encode()


def _write_whole(
    writer: asyncio.StreamWriter, status: int, body: bytes, headers: Sequence[tuple[str, str]] = ()
) -> None:
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)


def _write_chunk(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")


# Answers for the conformance suite

_LONG = (
    "We are a dental clinic in the middle of the city. We open at eight every morning and close at five. "
    "A check-up takes about half an hour, and a cleaning takes a little longer. You can park behind the house."
)
_SHORT = "We are open from eight to five on weekdays."


def answer_like_a_clinic(asked: dict[str, Any]) -> list[Action]:
    """Long where everything is asked for, one sentence otherwise; word by word."""
    said = _LONG if "everything" in _last_words(asked) else _SHORT
    actions: list[Action] = []
    for number, word in enumerate(said.split(" ")):
        actions += [Text(word if number == 0 else f" {word}"), Wait(0.02)]
    return [*actions, Finish()]


def _last_words(asked: dict[str, Any]) -> str:
    if "contents" in asked:
        return str(asked["contents"][-1]["parts"][-1].get("text", ""))
    return str(asked["messages"][-1]["content"])


async def _main(port: int) -> None:
    async with chat_server(answer_like_a_clinic, port=port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
