"""The caller as a program: ConnectCall instead of a telephone."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self

import grpc
import numpy as np
from voice.call.v1 import call_pb2, call_pb2_grpc
from voice.type.v1 import audio_pb2

from clients.phone.echo_path import EchoPath
from clients.phone.recording import RATE_HERTZ, Recording
from services.audio.pcm import Samples

_FRAME_SAMPLES: Final = RATE_HERTZ // 50
_SILENCE: Final = np.zeros(_FRAME_SAMPLES, dtype=np.int16)
_KEY_MS: Final = 80
_FRAMES_A_KEY: Final = 10  # from one key to the next
_FORMAT: Final = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=RATE_HERTZ)


class ProgramLine:
    """One stream, one call. Use as a context manager; a CallerLine. Sound goes in real time, silence included."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        language_codes: tuple[str, ...] = (),
        caller: str = "make call",
        tenant_id: str = "",
    ) -> None:
        """`caller`: who calls, E.164 or a SIP URI. `tenant_id`: whose call it is."""
        self.said, self.heard = Recording(), Recording()
        self.call_id = ""
        self._stub = call_pb2_grpc.CallGatewayServiceStub(channel)
        self._config = call_pb2.CallConfig(
            language_codes=language_codes, audio_format=_FORMAT, caller=caller, tenant_id=tenant_id
        )
        self._to_say = np.empty(0, dtype=np.int16)
        self._to_press = ""
        self._echo: EchoPath | None = None
        self._answered = asyncio.Event()
        self._answered_at = time.monotonic()
        self._over = asyncio.Event()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        """Returns once the call is answered. Raises grpc.aio.AioRpcError."""
        await self._tasks.__aenter__()
        self._stream = self._stub.ConnectCall(self._requests())
        first = await self._stream.read()
        if not isinstance(first, call_pb2.ConnectCallResponse):
            await self._stream.code()  # raises nothing; the status is in the error below
            raise ConnectionError(f"the gateway refused the call: {await self._stream.details()}")
        self.call_id = first.call.call_id
        self._answered_at = time.monotonic()
        self._answered.set()
        self._listening = self._tasks.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()
        await self._tasks.__aexit__(kind, error, trace)

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    @property
    def is_saying(self) -> bool:
        return len(self._to_say) > 0

    def now_s(self) -> float:
        """Seconds since the call was answered."""
        return time.monotonic() - self._answered_at

    def say(self, samples: Samples) -> None:
        """Speak, after what is being said."""
        self._to_say = np.concatenate((self._to_say, samples))

    def echo_through(self, path: EchoPath) -> None:
        """From now on, what is heard comes back through `path`, beside what is said."""
        self._echo = path

    async def press(self, digits: str) -> None:
        """Press keys, one after the other."""
        self._to_press += digits
        await asyncio.sleep(len(digits) * _FRAMES_A_KEY * 0.020)

    async def hang_up(self) -> None:
        """End the call. Does nothing when it is over."""
        self._over.set()

    async def _requests(self) -> AsyncIterator[call_pb2.ConnectCallRequest]:
        yield call_pb2.ConnectCallRequest(config=self._config)
        await self._answered.wait()
        n = 0
        while not self._over.is_set():
            await asyncio.sleep(max(0.0, n * 0.020 - self.now_s()))
            frame = self._next_frame()
            self.said.add(frame, end_s=self.now_s() + 0.020)
            content = frame.astype("<i2").tobytes()
            chunk = audio_pb2.AudioChunk(start_sample=n * _FRAME_SAMPLES, content=content)
            yield call_pb2.ConnectCallRequest(audio=chunk)
            if self._to_press and n % _FRAMES_A_KEY == 0:
                digit, self._to_press = self._to_press[0], self._to_press[1:]
                yield call_pb2.ConnectCallRequest(dtmf=call_pb2.Dtmf(digit=digit, duration_ms=_KEY_MS))
            n += 1
        yield call_pb2.ConnectCallRequest(hangup=call_pb2.Hangup())

    def _next_frame(self) -> Samples:
        said, self._to_say = self._to_say[:_FRAME_SAMPLES], self._to_say[_FRAME_SAMPLES:]
        frame = np.concatenate((said, _SILENCE[len(said) :]))
        return frame if self._echo is None else self._echo.mixed_into(frame)

    async def _listen(self) -> None:
        try:
            while isinstance(response := await self._stream.read(), call_pb2.ConnectCallResponse):
                if response.HasField("audio"):
                    samples = np.frombuffer(response.audio.content, dtype="<i2")
                    self.heard.add(samples, end_s=self.now_s() + len(samples) / RATE_HERTZ)
                    if self._echo is not None:
                        self._echo.feed(samples)
        except grpc.aio.AioRpcError as error:
            print(f"the stream broke off: {error.code().name} {error.details()}")
        finally:
            self._over.set()
