"""The parts of a turn's time, by the server's monotonic clock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from voice.type.v1 import turn_pb2


@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds a turn has waited, worked, and lasted since its trigger."""

    queue_us: int
    compute_us: int
    since_trigger_us: int

    def to_proto(self) -> turn_pb2.Timing:
        """The message that rides on responses."""
        return turn_pb2.Timing(
            queue_us=self.queue_us, compute_us=self.compute_us, since_trigger_us=self.since_trigger_us
        )


class Stopwatch:
    """Measures one turn from its trigger: the message that completed its first unit of work."""

    def __init__(self, trigger_ns: int | None = None) -> None:
        """`trigger_ns`: when the trigger came, by time.monotonic_ns; now when it is not given."""
        self._trigger_ns = time.monotonic_ns() if trigger_ns is None else trigger_ns
        self._queue_ns = 0
        self._compute_ns = 0

    def add_queue(self, nanoseconds: int) -> None:
        """So long it waited for a worker, a batch or a slot."""
        self._queue_ns += nanoseconds

    def add_compute(self, nanoseconds: int) -> None:
        """So long something worked for it."""
        self._compute_ns += nanoseconds

    @contextmanager
    def computing(self) -> Iterator[None]:
        """The body works."""
        began = time.monotonic_ns()
        try:
            yield
        finally:
            self._compute_ns += time.monotonic_ns() - began

    def timing(self) -> Timing:
        """The time that has been spent up to now."""
        since_ns = time.monotonic_ns() - self._trigger_ns
        return Timing(self._queue_ns // 1000, self._compute_ns // 1000, max(0, since_ns) // 1000)
