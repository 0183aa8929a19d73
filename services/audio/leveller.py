"""Brings one clause of speech to the level of all others, without clipping. Sans-IO."""

import math

import numpy as np

from services.audio.pcm import Samples
from services.audio.speech_level import FULL_SCALE, SpeechLevelMeter

TARGET_DBOV = -20.0
MOST_GAIN_DB = 30.0
SLEW_DB_PER_S = 10.0  # inside a clause: 1 dB in 100 ms, far slower than speech itself swells
AMENDS_DB = 2.0
"""The most by which a gain makes up for what was sent before it too loud or too softly."""
PRIOR_S = 0.7
"""So much speech of the clause weighs as much as what is known of the voice, and less of it far less: a sentence begins
up to 5 dB louder than it is as a whole, and of 26 by Piper the first 0.4 s told nothing of the level (r = 0.01)."""
REST_S = 1.0
"""So much speech is taken to follow a piece."""
FALL_DB = 1.0
"""What follows is so much softer than the whole: 0.8 to 1.2 dB behind the first 0.15, 0.5 and 1 s of 39 sentences by
Piper."""
PAUSE_S = 0.02
"""P.56 counts 0.2 s of the pause behind a clause as speech. A little of that is expected: a word of 0.15 s is then
within 1 dB of the target by itself."""
KNEE = 0.65  # of full scale: what is louder is bent, never cut
CEILING = 0.95


class Leveller:
    """Takes a clause piece by piece at the rate it is sent at; gives as many samples at the target level.

    The gain of the first piece follows from the level of the voice, `expected_dbov`, where that is known. Each later
    gain is the one by which the clause as a whole comes to the target, with what is to be expected of its rest; it
    moves slowly, so that neither a step nor pumping is heard. `level_dbov` is the level of this clause, by which one
    gain is settled for all of it.
    """

    def __init__(
        self, sample_rate_hertz: int, *, expected_dbov: float | None = None, level_dbov: float | None = None
    ) -> None:
        self._rate = sample_rate_hertz
        self._expected_dbov, self._level_dbov = expected_dbov, level_dbov
        self._meter = SpeechLevelMeter(sample_rate_hertz)
        self._gain_db: float | None = None
        self._sent = 0.0  # energy that has left: power times seconds

    def push(self, samples: Samples, *, is_whole: bool = False) -> Samples:
        """The samples at the target level. `is_whole`: with them the clause is all here."""
        if not len(samples):
            return samples
        self._meter.push(samples)
        wished_db = self._wished_db(samples, is_whole=is_whole)
        if self._gain_db is None:
            self._gain_db = wished_db
        step = SLEW_DB_PER_S / self._rate
        way_db = wished_db - self._gain_db
        gains_db = self._gain_db + math.copysign(1.0, way_db) * np.minimum(
            abs(way_db), step * np.arange(1, len(samples) + 1)
        )
        self._gain_db = float(gains_db[-1])
        levelled = bend_peaks(samples * 10 ** (gains_db / 20))
        self._sent += self._energy(levelled)
        return levelled

    def measured(self) -> tuple[float, float] | None:
        """The clause's own level in dBov and its seconds of speech; None when there was no sound."""
        return self._meter.with_pause(PAUSE_S).measured()

    def _wished_db(self, samples: Samples, *, is_whole: bool) -> float:
        measured = self.measured()
        if self._level_dbov is not None:
            wished_db = TARGET_DBOV - self._level_dbov
        elif measured is None:
            wished_db = 0.0 if self._expected_dbov is None else TARGET_DBOV - self._expected_dbov
        elif is_whole:
            wished_db = TARGET_DBOV - measured[0]
        else:
            wished_db = self._wished_for_rest_db(samples, *measured)
        return max(-MOST_GAIN_DB, min(MOST_GAIN_DB, wished_db))

    def _wished_for_rest_db(self, samples: Samples, level_dbov: float, active_s: float) -> float:
        """The gain for `samples`, the last of what was measured, and for what follows them."""
        rest_dbov = level_dbov
        if self._expected_dbov is not None:
            weight = active_s**2 / (active_s**2 + PRIOR_S**2)
            rest_dbov = self._expected_dbov + weight * (level_dbov - self._expected_dbov)
        rest = _power(rest_dbov - FALL_DB) * REST_S
        target = _power(TARGET_DBOV) * (active_s + REST_S)
        steady_db = _decibels(target / (_power(level_dbov) * active_s + rest))  # for all of the clause
        ahead = self._energy(samples) + rest
        wished_db = _decibels(max(target - self._sent, target / 100) / ahead)
        return max(steady_db - AMENDS_DB, min(steady_db + AMENDS_DB, wished_db))

    def _energy(self, samples: Samples) -> float:
        values = samples / FULL_SCALE
        return float(values @ values) / self._rate


def bend_peaks(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Samples:
    """Round to 16 bits; what lies above the knee is bent so that it stays under the ceiling."""
    knee, room = KNEE * FULL_SCALE, (CEILING - KNEE) * FULL_SCALE
    size = np.abs(values)
    if size.max(initial=0.0) > knee:
        bent = knee + room * np.tanh((size - knee) / room)
        values = np.where(size > knee, np.copysign(bent, values), values)
    return np.rint(values).astype(np.int16)


def _power(dbov: float) -> float:
    return math.pow(10.0, dbov / 10)


def _decibels(power: float) -> float:
    return 10 * math.log10(power)
