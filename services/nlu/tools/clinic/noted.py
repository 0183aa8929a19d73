"""Appointments as the deeds will leave them that are noted in the outbox and not done yet. Sans-IO.

The agent would deny otherwise what it has noted a moment ago. Bookings of a hotel are read alike, by their first day.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.nlu.tools.clinic.diary import Appointment
from services.nlu.tools.clinic.whose import is_same_name
from services.nlu.tools.outbox_file import Decided


def with_noted(held: Sequence[Appointment], noted: Sequence[Decided]) -> list[Appointment]:
    """The appointments of a number with its noted deeds, in their order; what such a deed leaves is `is_noted`, and not
    `is_booked` where it cancels.
    """
    left = list(held)
    for decided in noted:
        arguments: Mapping[str, str] = json.loads(decided.arguments_json)
        starts = datetime.fromisoformat(arguments.get("starts") or arguments["arrives"])
        room = arguments.get("room", "")
        meant = [at for at, one in enumerate(left) if _is_meant(one, starts, arguments["name"], room)]
        at = next((at for at in meant if left[at].is_booked), None)
        match decided.tool.rpartition("_")[2]:
            case "book" if at is None:
                service = arguments.get("service") or room
                left = [one for each, one in enumerate(left) if each not in meant]  # cancelled before
                left.append(Appointment(0, starts, service, arguments["name"], arguments["phone"], is_noted=True))
            case "move" if at is not None:
                moved = datetime.fromisoformat(arguments["new_starts"])
                left[at] = replace(left[at], starts=moved, is_noted=True)
            case "cancel" if at is not None:
                left[at] = replace(left[at], is_booked=False, is_noted=True)
    return sorted(left, key=lambda one: one.starts)


def _is_meant(one: Appointment, starts: datetime, name: str, room: str) -> bool:
    """`room`: of a hotel's booking; empty: any, or a clinic's."""
    return one.starts == starts and is_same_name(name, one.name) and room in ("", one.service)
