"""What one call counts, passed on to Prometheus as it grows."""

from collections.abc import Mapping

from prometheus_client import Counter

_COUNTED: dict[str, tuple[Counter, float]] = {  # by the conversation's name: the metric, and one in its unit
    "echoes": (Counter("voice_echo_vetoes_total", "Sounds on callers' lines that were the agent's own voice."), 1),
    "underruns": (Counter("voice_underruns_total", "Frames due in mid-answer that no sound had come for."), 1),
    "drafts_wasted_us": (
        Counter("voice_drafts_wasted_seconds_total", "What agents computed for drafts that were dropped."),
        1e-6,
    ),
}


class CallTally:
    """One call's counters as they were last passed on."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def tell(self, counters: Mapping[str, int]) -> None:
        """Pass on what was counted since the last time."""
        for name, (metric, unit) in _COUNTED.items():
            now = counters.get(name, 0)
            metric.inc((now - self._told.get(name, 0)) * unit)
            self._told[name] = now
