"""Requests to a fresh STT stream: the sound that is owed, and each end and discard in its place."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from voice.stt.v1 import stt_pb2, stt_pb2_grpc
from voice.type.v1 import engine_pb2

from services.audio.pcm import AudioFormat, Encoding
from services.call_gateway.conversation.commands import DiscardUtterance, EndUtterance
from services.call_gateway.conversation.events import Event, StageReady, UtteranceSettled
from services.call_gateway.profile import AgentProfile
from services.call_gateway.sound.chunks import KEPT_S
from services.call_gateway.sound.track import Frame
from services.call_gateway.stages.facts import CallFacts
from services.call_gateway.stages.stream import StreamLimits
from services.call_gateway.stages.stt import SOUND_GONE, SttStage

RATE = 8000
PACKET = 160  # samples


class Stream:
    """A server's end of one stream: keeps what it is sent, and says its engine and what it is given to say."""

    def __init__(self) -> None:
        self.sent: list[stt_pb2.StreamingRecognizeRequest] = []
        self.says: asyncio.Queue[stt_pb2.StreamingRecognizeResponse] = asyncio.Queue()

    async def write(self, request: stt_pb2.StreamingRecognizeRequest) -> None:
        self.sent.append(request)

    async def read(self) -> stt_pb2.StreamingRecognizeResponse:
        return await self.says.get()

    async def done_writing(self) -> None: ...

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK

    async def details(self) -> str:
        return ""

    def cancel(self) -> None: ...

    async def begin(self) -> None:
        """Say the engine, and take what waits."""
        features = ["media_idle", "update", "utterance_discard"]
        self.says.put_nowait(
            stt_pb2.StreamingRecognizeResponse(engine=engine_pb2.EngineInfo(features=features, audio_step_ms=20))
        )
        for _ in range(20):
            await asyncio.sleep(0)
            self.listen(1 << 40)

    def listen(self, sample: int) -> None:
        self.says.put_nowait(stt_pb2.StreamingRecognizeResponse(progress=stt_pb2.Progress(processed_sample=sample)))

    @property
    def start_sample(self) -> int:
        return self.sent[0].config.start_sample


class Caller:
    """One call's STT stage, and the streams it has opened."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.streams: list[Stream] = []
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = self.events.append
        self.sample = 0
        self.stage = SttStage(
            cast("stt_pb2_grpc.SttServiceAsyncStub", SimpleNamespace(StreamingRecognize=self._open)),
            CallFacts("call", "", "", ("en-US",), "", AudioFormat(Encoding.MULAW, RATE)),
            profile=AgentProfile(),
            tasks=tasks,
            on_event=self._tell,
            limits=StreamLimits(),
        )

    def _tell(self, event: Event) -> None:
        self.on_event(event)

    def _open(self) -> Any:
        self.streams.append(Stream())
        return self.streams[-1]

    def speak(self, seconds: float) -> None:
        for _ in range(round(seconds * RATE / PACKET)):
            frame = Frame(self.sample, self.sample + PACKET, bytes([self.sample // PACKET % 256]) * PACKET, 3000.0)
            self.sample += PACKET
            self.stage.send_audio([frame])

    async def reopen(self, *, judged_sample: int = 0, on_ready: Callable[[], None] = lambda: None) -> Stream:
        """Open a fresh stream. `on_ready`: what the conversation does then."""
        self.on_event = lambda event: on_ready() if isinstance(event, StageReady) else self.events.append(event)
        self.stage.open(judged_sample=judged_sample)
        await asyncio.sleep(0)
        await self.streams[-1].begin()
        return self.streams[-1]

    @property
    def settled(self) -> list[UtteranceSettled]:
        return [event for event in self.events if isinstance(event, UtteranceSettled)]


def run(scenario: Callable[[Caller], Awaitable[None]]) -> None:
    async def call() -> None:
        async with asyncio.TaskGroup() as tasks:
            caller = Caller(tasks)
            await caller.reopen()
            await scenario(caller)
            await caller.stage.finish()

    asyncio.run(call())


def kinds(stream: Stream) -> list[str]:
    return [str(request.WhichOneof("request")) for request in stream.sent]


def test_words_whose_sound_is_gone_are_not_asked_for() -> None:
    async def scenario(caller: Caller) -> None:
        caller.speak(2)
        caller.speak(KEPT_S + 3)  # the stage has said nothing for so long
        fresh = await caller.reopen(on_ready=lambda: caller.stage.perform(EndUtterance(2 * RATE)))
        assert fresh.start_sample > 2 * RATE
        assert "utterance_end" not in kinds(fresh), "it would be refused with BAD_SAMPLE, and so would the next"
        assert [(end.end_sample, end.is_ok, end.reason) for end in caller.settled] == [(2 * RATE, False, SOUND_GONE)]

    run(scenario)


def test_a_sound_behind_an_end_settles_none_of_the_words_before_it() -> None:
    """The STT stage was lost as they spoke: only the level of the line told of it."""

    async def scenario(caller: Caller) -> None:
        caller.speak(2)
        caller.stage.perform(EndUtterance(RATE))
        caller.stage.perform(DiscardUtterance(RATE + RATE // 2, 2 * RATE))
        fresh = await caller.reopen(on_ready=lambda: caller.stage.perform(EndUtterance(RATE)))
        assert fresh.start_sample == 0
        assert kinds(fresh).count("utterance_end") == 1
        assert not caller.settled

    run(scenario)


def test_an_end_comes_behind_its_own_sound_and_before_what_was_said_later() -> None:
    async def scenario(caller: Caller) -> None:
        caller.speak(2)
        fresh = await caller.reopen(on_ready=lambda: caller.stage.perform(EndUtterance(RATE)))
        at = kinds(fresh).index("utterance_end")
        heard = [request.audio.start_sample for request in fresh.sent[:at] if request.HasField("audio")]
        later = [request.audio.start_sample for request in fresh.sent[at:] if request.HasField("audio")]
        assert max(heard) < RATE <= min(later)

    run(scenario)


@pytest.mark.parametrize("judged_sample", [RATE, RATE + 37])
def test_what_the_conversation_has_judged_is_not_heard_again(judged_sample: int) -> None:
    async def scenario(caller: Caller) -> None:
        caller.speak(2)
        fresh = await caller.reopen(judged_sample=judged_sample)
        audio = next(request.audio for request in fresh.sent if request.HasField("audio"))
        assert fresh.start_sample == audio.start_sample == judged_sample
        packet_end = (judged_sample // PACKET + 1) * PACKET
        assert audio.content[: packet_end - judged_sample] == bytes([judged_sample // PACKET]) * (
            packet_end - judged_sample
        )

    run(scenario)
