"""Outbox file of the webhook: waiting deliveries on disk, which outlive the process, each once under its id.

The file holds what callers said: only its owner can read it, and a body is erased once its delivery has ended. The id
stays for a while, so that the same news of a call is not posted twice.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from services.runtime.errors import StartupError

MOST_WAITING = 10_000
KEPT_S = 7 * 86_400.0  # of a delivery that has ended
_BUSY_S = 5.0  # how long another process may hold the file
_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY,
    event TEXT NOT NULL,
    body BLOB NOT NULL,
    noted REAL NOT NULL,
    due REAL NOT NULL,
    n_tries INTEGER NOT NULL DEFAULT 0,
    ended TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS analyses (
    id TEXT PRIMARY KEY,
    request BLOB NOT NULL,
    caller TEXT NOT NULL,
    sample INTEGER NOT NULL,
    is_over INTEGER NOT NULL,
    noted REAL NOT NULL,
    due REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS waiting_deliveries ON deliveries (due) WHERE ended = '';
"""

T = TypeVar("T")


class DeliveryOutcome(Enum):
    """The outcome of a delivery. The values stand in the file and in metrics."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # by the receiver, with a status that will not change
    GIVEN_UP = "given_up"  # after the last try


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery that waits, as it is on disk."""

    id: str
    event: str
    body: bytes
    noted: float  # seconds since 1970
    n_tries: int


@dataclass(frozen=True, slots=True)
class KeptAnalysis:
    """A conversation whose analysis is not there yet, as it is on disk."""

    id: str
    request: bytes  # a voice.nlu.v1.AnalyzeCallRequest
    caller: str
    sample: int  # where on the caller's media clock
    is_over: bool  # else the call goes on
    noted: float = 0.0  # seconds since 1970


class WebhookFile:
    """An SQLite file with a thread of its own. Every method raises sqlite3.Error where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        """Raises StartupError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            path.chmod(0o600)
            self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA secure_delete=ON")  # a body that goes is overwritten
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StartupError(f"GATEWAY_WEBHOOK_FILE={path} cannot be used: {error}") from error
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="webhook-file")

    async def put(self, delivery_id: str, event: str, body: bytes, *, now: float, settles: str = "") -> bool:
        """Keep a delivery, `now` in Unix seconds; of an id that is there the first counts. `settles`: the analysis
        whose news it is, which goes in the same transaction. False: too many wait.
        """

        def put() -> bool:
            (n_waiting,) = self._connection.execute("SELECT count(*) FROM deliveries WHERE ended = ''").fetchone()
            if n_waiting >= MOST_WAITING:
                return False
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                self._connection.execute(
                    "INSERT INTO deliveries (id, event, body, noted, due) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO NOTHING",
                    (delivery_id, event, body, now, now),
                )
                self._connection.execute("DELETE FROM deliveries WHERE ended != '' AND noted < ?", (now - KEPT_S,))
                self._connection.execute("DELETE FROM analyses WHERE id = ?", (settles,))
            return True

        return await self._run(put)

    async def claim(self, now: float, *, until: float, limit: int) -> list[Kept]:
        """At most `limit` due at `now`, the longest due first. No other process is given them before `until`."""

        def claim() -> list[Kept]:
            rows = self._connection.execute(
                "UPDATE deliveries SET due = ?, n_tries = n_tries + 1 WHERE id IN"
                " (SELECT id FROM deliveries WHERE ended = '' AND due <= ? ORDER BY due LIMIT ?)"
                " RETURNING id, event, body, noted, n_tries",
                (until, now, limit),
            ).fetchall()
            return [Kept(*row) for row in rows]

        return await self._run(claim)

    async def put_off(self, delivery_id: str, *, due: float) -> None:
        """Keep a delivery whose try failed until `due`, in Unix seconds."""
        await self._run(
            lambda: self._connection.execute("UPDATE deliveries SET due = ? WHERE id = ?", (due, delivery_id))
        )

    async def end(self, delivery_id: str, outcome: DeliveryOutcome) -> None:
        """End a delivery that succeeded or was given up: its body is erased from the file and from its log."""

        def end() -> None:
            self._connection.execute(
                "UPDATE deliveries SET ended = ?, body = x'' WHERE id = ?", (outcome.value, delivery_id)
            )
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # not now, where another one reads

        await self._run(end)

    async def note_analysis(self, kept: KeptAnalysis, *, now: float, until: float) -> None:
        """Keep a conversation before its analysis is asked for. No process is given it before `until`."""

        def note() -> None:
            (n_waiting,) = self._connection.execute("SELECT count(*) FROM analyses").fetchone()
            if n_waiting < MOST_WAITING:
                values = (kept.id, kept.request, kept.caller, kept.sample, kept.is_over, now, until)
                self._connection.execute(
                    "INSERT INTO analyses VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", values
                )

        await self._run(note)

    async def claim_analyses(self, now: float, *, until: float, limit: int) -> list[KeptAnalysis]:
        """At most `limit` conversations that no process has under way, for this one to have analysed until then."""

        def claim() -> list[KeptAnalysis]:
            rows = self._connection.execute(
                "UPDATE analyses SET due = ? WHERE id IN"
                " (SELECT id FROM analyses WHERE due <= ? ORDER BY noted LIMIT ?)"
                " RETURNING id, request, caller, sample, is_over, noted",
                (until, now, limit),
            ).fetchall()
            return [KeptAnalysis(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows]

        return await self._run(claim)

    async def end_analysis(self, analysis_id: str) -> None:
        """There will be no analysis: what the caller said goes."""
        await self._run(lambda: self._connection.execute("DELETE FROM analyses WHERE id = ?", (analysis_id,)))

    async def n_waiting(self) -> int:
        def count() -> int:
            return int(self._connection.execute("SELECT count(*) FROM deliveries WHERE ended = ''").fetchone()[0])

        return await self._run(count)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
