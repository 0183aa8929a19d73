"""OpenAI's chat completions behind the engine interface, over HTTP connections that are kept warm.

httpx rather than the official client: the first token comes through sooner (tests/load/chat_clients.py measures both),
and the bytes of an event are bounded.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx

from services.nlu.engine import Began, Message, ReplyPart, ReplyRequest
from services.nlu.engines.openai.request import body_of
from services.nlu.engines.openai.stream import CompletionReader
from services.nlu.remote.failures import from_status
from services.nlu.remote.sse import BadEvents, EventReader
from services.nlu.remote.transport import failure_of
from services.nlu.settings import NluSettings, read_secret
from services.nlu.tool_calls import with_calls
from services.runtime.breaker import ErrorClass
from services.runtime.errors import NotServing, StartupError, TurnFailed
from services.runtime.logs import get_logger
from services.runtime.providers import ProviderFailed

_OPENAI_HOST = "api.openai.com"
_WARM_CONNECTIONS = 2
_WARM_EVERY_S = 25.0  # below the 60 s after which load balancers drop what is idle
_KEPT_IDLE_S = 300.0
_CONNECT_LIMIT_S = 2.0
_END_LIMIT_S = 0.1  # from the last event to the end of the response
_MAX_ERROR_BYTES = 64 * 1024

log = get_logger(__name__)


class OpenAiEngine:
    """One server. Nothing is computed here, so nothing is cached here."""

    name = "openai"
    continues = True

    def __init__(self, settings: NluSettings) -> None:
        self._settings = settings
        self.model = settings.openai_model
        self._base_url = settings.openai_base_url.rstrip("/")
        self._client: httpx.AsyncClient | None = None
        self._warming: asyncio.Task[None] | None = None

    async def load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        settings = self._settings
        key = read_secret(settings.openai_api_key, settings.openai_api_key_file, "NLU_OPENAI_API_KEY")
        if not key and urlsplit(self._base_url).hostname == _OPENAI_HOST:
            raise NotServing("NLU_OPENAI_API_KEY is not set, and api.openai.com asks for one")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            self._client = httpx.AsyncClient(
                base_url=self._base_url,
                headers=headers | {"Accept": "text/event-stream"},
                timeout=httpx.Timeout(None, connect=_CONNECT_LIMIT_S, pool=_CONNECT_LIMIT_S),
                limits=httpx.Limits(
                    max_connections=2 * settings.max_streams,
                    max_keepalive_connections=settings.max_streams,
                    keepalive_expiry=_KEPT_IDLE_S,
                ),
                verify=ssl.create_default_context(cafile=settings.openai_ca_file) if settings.openai_ca_file else True,
            )
        except (OSError, ValueError) as error:  # an unreadable certificate, a proxy or URL that is none
            raise StartupError(
                f"NLU_OPENAI_BASE_URL, NLU_OPENAI_CA_FILE or a proxy of the environment: {error}"
            ) from error
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
        headers = {"Content-Type": "application/json"}
        yield Began()
        reader = CompletionReader(self.name, max_tokens=self._settings.max_reply_tokens)
        try:
            async with client.stream("POST", "chat/completions", content=content, headers=headers) as response:
                if response.status_code != 200:
                    body = await self._read_error(response)
                    raise from_status(self.name, response.status_code, response.headers, body, now=datetime.now(UTC))
                events = EventReader()
                chunks = self._in_time(response)
                async for chunk in chunks:
                    for event in events.feed(chunk):
                        for part in reader.take(event):
                            yield part
                    if reader.is_over:
                        await self._finish(chunks, is_whole=reader.is_whole)
                        return
                for part in reader.end():
                    yield part
        except BadEvents as error:
            raise ProviderFailed("ENGINE_FAILED", f"{self.name} sent {error}", ErrorClass.TRANSIENT) from error
        except TimeoutError as error:
            limit_s = self._settings.remote_stall_limit_s
            message = f"{self.name} sent nothing for {limit_s:g} s"
            raise ProviderFailed("ENGINE_FAILED", message, ErrorClass.TRANSIENT) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise failure_of(self.name, error) from error

    async def commit(self, conversation: str, turn_id: int) -> None:
        """A draft is asked for like any other turn."""

    async def prepare(self, conversation: str, messages: tuple[Message, ...]) -> None:
        """The server keeps its own cache of prefixes."""

    async def forget(self, conversation: str) -> None:
        """Nothing is kept here."""

    async def close(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            with suppress(asyncio.CancelledError):
                await self._warming
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _in_time(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """The response's bytes. Raises TimeoutError when none come for too long."""
        chunks = response.aiter_raw()
        while True:
            async with asyncio.timeout(self._settings.remote_stall_limit_s):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            yield chunk

    async def _finish(self, chunks: AsyncIterator[bytes], *, is_whole: bool) -> None:
        """Read to the end of a whole response, so that its connection can be used again."""
        if is_whole:
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_LIMIT_S):
                    async for _ in chunks:
                        pass

    async def _read_error(self, response: httpx.Response) -> bytes:
        body = b""
        async for chunk in self._in_time(response):
            body += chunk
            if len(body) > _MAX_ERROR_BYTES:
                break
        return body

    async def _check_key(self) -> None:
        """Open connections before the first call. A server that is away may come; a key that is refused will not."""
        try:
            status = await self._warm_up()
        except ProviderFailed as failed:
            if failed.error_class is ErrorClass.FATAL:
                raise NotServing(failed.message) from failed
            log.warning("provider_away", provider=self.name, why=failed.message)
            return
        if status in {401, 403}:
            raise NotServing(f"{self._base_url} answered {status}: NLU_OPENAI_API_KEY is missing or refused")

    async def _warm_up(self) -> int:
        """Have connections open; returns a status that the server gave."""
        client = self._client
        if client is None:
            return 0
        try:
            asked = [client.get("models", timeout=_CONNECT_LIMIT_S) for _ in range(_WARM_CONNECTIONS)]
            responses = await asyncio.gather(*asked)
        except (httpx.HTTPError, OSError) as error:
            raise failure_of(self.name, error) from error
        return max(response.status_code for response in responses)

    async def _keep_warm(self) -> None:
        while True:
            await asyncio.sleep(_WARM_EVERY_S)
            with suppress(ProviderFailed):
                await self._warm_up()
