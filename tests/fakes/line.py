"""A caller's line without a telephone: pulls a frame every 20 ms and does as the test says."""

import asyncio
from dataclasses import dataclass, field

from services.call_gateway.edges.edge import IncomingCall, LegFailed, LegListener
from services.call_gateway.line import CallerAudio, EndCause, LegEnded, LegEvent

FRAME_S = 0.02
FRAME_SAMPLES = 160
SILENCE = b"\xff" * FRAME_SAMPLES


@dataclass(slots=True)
class FakeLeg:
    """Implements Leg. `frames` holds what the caller heard: None is comfort silence."""

    call: IncomingCall
    refuses_answer: bool = False
    has_fallback: bool = False
    transfer_failure: LegFailed | None = None
    frames: list[bytes | None] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    hung_up: EndCause | None = None
    listener: LegListener | None = None
    sample: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, listener: LegListener) -> None:
        if self.refuses_answer:
            raise LegFailed("the caller is gone")
        self.listener = listener
        self.answered.set()

    def discard_sent(self) -> None:
        self.acts.append("discard")

    async def send_dtmf(self, digits: str) -> None:
        self.acts.append(f"keys {digits}")

    async def transfer(self, destination: str, *, is_listed: bool = False) -> None:
        self.acts.append(f"transfer {destination}" + (" as listed" if is_listed else ""))
        if self.transfer_failure is not None:
            raise self.transfer_failure
        self.tell(LegEnded(EndCause.TRANSFER, destination))

    async def fall_back(self, message: str) -> None:
        self.acts.append("fall back")
        self.hung_up = EndCause.FAILURE
        self.tell(LegEnded(EndCause.FAILURE, message))

    async def hang_up(self, cause: EndCause, *, message: str = "") -> None:
        self.hung_up = cause
        self.tell(LegEnded(cause, message))

    def tell(self, event: LegEvent) -> None:
        """Something happens on the line."""
        assert self.listener is not None
        self.listener.on_leg_event(event)

    async def run(self) -> None:
        """The line's clock, until cancelled: silence in, frames out."""
        await self.answered.wait()
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self.hung_up is None:
            self.tell(CallerAudio(self.sample, SILENCE))
            self.sample += FRAME_SAMPLES
            assert self.listener is not None
            self.frames.append(self.listener.next_frame())
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    def heard(self) -> bytes:
        """Everything the caller heard of voices, joined."""
        return b"".join(frame for frame in self.frames if frame is not None)
