"""A stand-in for the gateway: the ARI edge, and for each call a session that beeps and then says back what it hears.

What happens is told as one JSON object a line on stdout. Keys make it act: 9 hangs up, 8 transfers to the reception,
6 has the caller sent to where they come again, and takes two seconds more to end; 7 presses 4 and 2 towards the caller.
SIGUSR1 lets it take no more calls.
"""

import asyncio
import contextlib
import json
import signal
from collections import deque
from typing import Any

import numpy as np
import structlog
import uvloop

from services.audio.pcm import AudioFormat, encode
from services.call_gateway.edges.ari.edge import AriEdge
from services.call_gateway.edges.ari.leg import AriLeg
from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.edges.edge import Leg
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.line import CallerAudio, EndCause, KeyPressed, LegEnded, LegEvent, MediaIdle
from services.runtime.logs import configure_logs

GREETING_HERTZ = 1000
RECOVERED_HERTZ = 600
BEEP_S = 0.4
MOST_OF_A_BEEP_S = 0.8 * BEEP_S  # heard of it, it was heard
MAX_WAITING_FRAMES = 50
LINGER_S = 2.0


def tell(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def beep(audio_format: AudioFormat, hertz: int) -> list[bytes]:
    """A tone in frames of 20 ms."""
    rate = audio_format.sample_rate_hertz
    wave = (8000 * np.sin(2 * np.pi * hertz * np.arange(int(BEEP_S * rate)) / rate)).astype(np.int16)
    return [encode(audio_format, wave[start : start + rate // 50]) for start in range(0, len(wave), rate // 50)]


class EchoSession:
    """One call."""

    def __init__(self, leg: Leg) -> None:
        self.ended = asyncio.Event()
        self.lingers = False
        self.keys: asyncio.Queue[str] = asyncio.Queue(32)
        self._call_id = leg.call.call_id
        hertz = RECOVERED_HERTZ if leg.call.is_recovered else GREETING_HERTZ
        self._frames = deque(beep(leg.call.audio_format, hertz), maxlen=MAX_WAITING_FRAMES)
        self._rest = b""
        self._frame_bytes = leg.call.audio_format.sample_rate_hertz // 50 * leg.call.audio_format.bytes_per_sample

    def on_leg_event(self, event: LegEvent) -> None:
        match event:
            case CallerAudio(content=content):
                self._rest += content
                while len(self._rest) >= self._frame_bytes:
                    self._frames.append(self._rest[: self._frame_bytes])
                    self._rest = self._rest[self._frame_bytes :]
            case MediaIdle(reason=reason):
                tell("MediaIdle", call_id=self._call_id, reason=reason.value)
            case LegEnded(cause, message):
                tell("LegEnded", call_id=self._call_id, cause=cause.value, message=message)
                self.ended.set()
            case KeyPressed(digit):
                tell("KeyPressed", call_id=self._call_id, digit=digit)
                self.keys.put_nowait(digit)
            case _:
                tell(type(event).__name__, call_id=self._call_id, text=repr(event))

    def next_frame(self) -> bytes | None:
        return self._frames.popleft() if self._frames else None


async def take_call(leg: Leg) -> None:
    """Hold one call to its end."""
    call = leg.call
    session = EchoSession(leg)
    tell(
        "call",
        call_id=call.call_id,
        is_recovered=call.is_recovered,
        agent_id=call.agent_id,
        language_codes=list(call.language_codes),
        caller=call.caller,
    )
    await leg.answer(session)
    tell("answered", call_id=call.call_id)
    async with asyncio.TaskGroup() as tasks:
        keys = tasks.create_task(act_on_keys(leg, session))
        await session.ended.wait()
        keys.cancel()
    if session.lingers:
        await asyncio.sleep(LINGER_S)
    tell("over", call_id=call.call_id, visit_id=call.visit_id)


async def sent_away(leg: Leg) -> None:
    """The channel goes to the dialplan without a transfer of the leg's, as when an operator redirects it."""
    assert isinstance(leg, AriLeg)
    await leg.line.send_on(AriSettings().transfer_context, "again")


async def act_on_keys(leg: Leg, session: EchoSession) -> None:
    while True:
        match await session.keys.get():
            case "9":
                await leg.hang_up(EndCause.AGENT, message="nine")
            case "8":
                await leg.transfer("reception")
            case "6":
                session.lingers = True
                await sent_away(leg)
            case "7":
                await leg.send_dtmf("42")


async def main() -> None:
    configure_logs(level="info", log_format="console", log_pii=False, service="call_gateway")
    structlog.configure(
        processors=[*structlog.get_config()["processors"][:-1], watch_connection, structlog.dev.ConsoleRenderer()]
    )
    pacer = Pacer()
    edge = AriEdge(AriSettings(), pacer)
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(pacer.run()), tasks.create_task(edge.serve(take_call))]

            def drain() -> None:
                edge.stop_taking_calls()
                tell("drains")

            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, drain)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: [task.cancel() for task in work])


def watch_connection(_logger: Any, _method: str, event: Any) -> Any:
    """Tell the test when the edge is connected."""
    if event["event"] in {"ari_connected", "ari_disconnected", "ari_app_replaced", "ari_app_taken_back"}:
        tell(event["event"].removeprefix("ari_"))
    if event["event"] == "rtp_no_packets":
        tell(**event)
    return event


if __name__ == "__main__":
    uvloop.run(main())
