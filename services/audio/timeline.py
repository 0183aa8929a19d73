"""The sample clock of one stream: is this chunk next, late, or after a gap?"""

from dataclasses import dataclass


class Overlap(ValueError):
    """A chunk begins before the last one ended."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of a chunk relative to the chunks before it."""

    gap_samples: int  # samples missing before it, to be concealed; 0 when it is next
    is_reset: bool  # the gap is longer than is worth hiding: the listener starts again


class Timeline:
    """Follows `start_sample` through a stream. Nothing the size of a jump is ever allocated."""

    def __init__(self, *, start_sample: int, max_gap_samples: int) -> None:
        self.next_sample = start_sample
        self._max_gap_samples = max_gap_samples

    def place(self, start_sample: int, n_samples: int) -> Placement:
        """Take a chunk of `n_samples` at `start_sample`. Raises Overlap, and then nothing has changed."""
        gap_samples = start_sample - self.next_sample
        if gap_samples < 0:
            raise Overlap(f"start_sample {start_sample} lies before {self.next_sample}, the end of what was sent")
        self.next_sample = start_sample + n_samples
        if gap_samples > self._max_gap_samples:
            return Placement(gap_samples=0, is_reset=True)
        return Placement(gap_samples=gap_samples, is_reset=False)
