"""Capture slots: values that an agent asks for by the letter, and the state of a capture. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

LONGEST_VALUE = 254  # characters, of an e-mail address (RFC 5321, section 4.5.3.1.3)


class SlotKind(StrEnum):
    """The kinds of captured values."""

    PHONE = "phone"
    EMAIL = "email"
    NAME = "name"
    CODE = "code"


class Slot(BaseModel):
    """One thing that callers are asked for, as the agent's file names it."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_]*$")
    kind: SlotKind
    ask: dict[str, str] = {}  # the question, by language; else the language's own
    pattern: str = ""  # of a code, in capitals without separators: "[A-Z]{2}[0-9]{6}"
    min_length: int = Field(0, ge=0, le=40)  # of a code, in characters; 0: not known
    max_length: int = Field(0, ge=0, le=40)

    @model_validator(mode="after")
    def _is_whole(self) -> Slot:
        is_code = self.kind is SlotKind.CODE
        if not is_code and (self.pattern or self.min_length or self.max_length):
            raise ValueError(f"slot {self.name!r}: pattern and lengths are of codes")
        if self.max_length and self.max_length < self.min_length:
            raise ValueError(f"slot {self.name!r}: max_length is below min_length")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"slot {self.name!r}: pattern: {error}") from error
        return self

    @property
    def is_numeric(self) -> bool:
        """Return whether it has digits alone, which can be keyed in."""
        return self.kind is SlotKind.PHONE or (
            self.kind is SlotKind.CODE and bool(self.pattern) and not re.search(r"[A-Za-z.]", _unescaped(self.pattern))
        )


class Step(StrEnum):
    """The ways to ask for a value, from the easiest for the caller to the surest."""

    WHOLE = "whole"
    GROUPS = "groups"
    SINGLES = "singles"
    KEYS = "keys"
    SPELLING = "spelling"


class Ended(StrEnum):
    """The outcome of a capture."""

    NO = ""
    CAPTURED = "captured"
    HUMAN = "human"  # every step failed: a person has to take the value down


@dataclass(frozen=True, slots=True)
class CaptureState:
    """The state of the capture of one slot."""

    slot: str
    step: Step = Step.WHOLE
    value: str = ""  # as far as it is known
    pending: str = ""  # the last piece, which the caller may still take back
    is_confirming: bool = False  # the value was read back, and they have been asked for a yes
    is_doubtful: bool = False  # it was badly heard
    is_known: bool = False  # it came another way than by the caller's words
    rejected: str = ""  # what the caller last said no to
    n_failures: int = 0  # in this step
    n_pieces: int = 0
    ended: Ended = Ended.NO


def as_mapping(state: CaptureState) -> dict[str, object]:
    """The state as JSON can hold it."""
    return asdict(state)


def read_capture(values: Mapping[str, Any]) -> CaptureState | None:
    """The state of a mapping; None where it has none, or one that is not as it should be."""
    known = {each.name for each in fields(CaptureState)}
    try:
        state = CaptureState(**{name: value for name, value in values.items() if name in known})
        return CaptureState(**{**asdict(state), "step": Step(state.step), "ended": Ended(state.ended)})
    except (TypeError, ValueError):
        return None


def _unescaped(pattern: str) -> str:
    return re.sub(r"\\d", "", pattern)
