"""Makes what a model writes speakable: no markdown, no line breaks, no pictures. Sans-IO."""

from __future__ import annotations

import re
import unicodedata

HANG_UP_MARK = "[hang up]"

_UNSPOKEN = frozenset("*#`_~|<>{}\\")
_SPACES = re.compile(r"\s+")


class PlainSpeech:
    """One reply. Push what the model writes; what may be spoken comes out.

    A mark by which the model asks to end the call is taken out and noted in `wants_hang_up`.
    """

    def __init__(self) -> None:
        self.wants_hang_up = False
        self._held = ""  # may be the beginning of a mark, or white space that may be the reply's last
        self._has_begun = False

    def push(self, text: str) -> str:
        """Add text; returns what is speakable of it and certain by now."""
        self._held += "".join(c for c in text if _is_spoken(c))
        self._held = _SPACES.sub(" ", self._held)
        while (start := self._held.lower().find(HANG_UP_MARK)) >= 0:
            self.wants_hang_up = True
            self._held = self._held[:start] + self._held[start + len(HANG_UP_MARK) :]
        if not self._has_begun:
            self._held = self._held.lstrip()
        keep = len(self._held) - _mark_beginning(self._held)
        keep = len(self._held[:keep].rstrip())
        ready, self._held = self._held[:keep], self._held[keep:]
        self._has_begun = self._has_begun or bool(ready)
        return ready

    def finish(self) -> str:
        """The reply is whole; returns what was held, without white space at its end."""
        rest, self._held = self._held.rstrip(), ""
        return rest


def _is_spoken(character: str) -> bool:
    return character.isspace() or not (
        character in _UNSPOKEN or unicodedata.category(character) in {"So", "Sk", "Cc", "Cf", "Co", "Cn", "Cs"}
    )


def _mark_beginning(held: str) -> int:
    """How many characters at the end may be the beginning of the mark."""
    tail = held.lower()
    return next((n for n in range(len(HANG_UP_MARK) - 1, 0, -1) if tail.endswith(HANG_UP_MARK[:n])), 0)
