"""Progress messages: a client is told at least every 500 ms of audio how far it is processed (protos/README.md, rule
24).

A recogniser that was away catches up in one go; that is told step by step, so that a client that waits for the next
message sees the same rhythm as on any other call. After a jump of the clock nothing is told of what was jumped over.
"""

from collections.abc import Iterator

from services.stt_proxy.events import Progress

MOST_MS = 500  # between two messages, as the protocol allows
STEP_MS = 400  # a window or a recogniser's step more than this is still within those 500 ms
CAUGHT_UP_STEPS = 50  # 20 s; a jump of the clock is longer


class ProgressSteps:
    """One call's `progress` messages."""

    def __init__(self, start_sample: int, *, samples_per_ms: int) -> None:
        self._step = STEP_MS * samples_per_ms
        self._most = MOST_MS * samples_per_ms
        self.told = start_sample  # the sample that was told last

    def due(self, reached: int) -> Iterator[Progress]:
        """Return the samples to be told now that everything before `reached` was processed."""
        while self._most < reached - self.told <= CAUGHT_UP_STEPS * self._step:
            self.told += self._step
            yield Progress(self.told)
        if reached - self.told >= self._step:
            self.told = reached
            yield Progress(reached)
