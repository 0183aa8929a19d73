"""Pace of the stages: how fast the model servers have answered lately, over all calls of a process.

A slow stage is not a dead one: the gateway waits for a stage according to the pace of that stage. A gateway whose
stages fall behind takes no more calls until they have caught up.
"""

from collections import defaultdict, deque
from typing import Final

REMEMBERED: Final = 64  # answers of each stage
RECENT_S: Final = 20.0
FEWEST: Final = 4  # answers that a pace is judged by; fewer may be chance
LIMIT_FACTOR: Final = 3.0  # as a multiple of the slowest answer lately


class StagePace:
    """Times of the first clauses (NLU) and the first sounds (TTS), from request to response, in seconds."""

    def __init__(self) -> None:
        self._times: defaultdict[str, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def note(self, stage: str, took_s: float, *, now: float) -> None:
        """Note that an answer took so many seconds, or has not come for so long."""
        self._times[stage].append((now, took_s))

    def limit_s(self, stage: str, least_s: float, *, now: float, queued_s: float = 0.0) -> float:
        """Return how many seconds a live stage may take, never less than `least_s`. `queued_s`: its own report of its
        queue.
        """
        slowest = max((took for at, took in self._times[stage] if now - at <= RECENT_S), default=0.0)
        return max(least_s, LIMIT_FACTOR * max(slowest, queued_s))

    def overloaded(self, limit_s: float, *, now: float) -> str | None:
        """Return a stage whose median answer lately took longer than the limit; None: all stages keep up."""
        for stage, times in self._times.items():
            recent = sorted(took for at, took in times if now - at <= RECENT_S)
            if len(recent) >= FEWEST and recent[len(recent) // 2] > limit_s:
                return stage
        return None
