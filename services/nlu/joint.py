"""The joint between two engines' parts of one answer: the second goes on where the first broke off. Sans-IO."""

from __future__ import annotations


class Joint:
    """Joins an answer to its beginning by another engine: what is said again is left out, words stay apart.

    `said`: the beginning, as it went out; empty: there is none, and every text passes at once.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._held = ""
        self._is_open = bool(said)

    def push(self, text: str) -> str:
        """The text that goes out now."""
        if not self._is_open:
            return text
        self._held += text
        begun, again = self._said.strip(), self._held.lstrip()
        if len(again) < len(begun) and begun.startswith(again):
            return ""
        self._is_open = False
        rest = again[len(begun) :] if again.startswith(begun) else self._held
        return self._spaced(rest)

    def finish(self) -> str:
        """Return what was held back; nothing where it only said the beginning again."""
        if not self._is_open:
            return ""
        self._is_open = False
        again = self._held.lstrip()
        return "" if again and self._said.strip().startswith(again) and len(again) > 8 else self._spaced(self._held)

    def _spaced(self, text: str) -> str:
        needs_space = self._said[-1:].isalnum() and text[:1].isalnum() and self._said[-1:].isascii()
        return f" {text}" if needs_space else text
