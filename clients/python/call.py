"""A call to the gateway: the program is the caller (voice.call.v1.CallGatewayService)."""

from collections.abc import AsyncIterable
from typing import Any, Self

from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

from clients.python.connection import Connection
from clients.python.errors import ServerError, UnavailableError
from clients.python.stream import Outgoing, Stream, linear16

MAX_HOLE = 1 << 28
"""Samples of silence that are kept: nine hours at 8 kHz. A server that leaves more has lost its clock."""


class Call(Stream[call_pb2.ConnectCallRequest, call_pb2.ConnectCallResponse]):
    """One call in 16-bit PCM. Iterate over what the gateway says at all times, up to the end of the call."""

    _sound: Outgoing

    def __init__(self, call: Any, request: type[call_pb2.ConnectCallRequest]) -> None:
        super().__init__(call, request)
        self.heard = bytearray()
        """The agent's sound from the call's first sample on, int16 little-endian, silence included: 58 MB an hour at
        8 kHz.
        """
        self.end: record_pb2.CallEnd | None = None
        """The reason of the end, once the call is over."""
        self.reports_played = False
        """True reports each chunk as played when it comes, so that the gateway need not take for heard what is still on
        its way. Such a call ends with `hang_up`: after `half_close` nothing can be reported.
        """

    @classmethod
    async def open(cls, connection: Connection, *, sample_rate_hertz: int = 8000, **config: Any) -> Self:
        """Call the gateway. `config`: further fields of CallConfig. Raises TongDaiError."""
        fields = call_pb2.CallConfig(audio_format=linear16(sample_rate_hertz), **config)
        call = await cls._open(
            connection,
            lambda one: call_pb2_grpc.CallGatewayServiceStub(one).ConnectCall,
            call_pb2.ConnectCallRequest,
            fields,
        )
        call._sound = Outgoing(call, sample_rate_hertz)
        return call

    @property
    def info(self) -> call_pb2.CallInfo:
        """The call as the gateway knows it."""
        return self.first.call

    async def speak(self, sound: bytes | AsyncIterable[bytes]) -> None:
        """Send the sound of a file or a microphone up to its end, in frames of 20 ms, no faster than real time."""
        await self._sound.speak(sound)

    async def hang_up(self) -> None:
        """Hang up at once. After `half_close` the call ends with the reply to what was sent."""
        await self.put(hangup=call_pb2.Hangup())

    async def __anext__(self) -> call_pb2.ConnectCallResponse:
        """The next thing the gateway says. Raises TongDaiError, also where the stream ends before the call does."""
        try:
            response = await super().__anext__()
        except StopAsyncIteration:
            if self.end is None:
                message = "the stream ended before the call did"
                raise UnavailableError("UNAVAILABLE", "ENDED_EARLY", message) from None
            raise
        except UnavailableError:
            if self.end is None:
                raise
            raise StopAsyncIteration from None  # grpc.aio lost the status to a request that was on its way
        match response.WhichOneof("response"):
            case "audio":
                at = 2 * self._place(response.audio.start_sample)
                self.heard.extend(bytes(max(0, at - len(self.heard))))  # nothing was said meanwhile
                self.heard[at:] = response.audio.content
                if self.reports_played:
                    await self.put(played=call_pb2.Played(sample=len(self.heard) // 2))
            case "audio_discard":
                self.heard[2 * self._place(response.audio_discard.from_sample) :] = b""
            case "end":
                self.end = response.end
        return response

    def _place(self, sample: int) -> int:
        """A place on the agent's clock. Raises TongDaiError: there can be none such."""
        if not 0 <= sample <= len(self.heard) // 2 + MAX_HOLE:
            raise ServerError("INTERNAL", "BAD_SAMPLE", f"the server tells of sample {sample} of its sound")
        return sample
