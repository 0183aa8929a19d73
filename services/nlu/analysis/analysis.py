"""The analysis of a call as plain values; service.py makes protobuf of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from services.nlu.history import Entry


class CallOutcome(Enum):
    """Outcome of a call; the values are those of the contract."""

    DEED_DONE = 1
    ANSWERED = 2
    TRANSFERRED = 3
    FOLLOW_UP = 4
    UNRESOLVED = 5
    NO_WORDS = 6


class Sentiment(Enum):
    """The caller's sentiment, by their words."""

    UNKNOWN = 0
    POSITIVE = 1
    NEUTRAL = 2
    NEGATIVE = 3


class DeedStanding(Enum):
    """Status of a deed."""

    DONE = 1
    PENDING = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class CallDeed:
    """A tool or an act that changed something, or was to."""

    name: str
    standing: DeedStanding


@dataclass(frozen=True, slots=True)
class CallAnalysis:
    """Analysis of a call."""

    intents: tuple[str, ...]
    outcome: CallOutcome
    sentiment: Sentiment
    language_code: str
    summary: str  # personal data
    deeds: tuple[CallDeed, ...] = ()
    made_by: str = "rules"


@dataclass(frozen=True, slots=True)
class Past:
    """A conversation that is to be analysed."""

    language_code: str
    history: Sequence[Entry]
    state: Mapping[str, object] = field(default_factory=dict)  # what the agent remembers
    is_transferred: bool = False  # to a person


@dataclass(frozen=True, slots=True)
class Known:
    """The agent's knowledge of a conversation: the caller's wishes by the agent's names, and the values given."""

    intents: tuple[str, ...] = ()
    n_unanswered: int = 0  # of the turns, that no fact covered
    values: tuple[str, ...] = ()  # names, numbers: personal data
    deeds: tuple[CallDeed, ...] = ()  # that no tool did: a call back that was asked for
    is_pending: bool = False  # a person has to settle a wish that was taken down


@runtime_checkable
class KnowsCalls(Protocol):
    """Protocol of agents that can tell what a conversation was about."""

    async def known_of(self, past: Past) -> Known:
        """Return what the agent knows of the conversation as it was heard."""
