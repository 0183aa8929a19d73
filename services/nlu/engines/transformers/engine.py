"""Engine `transformers`: Hugging Face's library in this process, with 4-bit weights where CUDA is, and the
library's continuous batching. torch is no part of the project's lock: deploy/transformers makes an environment for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import count
from typing import Any

import torch  # noqa: F401 - where it is missing, this engine is missing: told before anything is loaded

from services.nlu.engine import Began, CutShort, Message, ReplyPart, ReplyRequest, TextMade
from services.nlu.engines.transformers.model import BatchedModel
from services.nlu.engines.transformers.prompt import TokenText, tokens_of
from services.nlu.settings import NluSettings
from services.nlu.tool_calls import with_calls
from services.runtime.errors import NotServing, StartupError, TurnFailed
from services.runtime.loading import loading
from services.runtime.logs import get_logger
from services.runtime.watchdog import ENGINE_THREADS, LostThread

_LAST_OUTPUT_S = 5.0  # after which nothing more comes of a cancelled request
_LONGEST_STEP_S = 60.0

log = get_logger(__name__)


class TransformersEngine:
    """One model. Calls share its batches; the library shares the cache of prompts that begin alike."""

    name = "transformers"
    continues = True

    def __init__(self, settings: NluSettings) -> None:
        self._settings = settings
        self.model = settings.transformers_model.rstrip("/").rpartition("/")[2]
        self._batched: BatchedModel | None = None
        self._numbers = count(1)
        self._on_lost: Callable[[str], bool] = lambda why: False
        self._watch: Any = None
        self._is_lost = False

    def report_lost(self, on_lost: Callable[[str], bool]) -> None:
        """Before `load`: have a lost thread told to `on_lost`, as the engine llama_cpp does."""
        self._on_lost = on_lost

    async def load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        """Raises NotServing for a model that is not as it must be, StartupError for what may pass."""
        if not self._settings.transformers_model:
            raise NotServing("NLU_TRANSFORMERS_MODEL is not set: name a model's folder, or its name on the Hub")
        with loading(f"NLU_TRANSFORMERS_MODEL={self._settings.transformers_model}"):
            batched = await asyncio.to_thread(BatchedModel, self._settings)
        self._watch = ENGINE_THREADS.add("transformers", longest_call_s=_LONGEST_STEP_S, on_lost=self._lose)
        self._watch.watch(await asyncio.to_thread(batched.start, self._settings))
        self._batched = batched
        for number, messages in enumerate(prompts):  # the first step of all sets the batch up, and takes long
            await self._read(ReplyRequest(f"opening-{number}", 0, messages, ""))

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        async with aclosing(with_calls(self._reply(request), request.tools)) as parts:
            async for part in parts:
                yield part

    async def _reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        batched, settings = self._batched, self._settings
        if batched is None or self._is_lost:
            raise TurnFailed("ENGINE_STOPPED", "the model does not run", is_retryable=True)
        most = settings.max_reply_tokens + (settings.max_call_tokens if request.tools else 0)
        tokens = await asyncio.to_thread(self._prompt, request, most)
        made: asyncio.Queue[Any] = asyncio.Queue()  # bounded by `most`: the library ends the request there
        request_id = f"{next(self._numbers)}-{request.conversation}"
        sampling = batched.sampling(request.sampling.temperature, request.sampling.top_p)
        deadline_s = time.monotonic() + settings.reply_limit_s
        if not batched.ask(request_id, tokens, max_tokens=most, give=made.put_nowait, **sampling):
            raise TurnFailed("ENGINE_FAILED", "the model takes no more requests", is_retryable=True)
        text = TokenText(lambda ids: str(batched.tokenizer.decode(ids, skip_special_tokens=True)))
        has_begun = is_over = False
        try:
            while not is_over:
                try:
                    async with asyncio.timeout(max(0.0, deadline_s - time.monotonic())):
                        output = await made.get()
                except TimeoutError:
                    if not text.said:
                        raise TurnFailed("ENGINE_BUSY", "the model did not come to this turn in time", True) from None
                    yield CutShort()
                    return
                if output.error:
                    raise TurnFailed("ENGINE_FAILED", f"transformers: {output.error}"[:200], is_retryable=True)
                if not has_begun:
                    has_begun = True
                    yield Began()
                is_over = output.is_finished()
                ids = list(output.generated_tokens)
                ends = is_over and bool(ids) and ids[-1] in batched.end_tokens
                if new := text.take(ids[:-1] if ends else ids, is_whole=is_over):
                    yield TextMade(new)
                if is_over and not ends:
                    yield CutShort()
        finally:
            if not is_over:
                batched.cancel(request_id)
                asyncio.get_running_loop().call_later(_LAST_OUTPUT_S, batched.drop, request_id)

    def _prompt(self, request: ReplyRequest, most: int) -> list[int]:
        """Return the prompt's tokens. Raises TurnFailed."""
        if (batched := self._batched) is None:
            raise TurnFailed("ENGINE_STOPPED", "the server is stopping", is_retryable=True)
        try:
            tokens = tokens_of(request, batched.tokenizer)
        except ValueError as error:
            raise TurnFailed("ENGINE_FAILED", f"the chat template refuses the turn: {error}") from error
        if len(tokens) + most > min(batched.context_tokens, batched.cache_tokens):
            raise TurnFailed("HISTORY_TOO_LONG", "the conversation no longer fits the model's context")
        return tokens

    async def _read(self, request: ReplyRequest) -> None:
        """Compute an opening, so that the cache holds it and the model is warm."""
        try:
            async with aclosing(self._reply(request)) as parts:
                async for part in parts:
                    if isinstance(part, TextMade | CutShort):
                        return
        except TurnFailed as failed:
            why = f"the opening of an agent cannot be computed: {failed.message}"
            raise StartupError(why) if failed.is_retryable else NotServing(why) from failed

    async def commit(self, conversation: str, turn_id: int) -> None:
        """Do nothing: the library's batch has no priorities."""

    async def prepare(self, conversation: str, messages: tuple[Message, ...], *, language_code: str) -> None:
        """Do nothing: the library keeps the cache of a prompt only as long as a request uses it."""

    async def forget(self, conversation: str) -> None:
        """Do nothing: there is no cache of a conversation."""

    async def close(self) -> None:
        batched, self._batched = self._batched, None
        if self._watch is not None:
            self._watch.close()
        if batched is not None and not self._is_lost:
            await asyncio.to_thread(batched.stop)

    def _lose(self, lost: LostThread) -> bool:
        """The batching thread has ended. Return whether the service goes on without it."""
        self._is_lost = self._on_lost(f"its thread {lost.cause}")
        return self._is_lost
