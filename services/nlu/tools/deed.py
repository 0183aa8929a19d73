"""Protocol of deeds: what a tool must offer that changes something outside the call."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from services.nlu.engine import ToolSpec


class NotReached(Exception):
    """The system did not answer: the deed may be done or not. It is tried again with the same key."""


class DeedState(StrEnum):
    """The state of a deed."""

    PENDING = "pending"  # it will be tried again
    DONE = "done"
    FAILED = "failed"  # it was refused, and is not tried again


class Deed(Protocol):
    """A tool that writes. The outbox stands before it: deeds are decided there, and done here."""

    spec: ToolSpec
    timeout_s: float

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        """Do it once for each key: a key that was done gives the same result, as JSON.

        Raises ToolRefused where it cannot be done and nothing was, NotReached where that is not known.
        """
