"""Engine `gemini`: Google's Gemini by the official client `google-genai`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import httpx
from google import genai
from google.genai import errors, types

from services.nlu.engine import Began, CutShort, Message, ReplyPart, ReplyRequest, Role, ToolWanted
from services.nlu.history import ToolCall
from services.nlu.remote.answer import AnswerText, AnswerTime, readable_json
from services.nlu.remote.failures import from_status
from services.nlu.remote.messages import CONTINUE, call_of
from services.nlu.remote.transport import HEADERS, BadBody, bound_body, failure_of, was_dropped
from services.nlu.settings import NluSettings, read_secret
from services.runtime.breaker import ErrorClass
from services.runtime.errors import NotServing, TurnFailed
from services.runtime.loading import loading
from services.runtime.logs import get_logger
from services.runtime.providers import ProviderFailed

_MAX_PIECE_CHARS = 256 * 1024
_WARM_EVERY_S = 25.0
_LAST_RESPONSES_LIMIT_S = 2.0  # behind a reason to finish; older models send one with each piece of text
_WARM_LIMIT_S = 4.0
_CONNECT_LIMIT_S = 2.0
_FILTERED = frozenset(
    {
        types.FinishReason.SAFETY,
        types.FinishReason.RECITATION,
        types.FinishReason.BLOCKLIST,
        types.FinishReason.PROHIBITED_CONTENT,
        types.FinishReason.SPII,
        types.FinishReason.LANGUAGE,
    }
)

log = get_logger(__name__)


class GeminiEngine:
    """Gemini. The persona is the system instruction, the conversation the contents. Thinking is off: a caller waits."""

    name = "gemini"
    continues = True

    def __init__(self, settings: NluSettings) -> None:
        self._settings = settings
        self.model = settings.gemini_model
        self._client: genai.Client | None = None
        self._http: httpx.AsyncClient | None = None
        self._warming: asyncio.Task[None] | None = None

    async def load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        settings = self._settings
        key = read_secret(settings.gemini_api_key, settings.gemini_api_key_file, "NLU_GEMINI_API_KEY")
        if not key:
            raise NotServing("NLU_GEMINI_API_KEY is not set, and the Gemini API asks for one")
        with loading("NLU_GEMINI_BASE_URL, or a proxy or certificates of the environment,"):
            self._http = httpx.AsyncClient(
                headers=HEADERS, event_hooks={"response": [bound_body]}, timeout=_CONNECT_LIMIT_S
            )
            self._client = genai.Client(
                api_key=key,
                http_options=types.HttpOptions(
                    base_url=settings.gemini_base_url or None,
                    retry_options=types.HttpRetryOptions(attempts=1),  # a chain tries again elsewhere, and sooner
                    httpx_async_client=self._http,
                ),
            )
        try:
            await self._warm_up(self._client)
        except ProviderFailed as failed:
            if failed.error_class is ErrorClass.FATAL:
                raise NotServing(f"NLU_GEMINI_API_KEY or NLU_GEMINI_MODEL: {failed.message}") from failed
            log.warning("provider_away", provider=self.name, why=failed.message)
        self._warming = asyncio.create_task(self._keep_warm(self._client))

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        if self._client is None:
            raise TurnFailed("ENGINE_STOPPED", "the server is stopping", is_retryable=True)
        yield Began()
        reader = ResponseReader(self.name, max_tokens=self._settings.max_reply_tokens)
        time = AnswerTime(self.name, stall_s=self._settings.remote_stall_limit_s, total_s=self._settings.turn_limit_s)
        try:
            async with time.waiting():
                responses, response = await self._ask(self._client, request)
            try:
                while response is not None:
                    n_taken, had_finished = reader.n_taken, reader.has_finished
                    for part in reader.take(response):
                        yield part
                    if reader.is_over:
                        return
                    if reader.has_finished and not had_finished:
                        time.ends_within(_LAST_RESPONSES_LIMIT_S)
                    elif reader.n_taken > n_taken:
                        time.progressed()
                    try:
                        async with time.waiting():
                            response = await anext(responses, None)
                    except Exception:
                        if not reader.has_finished:
                            raise
                        break  # the answer is whole: how its connection breaks says nothing of it
                for part in reader.end():
                    yield part
            finally:
                await responses.aclose()
        except TurnFailed:
            raise
        except Exception as error:  # the client raises its own errors, its transport's, and pydantic's
            raise _failure(self.name, error) from error

    async def _ask(
        self, client: genai.Client, request: ReplyRequest
    ) -> tuple[AsyncGenerator[types.GenerateContentResponse, None], types.GenerateContentResponse | None]:
        """Open the stream of responses and read the first. A connection that was closed while idle is replaced once."""
        contents, config = write_contents(request), write_config(request, self._settings)
        for is_last in (False, True):
            responses: Any = None
            try:
                responses = await client.aio.models.generate_content_stream(
                    model=self.model, contents=contents, config=config
                )
                return responses, await anext(responses, None)
            except Exception as error:
                if responses is not None:
                    await responses.aclose()
                if is_last or not was_dropped(error):
                    raise
        raise AssertionError("the last try returns or raises")

    async def commit(self, conversation: str, turn_id: int) -> None:
        """Do nothing: a draft is requested like any other turn."""

    async def prepare(self, conversation: str, messages: tuple[Message, ...], *, language_code: str) -> None:
        """Do nothing: the server keeps its own cache of prefixes."""

    async def forget(self, conversation: str) -> None:
        """Do nothing: there is no cache in this process."""

    async def close(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            with suppress(asyncio.CancelledError):
                await self._warming
        if self._client is not None:
            client, self._client = self._client, None
            await client.aio.aclose()
        if self._http is not None:
            await self._http.aclose()

    async def _warm_up(self, client: genai.Client) -> None:
        """Open a connection and check the key and the model."""
        try:
            async with asyncio.timeout(_WARM_LIMIT_S):
                await client.aio.models.get(model=self.model)
        except Exception as error:
            raise _failure(self.name, error) from error

    async def _keep_warm(self, client: genai.Client) -> None:
        while True:
            await asyncio.sleep(_WARM_EVERY_S)
            with suppress(ProviderFailed):
                await self._warm_up(client)


class ResponseReader:
    """Reader of the responses of one stream: gives parts of the reply. Sans-IO."""

    def __init__(self, provider: str, *, max_tokens: int) -> None:
        self._provider = provider
        self._text = AnswerText(max_tokens)
        self._has_tool = False
        self.n_taken = 0  # parts that brought something of the answer, thoughts as well
        self._finish: types.FinishReason | None = None
        self.is_over = False

    @property
    def has_finished(self) -> bool:
        """The server has said why the answer ends."""
        return self._finish not in {None, types.FinishReason.FINISH_REASON_UNSPECIFIED}

    def take(self, response: types.GenerateContentResponse) -> list[ReplyPart]:
        """Take a response; return its parts. Raises ProviderFailed."""
        if (feedback := response.prompt_feedback) is not None and feedback.block_reason is not None:
            raise ProviderFailed("CONTENT_FILTERED", f"{self._provider} blocked the prompt", ErrorClass.REQUEST)
        parts: list[ReplyPart] = []
        for candidate in (response.candidates or [])[:1]:
            for part in (candidate.content.parts if candidate.content else None) or []:
                parts += self._take_part(part)
            self._finish = candidate.finish_reason or self._finish
        return parts

    def end(self) -> list[ReplyPart]:
        """The stream has ended. Raises ProviderFailed where it ended in the middle."""
        reason = self._finish
        if reason in _FILTERED and not self._text.has_text:
            raise ProviderFailed("CONTENT_FILTERED", f"{self._provider} filtered the answer", ErrorClass.REQUEST)
        if reason in _FILTERED or reason is types.FinishReason.MAX_TOKENS:
            return [CutShort()]
        if reason is not types.FinishReason.STOP or not (self._text.has_text or self._has_tool):
            what = reason.value if reason else "no reason"
            message = f"{self._provider} ended its stream in mid-answer ({what})"
            raise ProviderFailed("ENGINE_FAILED", message, ErrorClass.TRANSIENT)
        return []

    def _take_part(self, part: types.Part) -> list[ReplyPart]:
        if part.function_call is not None:
            call = part.function_call
            if not call.name:
                raise ProviderFailed("ENGINE_FAILED", f"{self._provider} named no tool", ErrorClass.TRANSIENT)
            self._has_tool = True
            self.n_taken += 1
            return [ToolWanted(call.name, readable_json(json.dumps(call.args or {}, ensure_ascii=False)))]
        if not part.text:
            return []
        self.n_taken += 1
        if part.thought:
            return []
        if len(part.text) > _MAX_PIECE_CHARS:
            raise ProviderFailed("ENGINE_FAILED", f"{self._provider} sent too much at once", ErrorClass.TRANSIENT)
        parts = self._text.take(part.text)
        self.is_over = self._text.is_over
        return parts


def write_contents(request: ReplyRequest) -> list[types.Content]:
    """Return the conversation in Gemini's roles, without the system's messages."""
    contents: list[types.Content] = []
    messages: Sequence[Message] = request.messages
    if request.begun:
        messages = (*messages, Message(Role.AGENT, request.begun), Message(Role.CALLER, CONTINUE))
    for is_tool, group in groupby(messages, key=lambda message: message.role is Role.TOOL):
        if is_tool:
            _add_calls(contents, [call_of(message) for message in group])
            continue
        for message in group:
            if message.role is not Role.SYSTEM:
                role = "model" if message.role is Role.AGENT else "user"
                _add(contents, role, types.Part(text=message.text))
    if not contents or contents[0].role == "model":  # a conversation begins with its user
        contents.insert(0, types.Content(role="user", parts=[types.Part(text="(The call begins.)")]))
    return contents


def write_config(request: ReplyRequest, settings: NluSettings) -> types.GenerateContentConfig:
    system = "\n\n".join(message.text for message in request.messages if message.role is Role.SYSTEM)
    declarations = [
        types.FunctionDeclaration(
            name=tool.name, description=tool.description, parameters_json_schema=json.loads(tool.parameters_json)
        )
        for tool in request.tools
    ]
    sampling = request.sampling
    return types.GenerateContentConfig(
        system_instruction=system or None,
        temperature=settings.temperature if sampling.temperature is None else sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
        max_output_tokens=settings.max_reply_tokens,
        candidate_count=1,
        tools=[types.Tool(function_declarations=declarations)] if declarations else None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        thinking_config=types.ThinkingConfig(thinking_budget=0),
    )


def _add_calls(contents: list[types.Content], calls: list[ToolCall]) -> None:
    """Add calls: those in a row are one turn of the model, and their results one of the user."""
    for call in calls:
        wanted = types.FunctionCall(name=call.name, args=json.loads(call.arguments_json))
        _add(contents, "model", types.Part(function_call=wanted))
    for call in calls:
        answer = types.FunctionResponse(name=call.name, response=_as_object(call.result_json))
        _add(contents, "user", types.Part(function_response=answer))


def _add(contents: list[types.Content], role: str, part: types.Part) -> None:
    """Add a part: parts of the same role in a row are one content."""
    if contents and contents[-1].role == role and contents[-1].parts is not None:
        contents[-1].parts.append(part)
    else:
        contents.append(types.Content(role=role, parts=[part]))


def _as_object(result: str) -> dict[str, Any]:
    try:
        found = json.loads(result)
    except ValueError:
        found = result
    return found if isinstance(found, dict) else {"result": found}


def _failure(provider: str, error: Exception) -> ProviderFailed:
    if isinstance(error, errors.APIError):
        headers = getattr(error.response, "headers", None) or {}
        body = json.dumps(error.details, default=str).encode()
        return from_status(provider, error.code or 500, dict(headers), body, now=datetime.now(UTC))
    if isinstance(error, BadBody):
        return failure_of(provider, error)
    if isinstance(error, ValueError | RecursionError):  # json and pydantic: the data is no response of Gemini
        return ProviderFailed("ENGINE_FAILED", f"{provider} sent what is no response", ErrorClass.TRANSIENT)
    return failure_of(provider, error)
