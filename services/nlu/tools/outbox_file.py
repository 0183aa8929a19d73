"""The deeds that were decided, on disk: each under its key, with its state and its result."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.nlu.tools.deed import DeedState
from services.nlu.tools.sqlite_thread import open_file

_SCHEMA = """
CREATE TABLE IF NOT EXISTS deeds (
    key TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    arguments_json TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
    result_json TEXT NOT NULL DEFAULT '',
    n_tries INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS pending_deeds ON deeds (due) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS promises (
    key TEXT PRIMARY KEY,
    language_code TEXT NOT NULL,
    is_kept INTEGER NOT NULL DEFAULT 0
);
"""
_SELECT = "SELECT key, tenant_id, tool, arguments_json, state, result_json, n_tries FROM deeds"


@dataclass(frozen=True, slots=True)
class Decided:
    """One deed as it stands in the outbox."""

    key: str
    tenant_id: str
    tool: str
    arguments_json: str
    state: DeedState = DeedState.PENDING
    result_json: str = ""  # empty while it is pending
    n_tries: int = 0


class OutboxFile:
    """Blocking; one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._connection = open_file(path, _SCHEMA)

    def put(self, decided: Decided, *, due: float) -> Decided:
        """Note a deed before it is done. Of a key that is there already the first note holds; returns it."""
        self._connection.execute(
            "INSERT INTO deeds (key, tenant_id, tool, arguments_json, state, due) VALUES (?, ?, ?, ?, 'pending', ?)"
            " ON CONFLICT (key) DO NOTHING",
            (decided.key, decided.tenant_id, decided.tool, decided.arguments_json, due),
        )
        return self.find(decided.key) or decided

    def settle(self, key: str, state: DeedState, result_json: str) -> None:
        """The deed has ended. What has ended once stays as it is."""
        self._connection.execute(
            "UPDATE deeds SET state = ?, result_json = ? WHERE key = ? AND state = 'pending'",
            (state.value, result_json, key),
        )

    def put_off(self, key: str, *, due: float) -> None:
        """Record a try whose success is not known, and when the next one is due."""
        self._connection.execute(
            "UPDATE deeds SET n_tries = n_tries + 1, due = ? WHERE key = ? AND state = 'pending'", (due, key)
        )

    def find(self, key: str) -> Decided | None:
        rows = self._connection.execute(_SELECT + " WHERE key = ?", (key,)).fetchall()
        return next(iter(_decided(rows)), None)

    def due(self, now: float, *, limit: int) -> list[Decided]:
        """Pending deeds whose time has come, the longest due first."""
        rows = self._connection.execute(
            _SELECT + " WHERE state = 'pending' AND due <= ? ORDER BY due LIMIT ?", (now, limit)
        ).fetchall()
        return _decided(rows)

    def pending(self, tenant_id: str, argument: str, values: Collection[str]) -> list[Decided]:
        """Pending deeds of a tenant with one of the values as an argument, in the order they were decided."""
        rows = self._connection.execute(
            "SELECT key, tenant_id, tool, arguments_json, state, result_json, n_tries FROM deeds"
            " WHERE state = 'pending' AND tenant_id = ?"
            " AND json_extract(arguments_json, ?) IN (SELECT value FROM json_each(?)) ORDER BY rowid",
            (tenant_id, f"$.{argument}", json.dumps(list(values))),
        ).fetchall()
        return _decided(rows)

    def promise(self, key: str, language_code: str) -> None:
        """A caller is told that they will hear how a deed ended."""
        self._connection.execute(
            "INSERT INTO promises (key, language_code) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", (key, language_code)
        )

    def to_tell(self, *, limit: int) -> list[tuple[Decided, str]]:
        """Deeds that have ended and of which somebody is to hear, each with the language to tell it in."""
        rows = self._connection.execute(
            "SELECT deeds.key, tenant_id, tool, arguments_json, state, result_json, n_tries, language_code"
            " FROM promises JOIN deeds ON deeds.key = promises.key"
            " WHERE is_kept = 0 AND state != 'pending' ORDER BY deeds.rowid LIMIT ?",
            (limit,),
        ).fetchall()
        return [(_decided([row[:-1]])[0], row[-1]) for row in rows]

    def keep_promise(self, key: str) -> None:
        """Record that the caller has heard the result."""
        self._connection.execute("UPDATE promises SET is_kept = 1 WHERE key = ?", (key,))

    def ended_before(self, moment: float, *, limit: int) -> list[str]:
        """The keys of deeds that ended, were last due before `moment` (seconds since 1970), of which no caller is
        to be told any more. A pending deed is never among them.
        """
        rows = self._connection.execute(
            "SELECT key FROM deeds WHERE state != 'pending' AND due < ? AND NOT EXISTS"
            " (SELECT 1 FROM promises WHERE promises.key = deeds.key AND is_kept = 0) ORDER BY due LIMIT ?",
            (moment, limit),
        ).fetchall()
        return [str(key) for (key,) in rows]

    def forget(self, keys: Collection[str]) -> None:
        """Take deeds that have ended out of the file, with the promises that were kept."""
        wanted = json.dumps(list(keys))
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "DELETE FROM deeds WHERE state != 'pending' AND key IN (SELECT value FROM json_each(?))", (wanted,)
            )
            self._connection.execute(
                "DELETE FROM promises WHERE is_kept = 1 AND key IN (SELECT value FROM json_each(?))", (wanted,)
            )

    def earlier(self, decided: Decided, tools: Collection[str], argument: str) -> list[Decided]:
        """Pending deeds of these tools that were decided before this one, for its tenant and with its `argument`."""
        rows = self._connection.execute(
            "SELECT key, tenant_id, tool, arguments_json, state, result_json, n_tries FROM deeds"
            " WHERE state = 'pending' AND tenant_id = ? AND tool IN (SELECT value FROM json_each(?))"
            " AND json_extract(arguments_json, ?) = json_extract(?, ?)"
            " AND rowid < (SELECT rowid FROM deeds WHERE key = ?) ORDER BY rowid",
            (
                decided.tenant_id,
                json.dumps(list(tools)),
                f"$.{argument}",
                decided.arguments_json,
                f"$.{argument}",
                decided.key,
            ),
        ).fetchall()
        return _decided(rows)

    def close(self) -> None:
        self._connection.close()


def _decided(rows: Sequence[tuple[str, str, str, str, str, str, int]]) -> list[Decided]:
    return [
        Decided(key, tenant_id, tool, arguments, DeedState(state), result, n_tries)
        for key, tenant_id, tool, arguments, state, result, n_tries in rows
    ]
