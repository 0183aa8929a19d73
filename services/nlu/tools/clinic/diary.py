"""The appointments of practices in an SQLite file: a time is given once, and a deed is done once for each key."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.clinic.whose import dialled, is_same_name
from services.nlu.tools.sqlite_thread import open_file

TAKEN = "that time is taken"
NOT_GIVEN = "no appointment can begin"
NONE_SUCH = "there is no such appointment for that name and number"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS appointments (
    id INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    starts TEXT NOT NULL,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('booked', 'cancelled')),
    key TEXT NOT NULL UNIQUE
);
CREATE UNIQUE INDEX IF NOT EXISTS one_for_a_time ON appointments (tenant_id, starts) WHERE state = 'booked';
CREATE INDEX IF NOT EXISTS by_phone ON appointments (tenant_id, phone);
CREATE TABLE IF NOT EXISTS deeds (key TEXT PRIMARY KEY, result_json TEXT NOT NULL);
"""

Check = Callable[[datetime], None]
"""Raises ToolRefused for a time that is not given."""


@dataclass(frozen=True, slots=True)
class Appointment:
    """An appointment of a caller. Times are by the practice's own clock."""

    id: int
    starts: datetime
    service: str  # an id of the agent's file; empty: none was named
    name: str
    phone: str  # digits, with + before an international one
    is_booked: bool = True  # else it was cancelled
    is_noted: bool = False  # decided in the outbox, and not done yet


class Diary:
    """Blocking; one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._connection = open_file(path, _SCHEMA)

    def taken(self, tenant_id: str, *, after: datetime) -> frozenset[datetime]:
        """The times that are given away."""
        rows = self._connection.execute(
            "SELECT starts FROM appointments WHERE tenant_id = ? AND state = 'booked' AND starts > ?",
            (tenant_id, _text(after)),
        )
        return frozenset(datetime.fromisoformat(starts) for (starts,) in rows)

    def find(self, tenant_id: str, phones: Collection[str]) -> list[Appointment]:
        """The appointments that stand for a number, the earliest first. `phones`: the ways to dial it."""
        return [one for one in self._held(tenant_id, phones) if one.is_booked]

    def _held(self, tenant_id: str, phones: Collection[str]) -> list[Appointment]:
        """All that a number ever had."""
        rows = self._connection.execute(
            "SELECT id, starts, service, name, phone, state FROM appointments"
            " WHERE tenant_id = ? AND phone IN (SELECT value FROM json_each(?)) ORDER BY starts",
            (tenant_id, json.dumps(list(phones))),
        )
        return [
            Appointment(number, datetime.fromisoformat(starts), service, name, phone, state == "booked")
            for number, starts, service, name, phone, state in rows
        ]

    def book(
        self, tenant_id: str, starts: datetime, *, service: str, name: str, phone: str, key: str, check: Check
    ) -> str:
        """Give a time to a caller. One that this number has already is theirs, and nothing changes.

        Raises ToolRefused where another has it, or `check` refuses it.
        """

        def change() -> dict[str, object]:
            check(starts)
            if not self._is_theirs(tenant_id, starts, phone):
                self._connection.execute(
                    "INSERT INTO appointments (tenant_id, starts, service, name, phone, state, key)"
                    " VALUES (?, ?, ?, ?, ?, 'booked', ?)",
                    (tenant_id, _text(starts), service, name, dialled(phone), key),
                )
            return {"booked": _text(starts), "service": service, "name": name, "phone": dialled(phone)}

        return self._once(key, change)

    def move(
        self,
        tenant_id: str,
        starts: datetime,
        new_starts: datetime,
        *,
        name: str,
        phones: Collection[str],
        key: str,
        check: Check,
    ) -> str:
        """Give a caller another time for theirs. One that they have at the new time, and not at the old, is moved.

        Raises ToolRefused where they have none then, or the new one is another's, or `check` refuses it.
        """

        def change() -> dict[str, object]:
            standing = {one.starts: one for one in self._theirs(tenant_id, phones, name) if one.is_booked}
            if starts in standing:
                check(new_starts)
                moved = (_text(new_starts), standing[starts].id)
                self._connection.execute("UPDATE appointments SET starts = ? WHERE id = ?", moved)
            elif new_starts not in standing:
                raise ToolRefused(NONE_SUCH)
            return {"moved_from": _text(starts), "moved_to": _text(new_starts)}

        return self._once(key, change)

    def cancel(self, tenant_id: str, starts: datetime, *, name: str, phones: Collection[str], key: str) -> str:
        """Take a caller's time back; one that was taken back before stays so. Raises ToolRefused where they never had
        one then.
        """

        def change() -> dict[str, object]:
            held = [one for one in self._theirs(tenant_id, phones, name) if one.starts == starts]
            if not held:
                raise ToolRefused(NONE_SUCH)
            for one in held:
                self._connection.execute("UPDATE appointments SET state = 'cancelled' WHERE id = ?", (one.id,))
            return {"freed": _text(starts)}

        return self._once(key, change)

    def close(self) -> None:
        self._connection.close()

    def _once(self, key: str, change: Callable[[], dict[str, object]]) -> str:
        """Change the file and note the key in one transaction; of a key that is noted, its result. A refusal is noted
        too, so that a try which comes late is not taken up behind it.
        """
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            row = self._connection.execute("SELECT result_json FROM deeds WHERE key = ?", (key,)).fetchone()
            result = json.loads(row[0]) if row else self._changed(change)
            if not row:
                noted = (key, json.dumps(result, ensure_ascii=False))
                self._connection.execute("INSERT INTO deeds (key, result_json) VALUES (?, ?)", noted)
        if "error" in result:
            raise ToolRefused(str(result["error"]))
        return json.dumps(result, ensure_ascii=False)

    def _changed(self, change: Callable[[], dict[str, object]]) -> dict[str, object]:
        self._connection.execute("SAVEPOINT change")
        try:
            return {"status": "done", **change()}
        except (ToolRefused, sqlite3.IntegrityError) as error:
            self._connection.execute("ROLLBACK TO change")
            return {"error": TAKEN if isinstance(error, sqlite3.IntegrityError) else str(error)}

    def _is_theirs(self, tenant_id: str, starts: datetime, phone: str) -> bool:
        return any(one.starts == starts for one in self.find(tenant_id, (dialled(phone),)))

    def _theirs(self, tenant_id: str, phones: Collection[str], name: str) -> list[Appointment]:
        """Return the appointments of a number that a name holds."""
        return [one for one in self._held(tenant_id, phones) if is_same_name(name, one.name)]


def _text(moment: datetime) -> str:
    """A moment as it stands in the file and in results, where the guard reads it."""
    return moment.isoformat(timespec="minutes")
