"""Sample rate conversion of a running stream, by soxr (https://sourceforge.net/p/soxr/wiki/Home/)."""

from typing import Literal

import numpy as np
import soxr

from services.audio.pcm import Samples

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]


class Resampler:
    """Converts chunk by chunk; the chunks joined equal one conversion of the whole.

    The filter looks ahead, which is delay: measured at 22.05 to 8 kHz, about 100 ms for HQ and a few milliseconds for
    QQ. A voice that is made ahead of time can wait; a caller being listened to cannot.
    """

    def __init__(self, from_hertz: int, to_hertz: int, *, quality: Quality = "HQ") -> None:
        self._is_identity = from_hertz == to_hertz
        self._stream = soxr.ResampleStream(from_hertz, to_hertz, 1, dtype="int16", quality=quality)

    def push(self, samples: Samples) -> Samples:
        """Samples at the old rate in, those ready at the new rate out (maybe none)."""
        if self._is_identity:
            return samples
        return np.asarray(self._stream.resample_chunk(samples), dtype=np.int16)

    def finish(self) -> Samples:
        """The samples that the filter still holds. The resampler is spent afterwards."""
        if self._is_identity:
            return np.empty(0, dtype=np.int16)
        return np.asarray(self._stream.resample_chunk(np.empty(0, dtype=np.int16), last=True), dtype=np.int16)
