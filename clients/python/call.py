"""A call to the gateway: the program is the caller (voice.call.v1.CallGatewayService)."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Self

import grpc
from voice.call.v1 import call_pb2, call_pb2_grpc
from voice.type.v1 import audio_pb2

from clients.python.connection import Connection, Stream
from clients.python.errors import UnavailableError, error_of

FRAME_S = 0.02


class Call:
    """One call in 16-bit PCM. Sound goes out paced in frames of 20 ms; the agent's sound is kept as it was played."""

    def __init__(
        self,
        stream: Stream[call_pb2.ConnectCallRequest, call_pb2.ConnectCallResponse],
        *,
        reports_played: bool = False,
    ) -> None:
        self.info = stream.first.call
        """The call as the gateway knows it."""
        self.sample_rate_hertz = self.info.audio_format.sample_rate_hertz
        self.heard = bytearray()
        """The agent's sound from the call's first sample on, int16 little-endian, silence included."""
        self.end: Any = None
        """voice.call.v1.CallEnd once the call is over."""
        self._stream = stream
        self._frame_samples = self.sample_rate_hertz // 50
        self._next_sample = 0
        self._reports_played = reports_played

    @classmethod
    async def open(
        cls, connection: Connection, *, sample_rate_hertz: int = 8000, reports_played: bool = False, **config: Any
    ) -> Self:
        """Call the gateway. `config`: further fields of CallConfig. With `reports_played` each chunk is reported as
        played when it comes, so that the gateway need not take for heard what is still on its way; such a call ends
        with `hang_up`, for after `half_close` nothing can be reported. Raises TongDaiError.
        """
        audio_format = audio_pb2.AudioFormat(
            encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=sample_rate_hertz
        )
        request = call_pb2.ConnectCallRequest(config=call_pb2.CallConfig(audio_format=audio_format, **config))
        stream = await connection.open(lambda one: call_pb2_grpc.CallGatewayServiceStub(one).ConnectCall, request)
        return cls(stream, reports_played=reports_played)

    async def speak(self, samples: bytes) -> None:
        """Send int16 little-endian samples in real time; returns when the last frame has left. A last frame that is
        not full is filled with silence.
        """
        frame_bytes = 2 * self._frame_samples
        due = time.monotonic()
        for at in range(0, len(samples), frame_bytes):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += FRAME_S
            content = samples[at : at + frame_bytes].ljust(frame_bytes, b"\0")
            chunk = audio_pb2.AudioChunk(start_sample=self._next_sample, content=content)
            self._next_sample += self._frame_samples
            await self._stream.send(call_pb2.ConnectCallRequest(audio=chunk))

    async def speak_silence(self, until: asyncio.Event, limit_s: float) -> None:
        """Send silence in real time until something has happened, or `limit_s` has passed."""
        frame = bytes(2 * self._frame_samples)
        due = time.monotonic()
        deadline = due + limit_s
        while not until.is_set() and due < deadline:
            await self.speak(frame)
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def press(self, digit: str) -> None:
        """Press a key: 0-9, A-D, * or #."""
        await self._stream.send(call_pb2.ConnectCallRequest(dtmf=call_pb2.Dtmf(digit=digit)))

    async def half_close(self) -> None:
        """Say nothing more and listen: the call ends after the reply to what was sent."""
        await self._stream.half_close()

    async def hang_up(self) -> None:
        """Hang up."""
        await self._stream.send(call_pb2.ConnectCallRequest(hangup=call_pb2.Hangup()))

    def cancel(self) -> None:
        """Drop the call without a word."""
        self._stream.cancel()

    async def responses(self) -> AsyncIterator[call_pb2.ConnectCallResponse]:
        """Everything the gateway says, to the end of the call; iterate at all times. Sound is kept in `heard`.
        Raises TongDaiError, also where the stream ends before the call's end.
        """
        async for response in self._stream:
            match response.WhichOneof("response"):
                case "audio":
                    await self._play(response.audio)
                case "audio_discard":
                    from_byte = 2 * response.audio_discard.from_sample
                    self.heard[from_byte:] = b""
                case "end":
                    self.end = response.end
            yield response
        if self.end is None:
            raise UnavailableError("UNAVAILABLE", "ENDED_EARLY", "the stream ended before the call did")

    async def _play(self, audio: audio_pb2.AudioChunk) -> None:
        at = 2 * audio.start_sample
        self.heard.extend(bytes(max(0, at - len(self.heard))))  # nothing was said meanwhile
        self.heard[at:] = audio.content
        if self._reports_played:
            played = call_pb2.Played(sample=len(self.heard) // 2)
            await self._stream.send(call_pb2.ConnectCallRequest(played=played))


async def watch(connection: Connection, call_id: str = "") -> AsyncIterator[call_pb2.WatchCallsResponse]:
    """What happens on one call or on all of them, from now on. Raises TongDaiError; before the first event the other
    replicas are tried.
    """
    for number, channel in enumerate(connection.channels, start=1):
        has_begun = False
        try:
            stub = call_pb2_grpc.CallGatewayServiceStub(channel)
            async for response in stub.WatchCalls(call_pb2.WatchCallsRequest(call_id=call_id)):
                has_begun = True
                yield response
            return
        except grpc.aio.AioRpcError as error:
            failure = error_of(error)
            if has_begun or number == len(connection.channels) or not failure.is_elsewhere_worthwhile:
                raise failure from None
