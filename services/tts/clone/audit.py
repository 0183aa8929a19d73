"""Audit log of cloned voices: a hash chain of JSON lines, each with the hash of the line before it."""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from services.runtime.errors import EngineFailed

FIRST = "0" * 64


class AuditRecord:
    """Audit log of one process, in a file of its own; blocking, safe from several threads. A line that was changed or
    taken out no longer fits the hash in the next one (`broken_line`).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._before = FIRST
        self._path: Path | None = None

    @property
    def path(self) -> Path | None:
        """The file; None before the first line."""
        return self._path

    def write(self, event: str, *, at_unix_ms: int, **what: Any) -> None:
        """Add a line and have it on disk. Raises EngineFailed: a deed that cannot be recorded must not be done."""
        with self._lock:
            line = json.dumps(
                {"event": event, "at_unix_ms": at_unix_ms, **what, "before": self._before}, ensure_ascii=False
            )
            try:
                if self._path is None:
                    self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                    self._path = self._folder / f"audit-{at_unix_ms}-{os.getpid()}.jsonl"
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise EngineFailed(f"the record of cloned speech cannot be written: {error.strerror}") from error
            self._before = hashlib.sha256(line.encode()).hexdigest()


def broken_line(path: Path) -> int | None:
    """The number of the first line that does not follow the one before it, from 1; None where all do."""
    before = FIRST
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            if json.loads(line)["before"] != before:
                return number
        except (ValueError, KeyError, TypeError):
            return number
        before = hashlib.sha256(line.encode()).hexdigest()
    return None
