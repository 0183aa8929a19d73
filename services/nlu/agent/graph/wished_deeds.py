"""The deed of a wish: its tool and arguments, and whether the caller has yet to hear how it went. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Sequence

from services.nlu.agent.graph.dialogue import Wish
from services.nlu.history import Entry

TOOLS = {"book": "clinic_book", "change": "clinic_move", "cancel": "clinic_cancel"}
"""The tool of a wish, by its kind."""


def deed_of(wish: Wish) -> tuple[str, str]:
    """The tool that does a wish and its arguments, always written the same way; empty: there is nothing to do."""
    match wish.kind:
        case "book" if wish.at:
            arguments = {"starts": wish.at, "name": wish.name, "phone": wish.phone, "service": wish.service}
        case "change" if wish.starts and wish.at:
            arguments = {"starts": wish.starts, "new_starts": wish.at, "name": wish.name, "phone": wish.phone}
        case "cancel" if wish.starts:
            arguments = {"starts": wish.starts, "name": wish.name, "phone": wish.phone}
        case _:
            return "", ""
    return TOOLS[wish.kind], json.dumps(arguments, ensure_ascii=False)


def is_owed(deed: tuple[str, str], wish: Wish, history: Sequence[Entry]) -> bool:
    """Return whether the deed of a wish was asked for in an earlier turn, and how it went has not been heard."""
    if not deed[0]:
        return False
    if wish.is_noted:  # it was told, but may not have been heard
        return bool(history) and _has_asked(deed, history[-1]) and not history[-1].heard_text.strip()
    return wish.is_confirmed or (bool(history) and _has_asked(deed, history[-1]))  # no older one: it was told


def _has_asked(deed: tuple[str, str], entry: Entry) -> bool:
    return any((call.name, call.arguments_json) == deed for call in entry.tool_calls)
