"""The one task that lets every leg of the process send, 50 times a second each."""

import asyncio
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Histogram

from services.call_gateway.rtp.pacer import SLOT_S, SlotTable, TickClock
from services.runtime.logs import get_logger

Tick = Callable[[], None]
"""Sends one frame of one leg. Must return within a fraction of a frame."""

_LATE_BUCKETS_S: Final = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.06, 0.2)
_LATE = Histogram("voice_pacer_late_seconds", "How late a tick of the pacer ran.", buckets=_LATE_BUCKETS_S)
_SKIPPED = Counter("voice_pacer_skipped_ticks_total", "5 ms ticks never run: the process was starved or stopped.")

log = get_logger(__name__)


class Pacer:
    """Calls every leg's tick each 20 ms, legs spread over four slots of 5 ms. Rests while there are none.

    A late tick is caught up at once, up to 60 ms; what is later still is skipped, counted and told to its leg, whose
    RTP timestamps must go on (RFC 3550 section 5.1).
    """

    def __init__(self) -> None:
        self._ticks = SlotTable[Tick]()
        self._on_failure: dict[Tick, Callable[[Exception], None]] = {}
        self._on_skip: dict[Tick, Callable[[int], None]] = {}
        self._has_legs = asyncio.Event()

    def add(
        self,
        tick: Tick,
        *,
        on_failure: Callable[[Exception], None] | None = None,
        on_skip: Callable[[int], None] | None = None,
    ) -> None:
        """From its next slot on, `tick` is called. When it raises it is removed, and `on_failure` is told.

        `on_skip` is told how many frames were skipped before the next call. It must not raise.
        """
        self._ticks.add(tick)
        if on_failure is not None:
            self._on_failure[tick] = on_failure
        if on_skip is not None:
            self._on_skip[tick] = on_skip
        self._has_legs.set()

    def remove(self, tick: Tick) -> None:
        """Stop calling a leg. An unknown leg is ignored."""
        self._ticks.remove(tick)
        self._on_failure.pop(tick, None)
        self._on_skip.pop(tick, None)
        if not len(self._ticks):
            self._has_legs.clear()

    async def run(self) -> None:
        """Pace the legs until cancelled."""
        while True:
            await self._has_legs.wait()
            await self._tick_while_needed()

    async def _tick_while_needed(self) -> None:
        loop = asyncio.get_running_loop()
        clock = TickClock(start_s=loop.time())
        while len(self._ticks):
            clock.pass_by(self._ticks.next_occupied(clock.next_tick))
            await _until(loop, clock.next_due())
            now, due = loop.time(), clock.next_due()
            ticks = clock.due(now)
            if not ticks:
                continue  # a timer may fire a fraction early
            _LATE.observe(max(0.0, now - due))
            if clock.skipped:
                self._tell_skipped(clock.skipped)
            for n in ticks:
                for tick in self._ticks.in_slot(n):
                    self._call(tick)

    def _tell_skipped(self, ticks: range) -> None:
        for tick, n_frames in self._ticks.due_within(ticks).items():
            if on_skip := self._on_skip.get(tick):
                on_skip(n_frames)
        _SKIPPED.inc(len(ticks))
        log.warning("pacer_starved", skipped_ms=round(len(ticks) * SLOT_S * 1000))

    def _call(self, tick: Tick) -> None:
        try:
            tick()
        except Exception as error:
            log.exception("tick_failed")
            on_failure = self._on_failure.get(tick)
            self.remove(tick)
            if on_failure is not None:
                on_failure(error)


async def _until(loop: asyncio.AbstractEventLoop, due_s: float) -> None:
    """Sleep to a moment of the loop's clock: asyncio.sleep, less what it asks the system each time (its process id)."""
    woken = loop.create_future()
    timer = loop.call_at(due_s, _wake, woken)
    try:
        await woken
    finally:
        timer.cancel()


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():  # cancelled a moment ago
        sleeper.set_result(None)
