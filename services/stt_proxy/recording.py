"""The last sound of a call, kept so that speech can be cut out of it again."""

from collections import deque

import numpy as np

from services.audio.pcm import Samples
from services.stt_proxy.engine import Clip


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
        """Sound before this is no longer wanted."""
        while self._held and self._held[0].start_sample + len(self._held[0].samples) <= before_sample:
            self._drop_oldest()

    def cut(self, from_sample: int, to_sample: int) -> tuple[Clip, ...]:
        """The sound in [from_sample, to_sample): one clip for each unbroken run."""
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
