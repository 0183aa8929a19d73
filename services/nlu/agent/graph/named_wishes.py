"""The caller's name in a booking: announced, beside the number, or bare. Sans-IO."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.language.words import normalise
from services.nlu.agent.graph.agreement import (
    behind_agreements,
)
from services.nlu.agent.graph.asking import UNKNOWN, Words
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.given_names import WHOLE_NUMBER
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.timed_wishes import TimedWishes

_BARE_NAMES = frozenset({UNKNOWN, "name", "private", "who"})  # what a name alone sounds like


class NamedWishes(TimedWishes):
    """Wishes whose name may come before it is asked for, or without words that announce it."""

    def name_in(self, text: str, *, is_asked: bool) -> str:
        name = super().name_in(text, is_asked=is_asked) or self._given.beside_number(text, self._seen.now)
        words = normalise(name)
        is_agreement = behind_agreements(words, self._finder.words) == ()  # "all right, yes" is no name
        is_thing = self._given.is_other_thing(name, self._seen.now) and not (
            is_asked and self._given.is_written_as_name(name, self._seen.now)
        )
        is_none = is_agreement or self._is_relation(words) or is_thing
        return "" if is_none else name

    def bare_name(self, part: Part, wish: Wish, now: datetime) -> str:
        """A name that comes by itself where the number was asked for and the name is missing too; empty: none does."""
        return self._given.bare(part.text, now) if not wish.name and part.kind in _BARE_NAMES else ""

    def name_beside_number(self, text: str) -> str:
        names = (
            self.name_in(piece, is_asked=True) for piece in self._given.pieces_without_digits(text, self._seen.now)
        )
        return next((name for name in names if name), "")

    def _is_relation(self, words: Words) -> bool:
        """Return whether words only say whose relative somebody is: "my wife" is no name."""
        lists = self._finder.words
        return has_any(words, lists.people["one"]) and all(
            word in lists.common or any(word in one for one in lists.people["one"]) for word in words
        )

    def _early_name(self, part: Part, dialogue: Dialogue, now: datetime) -> str:
        """A name that comes before it was asked for; empty: none does. It has capitals, where the script has them."""
        if dialogue.wish.name or self.asked(dialogue) in ("name", "phone", "confirm") or part.slots.when:
            return ""
        return self._named_in(part, now)

    def _named_in(self, part: Part, now: datetime) -> str:
        """A name that was not asked for: announced, or a few words in capitals, where the script has them."""
        if name := self.name_in(part.text, is_asked=part.kind == "name" and not part.slots.digits):
            return name
        words = part.text.split()
        is_written_so = len(words) > 1 and all(word[:1].isupper() for word in words)
        return self._given.bare(part.text, now) if is_written_so and part.kind in _BARE_NAMES else ""

    def _with_known(self, wish: Wish, before: Wish, part: Part | None) -> Wish:
        """The wish with the number, and the name where it is for the caller too, that were given in this call for one
        that is done with.
        """
        if before.is_of_other or not (before.is_noted or not before.kind):
            return wish
        said = normalise(part.text) if part else ()
        is_for_other = before.is_for_other or has_any(said, self._finder.words.people["one"])
        return replace(wish, phone=wish.phone or before.phone, name=wish.name or ("" if is_for_other else before.name))

    def _with_whom(self, wish: Wish) -> Wish:
        """The wish, as one for somebody else where the turn speaks of a relative."""
        is_for_other = wish.is_for_other or has_any(normalise(self._seen.said), self._finder.words.people["one"])
        return replace(wish, is_for_other=wish.kind == "book" and is_for_other)

    def _with_introduction(self, wish: Wish, now: datetime) -> Wish:
        """The wish with the name and the number of a caller who begins with them, in another sentence too."""
        digits = self._finder.find(self._seen.said, now).digits
        return replace(
            wish,
            name=wish.name or self._given.introduced(self._seen.said, now),
            phone=wish.phone or (digits if len(digits) >= WHOLE_NUMBER else ""),
        )
