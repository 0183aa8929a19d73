"""A line that sends back what it is sent: fainter and later, otherwise the same."""

from typing import Final

import numpy as np

from services.audio.pcm import Samples

RATE_HERTZ: Final = 8000
_FULL_SCALE: Final = 32767


class EchoPath:
    """A delay line with a gain. The samples that are heard go in; as many come back out as the phone sends. After a
    pause in the heard samples the line fills up to its delay again.
    """

    def __init__(self, *, gain_db: float, delay_ms: int) -> None:
        """`gain_db` below 0: fainter than heard."""
        self._gain = 10 ** (gain_db / 20)
        self._delay = np.zeros(delay_ms * RATE_HERTZ // 1000, dtype=np.int16)
        self._coming = np.empty(0, dtype=np.int16)

    def feed(self, samples: Samples) -> None:
        """The line was sent `samples`, (n_samples,) int16 at 8 kHz."""
        coming = self._coming if len(self._coming) else self._delay
        self._coming = np.concatenate((coming, (samples * self._gain).astype(np.int16)))

    def mixed_into(self, samples: Samples) -> Samples:
        """Return what leaves the phone when its owner says `samples`: the echo is taken out and added, clipped."""
        returned, self._coming = self._coming[: len(samples)], self._coming[len(samples) :]
        mixed = samples.astype(np.int32)
        mixed[: len(returned)] += returned
        return np.clip(mixed, -_FULL_SCALE - 1, _FULL_SCALE).astype(np.int16)
