"""Pacer: speech runs ahead of the listener by at most the lead. Sans-IO."""


class Pacer:
    """Holds a turn's audio to at most `max_lead_ms` ahead of real time.

    The listener is taken to begin with the first chunk and never to wait: where the voice falls behind, the clock goes
    on from the next chunk.
    """

    def __init__(self, max_lead_ms: int) -> None:
        """`max_lead_ms`: 0 for no limit."""
        self._max_lead_s = max_lead_ms / 1000
        self._played_out_at: float | None = None  # when a listener has heard all that was sent

    def wait_s(self, chunk_s: float, *, now: float) -> float:
        """Return for how many seconds the next chunk of `chunk_s` seconds must wait. `now`: seconds, monotonic."""
        if not self._max_lead_s or self._played_out_at is None:
            return 0.0
        return max(0.0, self._played_out_at + chunk_s - now - self._max_lead_s)

    def sent(self, chunk_s: float, *, now: float) -> None:
        """A chunk of `chunk_s` seconds has gone out."""
        self._played_out_at = max(now, self._played_out_at or now) + chunk_s

    def due_s(self, *, asked_s: float) -> float:
        """Return when the listener needs the sound that was asked for at `asked_s`: once all that was sent has been
        heard.
        """
        return max(asked_s, self._played_out_at or asked_s)
