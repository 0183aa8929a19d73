"""The joint between two engines' parts of one answer: the second goes on where the first broke off. Sans-IO."""

from __future__ import annotations

import re
import unicodedata

_WITHIN_WORDS = "'\u2019-"
_LONGEST_HELD = 32  # characters of a word; a script without spaces has longer runs, which are not held
_SIGNS = frozenset("WF")  # values of East Asian Width, Unicode Standard Annex 11: scripts without spaces
_CLOSING = frozenset(',;:.!?%)"\u2026\u201d\u00bb')
_SENTENCE_START = re.compile(r"(?<=[.!?\u2026])\s+(?=\S)|(?<=[\u3002\uff01\uff1f])\s*(?=\S)")
_SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019\u00bb)\s]*\Z")
_LEAST_WORDS = 3  # of a broken sentence, to know it again
_LEAST_CHARS = 8


class WholeWords:
    """Lets text out up to its last word, which may not be whole yet: where an engine breaks off within a word, the next
    one says that word.
    """

    def __init__(self) -> None:
        self._held = ""

    def push(self, text: str) -> str:
        """Return the text that goes out now."""
        text = self._held + text
        end = len(text)
        while end and _grows(text[end - 1]):
            end -= 1
        if len(text) - end > _LONGEST_HELD:
            end = len(text)
        self._held = text[end:]
        return text[:end]

    def finish(self) -> str:
        """Return what was held back: the engine has ended."""
        rest, self._held = self._held, ""
        return rest


class Joint:
    """Joins an answer to its beginning by another engine: what is said again is left out, words stay apart.

    `said`: the beginning, as it went out, up to the end of a word; empty: there is none, and every text passes at once.
    What is said again is the whole beginning, or its last sentences, whatever the white space in them.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._held = ""
        self._is_open = bool(said)
        starts = [found.end() for found in _SENTENCE_START.finditer(said.strip())]
        tails = [said.strip()[start:] for start in starts]
        self._begun = [said.strip(), *(tail for tail in tails if len(tail.split()) >= _LEAST_WORDS)]

    def push(self, text: str) -> str:
        """Return the text that goes out now."""
        if not self._is_open:
            return text
        self._held += text
        ends = [_end_of(begun, self._held) for begun in self._begun]
        self._begun = [begun for begun, end in zip(self._begun, ends, strict=True) if end is not None]
        if any(end == len(self._held) + 1 for end in ends if end is not None):
            return ""
        rest = self._held[max((end for end in ends if end is not None), default=0) :]
        if not rest.strip():
            return ""
        self._is_open = False
        return self._spaced(rest)

    def finish(self) -> str:
        """Return what was held back; nothing where it only said the beginning again."""
        if not self._is_open:
            return ""
        self._is_open = False
        return "" if self._begun and len(self._held.strip()) > _LEAST_CHARS else self._spaced(self._held)

    def _spaced(self, text: str) -> str:
        last, first = self._said[-1:], text[:1]
        if last.isspace():
            return text.lstrip()
        if not first.isalnum() or _is_sign(last) or _is_sign(first):
            return text
        if last in _CLOSING and self._said[-2:-1].isdigit() and first.isdigit():
            return text  # within a number: "12.", "50"
        return f" {text}" if last.isalnum() or last in _CLOSING else text


def ends_sentence(said: str) -> bool:
    """Return whether the text ends where a sentence does, so that nothing need follow it."""
    return _SENTENCE_END.search(said) is not None


def _end_of(begun: str, text: str) -> int | None:
    """Return where `begun` ends in a text that begins with it, its white space aside. None: the text begins otherwise;
    one more than its length: it has not come to that end yet.
    """
    at = 0
    for character in begun:
        if character.isspace():
            continue
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return at + 1
        if text[at] != character:
            return None
        at += 1
    return at


def _grows(character: str) -> bool:
    """Return whether a word may go on behind the character."""
    if character in _WITHIN_WORDS or unicodedata.category(character).startswith("M"):
        return True
    return character.isalnum() and not _is_sign(character)


def _is_sign(character: str) -> bool:
    return bool(character) and unicodedata.east_asian_width(character) in _SIGNS
