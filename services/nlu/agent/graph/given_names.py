"""Names without words that announce them: beside a number, or in place of a wrong one. Sans-IO.

"Tuesday, Ann Bell, 0912 345 678" and "not Joan, Jean Miller". What comes of it is always read back.
"""

from __future__ import annotations

import re
from datetime import datetime
from itertools import pairwise

from services.language.capture_words import capture_words, has_capture
from services.language.words import normalise
from services.nlu.agent.capture.names import LONGEST_NAME, NameFinder
from services.nlu.agent.graph.agreement import has_phrase
from services.nlu.agent.graph.asking import Asking, Words
from services.nlu.agent.graph.counting import spans_of
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained

_FURTHEST_LEAD = 4  # words before "it's" in "hi there, um, it's"
WHOLE_NUMBER = 7  # digits of a telephone number that is given whole
_STOPS = tuple(".,;:!?，。；！？")
_CUT = re.compile(r"\s*[,;，；、。]\s*|[.!?]\s+|[.!?]$")


class GivenNames:
    """Finds such names in one language."""

    def __init__(self, language_code: str, finder: SlotFinder, names: NameFinder) -> None:
        self._finder, self._names = finder, names
        self._refusals: tuple[Words, ...] = ()  # before what is wrong: "not"
        if has_capture(language_code):
            words = capture_words(language_code)
            openings = [opening for opening, _ in words.wrong_first if opening]
            betweens = [between for _, between in words.right_first]
            self._refusals = tuple(sorted({*openings, *betweens}, key=len, reverse=True))

    def beside_number(self, text: str, now: datetime) -> str:
        """The piece next to a whole telephone number, where nothing else is known of it; empty: there is none."""
        pieces = [piece for piece in _CUT.split(text) if piece]
        found = [self._finder.find(piece, now) for piece in pieces]
        at = next((at for at, slots in enumerate(found) if len(slots.digits) >= WHOLE_NUMBER), None)
        if at is None or len(pieces) < 2:
            return ""
        beside = [pieces[other] for other in (at - 1, at + 1) if 0 <= other < len(pieces)]
        return next((name for piece in beside if (name := self.bare(piece, now))), "")

    def pieces_without_digits(self, text: str, now: datetime) -> list[str]:
        return [piece for piece in _CUT.split(text) if piece and not self._finder.find(piece, now).digits]

    def beside_person(self, text: str, now: datetime) -> str:
        """The name behind words that say for whom: "for my wife, Ann Bell", "for my son Tom"; empty: there is none."""
        pieces = [piece for piece in _CUT.split(text) if piece]
        relatives = self._finder.words.people["one"]
        after = (b for a, b in pairwise(pieces) if has_phrase(normalise(a), relatives))
        leads = self._finder.words.name_leads
        led = (piece for piece in pieces if any(normalise(piece)[: len(lead)] == lead for lead in leads))
        found = (
            *(self._behind_relative(piece, now) for piece in pieces),
            *(self.bare(piece, now) for piece in after),
            *(self._names.name_in(one, is_asked=True) for one in led),
        )
        return next((name for name in found if name), "")

    def _behind_relative(self, piece: str, now: datetime) -> str:
        """The words in capitals right behind a relative; a script without them has none."""
        words = piece.split()
        plain = tuple(" ".join(normalise(word)) for word in words)
        for _, end in spans_of(plain, self._finder.words.people["one"]):
            stop = next((at for at in range(end, len(words)) if not words[at][:1].isupper()), len(words))
            if name := self.bare(" ".join(words[end:stop]), now):
                return name
        return ""

    def is_other_thing(self, name: str, now: datetime) -> bool:
        """Return whether words are no name but a service, a person of the agent's, a number or a time."""
        slots = self._finder.find(name, now)
        return bool(slots.services or slots.topics or slots.digits or slots.when.times or len(slots.value_words) > 1)

    def is_written_as_name(self, name: str, now: datetime) -> bool:
        """Return whether words in capitals, where the script has them, hold one that nothing else is known of: "Holly
        Noon" is no time.
        """
        words, slots = name.split(), self._finder.find(name, now)
        is_thing = slots.services or slots.people or slots.topics or slots.digits
        is_written = len(words) > 1 and all(word[:1].isupper() for word in words)
        return is_written and not is_thing and bool(unexplained(slots, (), self._finder.words.common))

    def introduced(self, text: str, now: datetime) -> str:
        """The name of a caller who begins with it: "it's Derek Hall, I'd like"; in capitals, where the script has them.
        Empty: none does.
        """
        lists = self._finder.words
        for piece in (piece for piece in _CUT.split(text) if piece):
            words = piece.split()
            plain = [" ".join(normalise(word)) for word in words]
            for at in range(min(len(words), _FURTHEST_LEAD)):
                lead = next((one for one in lists.name_leads if tuple(plain[at : at + len(one)]) == one), ())
                rest = words[at + len(lead) :]
                if lead and len(rest) > 1 and all(word[:1].isupper() for word in rest):
                    return self.bare(" ".join(rest), now)
        return ""

    def corrected(self, text: str, name: str, now: datetime) -> str:
        """The name with what is said in place of a part of it; empty: no part of it is said to be wrong. It stands in
        the clause of the refusal or in one beside it.
        """
        words = text.split()
        plain = [" ".join(normalise(word)) for word in words]
        parts = normalise(name)
        for refusal in self._refusals:
            for at in range(len(plain)):
                start = at + len(refusal)
                if tuple(plain[at:start]) != refusal:
                    continue
                end = next((one for one in range(start, len(plain)) if plain[one] not in parts), len(plain))
                if end == start:
                    continue
                before, behind = _last_clause(words[:at]), _first_clause(words[end:])
                is_same = bool(before) and before[-1][-1:] not in _STOPS  # "Ned not Ted"
                order = (before, behind) if is_same else (behind, before)
                clauses = (" ".join(clause) for clause in order)
                new = next((found for clause in clauses if (found := self.in_clause(clause, now))), "")
                return self._in_place(new, name, plain[start:end]) if new else ""
        return ""

    def in_clause(self, clause: str, now: datetime) -> str:
        """The name that a clause says and nothing else; empty: it says something else."""
        name = self._names.name_in(clause, is_asked=True)
        is_spelled = any(len(word) == 1 for word in name.split()) and " " in name and self._names.is_spaced
        return "" if is_spelled or not name else self.bare(name, now)

    def bare(self, piece: str, now: datetime) -> str:
        """A few words of which nothing is known, as a name; empty: they may be something else."""
        lists = self._finder.words
        piece = self._without_trail(piece)
        slots = self._finder.find(piece, now)
        words = slots.words
        is_known = slots.services or slots.people or slots.topics or slots.when or slots.digits or slots.value_words
        if is_known or not 0 < len(words) <= LONGEST_NAME or words[0] in lists.common:
            return ""
        if 2 * sum(word in lists.common for word in words) > len(words):
            return ""
        if has_phrase(words, (*lists.never_names, *lists.question_words, *lists.take_backs, *lists.agreements)):
            return ""
        return " ".join(word[:1].upper() + word[1:] for word in piece.strip(" .,;:!?").split())

    def _without_trail(self, piece: str) -> str:
        """A piece without the words behind a name that are none of it: "Susan Park here"."""
        words, trails = piece.split(), {trail for trail in self._finder.words.name_trails if len(trail) == 1}
        while len(words) > 1 and normalise(words[-1]) in trails:
            words = words[:-1]
        return " ".join(words)

    def _in_place(self, new: str, name: str, wrong: list[str]) -> str:
        """A new name, or its part of the old one: "not Joan, Jean" of "Joan Miller"."""
        old = name.split()
        if len(new.split()) != len(wrong) or len(wrong) >= len(old):
            return new
        at = next(
            (at for at in range(len(old)) if normalise(" ".join(old[at : at + len(wrong)])) == tuple(wrong)), None
        )
        return new if at is None else " ".join([*old[:at], *new.split(), *old[at + len(wrong) :]])


def pieces_of(text: str) -> list[str]:
    """A text cut at its stops and commas."""
    return [piece for piece in _CUT.split(text) if piece]


def is_only_a_name(text: str, slots: Slots, lists: Asking) -> bool:
    """Return whether a sentence is the name of one of the staff and nothing else: callers have such names too."""
    named = {at for one in slots.people for at in range(one.start, one.end)}
    around = {word for phrase in (*lists.name_leads, *lists.name_trails) for word in phrase}
    asks = text.rstrip().endswith(("?", "？")) or has_phrase(slots.words, lists.of_staff)
    return bool(named) and not asks and all(at in named or word in around for at, word in enumerate(slots.words))


def _first_clause(words: list[str]) -> list[str]:
    """The words up to a stop."""
    end = next((at for at, word in enumerate(words) if word[-1:] in _STOPS), len(words))
    return words[: end + 1]


def _last_clause(words: list[str]) -> list[str]:
    """The words behind the last stop but that at their end."""
    starts = [at + 1 for at, word in enumerate(words[:-1]) if word[-1:] in _STOPS]
    return words[starts[-1] :] if starts else words
