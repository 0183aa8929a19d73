"""The caller's media clock: the current sample, and the wall time at which a sample was spoken."""

from services.call_gateway.arrival_clock import ArrivalClock


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
