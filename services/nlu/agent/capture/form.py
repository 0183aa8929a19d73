"""Slot form: how a kind of slot is read, when its value is complete, and how it is read back. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Protocol

from services.language.capture_words import Words, cut
from services.language.dictation import Dictation, starts_with
from services.language.phrases import fold
from services.nlu.outputs import ExpectedKind

_LIKE_NOTHING = 0.4  # how alike a repair must be to what it stands in place of, to be none of what comes behind it


class Extent(Enum):
    """Extent of a value."""

    WHOLE = "whole"
    PART = "part"  # more of it may come
    WRONG = "wrong"  # it is none, and no beginning of one


class Form(Protocol):
    """One kind of slot in one language."""

    expects: ExpectedKind
    length: int  # of a whole value, in signs; 0: not known
    phrases: tuple[str, ...]  # that its callers are likely to say
    sizes: tuple[int, ...]  # of its groups; empty: it has none of a size

    def read(self, text: str) -> tuple[str, ...]:
        """Return what a text may say, the likeliest first; empty: nothing of this kind."""

    def extent(self, value: str) -> Extent:
        """The completeness of a value."""

    def joined(self, before: str, new: str) -> tuple[str, ...]:
        """Return what two pieces may be together."""

    def final(self, value: str) -> str:
        """A whole value as it is kept."""

    def groups(self, value: str) -> tuple[str, ...]:
        """A value in the groups it is read in."""

    def said(self, value: str, *, is_spelled: bool) -> str:
        """A value, or a piece of it, as it is read back."""


def segments(text: str, dictation: Dictation) -> list[str]:
    """A text cut where the caller corrects themselves in the middle of it: "0912, no sorry, 0913"."""
    plain, pieces = fold(text), cut(text)
    texts = [piece.text for piece in pieces]
    parts, start, at = [], 0, 1
    while at < len(texts):
        length = starts_with(texts, at, dictation.words.lists["repairs"])
        if length and at + length < len(texts):
            parts.append(plain[start : pieces[at].start])
            start = pieces[at + length].start
        at += length or 1
    return [*parts, plain[start:]]


def repaired(before: str, new: str) -> tuple[str, ...]:
    """Return what a value may be whose end is said again, from where the new end is most like the old one."""
    if not before:
        return (new,)

    def likeness(at: int) -> float:
        if at == len(before):
            return _LIKE_NOTHING
        return sum(one == other for one, other in zip(before[at:], new, strict=False)) / (len(before) - at)

    places = sorted(range(len(before), -1, -1), key=lambda at: -likeness(at))
    return tuple(before[:at] + new for at in places)


def after_leads(text: str, dictation: Dictation, *, more: Sequence[Words] = ()) -> str:
    """A text without the words that lead to what is dictated: "um, it should be". `more` are leads of its kind."""
    plain, pieces, lists = fold(text), cut(text), dictation.words.lists
    leads = sorted((*lists["leads"], *more), key=len, reverse=True)
    texts = [piece.text for piece in pieces]
    marks = [words for words, _ in dictation.words.marks]
    start, at = 0, 0
    while at < len(texts):
        is_letter = len(texts[at]) == 1 and texts[at].isalpha()
        is_article = is_letter and texts[at] in dictation.words.soft_letters and at + 1 < len(texts)
        is_article = is_article and len(texts[at + 1]) > 1 and not starts_with(texts, at + 1, marks)
        if length := starts_with(texts, at, leads):
            start = at = at + length
        elif texts[at].isdecimal() or (is_letter and not is_article) or starts_with(texts, at, marks):
            break
        else:
            at += 1
    while start < len(texts) and (length := starts_with(texts, start, (*lists["fillers"], (",",)))):
        start += length
    return plain[pieces[start].start :] if start < len(pieces) else ""


def without_leads_behind(text: str, dictation: Dictation) -> str:
    """A text without the words at its end that lead to what is dictated: "Hale, that's spelled"."""
    plain, pieces = fold(text), cut(text)
    leads = (*dictation.words.lists["leads"], *dictation.words.lists["fillers"], (",",))
    while pieces:
        texts = tuple(piece.text for piece in pieces)
        length = next((len(lead) for lead in leads if lead and texts[-len(lead) :] == tuple(lead)), 0)
        if not length:
            break
        pieces = pieces[:-length]
    return plain[: pieces[-1].start + len(pieces[-1].text)] if pieces else ""


def best(form: Form, values: Sequence[str]) -> str:
    """The first of the values that is whole, else the first that may become so, else the first; empty: none is."""
    for wanted in (Extent.WHOLE, Extent.PART):
        for value in values:
            if value and form.extent(value) is wanted:
                return value
    return next(iter(values), "")


def groups_of(value: str, sizes: Sequence[int]) -> Iterator[str]:
    """A value cut into groups; the last size goes on for what is left."""
    at, n = 0, 0
    while at < len(value):
        size = sizes[min(n, len(sizes) - 1)]
        yield value[at : at + size]
        at, n = at + size, n + 1
