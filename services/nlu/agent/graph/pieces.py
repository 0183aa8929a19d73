"""Pieces of a sentence: where it asks two things, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.language.words import normalise
from services.nlu.agent.graph.asking import UNKNOWN, is_text, refers
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.follow_ups import SHORT
from services.nlu.agent.graph.sentences import bare_splits, splits, tells_only_when
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained
from services.nlu.agent.graph.terms import speaks_of_terms
from services.nlu.agent.understanding import Guess, Understanding

_CLEAR_SCORE = 0.6  # a short sentence means what it says, whatever was spoken of before
_SURE_PART = 0.4  # of each of two questions in one sentence
_SURE_BARE_PART = 0.5  # where no word joins them
_OF_A_THING = frozenset({"price", "duration"})
_HELD_AGAINST = ("cheaper", "dearer", "longer", "shorter", "difference")  # words that compare two things
_FACT_KINDS = frozenset({"hours", "price", "duration", "address", "who", "offered", "free"})
_DEEDS = frozenset({"book", "change", "cancel", "check"})  # kinds of requests


class Pieces:
    """Cuts sentences of one agent's callers."""

    def __init__(self, understanding: Understanding, finders: Mapping[str, SlotFinder], never: frozenset[str]) -> None:
        """`finders` by language tag; `never`: kinds that are no question."""
        self._understanding, self._finders, self._never = understanding, finders, never

    async def of(self, sentence: str, language_code: str, now: datetime) -> tuple[str, ...]:
        """A sentence in two where both halves ask something, and not the same. What asks for a sum is one."""
        finder = self._finders[language_code]
        compares = finder.words.compares
        of_several = (*finder.words.sums, *(words for name in _HELD_AGAINST for words in compares[name]))
        if has_any(normalise(sentence), of_several) and len(finder.find(sentence, now).services) > 1:
            return (sentence,)
        if speaks_of_terms(sentence, finder, now):
            return (sentence,)  # "if I book today and have to cancel, do I pay": one question
        joined, bare = (
            splits(sentence, finder.words, language_code),
            bare_splits(sentence, finder.words.cues, language_code),
        )
        named = finder.find(sentence, now).services if joined or bare else ()
        if (joined or bare) and (await self._understanding.understand(sentence, language_code))[0].kind == "change":
            return (sentence,)  # "cancel Tuesday and book me for Friday instead" is one move
        for left, right in (*joined, *bare):
            if any(one.start < len(normalise(left)) < one.end for one in named):
                continue  # the joint is a name's own: "bed and breakfast"
            if self._asks_of_both(left, right, language_code, now):
                continue
            if tells_only_when(left, sentence, finder.words, language_code):
                continue  # "trả phòng rồi gửi vali lại được không" asks nothing of leaving
            kinds: list[str] = []
            for half in (left, right):
                kind = await self._kind_of_half(half, kinds, language_code, now, is_bare=(left, right) in bare)
                if not kind:
                    break
                kinds.append(kind)
            if len(set(kinds)) == 2:
                return left, *await self.of(right, language_code, now)
        return (sentence,)

    def _asks_of_both(self, left: str, right: str, language_code: str, now: datetime) -> bool:
        """Return whether the end of a sentence asks what all comes to that it names: "two crowns and a cleaning, what
        would that set me back".
        """
        finder = self._finders[language_code]
        before, behind = finder.find(left, now), finder.find(right, now)
        lists = finder.words
        asks_before = has_any(before.words, (*lists.question_words, *lists.price_words, *lists.evidence["asks_what"]))
        asks_behind = has_any(behind.words, (*lists.price_words, *lists.evidence["asks_what"]))
        return (
            bool(before.services and behind.services)
            and not asks_before
            and asks_behind
            and refers(behind.words, lists)
        )

    async def _kind_of_half(
        self, half: str, before: Sequence[str], language_code: str, now: datetime, *, is_bare: bool
    ) -> str:
        """Return what half a sentence asks for; empty: nothing by itself. `before`: the kind of the half before it."""
        finder = self._finders[language_code]
        slots = finder.find(half, now)
        if len(slots.value_words) == len(slots.words) or _names_people_only(slots, finder):
            return ""  # "next Wednesday" and "my husband" ask nothing by themselves
        first = (await self._understanding.understand(half, language_code))[0]
        if first.score < _SURE_PART or first.kind in self._never:
            return ""
        named = (*slots.services, *slots.people, *slots.topics)
        asks = has_any(slots.words, finder.words.question_words) or not named
        if not asks and first.kind not in _DEEDS and (first.kind == UNKNOWN or first.score < _CLEAR_SCORE):
            return ""  # "and a check-up": one more thing of the same question
        is_moment = slots.when and first.kind == "book" and not unexplained(slots, (), finder.words.common)
        if is_moment or (is_bare and not _asks_for_a_fact(first)):
            return ""  # "and Friday at four" only says for when to book
        if before and is_text(before[0]) and first.kind in _OF_A_THING and not (named or slots.when):
            return ""  # "and do I pay for it?" is of what was asked before
        return first.kind


def _asks_for_a_fact(guess: Guess) -> bool:
    return guess.score >= _SURE_BARE_PART and (guess.kind in _FACT_KINDS or is_text(guess.kind))


def _names_people_only(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether words only say for whom else: "and my two kids"."""
    lists = finder.words.people
    people = (*lists["one"], *lists["many"], *lists["self"])
    is_short = len(slots.words) <= SHORT and not slots.services and not slots.topics
    return is_short and has_any(slots.words, people) and not has_any(slots.words, finder.words.question_words)
