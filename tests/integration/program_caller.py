"""A caller that is a program: speaks clips in real time through ConnectCall, and remembers everything it hears."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import grpc
import numpy as np
from voice.call.v1 import call_pb2, call_pb2_grpc
from voice.type.v1 import audio_pb2

from services.audio.g711 import decode_mulaw
from tests.load.clips import Clip

FRAME_S = 0.02
FRAME_SAMPLES = 160
SILENCE = b"\xff" * FRAME_SAMPLES
AUDIBLE = 330  # -40 dBFS


@dataclass(frozen=True, slots=True)
class Heard:
    """A chunk of the agent's voice."""

    at: float  # seconds, monotonic
    start_sample: int
    content: bytes

    @property
    def is_audible(self) -> bool:
        return bool(np.abs(decode_mulaw(self.content).astype(np.int32)).max() > AUDIBLE)


@dataclass(slots=True)
class ProgramCaller:
    """One call. Sends silence when it has nothing to say."""

    began: float = field(default_factory=time.monotonic)
    call_id: str = ""
    heard: list[Heard] = field(default_factory=list)
    discards: list[int] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)  # voice.call.v1.CallEvent
    event_times: list[float] = field(default_factory=list)
    end: Any = None  # voice.call.v1.CallEnd
    status: grpc.aio.AioRpcError | None = None
    spoke_last_at: float = 0.0  # when the last speech sample of the last clip left
    spoke_first_at: float = 0.0
    _requests: "asyncio.Queue[call_pb2.ConnectCallRequest | None]" = field(default_factory=asyncio.Queue)
    _frames: list[tuple[bytes, bool, bool]] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _next_sample: int = 0
    _is_quiet: bool = False

    # -- acting --------------------------------------------------------------------------------------------------------

    async def say(self, clip: Clip) -> None:
        """Speak; returns when the last frame of the clip has left."""
        frames = [
            (frame, number == clip.start_frame, number == clip.end_frame) for number, frame in enumerate(clip.frames)
        ]
        self._frames.extend(frames)
        while self._frames:
            assert (self.end, self.status) == (None, None), f"the call is over; {self.story()}"
            await asyncio.sleep(FRAME_S)

    def sent(self, content: bytes, start_sample: int) -> bytes:
        """The bytes that go over the line for a frame of this caller's: here, the frame itself."""
        return content

    def press(self, digits: str) -> None:
        """Press keys."""
        for digit in digits:
            self._requests.put_nowait(call_pb2.ConnectCallRequest(dtmf=call_pb2.Dtmf(digit=digit, duration_ms=80)))

    def hang_up(self) -> None:
        """Hang up."""
        self._requests.put_nowait(call_pb2.ConnectCallRequest(hangup=call_pb2.Hangup()))

    def half_close(self) -> None:
        """Say nothing more, and listen."""
        self._is_quiet = True
        self._requests.put_nowait(None)

    # -- looking -------------------------------------------------------------------------------------------------------

    def turns(self, *, by_gateway: bool | None = None) -> list[Any]:
        """The records of the turns that are over."""
        records = [event.turn for event in self.events if event.WhichOneof("event") == "turn"]
        return [record for record in records if by_gateway is None or record.is_gateway_prompt is by_gateway]

    def troubles(self) -> list[tuple[str, str, str]]:
        """The troubles of the stages, as (stage, reason, remedy)."""
        troubles = [event.stage_trouble for event in self.events if event.WhichOneof("event") == "stage_trouble"]
        return [(trouble.stage, trouble.reason, trouble.remedy) for trouble in troubles]

    def first_audible_after(self, when: float) -> float | None:
        """The time at which the agent was first heard after `when`; None: not yet."""
        return next((chunk.at for chunk in self.heard if chunk.at > when and chunk.is_audible), None)

    def longest_silence(self, begin: float, end: float) -> float:
        """The longest time without an audible chunk between two times, in seconds."""
        times = [begin, *(chunk.at for chunk in self.heard if begin < chunk.at < end and chunk.is_audible), end]
        return max(later - earlier for earlier, later in pairwise(times))

    async def until(self, is_so: Callable[["ProgramCaller"], Any], limit_s: float = 15.0) -> float:
        """Wait until something is so; returns when that was. Fails with what happened instead."""
        try:
            async with asyncio.timeout(limit_s), self._changed:
                await self._changed.wait_for(lambda: is_so(self))
        except TimeoutError:
            raise AssertionError(f"not within {limit_s} s; {self.story()}") from None
        return time.monotonic()

    async def until_floor(self, floor: int, limit_s: float = 15.0, *, after: int = 0) -> None:
        """Wait until the floor is somebody's, in an event later than the first `after`."""
        await self.until(
            lambda caller: any(
                event.WhichOneof("event") == "floor_change" and event.floor_change.to == floor
                for event in caller.events[after:]
            ),
            limit_s,
        )

    def story(self) -> str:
        """The events up to now, for a person to read."""
        lines = [f"{at - self.began:7.3f} {event}" for at, event in zip(self.event_times, self.events, strict=True)]
        return f"end={self.end} status={self.status} heard={len(self.heard)}\n" + "\n".join(
            " ".join(line.split()) for line in lines
        )

    # -- the stream ----------------------------------------------------------------------------------------------------

    async def run(self, call: Any) -> None:
        """Serve the stream to its end."""
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._write(call))
            pacing = tasks.create_task(self._pace())
            try:
                while (response := await call.read()) is not grpc.aio.EOF:
                    await self._take_in(response)
            except grpc.aio.AioRpcError as error:
                self.status = error
            writing.cancel()
            pacing.cancel()
        async with self._changed:
            self._changed.notify_all()

    async def _write(self, call: Any) -> None:
        try:
            while (request := await self._requests.get()) is not None:
                await call.write(request)
            await call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return

    async def _pace(self) -> None:
        due = time.monotonic()
        while not self._is_quiet:
            content, is_first, is_last = self._frames.pop(0) if self._frames else (SILENCE, False, False)
            sent = self.sent(content, self._next_sample)
            chunk = audio_pb2.AudioChunk(start_sample=self._next_sample, content=sent)
            self._next_sample += FRAME_SAMPLES
            self._requests.put_nowait(call_pb2.ConnectCallRequest(audio=chunk))
            if is_first:
                self.spoke_first_at = time.monotonic()
            if is_last:
                self.spoke_last_at = time.monotonic()
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _take_in(self, response: call_pb2.ConnectCallResponse) -> None:
        match response.WhichOneof("response"):
            case "call":
                self.call_id = response.call.call_id
            case "audio":
                self.heard.append(Heard(time.monotonic(), response.audio.start_sample, response.audio.content))
            case "audio_discard":
                self.discards.append(response.audio_discard.from_sample)
            case "event":
                self.events.append(response.event)
                self.event_times.append(time.monotonic())
            case "end":
                self.end = response.end
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def calling(target: str, **config: Any) -> AsyncIterator[ProgramCaller]:
    """A call to a gateway; hung up at the end when it is still there."""
    caller = ProgramCaller()
    async with grpc.aio.insecure_channel(target) as channel:
        call = call_pb2_grpc.CallGatewayServiceStub(channel).ConnectCall()
        caller._requests.put_nowait(call_pb2.ConnectCallRequest(config=call_pb2.CallConfig(**config)))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(caller.run(call))
            yield caller
            caller.hang_up()
            await asyncio.wait([running], timeout=5)
            call.cancel()
