"""Validation of a turn's input: names the field that is wrong and the remedy. Sans-IO."""

from __future__ import annotations

import re
import unicodedata

from services.nlu.agent.acts import DIGITS
from services.nlu.inputs import ActionEnded, Dtmf, Silence, Text, TurnInput
from services.runtime.errors import TurnFailed

_REASON = re.compile(r"[A-Z0-9_]{1,64}")
_ALLOWED_CONTROLS = frozenset("\t\n\r")


def check_input(turn_input: TurnInput | None, *, max_text_chars: int) -> TurnInput:
    """Return the input when it can be answered. Raises TurnFailed."""
    match turn_input:
        case None:
            raise _bad("INPUT_MISSING", "user_turn.input", "is not set", "set one of text, open, dtmf, silence")
        case Text(text=text):
            _check_text(text, max_text_chars)
        case Dtmf(digits) if not DIGITS.fullmatch(digits):
            raise _bad("BAD_DTMF", "user_turn.dtmf", "has other keys or none", "send 1 to 64 of 0-9, A-D, * and #")
        case Silence(duration_ms, count) if duration_ms < 0 or count < 1:
            raise _bad("BAD_SILENCE", "user_turn.silence", "is below its range", "send a count from 1")
        case ActionEnded(_, _, reason) if reason and not _REASON.fullmatch(reason):
            raise _bad("BAD_REASON", "user_turn.action_ended.result.reason", "is none", "send it as UPPER_SNAKE_CASE")
    return turn_input


def is_clean(text: str, *, max_chars: int) -> bool:
    """Return whether a text may be shown to the model."""
    return len(text) <= max_chars and not any(_is_control(c) for c in text)


def _check_text(text: str, max_chars: int) -> None:
    field = "user_turn.text"
    if len(text) > max_chars:
        raise _bad("TEXT_TOO_LONG", field, f"has {len(text)} characters", f"send at most {max_chars}")
    if any(_is_control(c) for c in text):
        raise _bad("CONTROL_CHARACTERS", field, "has control characters", "send the words only")
    if not text.strip():
        raise _bad("EMPTY_TEXT", field, "has no words", "send what was said, or the input silence")


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in _ALLOWED_CONTROLS


def _bad(reason: str, field: str, wrong: str, mend: str) -> TurnFailed:
    return TurnFailed(reason, f"{field} {wrong}: {mend}")
