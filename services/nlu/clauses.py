"""Clause segmentation of a reply that is still being written. Sans-IO.

The clauses of a reply, joined, are the reply verbatim. Its first words are cut as
early as it stays natural, since the caller waits for them; later clauses have time
while those are spoken, so they are whole sentences or long phrases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.language.clauses import is_abbreviated, joints, phrase_openings
from services.language.words import HIDDEN, is_sign, with_signs_hidden

_SENTENCE_ENDS = ".!?…。！？\n"
_PHRASE_ENDS = ",;:，；："
_ENDS = re.compile(f"[{re.escape(_SENTENCE_ENDS + _PHRASE_ENDS)}]+")
_CLOSERS = "\"'”’»)]】」』"
_WIDE = "。！？，；："  # written without a space behind
_SPEAKABLE = re.compile(r"[^\W_]")
_LAST_WORD = re.compile(r"[^\W_](?:[\w.]*[^\W_])?$")
_SPACED_WORD = re.compile(r"(?<=\s)\S+")

FIRST_PHRASE_WORDS = 4
_LATER_PHRASE_WORDS = 8
_LATER_JOINT_WORDS = 14
_MAX_CHARS = 220
_LONGEST_RUN = 64  # characters of marks, or of white space behind a dot, that are looked at together


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause: a part of the reply that can be spoken by itself."""

    text: str
    ends_sentence: bool


class ClauseCutter:
    """Clause segmentation of one reply. Push what is written, in any pieces; clauses come out as soon as they are
    whole.
    """

    def __init__(self, *, first_phrase_words: int = FIRST_PHRASE_WORDS) -> None:
        """`first_phrase_words`: after how many words a clause may be cut before a phrase, while its end is not written
        yet and no more words than these were given before it; 0: none is.
        """
        self._first_phrase_words = first_phrase_words
        self._held = ""
        self._is_first = True
        self._words_given = 0

    def push(self, text: str) -> list[Clause]:
        """Add text; returns the clauses that are whole now."""
        self._held += text
        clauses = []
        while cut := self._find_cut():
            end, ends_sentence = cut
            text, self._held = self._held[:end], self._held[end:]
            clauses.append(Clause(text, ends_sentence))
            self._words_given += _words(text)
            self._is_first = False
        return clauses

    def finish(self) -> list[Clause]:
        """The reply is whole; returns what was held, as one clause."""
        rest, self._held = self._held, ""
        return [Clause(rest, ends_sentence=True)] if rest else []

    def drop_rest(self) -> bool:
        """The reply was cut short: forget an unfinished sentence, unless nothing was spoken yet. True: forgotten."""
        if self._is_first:
            return False
        self._held = ""
        return True

    def _find_cut(self) -> tuple[int, bool] | None:
        """Return where the first whole clause ends, and whether a sentence ends there."""
        held = self._held
        near = held[: _MAX_CHARS + 1]  # no clause is longer, so that a long reply costs no more for each
        speakable = _SPEAKABLE.search(near)
        for run in _ENDS.finditer(held, 0, _MAX_CHARS + _LONGEST_RUN):
            end = self._end_of(run) if run.start() <= _MAX_CHARS else None
            if end is None:
                break  # the next character decides
            if end == 0 or speakable is None or speakable.start() >= run.start():
                continue
            ends_sentence = run.group()[-1] in _SENTENCE_ENDS
            if ends_sentence or self._is_first or _words(held[:end]) >= _LATER_PHRASE_WORDS:
                return _before(joints(), held[:end], _LATER_JOINT_WORDS) or (end, ends_sentence)
        is_early = self._words_given < self._first_phrase_words  # "Sure," is spoken before much more is written
        if is_early and (cut := _before(phrase_openings(), near, self._first_phrase_words)):
            return cut  # the rest of the clause is not written yet: this much can be spoken meanwhile
        return _before(joints(), near, _LATER_JOINT_WORDS) or self._forced()

    def _end_of(self, run: re.Match[str]) -> int | None:
        """Return where the clause ends that this run of marks closes. 0: it closes none. None: not known yet."""
        held, marks = self._held, run.group()
        after, is_last = held[run.end() : run.end() + 1], run.end() == len(held)
        before = held[: run.start()]
        if marks[-1] in _WIDE + "\n":
            return _skip_closers(held, run.end())
        if marks[0] in ".:," and len(marks) == 1:
            is_plain = before[-1:].isalpha() and marks != "."
            if is_last and not is_plain:
                return None  # 3.5, 10:30, 1,000, Dr. or the end of a sentence
            if (
                marks == "."
                and (is_inside := _is_inside_word(before, held[run.end() : run.end() + _LONGEST_RUN])) is not False
            ):
                return 0 if is_inside else None
        elif is_last and marks[-1] in ".…":
            return None  # more dots may come: "Wait..." is one sentence
        if not is_last and not (after.isspace() or after in _CLOSERS or is_sign(after)):
            return 0
        return _skip_closers(held, run.end())

    def _forced(self) -> tuple[int, bool] | None:
        """No mark has ended a clause for too long: cut between words, or anywhere where there are none."""
        if len(self._held) <= _MAX_CHARS:
            return None
        space = self._held.rfind(" ", 1, _MAX_CHARS)
        return (space + 1 if space > 0 else _MAX_CHARS), False


def _before(openings: frozenset[str], held: str, least_words: int) -> tuple[int, bool] | None:
    """A cut before the first joining word that has enough words before it. The last word may still grow into another:
    even then it begins one.
    """
    for word in _SPACED_WORD.finditer(held):
        if word.group().lower() in openings and _words(held[: word.start()]) >= least_words:
            return word.start(), False
    return None


def _skip_closers(held: str, end: int) -> int:
    """Closing quotes and white space belong to the clause before them."""
    while end < len(held) and held[end] in _CLOSERS:
        end += 1
    while end < len(held) and held[end].isspace():
        end += 1
    return end


def _is_inside_word(before: str, after: str) -> bool | None:
    """Return whether a full stop here belongs to the word: an abbreviation, an initial, or a number that opens a list
    item. None: not known yet.
    """
    found = _LAST_WORD.search(before)
    if found is None:
        return False
    word = found.group()
    if word.isdigit():
        return not any(c.isalpha() for c in before)
    is_initial = len(word) == 1 and word.isalpha() and word.isupper() and not is_sign(word)
    return is_initial or is_abbreviated(word, after)


def _words(text: str) -> int:
    """Return the number of words; a character of a script without spaces counts as half a word."""
    hidden = with_signs_hidden(text)
    return hidden.count(HIDDEN) // 2 + len(hidden.replace(HIDDEN, " ").split())
