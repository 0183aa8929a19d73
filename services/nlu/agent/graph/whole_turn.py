"""A turn of several sentences as one statement: what a caller wants of each slot, and what they refuse. Sans-IO.

"Tuesday's no good. Friday, I guess. No, Wednesday is better" wants Wednesday and refuses Tuesday; "a crown, not a
filling" wants a crown. Of two values of one slot the later one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from services.language.words import normalise
from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.naming import Found
from services.nlu.agent.graph.sentences import phrase_pattern, sentences_of
from services.nlu.agent.graph.slots import SlotFinder, Slots
from services.nlu.agent.graph.when import When

_STOP = re.compile(r"\s*[,;:，；：、]\s*|\s+[–—-]\s+")


@dataclass(frozen=True, slots=True)
class Stated:
    """Statement of a turn about a booking."""

    text: str  # without what is refused
    slots: Slots  # what is wanted, and what is refused


class WholeTurn:
    """Reads turns in one language."""

    def __init__(self, finder: SlotFinder, language_code: str) -> None:
        self._finder, self._language = finder, language_code
        lists = finder.words.refusing
        self._before, self._beside = lists["before"], lists["beside"]
        self._openings = phrase_pattern((*self._before, *lists["turns"]), language_code)
        self._turns = phrase_pattern(lists["turns"], language_code)

    def read(self, text: str, now: datetime) -> Stated:
        """`now` in the tenant's zone."""
        kept: list[str] = []
        refused: list[Slots] = []
        wanted: list[Slots] = []
        for piece, is_refused in self._pieces(text):
            slots = self._finder.find(self._unopened(piece) if is_refused else piece, now)
            if is_refused:
                refused.append(slots)
                continue
            kept.append(piece)
            if has_any(slots.words, self._beside) and slots.when:
                refused.append(replace(slots, services=(), people=()))
                slots = replace(slots, when=When())
            wanted.append(slots)
        things = frozenset(found.id for slots in refused for found in (*slots.services, *slots.people))
        whole = self._finder.find(text, now)
        slots = replace(
            whole,
            services=_last_wanted(wanted, "services"),
            people=_last_wanted(wanted, "people"),
            when=_joined([one.when for one in wanted if one.when]),
            periods=next((one.periods for one in reversed(wanted) if one.periods), {}),
            refused=tuple(one.when for one in refused if one.when),
            refused_things=things,
        )
        return Stated(". ".join(kept), slots)

    def set_aside(self, text: str, phrases: Sequence[Words]) -> tuple[str, str]:
        """Text of a turn without the clauses that hold one of the phrases, and these clauses: "I'll ring you on
        Monday" says no day of a booking.
        """
        kept: list[str] = []
        aside: list[str] = []
        for sentence in sentences_of(text):
            if not has_any(normalise(sentence), phrases):
                kept.append(sentence)
                continue
            clauses = [each for part in _STOP.split(sentence) for each in self._turns.split(part) if normalise(each)]
            for clause in clauses:
                (aside if has_any(normalise(clause), (*phrases, *self._beside)) else kept).append(clause)
        return ", ".join(kept), ", ".join(aside)

    def without_added(self, text: str) -> tuple[str, str]:
        """Text of a turn before the clause that wants one more beside what is open, and from it on: "yes, and one for
        my son on Friday"; the latter empty: it wants no more.
        """
        lists = self._finder.words
        clauses = [one for part in clauses_of(text) for one in self._turns.split(part) if normalise(one)]
        for at, clause in enumerate(clauses):
            words = normalise(clause)
            is_added = has_any(words, lists.adds) or any(words[-len(one) :] == one for one in lists.adds_behind)
            if is_added and not has_any(words, (*lists.instead, *lists.objections)):
                return ", ".join(clauses[:at]), ", ".join(clauses[at:])
        return text, ""

    def _unopened(self, piece: str) -> str:
        """A piece without the words that refuse it: "any day but Tuesday" refuses no other day."""
        opening = self._openings.match(piece)
        return piece[opening.end() :] if opening else piece

    def _pieces(self, text: str) -> Iterator[tuple[str, bool]]:
        """The sentences; one with words that refuse is cut where a clause begins. With each whether it is refused."""
        for sentence in sentences_of(text):
            words = normalise(sentence)
            if not has_any(words, (*self._before, *self._beside)):
                yield sentence, False
                continue
            for clause in filter(None, _STOP.split(sentence)):
                starts = [0, *(found.start() for found in self._openings.finditer(clause)), len(clause)]
                pieces = [clause[a:b].strip() for a, b in pairwise(starts)]
                for piece in pieces:
                    said = normalise(piece)
                    if said:
                        yield piece, any(said[: len(phrase)] == phrase for phrase in self._before)


def clauses_of(text: str) -> list[str]:
    """The clauses of a turn."""
    return [clause for sentence in sentences_of(text) for clause in _STOP.split(sentence) if normalise(clause)]


def _last_wanted(pieces: Sequence[Slots], slot: str) -> tuple[Found, ...]:
    """The things of the last piece that names any."""
    named: list[tuple[Found, ...]] = [getattr(slots, slot) for slots in pieces if getattr(slots, slot)]
    return named[-1] if named else ()


def _joined(whens: Sequence[When]) -> When:
    """The last day and the last time that were said; an earlier time stays beside a later day only where it came alone:
    "at nine. On Friday."
    """
    found = When()
    for when in whens:
        if when.has_day or when.trouble:
            alone = found if not found.has_day else When()
            found = replace(when, times=when.times or alone.times, part=when.part or alone.part)
        else:
            found = replace(found, times=when.times or found.times, part=when.part or found.part)
    return found
