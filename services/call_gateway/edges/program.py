"""The edge for programs: a ConnectCall stream as a leg, by which a client in any language can call the agent."""

import asyncio
import time
from collections.abc import AsyncIterator

from voice.call.v1 import call_pb2
from voice.type.v1 import audio_pb2

from services.audio.pcm import TornSample
from services.audio.timeline import Overlap
from services.call_gateway.edges.edge import FRAME_MS, IncomingCall, LegFailed, LegListener, TakeCall
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.edges.program_clock import ProgramClock
from services.call_gateway.line import (
    CallerStaysSilent,
    EndCause,
    KeyPressed,
    LegEnded,
    PlayedUpTo,
)
from services.runtime.errors import Draining, RequestError, ServiceError
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.streams import Outbox

KEYS = frozenset("0123456789ABCD*#")
MAX_WAITING_RESPONSES = 500
"""Ten seconds of speech, when nothing else is sent. A caller with more waiting does not read: audio is dropped as a
gap.
"""
LAST_WORDS_S = 5.0
"""Limit on the wait of a call's end for a caller who does not read."""

log = get_logger(__name__)
metrics = StageMetrics("call")
metrics.queue_dropped_total("agent_audio")


class OverlappingAudio(RequestError):
    """A chunk begins before the last one ended."""

    reason = "AUDIO_OVERLAP"


class TornAudio(RequestError):
    """A chunk holds no whole number of samples."""

    reason = "TORN_AUDIO"


class UnknownKey(RequestError):
    """There is no such key on a telephone."""

    reason = "UNKNOWN_KEY"


class NotReading(ServiceError):
    """The caller does not read what it is told."""

    reason = "CALLER_NOT_READING"


class ProgramLeg:
    """One ConnectCall stream. Sound comes through on the call's own clock; the agent's frames leave in real time."""

    def __init__(self, call: IncomingCall, *, pacer: Pacer, outbox: Outbox[call_pb2.ConnectCallResponse]) -> None:
        self.call = call
        self.outbox = outbox
        self.failure: ServiceError | None = None
        """The error that the stream must fail with; None: the message of the call's end is the whole answer."""
        self._pacer = pacer
        self._listener: LegListener | None = None
        self._answered = asyncio.Event()
        self._ended = False
        self._room = asyncio.Event()  # less waits than the clock would hold
        self._clock = ProgramClock(call.audio_format, now=time.monotonic())
        self._frame_samples = FRAME_MS * call.audio_format.sample_rate_hertz // 1000
        self._next_agent_sample = 0
        self._played_sample: int | None = None
        self._is_half_closed = False
        self._has_told_silence = False

    @property
    def duration_ms(self) -> int:
        """Return how long the call has lasted, in milliseconds of the caller's audio."""
        return self._next_agent_sample * 1000 // self.call.audio_format.sample_rate_hertz

    # -- the session's side --------------------------------------------------------------------------------------------

    async def answer(self, listener: LegListener) -> None:
        """The stream is open already: listen from here on. Raises LegFailed when the caller is gone."""
        if self._ended:
            raise LegFailed("the caller is gone")
        self._listener = listener
        self._clock = ProgramClock(self.call.audio_format, now=time.monotonic())
        self._answered.set()
        self._pacer.add(self._tick, on_failure=self._on_tick_failure)

    def discard_sent(self) -> None:
        """Tell the caller to stop playing what it has not played yet."""
        from_sample = self._next_agent_sample if self._played_sample is None else self._played_sample
        discard = call_pb2.AudioDiscard(from_sample=from_sample)
        self.respond(call_pb2.ConnectCallResponse(audio_discard=discard))

    async def send_dtmf(self, digits: str) -> None:
        raise LegFailed(f"a program takes no keys: {digits}")

    async def transfer(self, destination: str, *, is_listed: bool = False) -> None:
        """The program is told where to go in `end`."""
        self.end(EndCause.TRANSFER, destination)

    @property
    def has_fallback(self) -> bool:
        """The program is told how the call ended, and may call elsewhere itself."""
        return False

    async def fall_back(self, message: str) -> None:
        raise LegFailed("a program has no fallback for its call")

    async def hang_up(self, cause: EndCause, *, message: str = "") -> None:
        """Every frame is in the stream already, in order: no tail is needed."""
        self.end(cause, message)

    # -- the stream's side ---------------------------------------------------------------------------------------------

    def respond(self, response: call_pb2.ConnectCallResponse) -> None:
        """Send the caller something that must not be lost. A caller who lets it pile up has left."""
        if not self.outbox.offer(response) and not self._ended:
            self.failure = NotReading("the caller does not read: read the stream's responses as they come")
            self.end(EndCause.CALLER, self.failure.message)

    def end(self, cause: EndCause, message: str = "") -> None:
        """The call is over. Does nothing when it was."""
        if self._ended:
            return
        self._ended = True
        self._pacer.remove(self._tick)
        self._answered.set()
        self._room.set()
        if self._listener is None:
            return
        try:
            self._listener.on_leg_event(LegEnded(cause, message))
        except Exception:
            log.exception("listener_failed")

    async def read(self, requests: AsyncIterator[call_pb2.ConnectCallRequest]) -> None:
        """Take what the caller sends, not faster than it can be told, up to its half-close. Raises RequestError."""
        await self._answered.wait()
        async for request in requests:
            if self._clock.is_full:
                self._room.clear()
                await self._room.wait()
            if self._ended or self._listener is None:
                return
            match request.WhichOneof("request"):
                case "audio":
                    self._receive(request.audio)
                case "dtmf":
                    self._clock.press(_key(request.dtmf))
                    self._pass_on(time.monotonic())
                case "played":
                    self._played_sample = min(request.played.sample, self._next_agent_sample)
                    self._listener.on_leg_event(PlayedUpTo(self._played_sample))
                case "hangup":
                    self.end(EndCause.CALLER)
                    return
        self._is_half_closed = True
        self._clock.close()

    def _receive(self, audio: audio_pb2.AudioChunk) -> None:
        now = time.monotonic()
        try:
            self._clock.receive(audio.start_sample, audio.content, audio.concealed_samples, now=now)
        except Overlap as error:
            raise OverlappingAudio(f"{error}: send each sample once, in order", field="audio.start_sample") from None
        except TornSample as error:
            raise TornAudio(f"{error}: send whole samples", field="audio.content") from None
        self._pass_on(now)

    def _pass_on(self, now: float) -> None:
        if self._listener is None:
            return
        for event in self._clock.due(now=now):
            self._listener.on_leg_event(event)

    def _on_tick_failure(self, error: Exception) -> None:
        self.end(EndCause.FAILURE, f"the call broke: {type(error).__name__}")

    def _tick(self) -> None:
        if self._listener is None:
            return
        self._pass_on(time.monotonic())
        if not self._clock.is_full:
            self._room.set()
        if self._is_half_closed and not self._has_told_silence and not self._clock.has_waiting:
            self._has_told_silence = True
            self._listener.on_leg_event(CallerStaysSilent())
        if self._ended:
            return
        start_sample = self._next_agent_sample
        self._next_agent_sample += self._frame_samples
        frame = self._listener.next_frame()
        if frame is None:
            return  # nothing is said: the next chunk's start_sample shows for how long
        chunk = audio_pb2.AudioChunk(start_sample=start_sample, content=frame)
        if not self.outbox.offer(call_pb2.ConnectCallResponse(audio=chunk)):
            metrics.queue_dropped_total("agent_audio").inc()


class ProgramEdge:
    """The door for programs. The gRPC service hands it each stream."""

    def __init__(self, pacer: Pacer) -> None:
        self.is_ready = True
        self._pacer = pacer
        self._calls: asyncio.TaskGroup | None = None
        self._take_call: TakeCall | None = None
        self._is_draining = False

    async def serve(self, take_call: TakeCall) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as calls:
            self._calls, self._take_call = calls, take_call
            await asyncio.Event().wait()

    def stop_taking_calls(self) -> None:
        self._is_draining = True

    def leg(self, call: IncomingCall) -> ProgramLeg:
        """The leg of a stream that has just opened."""
        return ProgramLeg(call, pacer=self._pacer, outbox=Outbox(MAX_WAITING_RESPONSES))

    async def converse(self, leg: ProgramLeg, requests: AsyncIterator[call_pb2.ConnectCallRequest]) -> None:
        """Serve a stream from its config to the end of the call. Cancelling means that the caller is gone. The call has
        a task of its own, so that it ends in good order when the stream breaks. Raises the error that the stream must
        fail with.
        """
        if self._is_draining or self._calls is None or self._take_call is None:
            raise Draining("this gateway takes no calls now: call another one")
        call = self._calls.create_task(self._hold(leg))
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(leg.read(requests))
                await asyncio.shield(asyncio.wait([call]))
                reading.cancel()
        except* RequestError as wrong:
            leg.failure = next(error for error in wrong.exceptions if isinstance(error, RequestError))
        finally:
            leg.end(EndCause.CALLER, "the stream broke off")
        await asyncio.wait([call])
        if leg.failure is not None:
            raise leg.failure

    async def _hold(self, leg: ProgramLeg) -> None:
        assert self._take_call is not None  # noqa: S101  converse has looked
        try:
            await self._take_call(leg)
        except ServiceError as refusal:
            leg.failure = refusal
        except Exception:
            log.exception("call_failed")  # this call ends, and the others go on
            leg.end(EndCause.FAILURE, "the gateway failed")


def _key(dtmf: call_pb2.Dtmf) -> KeyPressed:
    if dtmf.digit not in KEYS:
        raise UnknownKey(f"{dtmf.digit!r} is no key: send one of 0-9, A-D, * or #", field="dtmf.digit")
    return KeyPressed(dtmf.digit, max(0, dtmf.duration_ms))
