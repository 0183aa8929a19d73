"""Engine `openai`: chat completions over HTTP connections that are kept open.

httpx rather than the official client: the first token comes through sooner (tests/load/chat_clients.py measures both),
and the bytes of an event are bounded.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from services.nlu.engine import Began, Message, ReplyPart, ReplyRequest
from services.nlu.engines.openai.stream import CompletionReader
from services.nlu.remote.answer import AnswerTime
from services.nlu.remote.failures import from_status, said_in
from services.nlu.remote.messages import CONTINUE, write_messages, write_tool
from services.nlu.remote.sse import BYTE_ORDER_MARK, MAX_EVENT_BYTES, BadEvents, EventReader
from services.nlu.remote.transport import HEADERS, BadBody, bound_body, failure_of, was_dropped
from services.nlu.settings import NluSettings, read_secret
from services.nlu.tool_calls import with_calls
from services.runtime.breaker import ErrorClass
from services.runtime.errors import NotServing, TurnFailed
from services.runtime.exposure import without_userinfo
from services.runtime.loading import loading
from services.runtime.logs import get_logger
from services.runtime.providers import ProviderFailed

_OPENAI_HOST = "api.openai.com"
_MAY_STILL_CHAT = ("scope", "permission")  # what a 403 says to a key that may chat but not list models
_BROKEN = (ProviderFailed, BadEvents, BadBody, httpx.HTTPError, OSError)  # of a response under way
_WARM_CONNECTIONS = 2
_WARM_EVERY_S = 25.0  # below the 60 s after which load balancers drop what is idle
_KEPT_IDLE_S = 300.0
_CONNECT_LIMIT_S = 2.0
_LAST_EVENTS_LIMIT_S = 0.5  # from the event that says why the answer ends to the last event
_END_LIMIT_S = 0.1  # from the last event to the end of the response
_READ_ON_LIMIT_S = 30.0  # of the first answer, until it is known whether it began inside a thought
_MAX_ERROR_BYTES = 64 * 1024

log = get_logger(__name__)


class OpenAiEngine:
    """Client of one server; this process computes and caches nothing."""

    name = "openai"
    continues = True

    def __init__(self, settings: NluSettings) -> None:
        self._settings = settings
        self.model = settings.openai_model
        self._base_url = settings.openai_base_url.rstrip("/")
        self._client: httpx.AsyncClient | None = None
        self._warming: asyncio.Task[None] | None = None
        self._begins_in_reasoning = settings.openai_begins_in_reasoning
        self._is_known = self._begins_in_reasoning  # whether answers begin inside a thought
        self._reading_on: asyncio.Task[None] | None = None
        self._read_response: httpx.Response | None = None  # which that task closes

    async def load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        settings = self._settings
        key = read_secret(settings.openai_api_key, settings.openai_api_key_file, "NLU_OPENAI_API_KEY")
        if not key and urlsplit(self._base_url).hostname == _OPENAI_HOST:
            raise NotServing("NLU_OPENAI_API_KEY is not set, and api.openai.com asks for one")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with loading("NLU_OPENAI_BASE_URL, NLU_OPENAI_CA_FILE, or a proxy or certificates of the environment,"):
            self._client = httpx.AsyncClient(
                base_url=self._base_url,
                headers=headers | HEADERS | {"Accept": "text/event-stream"},
                event_hooks={"response": [bound_body]},
                timeout=httpx.Timeout(None, connect=_CONNECT_LIMIT_S, pool=_CONNECT_LIMIT_S),
                limits=httpx.Limits(
                    max_connections=2 * settings.max_streams,
                    max_keepalive_connections=settings.max_streams,
                    keepalive_expiry=_KEPT_IDLE_S,
                ),
                verify=ssl.create_default_context(cafile=settings.openai_ca_file) if settings.openai_ca_file else True,
            )
        await self._check_key()
        self._warming = asyncio.create_task(self._keep_warm())

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        # A server that does not know its model's form of calls sends them as text.
        async with aclosing(with_calls(self._reply(request), request.tools)) as parts:
            async for part in parts:
                yield part

    async def _reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        client = self._client
        if client is None:
            raise TurnFailed("ENGINE_STOPPED", "the server is stopping", is_retryable=True)
        content = json.dumps(body_of(request, self._settings), ensure_ascii=False).encode()
        yield Began()
        reader = CompletionReader(
            self.name,
            max_tokens=self._settings.max_reply_tokens,
            begins_in_reasoning=self._begins_in_reasoning,
        )
        time = AnswerTime(self.name, stall_s=self._settings.remote_stall_limit_s, total_s=self._settings.turn_limit_s)
        try:
            async with time.waiting():
                response = await self._ask(client, content)
            try:
                if response.status_code != 200:
                    body = await self._read_error(response, time)
                    raise from_status(self.name, response.status_code, response.headers, body, now=datetime.now(UTC))
                events = _read_events(response, time)
                while (event := await _next_event(events, reader)) is not None:
                    n_taken, had_finished = reader.n_taken, reader.has_finished
                    parts = reader.take(event)
                    self._learn(reader)  # before the parts go out: the turn may have enough at any of them
                    for part in parts:
                        yield part
                    if reader.has_finished and not had_finished:
                        time.ends_within(_LAST_EVENTS_LIMIT_S)
                    elif reader.n_taken > n_taken:
                        time.progressed()
                    if reader.is_over:
                        await self._finish(events, is_whole=reader.is_whole)
                        return
                parts = reader.end()
                self._learn(reader)
                for part in parts:
                    yield part
            except GeneratorExit:  # the turn has enough of it
                self._read_on(events, reader, response)
                raise
            finally:
                await self._release(response)
        except BadEvents as error:
            raise ProviderFailed("ENGINE_FAILED", f"{self.name} sent {error}", ErrorClass.TRANSIENT) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, BadBody) as error:
            raise failure_of(self.name, error) from error

    def _learn(self, reader: CompletionReader) -> None:
        """A server that once begins inside a thought does so with each answer."""
        self._is_known = self._is_known or reader.is_over or reader.began_in_reasoning
        if reader.began_in_reasoning and not self._begins_in_reasoning:
            self._begins_in_reasoning = True
            log.warning("provider_begins_in_reasoning", provider=self.name)

    def _read_on(self, events: AsyncGenerator[str, None], reader: CompletionReader, response: httpx.Response) -> None:
        """Have the rest of an answer read until the server is known: a turn ends a reply before the end of a thought,
        which would be spoken in each answer to come.
        """
        if self._is_known or self._reading_on is not None:
            return

        async def read() -> None:
            try:
                async with asyncio.timeout(_READ_ON_LIMIT_S):
                    while not self._is_known and (event := await _next_event(events, reader)) is not None:
                        reader.take(event)
                        self._learn(reader)
            except (TimeoutError, *_BROKEN) as error:
                log.debug("answer_not_read_on", provider=self.name, error=type(error).__name__)
            finally:
                self._reading_on = self._read_response = None
                await response.aclose()

        self._read_response = response
        self._reading_on = asyncio.create_task(read())

    async def _release(self, response: httpx.Response) -> None:
        """Close a response, unless it is read on."""
        if response is not self._read_response:
            await response.aclose()

    async def commit(self, conversation: str, turn_id: int) -> None:
        """Do nothing: a draft is requested like any other turn."""

    async def prepare(self, conversation: str, messages: tuple[Message, ...], *, language_code: str) -> None:
        """Do nothing: the server keeps its own cache of prefixes."""

    async def forget(self, conversation: str) -> None:
        """Do nothing: there is no cache in this process."""

    async def close(self) -> None:
        for task in (self._warming, self._reading_on):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _ask(self, client: httpx.AsyncClient, content: bytes) -> httpx.Response:
        """Send the request; return the response when its headers have come. A connection that was closed while it was
        idle is replaced once.
        """
        request = client.build_request(
            "POST", "chat/completions", content=content, headers={"Content-Type": "application/json"}
        )
        try:
            return await client.send(request, stream=True)
        except (httpx.HTTPError, OSError) as error:
            if not was_dropped(error):
                raise
        return await client.send(request, stream=True)

    async def _finish(self, events: AsyncGenerator[str, None], *, is_whole: bool) -> None:
        """Read to the end of a whole response, so that its connection can be used again."""
        if is_whole:
            with suppress(TimeoutError, *_BROKEN):
                async with asyncio.timeout(_END_LIMIT_S):
                    async for _ in events:
                        pass

    async def _read_error(self, response: httpx.Response, time: AnswerTime) -> bytes:
        """Return as much of the body as comes in time."""
        body = b""
        chunks = response.aiter_raw()
        with suppress(ProviderFailed):
            async with time.waiting():
                async for chunk in chunks:
                    body += chunk
                    if len(body) > _MAX_ERROR_BYTES:
                        break
        return body

    async def _check_key(self) -> None:
        """Check the key at the start. An unreachable server may come later; a refused key stays refused."""
        try:
            response = await self._warm_up()
        except ProviderFailed as failed:
            if failed.error_class is ErrorClass.FATAL:
                raise NotServing(failed.message) from failed
            log.warning("provider_away", provider=self.name, why=failed.message)
            return
        status, said = response.status_code, response.text.lower()
        if status == 403 and any(word in said for word in _MAY_STILL_CHAT):
            log.warning("provider_lists_no_models", provider=self.name, why=said_in(response.content))
        elif status in {401, 403}:
            raise NotServing(
                f"{without_userinfo(self._base_url)} answered {status}: NLU_OPENAI_API_KEY is missing or refused"
            )

    async def _warm_up(self) -> httpx.Response:
        """Open connections; return the response with the worst status."""
        client = self._client
        if client is None:
            raise ProviderFailed("ENGINE_STOPPED", f"{self.name} is closed", ErrorClass.TRANSIENT)
        try:
            asked = [client.get("models", timeout=_CONNECT_LIMIT_S) for _ in range(_WARM_CONNECTIONS)]
            responses = await asyncio.gather(*asked)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, BadBody) as error:
            raise failure_of(self.name, error) from error
        return max(responses, key=lambda response: response.status_code)

    async def _keep_warm(self) -> None:
        while True:
            await asyncio.sleep(_WARM_EVERY_S)
            with suppress(ProviderFailed):
                await self._warm_up()


async def _next_event(events: AsyncGenerator[str, None], reader: CompletionReader) -> str | None:
    """Return the next event; None at the end. Once the answer is whole, a broken connection is no failure."""
    try:
        return await anext(events, None)
    except _BROKEN:
        if reader.has_finished:
            return None
        raise


async def _read_events(response: httpx.Response, time: AnswerTime) -> AsyncGenerator[str, None]:
    """Yield the data of the response's events. A server that does not stream sends one JSON object: it is one event.

    Its first letter says which of the two comes: servers and proxies name either by the type of the other.
    """
    chunks = response.aiter_raw()
    reader, body = EventReader(), bytearray()
    is_stream: bool | None = None  # not known yet
    while True:
        async with time.waiting():  # reading is in it: a flood of comments is read in no time but the reader's
            chunk = await anext(chunks, None)
            if chunk and not is_stream:
                body += chunk
            if is_stream is None and (start := _start_of(body)):
                is_stream = not start.startswith(b"{")
                chunk, body = (bytes(body), bytearray()) if is_stream else (b"", start)
            events = reader.feed(chunk) if chunk and is_stream else []
        if chunk is None:
            break
        for event in events:
            yield event
        if len(body) > MAX_EVENT_BYTES:
            raise BadEvents(f"an event of more than {MAX_EVENT_BYTES} bytes")
    if body and is_stream is False:
        yield body.decode(errors="replace")


def _start_of(body: bytearray) -> bytearray:
    """Return the body from its first letter on. Empty: none has come yet."""
    if BYTE_ORDER_MARK.startswith(body):
        return bytearray()
    return body.removeprefix(BYTE_ORDER_MARK).lstrip()


def body_of(request: ReplyRequest, settings: NluSettings) -> dict[str, Any]:
    """Return the body of POST /chat/completions for a turn, streamed."""
    messages = write_messages(request.messages)
    if request.begun:
        messages += [{"role": "assistant", "content": request.begun}, {"role": "user", "content": CONTINUE}]
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": settings.openai_model,
        "messages": messages,
        "stream": True,
        "temperature": settings.temperature if sampling.temperature is None else sampling.temperature,
        settings.openai_token_limit_field: settings.max_reply_tokens,
    }
    asked = {"top_p": sampling.top_p, "seed": sampling.seed}
    body |= {name: value for name, value in asked.items() if value is not None}
    if request.tools:
        body["tools"] = [write_tool(tool) for tool in request.tools]
    return body
