"""The prompts of every agent: recorded ones at once, the agent's own as soon as the TTS stage has spoken them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Hashable, Iterable

import grpc
from voice.tts.v1.tts_pb2 import SYNTHESIS_PURPOSE_AHEAD
from voice.tts.v1.tts_pb2_grpc import TtsServiceStub

from services.audio.pcm import TELEPHONE, AudioFormat
from services.call_gateway.profile import AgentProfile, AgentPrompt, FixedText
from services.call_gateway.prompts.book import PromptBook, PromptKind, RenderedPrompt
from services.call_gateway.prompts.recorded import Recording, Shipped, rendered
from services.call_gateway.stages.rendering import NotRendered, render
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

MAX_WAITING_PROFILES = 32
"""Profiles to be rendered. One more is left out until it is seen again: its calls have the recorded prompts."""
MAX_AGENTS = 256
"""Agents whose prompts are kept."""
RETRY_S = 10.0

log = get_logger(__name__)
metrics = StageMetrics("call")
metrics.queue_dropped_total("prompts")  # there from the start: a series that begins at its first drop has no rate


class PromptLibrary:
    """Gives each call its book of prompts, which grows while the call runs. Agents go by any key."""

    def __init__(self, tts: grpc.aio.Channel, shipped: Shipped | None = None) -> None:
        """`shipped`: what comes with the gateway, made ready beforehand, which takes a fraction of a second."""
        self._stub = TtsServiceStub(tts)
        self._shipped = shipped or Shipped()
        self._shelves: dict[Hashable, _Shelf] = {}  # the one seen last at the end
        self._made_ahead: dict[Hashable, tuple[FixedText, ...]] = {}  # by agent: the voice has them
        self._waiting: deque[tuple[Hashable, AgentProfile]] = deque()
        self._arrived = asyncio.Event()

    def book(self, agent: Hashable, audio_format: AudioFormat) -> PromptBook:
        """The prompts of an agent in a leg's format; calls of the same agent share it."""
        return self._shelf(agent).book(audio_format)

    def learn(self, agent: Hashable, profile: AgentProfile) -> None:
        """Take an agent's profile: its prompts are rendered beside the calls."""
        if not self._shelf(agent).lacks(profile.prompts) and self._made_ahead.get(agent, ()) == profile.fixed_texts:
            return
        if len(self._waiting) >= MAX_WAITING_PROFILES:
            metrics.queue_dropped_total("prompts").inc()
            return
        self._waiting.append((agent, profile))
        self._arrived.set()

    async def run(self) -> None:
        """Render what waits, one sentence at a time, until cancelled. A voice that is down is tried again later."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                agent, profile = self._waiting.popleft()
                if not await self._render(agent, profile):
                    self._waiting.append((agent, profile))
                    await asyncio.sleep(RETRY_S)

    async def _render(self, agent: Hashable, profile: AgentProfile) -> bool:
        """Render an agent's prompts. Returns False when another try may give more. A prompt that the voice refuses is
        skipped.
        """
        is_done = True
        for prompt in self._shelf(agent).lacks(profile.prompts):
            try:
                content = await self._speak(prompt, profile)
            except NotRendered as failed:
                log.warning(
                    "prompt_not_rendered",
                    agent_id=profile.agent_id,
                    kind=prompt.kind.value,
                    language=prompt.language_code,
                    reason=failed.reason,
                )
                is_done = is_done and not failed.is_retryable
                if not failed.is_retryable:
                    self._shelf(agent).leave_out(prompt)
                continue
            self._shelf(agent).put(Recording(prompt.kind, prompt.language_code, prompt.text, content))
        if self._made_ahead.get(agent, ()) != profile.fixed_texts:
            is_done = await self._make_ahead(agent, profile) and is_done
        return is_done

    async def _make_ahead(self, agent: Hashable, profile: AgentProfile) -> bool:
        """Have the voice keep what the agent says in every call, as calls will ask for it."""
        is_done = True
        for fixed in profile.fixed_texts:
            try:
                await _spoken(
                    render(self._stub, fixed.text, fixed.language_code, profile, purpose=SYNTHESIS_PURPOSE_AHEAD)
                )
            except NotRendered as failed:
                log.info("fixed_text_not_made_ahead", agent_id=profile.agent_id, reason=failed.reason)
                is_done = is_done and not failed.is_retryable
        if is_done:
            self._made_ahead.pop(agent, None)
            self._made_ahead[agent] = profile.fixed_texts
            if len(self._made_ahead) > MAX_AGENTS:
                del self._made_ahead[next(iter(self._made_ahead))]
        return is_done

    async def _speak(self, prompt: AgentPrompt, profile: AgentProfile) -> bytes:
        content = await _spoken(render(self._stub, prompt.text, prompt.language_code, profile))
        log.info("prompt_rendered", agent_id=profile.agent_id, kind=prompt.kind.value, language=prompt.language_code)
        return content

    def _shelf(self, agent: Hashable) -> "_Shelf":
        shelf = self._shelves.pop(agent, None) or _Shelf(self._shipped)
        self._shelves[agent] = shelf
        if len(self._shelves) > MAX_AGENTS:
            del self._shelves[next(iter(self._shelves))]
        return shelf


async def _spoken(rendering: Awaitable[bytes]) -> bytes:
    """Return one sentence's sound. Raises NotRendered, also where the rendering breaks: the other sentences go on."""
    try:
        return await rendering
    except NotRendered:
        raise
    except Exception as error:
        log.exception("rendering_broke")
        raise NotRendered("RENDERING_BROKE", is_retryable=False) from error


class _Shelf:
    """One agent's prompts in every format that was asked for."""

    def __init__(self, shipped: Shipped) -> None:
        self._shipped = shipped
        self._own: dict[tuple[PromptKind, str], Recording] = {}
        self._books: dict[AudioFormat, PromptBook] = {}
        self._left_out: set[tuple[PromptKind, str, str]] = set()  # of the profile seen last

    def lacks(self, prompts: Iterable[AgentPrompt]) -> list[AgentPrompt]:
        """Return the prompts that are missing in these words and can be made."""
        asked = {(prompt.kind, prompt.language_code, prompt.text): prompt for prompt in prompts}
        self._left_out &= set(asked)
        return [
            prompt for key, prompt in asked.items() if key not in self._left_out and self._text(prompt) != prompt.text
        ]

    def leave_out(self, prompt: AgentPrompt) -> None:
        """The voice will not say it: not tried again while the profile says so."""
        self._left_out.add((prompt.kind, prompt.language_code, prompt.text))

    def put(self, recording: Recording) -> None:
        self._own[recording.kind, recording.language_code] = recording
        for audio_format in self._books:
            self._convert(recording, audio_format)

    def book(self, audio_format: AudioFormat) -> PromptBook:
        if audio_format not in self._books:
            self._books[audio_format] = book = PromptBook()
            for (kind, language_code), prompt in self._shipped.in_format(audio_format).items():
                book.add(kind, language_code, prompt)
            for recording in self._own.values():
                self._convert(recording, audio_format)
        return self._books[audio_format]

    def _convert(self, recording: Recording, audio_format: AudioFormat) -> None:
        """Add one of the agent's own to a book, beside the event loop: until then the shipped one stands in for it."""
        book = self._books[audio_format]
        if audio_format == TELEPHONE:
            book.add(recording.kind, recording.language_code, rendered(recording, audio_format))
            return

        def add(done: asyncio.Future[RenderedPrompt]) -> None:
            if not done.cancelled() and self._own.get((recording.kind, recording.language_code)) is recording:
                book.add(recording.kind, recording.language_code, done.result())

        converting = asyncio.get_running_loop().run_in_executor(None, rendered, recording, audio_format)
        converting.add_done_callback(add)

    def _text(self, prompt: AgentPrompt) -> str:
        key = (prompt.kind, prompt.language_code)
        recording = self._own.get(key) or self._shipped.by_kind.get(key)
        return recording.text if recording is not None else ""
