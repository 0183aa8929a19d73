"""The clocks of one call: the caller's media clock in samples, and times that stand still on a hold or a pause."""

from services.call_gateway.arrival_clock import ArrivalClock
from services.call_gateway.conversation.floor import Floor


class MediaClock:
    """Counts the caller's samples and ties them to the wall."""

    def __init__(self, sample_rate_hertz: int) -> None:
        self.sample_rate_hertz = sample_rate_hertz
        self.sample = 0  # the first not yet arrived
        self._arrivals = ArrivalClock(sample_rate_hertz)

    def advance(self, to_sample: int, *, now: float) -> bool:
        """Sound or idle time arrived up to `to_sample`. Returns False when the clock is there already."""
        if to_sample <= self.sample:
            return False
        self.sample = to_sample
        self._arrivals.observe(to_sample, arrival=now)
        return True

    def wall_time(self, sample: int) -> float:
        """Return when a sample was on the wire, in seconds on the clock of `now`. One `advance` must come before."""
        return self._arrivals.time_of(sample)

    def samples(self, ms: float) -> int:
        """Return milliseconds as a number of samples."""
        return int(ms * self.sample_rate_hertz / 1000)


class CallClock(MediaClock):
    """The clock of one call: wall time, time without holds, time without holds and pauses, and the media clock.

    Times are in seconds. A deadline is kept on the reading that stands still while the caller cannot act, so that no
    deadline is ever shifted.
    """

    def __init__(self, sample_rate_hertz: int) -> None:
        super().__init__(sample_rate_hertz)
        self.wall = 0.0  # monotonic
        self.now = 0.0  # stands still on hold
        self.waiting = 0.0  # stands still on hold, and while the caller makes a sound over the agent
        self._floor = Floor.LISTENING
        self._held_s = 0.0  # the sum of all holds
        self._stopped_s = 0.0  # the sum of all holds and pauses

    def set(self, wall: float) -> None:
        """Let time go on to `wall`, in seconds, monotonic."""
        passed, self.wall = wall - self.wall, wall
        if self._floor is Floor.HELD:
            self._held_s += passed
        if self._floor in (Floor.HELD, Floor.PAUSED):
            self._stopped_s += passed
        self.now, self.waiting = wall - self._held_s, wall - self._stopped_s

    def follow(self, floor: Floor) -> None:
        """The floor has changed."""
        self._floor = floor

    def wall_of(self, deadline: float) -> float:
        """Return the `wall` time at which `now` reaches `deadline`, in seconds. The call must not be on hold."""
        return deadline + self._held_s

    def wall_of_waiting(self, deadline: float) -> float:
        """Return the `wall` time at which `waiting` reaches `deadline`, in seconds. The call must not be on hold or
        paused.
        """
        return deadline + self._stopped_s
