"""Replay ring: the last sound of a call, the one place where an engine finds sound to hear again.

An engine that decodes stretches is given them cut out of it; one that follows the sound is fed from it, and fed again
from the last settled word when its recogniser breaks. No engine keeps samples itself.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from services.audio.pcm import Samples


@dataclass(frozen=True, slots=True)
class Clip:
    """An unbroken stretch of the caller's sound."""

    start_sample: int  # on the call's clock
    samples: Samples  # (n_samples,) int16 at the call's rate


class Recording:
    """Sound on the call's clock, at most `limit_samples` of it; the oldest goes first."""

    def __init__(self, *, limit_samples: int) -> None:
        self._limit_samples = limit_samples
        self._held: deque[Clip] = deque()
        self._held_samples = 0
        self.dropped_samples = 0  # lost to the limit while still wanted

    def add(self, start_sample: int, samples: Samples) -> None:
        """The next sound; it may lie beyond the end of the last."""
        if len(samples) == 0:
            return
        self._held.append(Clip(start_sample, samples))
        self._held_samples += len(samples)
        while self._held_samples > self._limit_samples:
            dropped = self._drop_oldest()
            self.dropped_samples += dropped

    def release(self, before_sample: int) -> None:
        """Drop the sound before this sample."""
        while self._held and self._held[0].start_sample + len(self._held[0].samples) <= before_sample:
            self._drop_oldest()

    def mute(self, from_sample: int, to_sample: int) -> None:
        """Replace the sound in [from_sample, to_sample), which is no speech, by silence."""
        for number in range(len(self._held) - 1, -1, -1):
            piece = self._held[number]
            first, last = max(from_sample, piece.start_sample), min(to_sample, piece.start_sample + len(piece.samples))
            if piece.start_sample + len(piece.samples) <= from_sample:
                break
            if first < last:
                samples = piece.samples.copy()
                samples[first - piece.start_sample : last - piece.start_sample] = 0
                self._held[number] = Clip(piece.start_sample, samples)

    def read(self, from_sample: int, n_samples: int) -> Clip | None:
        """Return the first unbroken sound at or behind `from_sample`, at most `n_samples` of it; None when there is
        none.
        """
        found: Clip | None = None
        for piece in reversed(self._held):  # what is read lies near the end
            if piece.start_sample + len(piece.samples) <= from_sample:
                break
            found = piece
        if found is None:
            return None
        skipped = max(0, from_sample - found.start_sample)
        return Clip(found.start_sample + skipped, found.samples[skipped : skipped + n_samples])

    def cut(self, from_sample: int, to_sample: int) -> tuple[Clip, ...]:
        """Return the sound in [from_sample, to_sample): one clip for each unbroken run."""
        runs: list[list[Clip]] = []
        for piece in self._held:
            first = max(from_sample, piece.start_sample)
            last = min(to_sample, piece.start_sample + len(piece.samples))
            if first >= last:
                continue
            part = Clip(first, piece.samples[first - piece.start_sample : last - piece.start_sample])
            if runs and runs[-1][-1].start_sample + len(runs[-1][-1].samples) == first:
                runs[-1].append(part)
            else:
                runs.append([part])
        return tuple(Clip(run[0].start_sample, np.concatenate([part.samples for part in run])) for run in runs)

    def _drop_oldest(self) -> int:
        n_samples = len(self._held.popleft().samples)
        self._held_samples -= n_samples
        return n_samples
