"""The caller's sound as a clock: which sample it is, and when a sample was spoken by the wall.

A far side's clock runs up to some hundred ppm beside ours, and packets come late but never early. So the earliest
arrivals of the last ten seconds tell where sample 0 lay: a sliding minimum follows drift and forgets late packets.
"""

from collections import deque

BUCKET_S = 1.0
BUCKETS = 10


class MediaClock:
    """Counts the caller's samples and ties them to the wall."""

    def __init__(self, sample_rate_hertz: int) -> None:
        self.sample_rate_hertz = sample_rate_hertz
        self.sample = 0  # the first not yet arrived
        self._starts: deque[tuple[int, float]] = deque()  # (bucket, when sample 0 would have arrived), rising

    def advance(self, to_sample: int, *, now: float) -> bool:
        """Sound or idle time arrived up to `to_sample`. False when that is no news."""
        if to_sample <= self.sample:
            return False
        self.sample = to_sample
        self._remember(now - to_sample / self.sample_rate_hertz, bucket=int(now / BUCKET_S))
        return True

    def _remember(self, start: float, *, bucket: int) -> None:
        while self._starts and self._starts[-1][1] >= start:
            self._starts.pop()
        self._starts.append((bucket, start))
        while self._starts[0][0] <= bucket - BUCKETS:
            self._starts.popleft()

    def wall_time(self, sample: int) -> float:
        """When that sample was on the wire, in seconds by the clock of `now`. Needs one `advance` before."""
        start = self._starts[0][1] if self._starts else 0.0
        return start + sample / self.sample_rate_hertz

    def samples(self, ms: float) -> int:
        """So many milliseconds, in samples."""
        return int(ms * self.sample_rate_hertz / 1000)
