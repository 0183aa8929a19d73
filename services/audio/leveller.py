"""Brings one clause of speech to the level of all others, without clipping. Sans-IO."""

import math

import numpy as np

from services.audio.pcm import Samples
from services.audio.speech_level import FULL_SCALE, SpeechLevelMeter

TARGET_DBOV = -20.0
MOST_GAIN_DB = 30.0
SLEW_DB_PER_S = 15.0  # inside a clause: far slower than speech itself swells
PRIOR_S = 0.7
"""So much speech of the clause weighs as much as what is known of the voice, and less of it far less: a sentence begins
up to 5 dB louder than it is as a whole, and of 26 by Piper the first 0.4 s told nothing of the level (r = 0.01)."""
PAUSE_S = 0.02
"""P.56 counts 0.2 s of the pause behind a clause as speech. A little of that is expected: a word of 0.15 s is then
within 1 dB of the target by itself."""
KNEE = 0.65  # of full scale: what is louder is bent, never cut
CEILING = 0.95


class Leveller:
    """Takes a clause piece by piece at the rate it is sent at; gives as many samples at the target level.

    The gain is settled with the first piece and then follows slowly what the clause shows of its own level, so that
    neither a step nor pumping is heard. `expected_dbov` is the level of the voice's own sound, where it is known;
    `level_dbov` that of this clause, by which the gain is settled for all of it.
    """

    def __init__(
        self, sample_rate_hertz: int, *, expected_dbov: float | None = None, level_dbov: float | None = None
    ) -> None:
        self._rate = sample_rate_hertz
        self._expected_dbov, self._level_dbov = expected_dbov, level_dbov
        self._meter = SpeechLevelMeter(sample_rate_hertz)
        self._gain_db: float | None = None

    def push(self, samples: Samples, *, is_whole: bool = False) -> Samples:
        """The samples at the target level. `is_whole`: with them the clause is all here."""
        if not len(samples):
            return samples
        self._meter.push(samples)
        wished_db = self._wished_db(is_whole=is_whole)
        if self._gain_db is None:
            gain = np.full(len(samples), _factor(wished_db))
        else:
            most = SLEW_DB_PER_S * len(samples) / self._rate
            wished_db = self._gain_db + min(most, max(-most, wished_db - self._gain_db))
            gain = 10 ** (np.linspace(self._gain_db, wished_db, len(samples)) / 20)
        self._gain_db = wished_db
        return bend_peaks(samples * gain)

    def measured(self) -> tuple[float, float] | None:
        """The clause's own level in dBov and its seconds of speech; None when there was no sound."""
        return self._meter.with_pause(PAUSE_S).measured()

    def _wished_db(self, *, is_whole: bool) -> float:
        measured = self.measured()
        expected = self._expected_dbov
        if self._level_dbov is not None:
            level = self._level_dbov
        elif measured is None:
            level = TARGET_DBOV if expected is None else expected
        elif expected is None or is_whole:
            level = measured[0]
        else:
            weight = measured[1] ** 2 / (measured[1] ** 2 + PRIOR_S**2)
            level = expected + weight * (measured[0] - expected)
        return max(-MOST_GAIN_DB, min(MOST_GAIN_DB, TARGET_DBOV - level))


def bend_peaks(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Samples:
    """Round to 16 bits; what lies above the knee is bent so that it stays under the ceiling."""
    knee, room = KNEE * FULL_SCALE, (CEILING - KNEE) * FULL_SCALE
    size = np.abs(values)
    if size.max(initial=0.0) > knee:
        bent = knee + room * np.tanh((size - knee) / room)
        values = np.where(size > knee, np.copysign(bent, values), values)
    return np.rint(values).astype(np.int16)


def _factor(decibels: float) -> float:
    return math.pow(10.0, decibels / 20)
