"""Requests of one turn: a sentence that holds several is cut, and they come one behind the other. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from services.language.words import normalise
from services.nlu.agent.facts import FreeTime
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.sentences import splits
from services.nlu.agent.graph.slots import SlotFinder, Slots
from services.nlu.agent.graph.when import When
from services.nlu.agent.graph.whole_turn import clauses_of
from services.nlu.agent.graph.wish_times import fits

DEEDS = frozenset({"book", "change", "cancel", "check"})  # kinds of requests
MOST_CUTS = 12  # of a text that are looked at: each half is read
_MOST_REQUESTS = 4  # of one sentence
_LONGEST = 200  # characters kept of each
_LONGEST_CUT = 800  # characters of a text that is cut: each half of it is read
_COMMA = re.compile(r",\s+")


class Requests:
    """Finds the requests of turns in one language."""

    def __init__(self, finder: SlotFinder, day_in_words: Callable[[When, datetime], str]) -> None:
        self._finder, self._day_in_words = finder, day_in_words

    def apart(self, part: Part, now: datetime) -> tuple[Part, ...]:
        """A sentence that wants several deeds as one for each: "move Thursday's to Wednesday and cancel Friday's"."""
        found: list[Part] = []
        while len(found) + 1 < _MOST_REQUESTS and (halves := self._halves(part.text, now)):
            found.append(halves[0])
            part = halves[1]
        return (*found, part)

    def in_order(self, parts: tuple[Part, ...], said: str, now: datetime) -> tuple[tuple[Part, ...], tuple[str, ...]]:
        """The parts of a turn with the first of several requests, and the texts of those that come behind it. What only
        asks after an appointment comes last: "book one for my mother, and when is mine?"
        """
        parts = self._without_told(parts, said, now)
        requests = [part for part in parts if part.kind in DEEDS and not part.doubts]
        are_bookings = all(part.kind == "book" and part.slots.services and part.slots.when for part in requests)
        if len({part.kind for part in requests}) < 2 and not are_bookings:
            return parts, ()
        first = next((part for part in requests if part.kind != "check"), None) or next(iter(requests), None)
        if first is None:
            return parts, ()
        later = [
            part
            for part in requests
            if part.kind != first.kind or (part is not first and (are_bookings or part.slots.when))
        ]
        kept = tuple(part for part in parts if part not in later)
        return kept, tuple(self._with_day_of(first, part, now)[:_LONGEST] for part in later)

    def moves_told(self, text: str, held: Sequence[datetime] | None, now: datetime) -> bool:
        """Return whether a turn tells of an appointment that the caller has, and behind it asks for another time and
        nothing else: "I've got one on Wednesday and something's come up. Have you anything on Thursday?" `held`: when
        theirs are; None: that cannot be looked up.
        """
        clauses = [self._finder.find(clause, now) for clause in clauses_of(text)] if held is not None else []
        told = next((at for at, slots in enumerate(clauses) if self._tells(slots, held or ())), None)
        if told is None:
            return False
        behind, lists = clauses[told + 1 :], self._finder.words
        wants = any(slots.when.has_day or slots.when.times or slots.when.part for slots in behind)
        adds = any(has_any(slots.words, (*lists.adds, *lists.adds_behind)) or slots.services for slots in behind)
        return wants and not adds

    def _tells(self, slots: Slots, held: Sequence[datetime]) -> bool:
        """Return whether a clause tells of an appointment: of one that is known, in any words that tell or refuse its
        day; of another, in words for one's own.
        """
        lists, when = self._finder.words, slots.when
        words = tuple(word.removesuffix("'s") for word in slots.words)
        if not when.has_day or when.trouble:
            return False
        if has_any(words, lists.own):
            return True
        is_held = any(fits(FreeTime(at.time(), date=at.date()), when) for at in held)
        return is_held and has_any(slots.words, (*lists.tells, *lists.refusing["beside"]))

    def each_once(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The parts without those that want again what one before them wants, and name nothing for it."""
        kept: list[Part] = []
        for part in parts:
            is_again = part.kind in DEEDS and any(part.kind == one.kind for one in kept)
            if not is_again or part.slots.when or part.slots.services or part.slots.digits:
                kept.append(part)
        return tuple(kept)

    def _halves(self, text: str, now: datetime) -> tuple[Part, Part] | None:
        """The first request of a text, and what stands behind it; None: it holds one only."""
        if len(text) > _LONGEST_CUT:
            return None
        for left, right in self._cuts(text):
            one = self._finder.find(left, now)
            if not (kind := self.ordered(one)):
                continue
            other = self._finder.find(right, now)
            if (following := self.ordered(other)) and self._are_two([kind, following], [one, other]):
                return Part(left, kind, one), Part(right, following, other)
        return None

    def _cuts(self, text: str) -> list[tuple[str, str]]:
        """The ways to cut a text in two, at commas and at joining words, the shortest beginning first."""
        found = [*splits(text, self._finder.words, self._finder.language_code), *_at_commas(text)]
        return sorted(dict.fromkeys(found), key=lambda halves: len(halves[0]))[:MOST_CUTS]

    def ordered(self, slots: Slots) -> str:
        """The kind of deed that half a sentence orders; empty: none."""
        orders = self._finder.words.orders
        if has_any(slots.words, orders["cancelled"]):
            return "cancel"
        if has_any(slots.words, orders["changed"]):
            return "change"
        return "book" if has_any(slots.words, orders["booked"]) or (slots.services and slots.when) else ""

    def _are_two(self, kinds: list[str], halves: list[Slots]) -> bool:
        """Return whether the halves of a sentence are of two appointments. "Cancel Tuesday and book me for Friday" is
        one that is moved.
        """
        one, other = halves
        if "book" not in kinds:
            return len(set(kinds)) == 2 and one.when.has_day and other.when.has_day
        if kinds[0] != "book":
            return bool(other.services and other.when)
        if kinds[1] != "book":
            return bool(one.services and one.when and other.when.has_day)
        are_whole = bool(one.services and one.when and other.services and other.when)
        is_other_thing = {found.id for found in one.services} != {found.id for found in other.services}
        return are_whole and (is_other_thing or self._of_whom(one) != self._of_whom(other))

    def _of_whom(self, slots: Slots) -> bool:
        """Return whether a request speaks of a relative of the caller's."""
        return has_any(slots.words, self._finder.words.people["one"])

    def _with_day_of(self, first: Part, part: Part, now: datetime) -> str:
        """Text of a request; one with a time alone is for the day of the request before it."""
        when, day = part.slots.when, first.slots.when
        if part.kind != "book" or when.has_day or not when.times or not day.has_day or day.trouble or day.last_date:
            return part.text
        return f"{self._day_in_words(replace(day, times=(), part=''), now)}, {part.text}"

    def _without_told(self, parts: tuple[Part, ...], said: str, now: datetime) -> tuple[Part, ...]:
        """The parts without a booking that is only told before it is cancelled or moved: "I booked a room for Friday,
        but we can't come. Please cancel it."
        """
        lists = self._finder.words
        wanted = next((part for part in parts if part.kind in ("cancel", "change") and not part.doubts), None)
        told = next((part for part in parts if part.kind == "book"), None)
        if wanted is None or told is None or parts.index(told) > parts.index(wanted):
            return parts
        is_told = has_any(told.slots.words, lists.tells) and not told.text.rstrip().endswith(("?", "？"))
        if wanted.slots.when:
            return tuple(part for part in parts if part is not told) if is_told else parts
        phrases = (*lists.refusing["beside"], *lists.tells) if is_told else lists.refusing["beside"]
        if not has_any(normalise(said), phrases):
            return parts
        text = f"{wanted.text}, {told.text}"
        whole = replace(wanted, text=text, slots=self._finder.find(text, now))
        return tuple(whole if part is wanted else part for part in parts if part is not told)


def _at_commas(text: str) -> Iterator[tuple[str, str]]:
    return ((text[: cut.start()], text[cut.end() :]) for cut in _COMMA.finditer(text))
