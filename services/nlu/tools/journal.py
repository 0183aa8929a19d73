"""Which deeds were sent to systems that cannot tell a repeated request from a second one: those are sent once only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from services.nlu.tools.sqlite_thread import SqliteThread, open_file

_SCHEMA = "CREATE TABLE IF NOT EXISTS sent (key TEXT PRIMARY KEY, note TEXT NOT NULL)"


class Journal:
    """A note by key, on disk before what it speaks of is done."""

    def __init__(self, path: Path, name: str) -> None:
        """`name` is of its thread."""
        self._connection = open_file(path, _SCHEMA)
        self._worker = SqliteThread(name)

    async def find(self, key: str) -> str | None:
        """Raises NotReached where the file cannot be used; so do the others."""

        def find() -> str | None:
            row = self._connection.execute("SELECT note FROM sent WHERE key = ?", (key,)).fetchone()
            return str(row[0]) if row else None

        return await self._worker.run(find)

    async def note(self, key: str, note: str) -> None:
        """Put it there, in place of an earlier one."""

        def put() -> None:
            self._connection.execute(
                "INSERT INTO sent (key, note) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET note = excluded.note",
                (key, note),
            )

        await self._worker.run(put)

    async def forget_all(self, keys: Sequence[str]) -> None:
        """Take away the notes of deeds that ended long ago."""

        def delete() -> None:
            wanted = json.dumps(list(keys))
            self._connection.execute("DELETE FROM sent WHERE key IN (SELECT value FROM json_each(?))", (wanted,))

        await self._worker.run(delete)

    async def forget(self, key: str) -> None:
        def delete() -> None:
            self._connection.execute("DELETE FROM sent WHERE key = ?", (key,))

        await self._worker.run(delete)
