"""Media clock of a call, and clock recovery: when each sample was on the wire, by the arrival times of packets."""

from collections import deque
from typing import Final

_WINDOW_S: Final = 10
"""Long enough to meet a packet that was not delayed, short enough that 200 ppm of drift is 2 ms."""


class ArrivalClock:
    """The sender's clock, estimated from arrivals: which of its ticks is arriving now.

    The least delayed packet of the last ten seconds sets the pace (a sliding minimum, one value a second), so that
    jitter never reads as drift and drift never grows into delay.
    """

    def __init__(self, rate_hertz: int) -> None:
        self._rate_hertz = rate_hertz
        self._least: deque[tuple[int, float]] = deque()  # (second, arrival - tick time), both increasing

    def restart(self, tick: int, *, arrival: float) -> None:
        """Forget what was known: `tick`, of the sender's media clock, arrived now, at `arrival` seconds, monotonic."""
        self._least.clear()
        self.observe(tick, arrival=arrival)

    def observe(self, tick: int, *, arrival: float) -> None:
        """Take the arrival, in seconds, monotonic, of the packet that ends at `tick` of the sender's media clock."""
        offset_s = arrival - tick / self._rate_hertz
        second = int(arrival)
        least = self._least
        while least and least[-1][1] >= offset_s:
            least.pop()
        if not least or least[-1][0] != second:
            least.append((second, offset_s))
        while least[0][0] < second - _WINDOW_S:
            least.popleft()

    def tick_at(self, now: float) -> int:
        """The tick that a packet without delay would end at, if it arrived at `now`, in seconds, monotonic."""
        return round((now - self._least[0][1]) * self._rate_hertz)

    def time_of(self, tick: int) -> float:
        """Return when a packet without delay that ends at `tick` arrives, in seconds, monotonic."""
        return (self._least[0][1] if self._least else 0.0) + tick / self._rate_hertz


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
