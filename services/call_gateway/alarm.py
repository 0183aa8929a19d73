"""One call's alarm: rings when the conversation has something to decide although nothing happens."""

import asyncio
import time
from collections.abc import Callable


class Alarm:
    """Set over and over, it costs a timer only when it must ring earlier than before."""

    def __init__(self, ring: Callable[[], None]) -> None:
        """`ring` is called on the event loop, too early at worst, and sets it again."""
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0

    def set(self, due_s: float) -> None:
        """Ring at that moment of the monotonic clock, or before it where an earlier one was set."""
        if self._timer is not None:
            if due_s >= self._due_s:
                return
            self._timer.cancel()
        self._due_s = due_s
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due_s - time.monotonic()) + 0.001, self._expire)

    def silence(self) -> None:
        """It rings no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._timer = None
        self._ring()
