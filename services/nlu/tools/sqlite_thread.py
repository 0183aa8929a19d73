"""An SQLite file with a thread of its own, so that no event loop waits for a disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from services.nlu.tools.deed import NotReached

T = TypeVar("T")

BUSY_S = 5.0  # how long another process may hold the file
_MOST_WAITING = 256


def open_file(path: Path, schema: str) -> sqlite3.Connection:
    """The file with its tables, made where it is missing. What is committed is on the disk.

    Transactions are begun by `BEGIN IMMEDIATE` and ended by the connection as a context.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # What callers gave lies in it: for the owner alone. SQLite gives the files beside it (-wal, -shm) the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(schema)
    return connection


class Worker(Protocol):
    """Runs a function that may wait for a disk."""

    async def run(self, work: Callable[[], T]) -> T: ...


class SqliteThread:
    """One thread; what is asked for runs in its order."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._n_waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Raises NotReached where too much waits, or the file cannot be used."""
        if self._n_waiting >= _MOST_WAITING:
            raise NotReached(f"{_MOST_WAITING} requests wait for the disk")
        self._n_waiting += 1
        try:
            future: Awaitable[T] = asyncio.get_running_loop().run_in_executor(self._executor, work)
            return await future
        except sqlite3.OperationalError as error:  # locked, full, gone
            raise NotReached(str(error)) from error
        finally:
            self._n_waiting -= 1

    def close(self) -> None:
        """Let the thread end when it has done what waits."""
        self._executor.shutdown(wait=False)
