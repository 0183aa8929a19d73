"""The caller's media clock: which sample it is, and when a sample was spoken by the wall."""

from services.call_gateway.arrival_clock import ArrivalClock


class MediaClock:
    """Counts the caller's samples and ties them to the wall."""

    def __init__(self, sample_rate_hertz: int) -> None:
        self.sample_rate_hertz = sample_rate_hertz
        self.sample = 0  # the first not yet arrived
        self._arrivals = ArrivalClock(sample_rate_hertz)

    def advance(self, to_sample: int, *, now: float) -> bool:
        """Sound or idle time arrived up to `to_sample`. False when that is no news."""
        if to_sample <= self.sample:
            return False
        self.sample = to_sample
        self._arrivals.observe(to_sample, arrival=now)
        return True

    def wall_time(self, sample: int) -> float:
        """When that sample was on the wire, in seconds by the clock of `now`. Needs one `advance` before."""
        return self._arrivals.time_of(sample)

    def samples(self, ms: float) -> int:
        """So many milliseconds, in samples."""
        return int(ms * self.sample_rate_hertz / 1000)
