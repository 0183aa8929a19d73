"""A bidirectional stream that is open, the frames of sound that go out on it, and its turns."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import grpc
from voice.type.v1 import audio_pb2
from voice.type.v1.turn_pb2 import Cancellation, TurnEnd

from clients.python.connection import Connection
from clients.python.errors import GivenUpError, ServerError, UnavailableError, error_of

Request = TypeVar("Request")
Response = TypeVar("Response")
Method = Callable[[grpc.aio.Channel], Any]
"""Gives the stub's method of a channel."""
FRAME_S = 0.02
GIVEN_UP = "the stream was given up"
REFUSALS_ASKED_FOR = 4  # more than once, where a refusal came without its reason


class Stream(Generic[Request, Response]):
    """A stream. Iterate over its responses at all times: a server bounds what it holds. Leaving it as an asynchronous
    context manager gives it up.
    """

    first: Response
    """The first response: who answers."""

    def __init__(self, call: Any, request: type[Request]) -> None:
        self._call = call
        self._request = request
        self._is_given_up = False
        self._writing = asyncio.Lock()  # grpc.aio breaks a stream off that two tasks write to at once

    @classmethod
    async def _open(cls, connection: Connection, method: Method, request: type[Request], config: Any) -> Self:
        """Send `config` on the first replica that serves and wait for the first response. Raises TongDaiError."""

        async def on(channel: grpc.aio.Channel) -> Self:
            stream = cls(method(channel)(), request)
            limit_s = connection.options.open_limit_s
            try:
                async with asyncio.timeout(limit_s):
                    await stream.put(config=config)
                    stream.first = await Stream.__anext__(stream)
            except TimeoutError:
                stream.cancel()
                raise UnavailableError("UNAVAILABLE", "OPEN_TIMEOUT", f"no response within {limit_s:g} s") from None
            except StopAsyncIteration:
                message = "the stream ended before its first response"
                raise UnavailableError("UNAVAILABLE", "ENDED_EARLY", message) from None
            return stream

        async def told(channel: grpc.aio.Channel) -> Self:
            """Report a refusal as `on` does; grpc.aio loses the status of a refusal that meets the config, so that it
            is asked for again.
            """
            for _ in range(REFUSALS_ASKED_FOR):
                try:
                    return await on(channel)
                except UnavailableError as error:
                    if error.reason != "ENDED_EARLY":
                        raise
            return await on(channel)

        return await connection.on_replica(told)

    async def send(self, request: Request) -> None:
        """Send a request. Once the stream is over nothing is sent: iterating says why."""
        try:
            async with self._writing:
                await self._call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return
        except asyncio.CancelledError:
            if not self._is_own_cancellation():
                raise

    async def put(self, **field: Any) -> None:
        """Send a request with one field: `put(audio=chunk)`."""
        await self.send(self._request(**field))

    async def half_close(self) -> None:
        """Say that nothing more comes; the server finishes what it was sent."""
        try:
            async with self._writing:
                await self._call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return
        except asyncio.CancelledError:
            if not self._is_own_cancellation():
                raise

    async def close(self) -> None:
        """End the stream in good order. Raises TongDaiError."""
        await self.half_close()
        async for _ in self:
            pass

    def cancel(self) -> None:
        """Give the stream up, if it is still there. Who iterates over it meets GivenUpError."""
        self._is_given_up = True
        self._call.cancel()

    def _is_own_cancellation(self) -> bool:
        """Return whether a CancelledError is of the stream that was given up, and not of the task that waits for it."""
        task = asyncio.current_task()
        return self._is_given_up and task is not None and not task.cancelling()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Response:
        """The next response behind the first. Raises TongDaiError."""
        try:
            response = await self._call.read()
        except grpc.aio.AioRpcError as error:
            if self._is_given_up and error.code() is grpc.StatusCode.CANCELLED:
                raise GivenUpError("CANCELLED", "", GIVEN_UP) from None
            raise error_of(error) from None
        except asyncio.CancelledError:
            if not self._is_own_cancellation():
                raise
            raise GivenUpError("CANCELLED", "", GIVEN_UP) from None
        if response is grpc.aio.EOF:
            raise StopAsyncIteration
        return response  # type: ignore[no-any-return]  # grpc.aio's read is untyped


class Outgoing:
    """Sound on its way, int16 little-endian: its samples are counted."""

    def __init__(self, stream: Stream[Any, Any], sample_rate_hertz: int, start_sample: int = 0) -> None:
        self.next_sample = start_sample
        """The first sample not sent yet."""
        self._stream = stream
        self._frame_bytes = 2 * (sample_rate_hertz // 50)

    async def speak(self, sound: bytes | AsyncIterable[bytes], *, is_paced: bool = True) -> None:
        """Send frames of 20 ms up to the end of the sound: with `is_paced` each when it is due, or when a microphone
        has it. A last frame that is not full is filled with silence.
        """
        due = time.monotonic()
        async for frame in self._frames(sound):
            if is_paced:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += FRAME_S
            await self._stream.put(audio=audio_pb2.AudioChunk(start_sample=self.next_sample, content=frame))
            self.next_sample += len(frame) // 2

    async def _frames(self, sound: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        held = bytearray()
        async for piece in _once(sound) if isinstance(sound, bytes) else sound:
            held += piece
            while len(held) >= self._frame_bytes:
                yield bytes(held[: self._frame_bytes])
                del held[: self._frame_bytes]
        if len(held) > 1:
            yield bytes(held).ljust(self._frame_bytes, b"\0")


async def _once(sound: bytes) -> AsyncIterator[bytes]:
    yield sound


class Turns(Generic[Request, Response]):
    """The turns of a stream, one after the other: their ids are counted, what comes late for another one is dropped,
    and where the server asked for it (going_away) the next one begins on a fresh stream. A turn that was left
    before its end is cancelled when the next one begins, or the stream is closed; `cancel_turn` does it at once.
    """

    def __init__(
        self,
        stream: Stream[Request, Response],
        reopen: Callable[[], Awaitable[Stream[Request, Response]]],
    ) -> None:
        self._stream = stream
        self._reopen = reopen
        self._turn_id = 0
        self._cancelled = 0
        self._is_under_way = False
        self._is_server_leaving = False

    async def _begin(self) -> int:
        """The id of the next turn, on a stream that takes it."""
        await self._leave()
        if self._is_server_leaving:
            self._stream.cancel()
            self._stream = await self._reopen()
            self._is_server_leaving = False
        self._turn_id += 1
        self._is_under_way = True
        return self._turn_id

    async def _leave(self) -> None:
        """End a turn whose responses were not taken up to its end."""
        if self._is_under_way:
            self._is_under_way = False
            await self.cancel_turn()

    async def _reply(self) -> AsyncIterator[Any]:
        """Yield the turn's responses up to its end. Raises TongDaiError, code FAILED for a turn that failed."""
        async for response in self._stream:
            kind: str | None = response.WhichOneof("response")  # type: ignore[attr-defined]  # any message of a stream
            if kind == "going_away":
                self._is_server_leaving = True
            elif kind and getattr(getattr(response, kind), "turn_id", 0) == self._turn_id:
                self._is_under_way = kind != "turn_end"
                if kind == "turn_end" or self._turn_id > self._cancelled:
                    yield response
                if kind == "turn_end":
                    end: TurnEnd = response.turn_end  # type: ignore[attr-defined]  # as above
                    if end.outcome == TurnEnd.OUTCOME_FAILED:
                        raise ServerError("FAILED", end.reason, end.message, retry_delay_s=end.retry_delay_ms / 1000)
                    return
        raise UnavailableError("UNAVAILABLE", "ENDED_EARLY", "the stream ended in the middle of a turn")

    def cancel(self) -> None:
        """Give the stream up, if it is still there."""
        self._stream.cancel()

    async def cancel_turn(self) -> None:
        """Stop the turn; it still gets its end."""
        self._cancelled = self._turn_id
        await self._stream.put(cancellation=Cancellation(turn_id=self._turn_id))

    async def close(self) -> None:
        """End the stream in good order. Raises TongDaiError."""
        await self._leave()
        await self._stream.close()


def linear16(sample_rate_hertz: int) -> audio_pb2.AudioFormat:
    """16-bit PCM, the format of every stream here."""
    return audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=sample_rate_hertz)
