"""Guard rules for what is said to cost nothing. Sans-IO."""

from __future__ import annotations

from services.language.value import Kind, Reading, Value
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.grounds import Grounds, read

_STEM = 4  # letters that two words must share to be one word in two forms


class FreeOfCharge:
    """One clause's "free" against the texts of the facts."""

    def __init__(self, grounds: Grounds, evidence: Evidence) -> None:
        self._grounds, self._evidence = grounds, evidence

    def check(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """Free of charge, where no time is named: "the check-up is free"."""
        lists = self._grounds.words.lists
        found = [at for at in range(len(reading.texts)) if lists["free_word"].length(reading.texts, at)]
        is_asked = form.is_question and not form.is_claim_of_caller
        if not found or is_asked or not (form.ends_sentence or form.is_claim_of_caller):
            return None
        kinds = (Kind.TIME, Kind.WEEKDAYS, Kind.DAY, Kind.DATE, Kind.PART)
        has_time = any(value.kind in kinds for value in reading.values)
        if has_time or lists["free_nouns"].are_in(reading.texts) or self._is_known_free(reading):
            return None
        return Verdict(False, "price", reading.texts[found[0]])

    def is_said(self, price: Value, reading: Reading) -> bool:
        """Free of charge, in whatever words, by a text of the facts that names the same thing here or just before."""
        if price.number != 0:
            return False
        said = reading.texts[price.start : price.end]
        before = read(self._evidence.reply, self._grounds.language_code).texts if self._evidence.reply else ()
        named = {word for word in (*reading.texts, *before) if word.isalpha()}
        others = named - self._grounds.words.common - set(said)
        return any(self._says_free(text) and others & set(text) for text in self._grounds.fragments)

    def _says_free(self, text: tuple[str, ...]) -> bool:
        """Return whether a text calls something free of charge."""
        values = read(" ".join(text), self._grounds.language_code).values
        is_free = any(value.kind is Kind.MONEY and value.number == 0 for value in values)
        return is_free or self._grounds.words.lists["free_word"].are_in(text)

    def _is_known_free(self, reading: Reading) -> bool:
        """Return whether a text of the facts calls free what the clause does: it has a word of the text beside."""
        words = self._bearing(reading.texts)
        return any(
            word[:_STEM] == other[:_STEM]
            for fragment in self._grounds.fragments
            if self._grounds.words.lists["free_word"].are_in(fragment)
            for other in self._bearing(fragment)
            for word in words
        )

    def _bearing(self, texts: tuple[str, ...]) -> list[str]:
        """The words that say what is spoken of: "wi", "fi", "parking"."""
        small, free = self._grounds.words.common, self._grounds.words.lists["free_word"].vocabulary
        return [word for word in texts if word.isalpha() and word not in small and word not in free]
