"""Plain speech of a model's text: no markup, no line breaks, no emoji. Sans-IO."""

from __future__ import annotations

import re

from services.nlu.markup import HEADING_END, LIST_ITEM, THOUGHT_END, Markup

HANG_UP_MARK = "[hang up]"

_SPACES = re.compile(r"\s+")
_LIST_ITEM = re.compile(rf"\s*{LIST_ITEM}")
_HEADING_END = re.compile(rf"\s*{HEADING_END}")


class PlainSpeech:
    """Plain speech of one reply. Push what the model writes; what may be spoken comes out.

    A mark by which the model asks to end the call is taken out and noted in `wants_hang_up`. THOUGHT_END comes out
    where all before it was no speech: `after_thought`.
    """

    def __init__(self) -> None:
        self.wants_hang_up = False
        self._markup = Markup()
        self._held = ""  # may be the beginning of a mark, or white space that may be the reply's last
        self._has_begun = False

    def push(self, text: str) -> str:
        """Add text; returns what is speakable of it and certain by now."""
        return self._take(self._markup.push(text))

    def finish(self) -> str:
        """The reply is whole; returns what was held, without white space at its end."""
        ready = self._take(self._markup.finish())
        rest, self._held = self._held.rstrip(), ""
        return ready + rest

    def _take(self, text: str) -> str:
        _, thought_end, text = text.rpartition(THOUGHT_END)
        if thought_end:
            self._held, self._has_begun, self.wants_hang_up = "", False, False
        held = _LIST_ITEM.sub(",", _HEADING_END.sub(".", self._held + text))
        self._held = _SPACES.sub(" ", held)
        while (start := self._held.lower().find(HANG_UP_MARK)) >= 0:
            self.wants_hang_up = True
            self._held = self._held[:start] + self._held[start + len(HANG_UP_MARK) :]
        if not self._has_begun:
            self._held = self._held.lstrip()
        keep = len(self._held) - _mark_beginning(self._held)
        keep = len(self._held[:keep].rstrip())
        ready, self._held = self._held[:keep], self._held[keep:]
        self._has_begun = self._has_begun or bool(ready)
        return thought_end + ready


def after_thought(speakable: str) -> str:
    """The speech in all that came out so far."""
    return speakable.rpartition(THOUGHT_END)[2]


def _mark_beginning(held: str) -> int:
    """Return how many characters at the end may be the beginning of the mark."""
    tail = held.lower()
    return next((n for n in range(len(HANG_UP_MARK) - 1, 0, -1) if tail.endswith(HANG_UP_MARK[:n])), 0)
