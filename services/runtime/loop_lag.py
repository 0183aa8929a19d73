"""How late the event loop is: the first sign of a process that does too much."""

import asyncio

from services.runtime.metrics import StageMetrics

PERIOD_S = 0.1


async def watch_loop_lag(metrics: StageMetrics) -> None:
    """Set a timer over and over and observe how late it fires, in seconds. Runs until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + PERIOD_S
        await asyncio.sleep(PERIOD_S)
        lag_s = max(0.0, loop.time() - due)
        metrics.event_loop_lag_seconds.observe(lag_s)
        metrics.event_loop_lag_last_seconds.set(lag_s)
