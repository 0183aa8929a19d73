"""The ledger of one stream's turns: live, draft, fenced. Sans-IO; one ledger a stream."""

from collections.abc import Callable

from services.runtime.errors import TurnIdNotIncreasing

MAX_SINGLE_FENCES = 4096  # a peer that cancels more single ids than this loses the oldest fences


class TurnLedger:
    """The rules of turns in protos/README.md: ids that only grow, one committed turn and one draft, fences.

    `on_dropped` is called once for every message `drops` refuses; `field` is the path of the turn's id in the request
    that begins one, as in "text.turn_id".
    """

    def __init__(self, on_dropped: Callable[[], None] = lambda: None, field: str = "turn_id") -> None:
        self._on_dropped = on_dropped
        self._field = field
        self._live: dict[int, bool] = {}  # turn id -> is it a draft; in the order they began
        self._last_begun: int | None = None
        self._fenced_through: int | None = None
        self._fenced: dict[int, None] = {}  # single ids above _fenced_through, oldest first

    @property
    def live(self) -> list[int]:
        """The turns that have begun and not ended, oldest first."""
        return list(self._live)

    def begin(self, turn_id: int, is_draft: bool = False) -> list[int]:
        """Begin a turn. Returns the live turns it supersedes: a draft only the older draft, another turn every one.

        They are fenced; the caller stops them and ends each CANCELLED. Raises TurnIdNotIncreasing. A fenced id must be
        asked for with `drops` first.
        """
        superseded = [live for live, was_draft in self._live.items() if was_draft or not is_draft]
        return self._begin(turn_id, superseded, is_draft)

    def begin_beside(self, turn_id: int) -> list[int]:
        """Begin a turn beside the oldest live one, for a service that does not know which turns are drafts. Returns the
        live turns it supersedes: those between the two, which are fenced. Raises TurnIdNotIncreasing.
        """
        return self._begin(turn_id, [live for live in self._live if not self.is_fenced(live)][1:], False)

    def _begin(self, turn_id: int, superseded: list[int], is_draft: bool) -> list[int]:
        if self._last_begun is not None and turn_id <= self._last_begun:
            raise TurnIdNotIncreasing(
                f"turn {turn_id} cannot begin after turn {self._last_begun}: ids strictly increase", field=self._field
            )
        for live in superseded:
            self._fence(live)
        self._last_begun = turn_id
        self._live[turn_id] = is_draft
        return superseded

    def commit(self, turn_id: int) -> list[int] | None:
        """Make a draft the turn. Returns the committed turns it supersedes, or None: it ended, was fenced, or never
        was a draft, so the commit is ignored.
        """
        if not self._live.get(turn_id, False) or self.is_fenced(turn_id):
            return None
        superseded = [live for live, is_draft in self._live.items() if not is_draft]
        for live in superseded:
            self._fence(live)
        self._live[turn_id] = False
        return superseded

    def cancel(self, turn_id: int, *, is_only: bool = False) -> list[int]:
        """Fence a turn and all before it, or `is_only` it. Returns the live turns to stop; each still needs its `end`.

        Unknown, ended and not yet begun turns are no error: their ids are fenced.
        """
        if is_only:
            stopped = [turn_id] if turn_id in self._live and not self.is_fenced(turn_id) else []
            self._fence(turn_id)
            return stopped
        stopped = [live for live in self._live if live <= turn_id and not self.is_fenced(live)]
        self._fenced_through = max(turn_id, self._fenced_through if self._fenced_through is not None else turn_id)
        self._fenced = {single: None for single in self._fenced if single > self._fenced_through}
        return stopped

    def end(self, turn_id: int, *, is_failed: bool = False) -> bool:
        """A turn ends. True exactly once for each begun turn: that is when its `turn_end` is sent.

        What still arrives for a failed turn is dropped like that of a cancelled one.
        """
        if is_failed and turn_id in self._live:
            self._fence(turn_id)
        return self._live.pop(turn_id, None) is not None

    def is_live(self, turn_id: int) -> bool:
        """Begun and not ended; a cancelled turn is live until its `end`."""
        return turn_id in self._live

    def is_draft(self, turn_id: int) -> bool:
        """Live and not committed."""
        return self._live.get(turn_id, False)

    def is_fenced(self, turn_id: int) -> bool:
        """Cancelled, superseded or failed: nothing of it counts any more."""
        return turn_id in self._fenced or (self._fenced_through is not None and turn_id <= self._fenced_through)

    def drops(self, turn_id: int) -> bool:
        """Return whether a message of this turn is to be dropped; counts it if so."""
        if not self.is_fenced(turn_id):
            return False
        self._on_dropped()
        return True

    def _fence(self, turn_id: int) -> None:
        if self.is_fenced(turn_id):
            return
        self._fenced[turn_id] = None
        if len(self._fenced) > MAX_SINGLE_FENCES:
            del self._fenced[next(iter(self._fenced))]
