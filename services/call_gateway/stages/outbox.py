"""Outbox of a stage: bounded queues of requests that wait to be written. Each queue says what it drops."""

from collections import deque
from typing import Generic, TypeVar

Request = TypeVar("Request")

MAX_WAITING_REQUESTS = 512
"""Requests other than audio that may wait. A healthy stage never has so many: beyond it the stage is taken for dead."""


class OutboxFull(Exception):
    """The stage takes nothing any more. Nothing was dropped."""


class Outbox(Generic[Request]):
    """Requests in order, none of which may be lost."""

    def __init__(self) -> None:
        self._waiting: deque[Request] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, request: Request) -> None:
        """Queue a request. Raises OutboxFull."""
        if len(self._waiting) >= MAX_WAITING_REQUESTS:
            raise OutboxFull
        self._waiting.append(request)

    def pop(self) -> Request | None:
        """The next request that may be written now."""
        return self._waiting.popleft() if self._waiting else None


class SoundOutbox(Outbox[Request]):
    """Caller audio among other requests.

    Two bounds: when more than `max_waiting_samples` of sound wait, the oldest sound is dropped, and its place shows as
    a gap in `start_sample`; and no sound is written more than `max_ahead_samples` beyond what the STT stage says it has
    listened to, since HTTP/2 itself would let minutes of it pile up at a stalled server.
    """

    def __init__(self, *, start_sample: int, max_waiting_samples: int, max_ahead_samples: int) -> None:
        super().__init__()
        self._end_samples: deque[int] = deque()  # beside each waiting request: where its sound ends; 0 for no sound
        self._lengths: deque[int] = deque()
        self._waiting_samples = 0
        self._max_waiting_samples = max_waiting_samples
        self._max_ahead_samples = max_ahead_samples
        self._listened_sample = start_sample
        self.dropped_chunks = 0

    def push(self, request: Request) -> None:
        super().push(request)
        self._end_samples.append(0)
        self._lengths.append(0)

    def push_behind(self, request: Request, sample: int) -> None:
        """Queue a request that is about the sound before `sample`: behind the waiting sound that reaches so far, and
        before what comes later. Raises OutboxFull.
        """
        place = next((at for at, end in enumerate(self._end_samples) if end >= max(1, sample)), None)
        if place is None:
            self.push(request)
            return
        if len(self._waiting) >= MAX_WAITING_REQUESTS:
            raise OutboxFull
        place += 1
        while place < len(self._waiting) and not self._end_samples[place]:
            place += 1  # requests that were queued there before
        self._waiting.insert(place, request)
        self._end_samples.insert(place, 0)
        self._lengths.insert(place, 0)

    def push_sound(self, request: Request, *, end_sample: int, n_samples: int) -> None:
        """Queue sound that ends at `end_sample`; drops the oldest sound over the bound."""
        self._waiting.append(request)
        self._end_samples.append(end_sample)
        self._lengths.append(n_samples)
        self._waiting_samples += n_samples
        while self._waiting_samples > self._max_waiting_samples:
            self._drop_oldest_sound()

    def pop(self) -> Request | None:
        if not self._waiting or self._end_samples[0] - self._listened_sample > self._max_ahead_samples:
            return None
        self._end_samples.popleft()
        self._waiting_samples -= self._lengths.popleft()
        return super().pop()

    def listened(self, sample: int) -> None:
        """The STT stage has come so far."""
        self._listened_sample = max(self._listened_sample, sample)

    def _drop_oldest_sound(self) -> None:
        oldest = next(place for place, n_samples in enumerate(self._lengths) if n_samples)
        self._waiting_samples -= self._lengths[oldest]
        del self._waiting[oldest], self._end_samples[oldest], self._lengths[oldest]
        self.dropped_chunks += 1
