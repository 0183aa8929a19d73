"""Real SIP phones (baresip), on loopback, driven by a program."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from baresip import Account, AudioNotActive, AudioRestarted, BaresipError, CallFailed, Config, Runtime, UserAgent

from clients.phone.echo_path import EchoPath
from clients.phone.recording import RATE_HERTZ, Recording
from services.audio.pcm import Samples

_FRAME_BYTES: Final = 320  # 20 ms
_AHEAD_BYTES: Final = 2 * _FRAME_BYTES  # given to the stack early, so that it never runs dry
_PUMP_S: Final = 0.005
_ANSWER_LIMIT_S: Final = 12.0
_READ_BYTES: Final = 65536
_EAR: Final = "audio_jitter_buffer_type off"
"""The phone records packets as they arrive: the phone's own buffer would add 80 ms to every figure."""


class PhoneFailed(Exception):
    """The call was not answered, or the phone could not be used; the message says why."""


class SipCall:
    """One call of one phone, up to its end. A CallerLine."""

    def __init__(self, call: Any, *, answered_at: float) -> None:
        self.said, self.heard = Recording(), Recording()
        self.keys: list[str] = []
        """Keys the far side pressed."""
        self._call = call
        self._answered_at = answered_at
        self._to_say = bytearray()
        self._echo: EchoPath | None = None
        self._over = asyncio.Event()
        call.on_dtmf(lambda event: self.keys.append(event.digit))

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    @property
    def is_saying(self) -> bool:
        return bool(self._to_say)

    @property
    def native(self) -> Any:
        """The stack's own call, for attended transfers."""
        return self._call

    def now_s(self) -> float:
        """Seconds since the call was answered."""
        return time.monotonic() - self._answered_at

    def say(self, samples: Samples) -> None:
        """Speak, after what is being said."""
        self._to_say += samples.astype("<i2").tobytes()

    def echo_through(self, path: EchoPath) -> None:
        """From now on, what is heard comes back through `path`, beside what is said."""
        self._echo = path

    async def press(self, digits: str) -> None:
        """Press keys, as RTP events."""
        await self._call.send_dtmf(digits)

    async def hold(self) -> None:
        await self._call.hold()

    async def resume(self) -> None:
        await self._call.resume()

    async def transfer_to(self, consultation: "SipCall") -> None:
        """Connect this call's far side with `consultation`'s; both of ours end."""
        await self._call.attended_transfer(consultation.native)

    async def hang_up(self) -> None:
        """End the call. Does nothing when it is over."""
        with contextlib.suppress(BaresipError):
            await self._call.hangup()
        self._over.set()

    async def wait_over(self, limit_s: float) -> bool:
        """Return whether the far side hung up within `limit_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), limit_s)
        return self.is_over

    async def pump(self) -> None:
        """Carry sound between the stack and the recordings until the call is over."""
        while not self.is_over:
            if self._call.state.name == "CLOSED":
                self._over.set()
                return
            with contextlib.suppress(AudioNotActive, AudioRestarted):  # while it is set up, held, renegotiated
                self._carry()
            await asyncio.sleep(_PUMP_S)

    def _carry(self) -> None:
        audio = self._call.audio
        info = audio.info()
        buffered = info.tx_buffered
        while info.tx_ready and (self._to_say or self._echo) and buffered < _AHEAD_BYTES:
            said = bytes(self._to_say[:_FRAME_BYTES]).ljust(_FRAME_BYTES, b"\0")
            frame = self._with_echo(said)
            taken = audio.write(frame)
            if not taken:
                break
            del self._to_say[:taken]
            buffered += taken
            self.said.add(np.frombuffer(frame[:taken], dtype="<i2"), end_s=self.now_s() + buffered / 2 / RATE_HERTZ)
        heard = audio.read(_READ_BYTES)
        if heard:
            samples = np.frombuffer(heard, dtype=np.int16)
            self.heard.add(samples, end_s=self.now_s())
            if self._echo is not None:
                self._echo.feed(samples)

    def _with_echo(self, said: bytes) -> bytes:
        if self._echo is None:
            return said
        return self._echo.mixed_into(np.frombuffer(said, dtype="<i2")).astype("<i2").tobytes()


class SipPhones:
    """A switchboard of phones in this process; the stack allows one. Use as a context manager."""

    def __init__(self, *, sip_port: int, rtp_first: int, rtp_last: int, codec: str = "pcmu") -> None:
        self._config = Config(
            net_interface="127.0.0.1",
            max_concurrent_calls=None,
            extra_config_text=f"sip_listen 127.0.0.1:{sip_port}\nrtp_ports {rtp_first}-{rtp_last}\n{_EAR}\n",
        )
        self._codec = codec
        self._runtime = Runtime()
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._runtime.start(self._config)
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        try:
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            await self._runtime.close()

    async def call(self, uri: str, *, user: str = "caller", domain: str = "127.0.0.1") -> SipCall:
        """Place a call from a phone that is not registered. Returns once answered. Raises PhoneFailed."""
        agent = await self._agent(
            Account(user=user, domain=domain, password="", reg_interval=0, audio_codecs=self._codecs())
        )
        return await self.call_from(agent, uri)

    async def call_from(self, agent: Any, uri: str) -> SipCall:
        """Place a call from a phone of `register`. Raises PhoneFailed."""
        try:
            call = await agent.dial(uri)
            await call.wait_established(_ANSWER_LIMIT_S)
        except (BaresipError, CallFailed) as error:
            raise PhoneFailed(f"{uri}: {error}") from error
        return self._begin(call)

    async def register(
        self, user: str, password: str, domain: str, *, on_call: Callable[[SipCall], None] | None = None
    ) -> Any:
        """A registered phone that answers every call and hands it to `on_call`. Raises PhoneFailed."""
        agent = await self._agent(
            Account(user=user, domain=domain, password=password, reg_interval=60, audio_codecs=self._codecs())
        )

        async def answer(call: Any) -> None:
            await call.answer()
            await call.wait_established(_ANSWER_LIMIT_S)
            taken = self._begin(call)
            if on_call is not None:
                on_call(taken)

        agent.on_incoming(lambda call: self._run(answer(call)))
        try:
            await agent.register()
        except BaresipError as error:
            raise PhoneFailed(f"{user}@{domain}: {error}") from error
        return agent

    def _codecs(self) -> tuple[str, ...]:
        return (self._codec,)

    async def _agent(self, account: Account) -> Any:
        return await UserAgent.create(self._runtime, account)

    def _begin(self, call: Any) -> SipCall:
        begun = SipCall(call, answered_at=time.monotonic())
        self._run(begun.pump())
        return begun

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
