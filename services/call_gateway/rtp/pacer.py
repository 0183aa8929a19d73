"""Pacer of RTP sending for all legs of a process: one clock, four slots of 5 ms in every 20 ms.

Legs are spread over the slots, so that a hundred calls do not all send in the same millisecond. The clock is ticked by
one task for all of them; a tick that comes late is caught up at once, as far as a caller's jitter buffer would take it.
"""

from typing import Final, Generic, TypeVar

SLOTS: Final = 4
SLOT_S: Final = 0.005
MAX_CATCH_UP_SLOTS: Final = 12
"""Late frames of up to 60 ms are sent at once. Later ones are skipped, since no jitter buffer would play them."""

Leg = TypeVar("Leg")


class SlotTable(Generic[Leg]):
    """The legs of each slot. A new leg goes into the slot with the fewest."""

    def __init__(self) -> None:
        self._slots: tuple[dict[Leg, None], ...] = tuple({} for _ in range(SLOTS))

    def __len__(self) -> int:
        return sum(map(len, self._slots))

    def add(self, leg: Leg) -> None:
        min(self._slots, key=len)[leg] = None

    def remove(self, leg: Leg) -> None:
        """Does nothing when it is not there."""
        for slot in self._slots:
            slot.pop(leg, None)

    def next_occupied(self, tick: int) -> int:
        """The first tick from this one on at which a leg sends. Raises ValueError when there are no legs."""
        for ahead in range(SLOTS):
            if self._slots[(tick + ahead) % SLOTS]:
                return tick + ahead
        raise ValueError("no leg sends")

    def in_slot(self, tick: int) -> tuple[Leg, ...]:
        """The legs that send at this tick."""
        return tuple(self._slots[tick % SLOTS])

    def due_within(self, ticks: range) -> dict[Leg, int]:
        """Return how many frames each leg would send in these ticks; legs that would send none are left out."""
        n_frames = [len(ticks[(slot - ticks.start) % SLOTS :: SLOTS]) for slot in range(SLOTS)]
        return {leg: n for slot, n in zip(self._slots, n_frames, strict=True) if n for leg in slot}


class TickClock:
    """Counts 5 ms ticks from `start_s`."""

    def __init__(self, *, start_s: float) -> None:
        self.skipped = range(0)  # by the last `due`: the process was stopped or starved for longer than can be made up
        self._start_s = start_s
        self._next_tick = 0

    @property
    def next_tick(self) -> int:
        """The first tick of the pacer that was not given out."""
        return self._next_tick

    def pass_by(self, tick: int) -> None:
        """Give out no tick before `tick`, since no leg sends there."""
        self._next_tick = max(self._next_tick, tick)

    def next_due(self) -> float:
        """Return when the next tick is due, in seconds of the same clock."""
        return self._start_s + self._next_tick * SLOT_S

    def due(self, now: float) -> range:
        """The ticks to run now, oldest first; each is given once."""
        reached = int((now - self._start_s) / SLOT_S + 1e-6) + 1  # ticks due by now, the first at start_s itself
        if reached <= self._next_tick:
            self.skipped = range(0)
            return range(0)
        first = max(self._next_tick, reached - MAX_CATCH_UP_SLOTS)
        self.skipped = range(self._next_tick, first)
        self._next_tick = reached
        return range(first, reached)
