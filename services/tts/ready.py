"""Cache in memory of clauses as they go on the wire: converted, levelled and marked once. Sans-IO.

The cost of cached speech is its way to the wire: some 9 ms for a second of it, on the loop that serves all calls.
A clause that is said again and again takes that way once.
"""

from collections import OrderedDict
from dataclasses import dataclass

from services.audio.pcm import Samples
from services.language.reading.spoken import Spoken

MAX_READINGS = 2048
MAX_BYTES = 32 << 20  # of sound, some 34 minutes at 8 kHz


@dataclass(frozen=True, slots=True)
class Mark:
    """So much of the turn's text has been said at that place."""

    text_end_offset: int  # code points, as sent
    end_sample: int  # first sample after the text, from the turn's first
    is_measured: bool


@dataclass(frozen=True, slots=True)
class ReadyClause:
    """A clause at the rate and the level of the wire."""

    samples: Samples
    marks: tuple[Mark, ...]  # both places from the clause's own start
    measured: tuple[float, float] | None  # the engine's own level in dBov, and seconds of speech


class ReadySpeech:
    """Clauses by what they depend on, bounded in bytes; the one used longest ago goes first. One loop, no lock."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._clauses: OrderedDict[object, ReadyClause] = OrderedDict()
        self._readings: OrderedDict[object, Spoken] = OrderedDict()
        self._max_bytes, self._n_bytes = max_bytes, 0

    def find(self, key: object) -> ReadyClause | None:
        """The clause of a key, if it is here."""
        clause = self._clauses.get(key)
        if clause is not None:
            self._clauses.move_to_end(key)
        return clause

    def keep(self, key: object, clause: ReadyClause) -> None:
        """Keep a clause; one that is larger than all that may be kept is not."""
        if clause.samples.nbytes > self._max_bytes:
            return
        before = self._clauses.pop(key, None)
        self._n_bytes += clause.samples.nbytes - (before.samples.nbytes if before else 0)
        self._clauses[key] = clause
        while self._n_bytes > self._max_bytes:
            _, oldest = self._clauses.popitem(last=False)
            self._n_bytes -= oldest.samples.nbytes

    def reading(self, key: object) -> Spoken | None:
        """Return the reading of a clause, if it is here."""
        spoken = self._readings.get(key)
        if spoken is not None:
            self._readings.move_to_end(key)
        return spoken

    def keep_reading(self, key: object, spoken: Spoken) -> None:
        """Keep the reading of a clause."""
        self._readings[key] = spoken
        if len(self._readings) > MAX_READINGS:
            self._readings.popitem(last=False)
