"""The stays of hotels in an SQLite file: no more rooms of a kind are given for a night than there are, and a deed is
done once for each key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.clinic.whose import dialled, is_same_name
from services.nlu.tools.sqlite_thread import open_file

FULL = "no room of that kind is free then"
NONE_SUCH = "there is no such booking for that name and number"
WHICH_ROOM = "several rooms are booked from that day, say which room"
LONGEST_NIGHTS = 30

_SCHEMA = """
CREATE TABLE IF NOT EXISTS stays (
    id INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    room TEXT NOT NULL,
    arrives TEXT NOT NULL,
    nights INTEGER NOT NULL,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('booked', 'cancelled')),
    key TEXT NOT NULL UNIQUE
);
CREATE INDEX IF NOT EXISTS stays_by_day ON stays (tenant_id, arrives) WHERE state = 'booked';
CREATE INDEX IF NOT EXISTS stays_by_phone ON stays (tenant_id, phone);
CREATE TABLE IF NOT EXISTS deeds (key TEXT PRIMARY KEY, result_json TEXT NOT NULL);
"""
_BOOKED = (
    "SELECT id, room, arrives, nights, name, phone, state FROM stays"
    " WHERE tenant_id = ? AND state = 'booked' AND arrives > ? ORDER BY arrives"
)
_HELD = (
    "SELECT id, room, arrives, nights, name, phone, state FROM stays"
    " WHERE tenant_id = ? AND phone IN (SELECT value FROM json_each(?)) ORDER BY arrives, id"
)


@dataclass(frozen=True, slots=True)
class Stay:
    """One room for some nights. Days are by the house's own calendar."""

    id: int
    room: str  # an id of the agent's file
    arrives: date
    nights: int
    name: str
    phone: str  # digits, with + before an international one
    is_booked: bool = True  # else it was cancelled

    def covers(self, night: date) -> bool:
        return self.arrives <= night < self.arrives + timedelta(days=self.nights)


class Register:
    """Blocking; one thread at a time."""

    def __init__(self, path: Path, rooms: Mapping[str, int]) -> None:
        """`rooms`: how many there are of each kind."""
        self._connection, self._rooms = open_file(path, _SCHEMA), rooms

    def booked(self, tenant_id: str, *, since: date) -> tuple[Stay, ...]:
        """The stays whose last night is not before a day."""
        earliest = since - timedelta(days=LONGEST_NIGHTS)
        rows = self._connection.execute(_BOOKED, (tenant_id, earliest.isoformat()))
        return tuple(_stay(row) for row in rows)

    def free(self, tenant_id: str, arrives: date, nights: int) -> dict[str, int]:
        """Return how many rooms of each kind are free on every one of the nights."""
        return free_rooms(self._rooms, self.booked(tenant_id, since=arrives), arrives, nights)

    def find(self, tenant_id: str, phones: Collection[str], *, since: date) -> list[Stay]:
        """The bookings that stand for a number from a day on. `phones`: the ways to dial it."""
        return [one for one in self._held(tenant_id, phones) if one.is_booked and one.arrives >= since]

    def book(
        self, tenant_id: str, room: str, arrives: date, nights: int, *, name: str, phone: str, key: str, today: date
    ) -> Mapping[str, object]:
        """Give a room to a caller. The same stay of the same number is theirs already, and nothing changes.

        Raises ToolRefused where none is free.
        """

        def change() -> dict[str, object]:
            if room not in self._rooms:
                raise ToolRefused(f"there is no such room: {', '.join(self._rooms)}")
            if arrives < today:
                raise ToolRefused(f"{arrives.isoformat()} is past")
            theirs = self.find(tenant_id, (dialled(phone),), since=arrives)
            if not any((one.room, one.arrives, one.nights) == (room, arrives, nights) for one in theirs):
                if self.free(tenant_id, arrives, nights)[room] < 1:
                    raise ToolRefused(FULL)
                self._connection.execute(
                    "INSERT INTO stays (tenant_id, room, arrives, nights, name, phone, state, key)"
                    " VALUES (?, ?, ?, ?, ?, ?, 'booked', ?)",
                    (tenant_id, room, arrives.isoformat(), nights, name, dialled(phone), key),
                )
            return {"booked": arrives.isoformat(), "room": room, "nights": nights, "name": name}

        return self._once(key, change)

    def cancel(
        self, tenant_id: str, arrives: date, *, name: str, phones: Collection[str], key: str, room: str = ""
    ) -> Mapping[str, object]:
        """Take back one stay that a caller has from a day on; one that was taken back before stays so. `room`: its
        kind, which may be left out where no other kind stands for them from that day on. Raises ToolRefused.
        """

        def change() -> dict[str, object]:
            held = [one for one in self._held(tenant_id, phones) if one.arrives == arrives]
            held = [one for one in held if is_same_name(name, one.name) and room in ("", one.room)]
            if not held:
                raise ToolRefused(NONE_SUCH)
            standing = [one for one in held if one.is_booked]
            if len(rooms := sorted({one.room for one in standing})) > 1:
                raise ToolRefused(f"{WHICH_ROOM}: {', '.join(rooms)}")
            for one in standing[:1]:
                self._connection.execute("UPDATE stays SET state = 'cancelled' WHERE id = ?", (one.id,))
            return {"freed": arrives.isoformat(), "room": (standing or held)[0].room}

        return self._once(key, change)

    def close(self) -> None:
        self._connection.close()

    def _held(self, tenant_id: str, phones: Collection[str]) -> list[Stay]:
        rows = self._connection.execute(_HELD, (tenant_id, json.dumps(list(phones))))
        return [_stay(row) for row in rows]

    def _once(self, key: str, change: Callable[[], dict[str, object]]) -> Mapping[str, object]:
        """Change the file and note the key in one transaction; of a key that is noted, its result. A refusal is noted
        too, so that a try which comes late is not taken up behind it.
        """
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            row = self._connection.execute("SELECT result_json FROM deeds WHERE key = ?", (key,)).fetchone()
            if row:
                result = json.loads(row[0])
            else:
                try:
                    result = {"status": "done", **change()}
                except ToolRefused as refused:
                    result = {"error": str(refused)}
                noted = (key, json.dumps(result, ensure_ascii=False))
                self._connection.execute("INSERT INTO deeds (key, result_json) VALUES (?, ?)", noted)
        if "error" in result:
            raise ToolRefused(str(result["error"]))
        return dict(result)


def free_rooms(rooms: Mapping[str, int], stays: Collection[Stay], arrives: date, nights: int) -> dict[str, int]:
    """Return how many of each kind are free on every night of a stay."""
    every = [arrives + timedelta(days=n) for n in range(nights)]
    return {
        room: min(count - sum(one.room == room and one.covers(night) for one in stays) for night in every)
        for room, count in rooms.items()
    }


def _stay(row: tuple[int, str, str, int, str, str, str]) -> Stay:
    number, room, arrives, nights, name, phone, state = row
    return Stay(number, room, date.fromisoformat(arrives), nights, name, phone, state == "booked")
