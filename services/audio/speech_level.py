"""Active speech level, ITU-T P.56 method B. Sans-IO.

Levels are in dBov, as ITU-T G.100.1 counts them: 0 dBov is the power of a square wave that fills 16 bits, and a sine
that fills them has -3 dBov.
"""

import math
from copy import copy
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import Samples

FULL_SCALE = 32768.0
TIME_CONSTANT_S = 0.03  # of each of the two smoothers of the envelope
HANGOVER_S = 0.2  # a pause that is shorter is part of speech
MARGIN_DB = 15.9  # between the active level and the threshold that tells speech from pauses
N_THRESHOLDS = 15
LOOKS_PER_S = 2000  # at the envelope, which moves in tens of milliseconds
THRESHOLDS = 2.0 ** np.arange(-N_THRESHOLDS, 0)  # of the envelope, in parts of full scale, rising

_BLOCK_TIME_CONSTANTS = 8  # of the smoother in one step, so that its powers stay within a few thousand

Floats = NDArray[np.float64]


class SpeechLevelMeter:
    """Measures a stream of speech. Pieces may have any length; the result is that of the whole."""

    def __init__(self, sample_rate_hertz: int) -> None:
        self._rate = sample_rate_hertz
        self._decay = math.exp(-1 / (TIME_CONSTANT_S * sample_rate_hertz))
        self._powers = _powers(self._decay, int(_BLOCK_TIME_CONSTANTS * TIME_CONSTANT_S * sample_rate_hertz))
        self._step = max(1, sample_rate_hertz // LOOKS_PER_S)
        self._hangover = int(HANGOVER_S * sample_rate_hertz) // self._step  # in looks at the envelope
        self._energy = 0.0
        self._n_samples = 0
        self._smoothed = (0.0, 0.0)
        self._since_active = np.full(N_THRESHOLDS, self._hangover, dtype=np.int64)  # looks, by threshold
        self._n_active = np.zeros(N_THRESHOLDS, dtype=np.int64)  # looks, by threshold

    def push(self, samples: Samples) -> None:
        """Measure on."""
        values = samples.astype(np.float64) / FULL_SCALE
        block = len(self._powers)
        for begin in range(0, len(values), block):
            self._push_block(values[begin : begin + block])

    def measured(self) -> tuple[float, float] | None:
        """The active level in dBov and the seconds of speech; None when there was no sound."""
        if self._energy <= 0.0:
            return None
        before: tuple[float, float, float] | None = None  # level, seconds and distance at the threshold before
        for threshold, n_active in zip(THRESHOLDS, self._n_active, strict=True):
            if not n_active:
                break
            level = 10 * math.log10(self._energy / (int(n_active) * self._step))
            seconds = int(n_active) * self._step / self._rate
            distance = level - 20 * math.log10(threshold)
            if distance <= MARGIN_DB:
                if before is None:
                    return level, seconds
                share = (before[2] - MARGIN_DB) / (before[2] - distance)
                level = before[0] + share * (level - before[0])
                return level, self._energy / 10 ** (level / 10) / self._rate
            before = level, seconds, distance
        return 10 * math.log10(self._energy / self._n_samples), self._n_samples / self._rate

    @property
    def level_dbov(self) -> float | None:
        """The active level, None when there was no sound."""
        found = self.measured()
        return found[0] if found else None

    @property
    def active_s(self) -> float:
        """Seconds of speech, without the pauses."""
        found = self.measured()
        return found[1] if found else 0.0

    @property
    def activity(self) -> float:
        """The part of the time that is speech, 0 to 1."""
        return self.active_s * self._rate / self._n_samples if self._n_samples else 0.0

    def with_pause(self, seconds: float) -> "SpeechLevelMeter":
        """A meter as this one would be after a pause of that length. This one stays as it is."""
        later = copy(self)
        n_left = int(seconds * self._rate)
        while n_left > 0:
            n_samples = min(n_left, len(self._powers))
            later._pass_silence(n_samples)
            n_left -= n_samples
        return later

    def _push_block(self, values: Floats) -> None:
        self._energy += float(values @ values)
        first, second = self._smoothed
        once = self._smooth(np.abs(values), first)
        envelope = self._smooth(once, second)
        self._smoothed = float(once[-1]), float(envelope[-1])
        self._look_at(envelope)

    def _pass_silence(self, n_samples: int) -> None:
        """Do as `_push_block` for zeros, where the two smoothers have a closed form."""
        first, second = self._smoothed
        powers = self._powers[:n_samples]
        envelope = powers * (second + (1 - self._decay) * first * np.arange(1, n_samples + 1))
        self._smoothed = first * float(powers[-1]), float(envelope[-1])
        self._look_at(envelope)

    def _look_at(self, envelope: Floats) -> None:
        """Count the speech of one block by its envelope."""
        begin = (-self._n_samples) % self._step
        self._n_samples += len(envelope)
        looked_at = envelope[begin :: self._step]
        if not len(looked_at):
            return
        places = np.arange(1, len(looked_at) + 1)
        above = np.where(looked_at[None, :] >= THRESHOLDS[:, None], places, -self._since_active[:, None])
        since = places - np.maximum.accumulate(above, axis=1)
        self._n_active = self._n_active + np.count_nonzero(since < self._hangover, axis=1)
        self._since_active = np.minimum(self._hangover, since[:, -1])

    def _smooth(self, values: Floats, last: float) -> Floats:
        """A first-order smoother, y[n] = g y[n-1] + (1 - g) x[n], over one block."""
        powers = self._powers[: len(values)]
        smoothed: Floats = powers * (last + ((1 - self._decay) * values / powers).cumsum())
        return smoothed


@lru_cache(maxsize=8)  # of the rates that voices have
def _powers(decay: float, n_powers: int) -> Floats:
    """The first powers of a smoother's decay, shape (n_powers,). They are shared: nothing writes to them."""
    return np.asarray(decay ** np.arange(1, n_powers + 1), dtype=np.float64)
