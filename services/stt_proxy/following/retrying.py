"""Backoff: the wait before another stream is tried after one broke, and when the engine is given up."""

import math
from dataclasses import dataclass

from services.stt_proxy.following.stream import Broken

LONG_S = 5.0  # a stream that was fed so much was well
GROWTH_S = (0.0, 0.1, 0.3, 0.7, 1.5)  # before each further try that settles nothing


@dataclass(slots=True)
class Retrying:
    """Retries of one stretch. After a stream that settled words, or was fed for long, a break counts as the first."""

    most_tries: int = len(GROWTH_S)  # that settle nothing
    longest_wait_s: float = math.inf  # a provider that asks for a longer wait is given up
    n_futile: int = 0
    settled_to: int = -1

    def next_wait_s(self, broken: Broken, *, settled_to: int, fed_s: float) -> float | None:
        """Return the wait before the next try, in seconds; None: give up. `fed_s`: seconds of sound that the broken
        stream took.
        """
        if not broken.is_retryable or broken.retry_after_s > self.longest_wait_s:
            return None
        if settled_to > self.settled_to >= 0 or fed_s >= LONG_S:
            self.n_futile = 0
        self.settled_to = settled_to
        if self.n_futile >= min(self.most_tries, len(GROWTH_S)):
            return None
        wait_s = max(GROWTH_S[self.n_futile], broken.retry_after_s)
        self.n_futile += 1
        return wait_s
