"""The prompts of every agent: recorded ones at once, the agent's own as soon as the TTS stage has spoken them."""

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable

import grpc
from voice.tts.v1.tts_pb2_grpc import TtsServiceStub

from services.audio.pcm import AudioFormat
from services.call_gateway.conversation.profile import AgentProfile, AgentPrompt
from services.call_gateway.conversation.prompts import PromptBook
from services.call_gateway.prompts.recorded import Recording, recordings, rendered
from services.call_gateway.stages.agent_profile import voice_for
from services.call_gateway.stages.rendering import NotRendered, render
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

MAX_WAITING_PROFILES = 32
"""Profiles to be rendered. One more is left out until it is seen again: its calls have the recorded prompts."""
MAX_AGENTS = 256
"""Agents whose prompts are kept."""
MAX_SPOKEN = 1024
"""Sentences kept as sound, about 25 kB each."""
RETRY_S = 10.0

log = get_logger(__name__)
metrics = StageMetrics("call")


class PromptLibrary:
    """Gives each call its book of prompts, which grows while the call runs. Agents go by any key."""

    def __init__(self, tts: grpc.aio.Channel) -> None:
        self._stub = TtsServiceStub(tts)
        self._recordings = recordings()
        self._shelves: dict[Hashable, _Shelf] = {}  # the one seen last at the end
        self._spoken: dict[Hashable, bytes] = {}  # what was rendered, for agents that say the same
        self._waiting: deque[tuple[Hashable, AgentProfile]] = deque()
        self._arrived = asyncio.Event()

    def book(self, agent: Hashable, audio_format: AudioFormat) -> PromptBook:
        """The prompts of an agent in a leg's format; calls of the same agent share it."""
        return self._shelf(agent).book(audio_format)

    def learn(self, agent: Hashable, profile: AgentProfile) -> None:
        """An agent has shown itself: what it wants the gateway to say is rendered beside the calls."""
        if not self._shelf(agent).lacks(profile.prompts):
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
                try:
                    await self._render(agent, profile)
                except NotRendered as failed:
                    log.warning("prompt_not_rendered", agent_id=profile.agent_id, reason=failed.reason)
                    if failed.is_retryable:
                        self._waiting.append((agent, profile))
                        await asyncio.sleep(RETRY_S)

    async def _render(self, agent: Hashable, profile: AgentProfile) -> None:
        for prompt in self._shelf(agent).lacks(profile.prompts):
            content = await self._speak(prompt, profile)
            self._shelf(agent).put(Recording(prompt.kind, prompt.language_code, prompt.text, content))

    async def _speak(self, prompt: AgentPrompt, profile: AgentProfile) -> bytes:
        voice = voice_for(profile, prompt.language_code)
        key = (prompt.text, prompt.language_code, voice, profile.lexicon)
        if key not in self._spoken:
            content = await render(self._stub, prompt.text, prompt.language_code, profile)
            if len(self._spoken) >= MAX_SPOKEN:
                del self._spoken[next(iter(self._spoken))]
            self._spoken[key] = content
            log.info(
                "prompt_rendered", agent_id=profile.agent_id, kind=prompt.kind.value, language=prompt.language_code
            )
        return self._spoken[key]

    def _shelf(self, agent: Hashable) -> "_Shelf":
        shelf = self._shelves.pop(agent, None) or _Shelf(self._recordings)
        self._shelves[agent] = shelf
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
