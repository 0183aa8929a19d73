"""The prompts of every agent: recorded ones at once, the agent's own as soon as the TTS stage has spoken them."""

import asyncio
from collections import deque
from collections.abc import Iterable

import grpc
from voice.tts.v1.tts_pb2_grpc import TtsServiceStub

from services.audio.pcm import AudioFormat
from services.call_gateway.conversation.profile import AgentProfile, AgentPrompt
from services.call_gateway.conversation.prompts import PromptBook
from services.call_gateway.prompts.recorded import Recording, recordings, rendered
from services.call_gateway.stages.rendering import NotRendered, render
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

MAX_WAITING_PROFILES = 32
"""Profiles to be rendered. One more is left out until it is seen again: its calls have the recorded prompts."""
MAX_AGENTS = 256
"""Agents whose prompts are kept."""
RETRY_S = 30.0

log = get_logger(__name__)
metrics = StageMetrics("call")


class PromptLibrary:
    """Gives each call its book of prompts, which grows while the call runs."""

    def __init__(self, tts: grpc.aio.Channel) -> None:
        self._stub = TtsServiceStub(tts)
        self._recordings = recordings()
        self._shelves: dict[str, _Shelf] = {}  # by agent, the one seen last at the end
        self._waiting: deque[tuple[str, AgentProfile]] = deque()
        self._arrived = asyncio.Event()

    def book(self, agent_id: str, audio_format: AudioFormat) -> PromptBook:
        """The prompts of an agent in a leg's format; calls of the same agent share it."""
        return self._shelf(agent_id).book(audio_format)

    def learn(self, agent_id: str, profile: AgentProfile) -> None:
        """An agent has shown itself: what it wants the gateway to say is rendered beside the calls."""
        if not self._shelf(agent_id).lacks(profile.prompts):
            return
        if len(self._waiting) >= MAX_WAITING_PROFILES:
            metrics.queue_dropped_total("prompts").inc()
            return
        self._waiting.append((agent_id, profile))
        self._arrived.set()

    async def run(self) -> None:
        """Render what waits, one sentence at a time, until cancelled. A voice that is down is tried again later."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                agent_id, profile = self._waiting.popleft()
                try:
                    await self._render(agent_id, profile)
                except NotRendered as failed:
                    log.warning("prompt_not_rendered", agent_id=agent_id, reason=failed.reason)
                    if failed.is_retryable:
                        self._waiting.append((agent_id, profile))
                        await asyncio.sleep(RETRY_S)

    async def _render(self, agent_id: str, profile: AgentProfile) -> None:
        for prompt in self._shelf(agent_id).lacks(profile.prompts):
            content = await render(self._stub, prompt.text, prompt.language_code, profile)
            self._shelf(agent_id).put(Recording(prompt.kind, prompt.language_code, prompt.text, content))
            log.info("prompt_rendered", agent_id=agent_id, kind=prompt.kind.value, language_code=prompt.language_code)

    def _shelf(self, agent_id: str) -> "_Shelf":
        shelf = self._shelves.pop(agent_id, None) or _Shelf(self._recordings)
        self._shelves[agent_id] = shelf
        if len(self._shelves) > MAX_AGENTS:
            del self._shelves[next(iter(self._shelves))]
        return shelf


class _Shelf:
    """One agent's prompts in every format that was asked for."""

    def __init__(self, recorded: list[Recording]) -> None:
        self._recordings = {(recording.kind, recording.language_code): recording for recording in recorded}
        self._books: dict[AudioFormat, PromptBook] = {}

    def lacks(self, prompts: Iterable[AgentPrompt]) -> list[AgentPrompt]:
        """Those that are not here in these words."""
        return [prompt for prompt in prompts if self._text(prompt) != prompt.text]

    def put(self, recording: Recording) -> None:
        self._recordings[recording.kind, recording.language_code] = recording
        for audio_format, book in self._books.items():
            book.add(recording.kind, recording.language_code, rendered(recording, audio_format))

    def book(self, audio_format: AudioFormat) -> PromptBook:
        if audio_format not in self._books:
            self._books[audio_format] = PromptBook()
            for recording in self._recordings.values():
                prompt = rendered(recording, audio_format)
                self._books[audio_format].add(recording.kind, recording.language_code, prompt)
        return self._books[audio_format]

    def _text(self, prompt: AgentPrompt) -> str:
        recording = self._recordings.get((prompt.kind, prompt.language_code))
        return recording.text if recording is not None else ""
