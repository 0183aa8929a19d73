"""One turn as bookings see it: its words and parts, what was heard before it, and the diary. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.language.words import normalise
from services.nlu.agent.graph.reading import Part
from services.nlu.history import Entry
from services.nlu.tools.clinic.diary import Appointment


@dataclass(frozen=True, slots=True)
class Seen:
    """Context of one turn beside its words."""

    free: tuple[datetime, ...] = ()  # times that can be had; empty: none, or the diary cannot be read
    heard: str = ""  # what the agent said last, as far as it was heard
    said: str = ""  # the whole turn, and the parts of it that matter
    parts: tuple[Part, ...] = ()
    own: tuple[Appointment, ...] | None = None  # of the number that calls; None: the diary cannot be read
    found: tuple[Appointment, ...] = ()  # of the number that was said, whoever's name they have
    now: datetime = datetime.min  # in the tenant's zone
    phone: str = ""  # the number that `found` is of


def seen_by(
    free: Sequence[datetime] | None,
    history: Sequence[Entry],
    said: str = "",
    parts: Sequence[Part] = (),
    *,
    own: Sequence[Appointment] | None = None,
    found: Sequence[Appointment] = (),
    now: datetime = datetime.min,
    phone: str = "",
) -> Seen:
    """Return what a turn sees: `history` is what came before it, as it was heard."""
    own = None if own is None else tuple(own)
    return Seen(tuple(free or ()), heard_last(history), said, tuple(parts), own, tuple(found), now, phone)


def heard_last(history: Sequence[Entry]) -> str:
    """Return what the agent said last, as far as it was heard; empty where the gateway said something behind it, which
    a caller's yes may be meant for.
    """
    if not history or history[-1].gateway_text:
        return ""
    return history[-1].heard_text


def covers(heard: str, question: str) -> bool:
    """Return whether a question was heard to its end."""
    asked = normalise(question)
    return bool(asked) and normalise(heard)[-len(asked) :] == asked
