"""Stall detection: streams that are dead without an error, as on a half-open connection or in a library that hangs."""

import asyncio
from collections.abc import Callable

from services.stt_proxy.following.feeding import Feeder
from services.stt_proxy.following.state import FollowedState, Hearing

LOOK_S = 0.5  # between two looks


class StallWatch:
    """Watch on the streams of one call. `on_stalled` is given the stream that took no sound, or said nothing of speech,
    for so many seconds; `on_endless` the one that was told that no more comes and does not end.
    """

    def __init__(
        self,
        state: FollowedState,
        feeder: Feeder,
        *,
        on_stalled: Callable[[Hearing, float], None],
        on_endless: Callable[[Hearing], None],
    ) -> None:
        self._state = state
        self._feeder = feeder
        self._on_stalled = on_stalled
        self._on_endless = on_endless
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def watch(self) -> None:
        """Watch the stream from now on, until there is none."""
        if self._timer is None and self._state.limits.stall_s:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def close(self) -> None:
        """The call is gone."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now, limit_s = asyncio.get_running_loop().time(), self._state.limits.stall_s
        for hearing in list(self._state.hearings):
            if hearing.stream is None or hearing.stretch.is_ended:
                continue
            if hearing.is_finishing:
                if now - hearing.finished_at >= limit_s:
                    self._on_endless(hearing)
                continue
            silent_s = self._silent_s(hearing, now)
            if silent_s >= limit_s:
                self._on_stalled(hearing, silent_s)
        self._timer = None
        if self._state.hearings and not self._is_closed:
            self.watch()

    def _silent_s(self, hearing: Hearing, now: float) -> float:
        """Return for how many seconds the stream has said nothing of speech, or taken no sound that is there."""
        unheard = (hearing.stretch.fed_to - hearing.answered_to) / self._state.rate if self._state.is_speaking else 0.0
        unmoved_s = now - hearing.moved_at if self._feeder.lags(hearing) else 0.0
        return max(min(unheard, now - hearing.said_at), unmoved_s)
