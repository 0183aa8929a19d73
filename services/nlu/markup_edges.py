"""The edges of reading markup: escaped signs, and the beginning of a line. Sans-IO."""

from __future__ import annotations

import html
import re
import unicodedata

_ANGLE = re.compile("&(?:lt|gt|#60|#62|#x3c|#x3e);", re.IGNORECASE)
_ANGLE_BEGINNING = re.compile("&(?:[lg]t?|#(?:6[02]?|x(?:3[ce]?)?)?)?$", re.IGNORECASE)
_PHRASE_MARKS = frozenset(".,!?;:…。！？，；：、")
_LONGEST_CELL_WORDS, _LONGEST_CELL_CHARS, _LONGEST_WIDE_CELL_CHARS = 4, 40, 8  # of the first cell in a table's head


class AngleEscapes:
    """`<` and `>` written as entities of HTML, before tags are looked for: `&lt;think&gt;` is a tag too."""

    def __init__(self) -> None:
        self._held = ""  # may be the beginning of one

    def push(self, text: str) -> str:
        """Add text; returns it with the signs themselves, as far as it is certain."""
        text = self._held + text
        found = _ANGLE_BEGINNING.search(text)
        self._held = found.group() if found else ""
        return _ANGLE.sub(_unescaped, text[: found.start()] if found else text)

    def finish(self) -> str:
        """The text is whole; returns what was held."""
        rest, self._held = self._held, ""
        return rest


class LineHead:
    """Holds the beginning of each line while it may be the first cell of a table, which is not spoken.

    No clause can end in what is held, so no clause waits for it: it has no mark of a phrase, and few words.
    """

    def __init__(self) -> None:
        self._held = ""
        self._is_open = True  # nothing of the line has come out

    def push(self, text: str) -> str:
        """Add text of one line, with its end at most; returns what is certain to be no such cell."""
        if text.endswith("\n"):
            self._is_open = True
            return self.finish() + text
        if not self._is_open:
            return text
        self._held += text
        if not _is_long(self._held):
            return ""
        self._is_open = False
        return self.finish()

    def drop(self) -> None:
        """Drop the first cell of a table."""
        self._held = ""

    def void(self) -> str:
        """All that came before is no speech; returns nothing of it."""
        self._held, self._is_open = "", True
        return ""

    def finish(self) -> str:
        """The text is whole; returns what was held."""
        rest, self._held = self._held, ""
        return rest


def _unescaped(found: re.Match[str]) -> str:
    return html.unescape(found.group())


def _is_long(head: str) -> bool:
    """Return whether a clause may end in the beginning of a line, or it is longer than the first cell of a table."""
    n_wide = sum(unicodedata.east_asian_width(c) == "W" for c in head)
    is_over = len(head) > _LONGEST_CELL_CHARS or n_wide > _LONGEST_WIDE_CELL_CHARS
    return is_over or not _PHRASE_MARKS.isdisjoint(head) or len(head.split()) > _LONGEST_CELL_WORDS
