"""A refresh token that its server changes with every use, kept on disk: the first one holds only once."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from services.runtime.json_text import read_json


@dataclass(frozen=True, slots=True)
class KeptToken:
    """Tokens as they stand now; `expires` in seconds since 1970."""

    access: str = ""
    refresh: str = ""
    expires: float = 0.0


class TokenFile:
    """Blocking. One file for one tenant's use of one package, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, given: str) -> KeptToken:
        """Return what is kept for the refresh token of the secrets, `given`; that one where nothing is, or where the
        operator has put another one there since.
        """
        try:
            kept = read_json(self._path.read_bytes())
            if kept["given"] == _mark(given):
                return KeptToken(str(kept["access"]), str(kept["refresh"]), float(kept["expires"]))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return KeptToken(refresh=given)

    def write(self, given: str, token: KeptToken) -> None:
        """Whole or not at all."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        text = json.dumps(
            {"given": _mark(given), "access": token.access, "refresh": token.refresh, "expires": token.expires}
        )
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


def _mark(given: str) -> str:
    return hashlib.sha256(given.encode()).hexdigest()
