"""When a stage that failed is opened anew: at once, then with pauses that grow until it has done its work again."""

from dataclasses import dataclass

from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.commands import ReopenStage
from services.call_gateway.conversation.events import Stage


@dataclass(slots=True)
class Incident:
    """A stage failed and has not yet shown that it works again."""

    tries: int = 0  # streams opened since
    due_at: float | None = None  # when the next is opened, in seconds; None: one is open or being opened


class Reopening:
    """The incidents of one call, one for each stage at most."""

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._incidents: dict[Stage, Incident] = {}

    @property
    def is_all_well(self) -> bool:
        """Every stage has done its work since it last failed."""
        return not self._incidents

    @property
    def deadline(self) -> float | None:
        """When `on_timer` has something to do, in seconds."""
        dues = [incident.due_at for incident in self._incidents.values() if incident.due_at is not None]
        return min(dues, default=None)

    def begin(self, stage: Stage) -> None:
        """Open it anew: the first time at once. Does nothing when that is due already."""
        incident = self._incidents.setdefault(stage, Incident())
        if incident.due_at is not None:
            return
        if incident.tries:
            self._open_later(incident)
        else:
            self._open(stage, incident)

    def failed(self, stage: Stage) -> None:
        """The stage could not be reached."""
        incident = self._incidents.setdefault(stage, Incident())
        if incident.due_at is None:
            self._open_later(incident)

    def is_over(self, stage: Stage) -> None:
        """The stage works again."""
        self._incidents.pop(stage, None)

    def on_timer(self) -> None:
        """Open what is due."""
        for stage, incident in self._incidents.items():
            if incident.due_at is not None and self._state.now >= incident.due_at:
                self._open(stage, incident)

    def _open_later(self, incident: Incident) -> None:
        settings = self._state.settings
        pause_ms = min(settings.reopen_pause_ms << min(max(incident.tries - 1, 0), 8), settings.longest_reopen_pause_ms)
        incident.due_at = self._state.now + pause_ms / 1000

    def _open(self, stage: Stage, incident: Incident) -> None:
        incident.tries += 1
        incident.due_at = None
        self._state.command(ReopenStage(stage))
