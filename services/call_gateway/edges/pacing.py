"""The one task that lets every leg of the process send, 50 times a second each."""

import asyncio
from typing import Protocol

from prometheus_client import Counter, Histogram

from services.call_gateway.rtp.pacer import SLOT_S, SlotTable, TickClock
from services.runtime.logs import get_logger

_LATE_BUCKETS_S = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.06, 0.2)
_LATE = Histogram("voice_pacer_late_seconds", "How late a tick of the pacer ran.", buckets=_LATE_BUCKETS_S)
_SKIPPED = Counter("voice_pacer_skipped_ticks_total", "5 ms ticks never run: the process was starved or stopped.")

log = get_logger(__name__)


class PacedLeg(Protocol):
    """What sends on the pacer's clock."""

    def send_frame(self, now: float) -> None:
        """Send one frame. `now` is the loop's clock. What it raises ends this leg only."""
        ...

    def fail(self, error: Exception) -> None:
        """It raised: end the leg."""
        ...


class Pacer:
    """Ticks every 5 ms while there are legs, and rests while there are none."""

    def __init__(self) -> None:
        self._legs = SlotTable[PacedLeg]()
        self._has_legs = asyncio.Event()

    def add(self, leg: PacedLeg) -> None:
        """From its next slot on, `leg` sends."""
        self._legs.add(leg)
        self._has_legs.set()

    def remove(self, leg: PacedLeg) -> None:
        """It sends no more. Does nothing when it is not there."""
        self._legs.remove(leg)
        if not len(self._legs):
            self._has_legs.clear()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._has_legs.wait()
            await self._tick_while_needed()

    async def _tick_while_needed(self) -> None:
        loop = asyncio.get_running_loop()
        clock = TickClock(start_s=loop.time())
        skipped = 0
        while len(self._legs):
            await asyncio.sleep(max(0.0, clock.next_due() - loop.time()))
            now = loop.time()
            due = clock.next_due()
            if now < due:
                continue  # a timer may fire a fraction early
            _LATE.observe(now - due)
            for tick in clock.due(now):
                for leg in self._legs.in_slot(tick):
                    self._let_send(leg, now)
            if clock.skipped_ticks > skipped:
                _SKIPPED.inc(clock.skipped_ticks - skipped)
                log.warning("pacer_starved", skipped_ms=round((clock.skipped_ticks - skipped) * SLOT_S * 1000))
                skipped = clock.skipped_ticks

    def _let_send(self, leg: PacedLeg, now: float) -> None:
        try:
            leg.send_frame(now)
        except Exception as error:
            log.exception("leg_failed_to_send")
            self.remove(leg)
            leg.fail(error)
