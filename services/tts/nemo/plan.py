"""Batching plan of a GPU: windows of a spectrogram to vocode, and steps of several calls that share a batch.
Sans-IO.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

CHUNK_FRAMES = (16, 32, 64)
"""Frames that a step is planned for: few at first, so that the first sound comes soon; the last figure holds for the
rest.
"""
BUCKETS = (32, 64, 128, 256)
"""Bounds of the lengths, in tokens, that share a batch of texts: none is padded to more than twice its own length."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """Frames that are vocoded together, [low, high), and those of them whose sound is kept, [begin, end)."""

    low: int
    high: int
    begin: int
    end: int

    @property
    def n_frames(self) -> int:
        """Windows of one length may share a batch: none of them is padded."""
        return self.high - self.low


class Windows:
    """Cuts a spectrogram of `n_frames` into windows whose kept parts, joined, equal the vocoder's sound of the whole.

    A frame's sound depends on `margin` frames to either side. A window is as long as others of its step, so that it
    can share their batch: at the end of the spectrogram it is moved to the left rather than cut.
    """

    def __init__(self, n_frames: int, margin: int, *, begin: int = 0) -> None:
        """`begin`: the first frame whose sound is wanted."""
        self._n_frames, self._margin = n_frames, margin
        self._at = begin
        self._step = 0

    @property
    def is_done(self) -> bool:
        return self._at >= self._n_frames

    def peek(self) -> Window:
        """The next window; one more call gives the same."""
        step = CHUNK_FRAMES[min(self._step, len(CHUNK_FRAMES) - 1)]
        length = step + self._margin if self._at == 0 else step + 2 * self._margin
        low = max(0, min(self._at - self._margin, self._n_frames - length))
        high = min(self._n_frames, low + length)
        end = high if high == self._n_frames else high - self._margin
        return Window(low, high, self._at, end)

    def advance(self) -> None:
        """The next window has been vocoded."""
        self._at = self.peek().end
        self._step += 1


def bucket_of(n_tokens: int) -> int:
    """Texts of one bucket share a batch."""
    return next((number for number, bound in enumerate(BUCKETS) if n_tokens <= bound), len(BUCKETS))


@dataclass(frozen=True, slots=True)
class Step(Generic[K, T]):
    """A piece of work whose result is awaited."""

    key: K  # steps of one key can share a batch
    due_s: float  # when its listener runs out of sound
    asked_s: float
    work: T
    gathers: bool = False  # worth waiting a moment for others of its key


class Agenda(Generic[K, T]):
    """The steps that wait for one device.

    The one due first is taken, with the others of its key by the same order: whose sound runs out first is served
    first. A step that gathers waits up to `gather_s` for others, while nothing else is to be done.
    """

    def __init__(self, *, gather_s: float) -> None:
        self._steps: list[Step[K, T]] = []
        self._gather_s = gather_s

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: Step[K, T]) -> None:
        """Take a step."""
        self._steps.append(step)

    def take_all(self) -> list[T]:
        """Everything that waits: the device is lost."""
        waiting = [step.work for step in self._steps]
        self._steps.clear()
        return waiting

    def wait_s(self, now: float) -> float | None:
        """Return how long to wait before `take`; None: until a step is added."""
        if not self._steps:
            return None
        if not all(step.gathers for step in self._steps):
            return 0.0
        return max(0.0, min(step.asked_s for step in self._steps) + self._gather_s - now)

    def take(self, most: int) -> list[T]:
        """Up to `most` steps of one key, the one due first before the others."""
        if not self._steps:
            return []
        self._steps.sort(key=lambda step: step.due_s)
        first = self._steps[0]
        taken = [step for step in self._steps if step.key == first.key][:most]
        for step in taken:
            self._steps.remove(step)
        return [step.work for step in taken]
