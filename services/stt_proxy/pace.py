"""Pace of a client's sound against real time: as of a call, or faster as of a file."""

import time

from services.stt_proxy.errors import BadSample

AHEAD_S = 1.0  # a client further ahead of real time than this sends a file


class Pace:
    """Pace of one call, from its first sound on. `samples_per_ms`: of the call's rate."""

    def __init__(self, first_sample: int, *, samples_per_ms: int) -> None:
        self._first_sample = first_sample
        self._per_ms = samples_per_ms
        self._began_ns = 0  # 0: no sound yet

    def note(self, now_ns: int) -> None:
        """Sound has come."""
        self._began_ns = self._began_ns or now_ns

    def is_ahead(self, next_sample: int) -> bool:
        """Return whether sound up to there has come faster than it is spoken."""
        if not self._began_ns:
            return False
        heard_s = (next_sample - self._first_sample) / (1000 * self._per_ms)
        return heard_s > (time.monotonic_ns() - self._began_ns) / 1e9 + AHEAD_S

    def check(self, sample: int, next_sample: int, limit_ms: int, field: str) -> None:
        """Raises BadSample where `sample` lies too far ahead of the sound sent so far: sound before an utterance's end
        belongs to that utterance, so an end far ahead would deafen the call.
        """
        if sample > next_sample + limit_ms * self._per_ms:
            raise BadSample(
                f"{field} {sample} lies more than {limit_ms} ms ahead of {next_sample}, "
                "the end of the sound sent so far",
                field=field,
            )
