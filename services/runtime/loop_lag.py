"""How late the event loop is: the first sign of a process that does too much."""

import asyncio
import time

from services.runtime.metrics import StageMetrics

PERIOD_S = 0.1


async def watch_loop_lag(metrics: StageMetrics) -> None:
    """Set a timer over and over and observe how late it fires, in seconds. Runs until cancelled."""
    while True:
        due = time.monotonic() + PERIOD_S  # not the loop's own time: uvloop's stands still while a callback runs
        await asyncio.sleep(PERIOD_S)
        lag_s = max(0.0, time.monotonic() - due)
        metrics.event_loop_lag_seconds.observe(lag_s)
        metrics.event_loop_lag_last_seconds.set(lag_s)
