"""Guard rules for what is said to cost more or less than something else, in whatever words. Sans-IO."""

from __future__ import annotations

from itertools import pairwise

from services.language.phrases import words_of
from services.language.value import Kind, Reading
from services.nlu.agent.claim_rules import other_asked
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.facts import Service
from services.nlu.agent.grounds import Grounds

_COMPARED = ("cheapest", "dearest", "cheaper", "dearer")  # lists of claims.toml
_NUMBERS = (Kind.NUMBER, Kind.MONEY)


class ComparisonRules:
    """One clause's comparisons against the prices of the facts."""

    def __init__(self, grounds: Grounds, evidence: Evidence) -> None:
        self._grounds, self._evidence = grounds, evidence

    def check(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """The first comparison that is not so; None: there is none."""
        return self._check_superlatives(reading, form) or self._check_one_compared(reading, form)

    def _check_superlatives(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """A service that is said to be the cheapest or the dearest, and is not."""
        lists, texts = self._grounds.words.lists, reading.texts
        if form.is_ignorance or (form.is_question and not form.is_claim_of_caller):
            return None
        if not any(lists[name].are_in(texts) for name in _COMPARED):
            return None
        named = [each[2] for each in self._grounds.services.find(texts)]
        prices = [price.amount for each in self._grounds.facts.services if (price := self._grounds.price(each))]
        if broken := self._broken_comparative(texts):
            return broken
        for name, best in (("cheapest", min), ("dearest", max)):
            at = next((at for at in range(len(texts)) if lists[name].length(texts, at)), None)
            if at is None or not named or not prices:
                continue
            said = [price.amount if (price := self._grounds.price(each)) else None for each in named]
            if any(amount != best(prices) for amount in said):
                return Verdict(False, "superlative", " ".join(texts[at : at + lists[name].length(texts, at)]))
        return None

    def _check_one_compared(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """One of the services that the caller compared, named alone, that is not the one: "the filling does"."""
        if form.is_question or form.is_ignorance or form.is_claim_of_caller or not self._evidence.caller:
            return None
        grounds, lists, texts = self._grounds, self._grounds.words.lists, reading.texts
        asked = words_of(self._evidence.caller[-1])
        best = max if lists["asks_dearer"].are_in(asked) else min if lists["asks_cheaper"].are_in(asked) else None
        hits = grounds.services.find(texts)
        if best is None or len({each[2].id for each in hits}) != 1:
            return None
        by = {end for _, end, _ in lists["apart_by"].find(texts)}
        if any(value.kind in _NUMBERS and value.start not in by for value in reading.values):
            return None  # "a cleaning is 35" tells its price
        silent = {at for start, end, _ in hits for at in range(start, end)}
        silent |= {at for value in reading.values for at in range(value.start, value.end)}
        for name in ("pro_verbs", "assents", "yes", "apart_by"):
            silent |= {at for start, end, _ in lists[name].find(texts) for at in range(start, end)}
        if any(token.kind != "stop" and at not in silent for at, token in enumerate(reading.tokens)):
            return None
        compared = {each[2].id: grounds.price(each[2]) for each in (*grounds.services.find(asked), hits[0])}
        prices = [price.amount for price in compared.values() if price]
        own = compared[hits[0][2].id]
        if len(compared) > 1 and (own is None or own.amount != best(prices)):
            return Verdict(False, "superlative", " ".join(texts[hits[0][0] : hits[0][1]]))
        return None

    def _broken_comparative(self, texts: tuple[str, ...]) -> Verdict | None:
        """A word between two services that says which costs less, and it is the other."""
        lists, found = self._grounds.words.lists, self._grounds.services.find(texts)
        if len(found) == 1 and (broken := self._broken_beside(texts, found[0])):
            return broken
        for (_, end, first), (start, _, second) in pairwise(found):
            one, other = self._grounds.price(first), self._grounds.price(second)
            for name, sign in (("cheaper", 1), ("dearer", -1)):
                at = next((at for at in range(end, start) if lists[name].length(texts, at)), None)
                if at is None:
                    continue
                if one is None or other is None or sign * (other.amount - one.amount) <= 0:
                    return Verdict(False, "superlative", " ".join(texts[end:start]))
        return None

    def _broken_beside(self, texts: tuple[str, ...], named: tuple[int, int, Service]) -> Verdict | None:
        """The same, where the caller named both and the clause has the one: "the check-up is cheaper"."""
        lists, (_, end, first) = self._grounds.words.lists, named
        other = other_asked(first, self._grounds, self._evidence)
        one, its = self._grounds.price(first), self._grounds.price(other) if other else None
        for name, sign in (("cheaper", 1), ("dearer", -1)):
            at = next((at for at in range(end, len(texts)) if lists[name].length(texts, at)), None)
            if at is not None and other and (one is None or its is None or sign * (its.amount - one.amount) <= 0):
                return Verdict(False, "superlative", " ".join(texts[at : at + lists[name].length(texts, at)]))
        return None
