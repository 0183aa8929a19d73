"""Progress of one call: its pace against real time, and the messages that tell how far its sound is processed.

Progress messages: a client is told at least every 500 ms of audio (protos/README.md, rule 24). A recogniser that was
away catches up in one go; that is told step by step, so that a client that waits for the next message sees the same
rhythm as on any other call. After a jump of the clock nothing is told of what was jumped over. A recogniser that is
slower than the sound comes on in smaller steps: they are told too, lest its client takes a stage that works for one
that has stalled, opens another stream and has all of it heard again.
"""

import time
from collections.abc import Iterator

from services.stt_proxy.errors import BadSample
from services.stt_proxy.events import Progress

AHEAD_S = 1.0  # a client further ahead of real time than this sends a file
MOST_MS = 500  # between two messages, as the protocol allows
STEP_MS = 400  # a window or a recogniser's step more than this is still within those 500 ms
SLOW_S = 0.45  # without a message though it came on: longer than a step takes at the pace of speech
CAUGHT_UP_STEPS = 50  # 20 s; a jump of the clock is longer


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
        """Raises BadSample where `sample` lies too far ahead of the sound sent so far: the client's clock is wrong."""
        if sample > next_sample + limit_ms * self._per_ms:
            raise BadSample(
                f"{field} {sample} lies more than {limit_ms} ms ahead of {next_sample}, "
                "the end of the sound sent so far",
                field=field,
            )


class ProgressSteps:
    """One call's `progress` messages."""

    def __init__(self, start_sample: int, *, samples_per_ms: int) -> None:
        self._step = STEP_MS * samples_per_ms
        self._most = MOST_MS * samples_per_ms
        self.told = start_sample  # the sample that was told last
        self._told_at_s: float | None = None  # when; None: nothing was told yet

    def due(self, reached: int, *, now_s: float) -> Iterator[Progress]:
        """The progress to be told now that all before `reached` was processed. `now_s`: seconds, monotonic."""
        if self._told_at_s is None:
            self._told_at_s = now_s
        is_late = now_s - self._told_at_s >= SLOW_S
        while self._most < reached - self.told <= CAUGHT_UP_STEPS * self._step:
            self.told, self._told_at_s = self.told + self._step, now_s
            yield Progress(self.told)
        if reached - self.told >= (1 if is_late else self._step):
            self.told, self._told_at_s = reached, now_s
            yield Progress(reached)
