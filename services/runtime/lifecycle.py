"""The lifecycle of a service, from start to end."""

import asyncio
import time
from enum import Enum


class State(Enum):
    """LOADING, then SERVING, then DRAINING, then STOPPED; never back."""

    LOADING = 1
    SERVING = 2
    DRAINING = 3
    STOPPED = 4


class Lifecycle:
    """Tells the parts of a service that it serves, drains or stops. One a server."""

    def __init__(self) -> None:
        self._state = State.LOADING
        self._draining = asyncio.Event()
        self._drain_deadline = 0.0
        self._fault = ""
        self._parts: dict[str, bool] = {}
        self._parts_changed = asyncio.Event()

    @property
    def state(self) -> State:
        return self._state

    @property
    def fault(self) -> str:
        """Return what a person must mend before this process can serve, in one line; empty: nothing is known."""
        return self._fault

    def cannot_serve(self, why: str) -> None:
        """The process stays up and LOADING: to start it again would change nothing."""
        self._fault = " ".join(why.split())

    @property
    def drain_deadline_ms(self) -> int:
        """Milliseconds left for turns under way, for `going_away`; 0 when not draining or past it."""
        return max(0, round((self._drain_deadline - time.monotonic()) * 1000)) if self._draining.is_set() else 0

    async def draining(self) -> None:
        """Wait until the service begins to drain: the moment to send `going_away` on an open stream."""
        await self._draining.wait()

    def set_part(self, name: str, *, is_ready: bool) -> None:
        """A part of the service that health tells of under a name of its own is ready, or is not."""
        if self._parts.get(name) != is_ready:
            self._parts[name] = is_ready
            self._parts_changed.set()

    @property
    def parts(self) -> dict[str, bool]:
        """Return the parts' readiness, by name."""
        return dict(self._parts)

    async def changed_parts(self) -> dict[str, bool]:
        """Wait for a change; returns every part."""
        await self._parts_changed.wait()
        self._parts_changed.clear()
        return dict(self._parts)

    def serve(self) -> None:
        """The engine is loaded."""
        if self._state is State.LOADING:
            self._state = State.SERVING

    def drain(self, drain_s: float) -> None:
        """Take nothing new; what is open has `drain_s` seconds."""
        if self._state in (State.LOADING, State.SERVING):
            self._state = State.DRAINING
            self._drain_deadline = time.monotonic() + drain_s
            self._draining.set()

    def stop(self) -> None:
        """Enter the state STOPPED: nothing is open any more."""
        self._state = State.STOPPED
        self._draining.set()
