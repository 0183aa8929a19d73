"""Codes of letters and digits: membership numbers, booking references. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from services.language.capture_words import plain_letter
from services.language.dictation import Dictation, Kind, Sign
from services.nlu.agent.capture.form import Extent, after_leads, best, groups_of, repaired, segments
from services.nlu.agent.capture.slots import Slot
from services.nlu.outputs import ExpectedKind

_FEWEST = 3  # characters of a code of which nothing is known
_MOST = 40
_SIZE = 3  # of the groups it is read in
_LONGEST_GROUP = 4  # that is not cut
_LONGEST_WORD = 5  # letters of a run in capitals that are letters and no word
_ALIKE = {"O": "O0", "0": "0O"}  # said alike
_MOST_ALIKE = 4  # signs of a code that are tried both ways


class CodeForm:
    """Codes of one slot, in one language."""

    phrases: tuple[str, ...] = ()

    def __init__(self, dictation: Dictation, slot: Slot) -> None:
        self._dictation, self._pattern = dictation, re.compile(slot.pattern) if slot.pattern else None
        self._fewest, self._most = slot.min_length, slot.max_length or _MOST
        self.length = slot.min_length if slot.min_length == slot.max_length else 0
        self.expects = ExpectedKind.DIGITS if slot.is_numeric else ExpectedKind.SPELLING
        self._has_letters = not slot.is_numeric
        self.sizes: tuple[int, ...] = (_SIZE,)

    def read(self, text: str) -> tuple[str, ...]:
        value = ""
        for segment in segments(text, self._dictation):
            found = "".join(self._signs(after_leads(segment, self._dictation)))
            value = best(self, repaired(value, found)) if found else value
        return tuple(dict.fromkeys(self._alike(value))) if value else ()

    def extent(self, value: str) -> Extent:
        if self._pattern is not None and self._pattern.fullmatch(value):
            return Extent.WHOLE
        if len(value) > self._most or (self._pattern is not None and self._fewest and len(value) >= self._most):
            return Extent.WRONG
        if self._pattern is None:
            return Extent.WHOLE if len(value) >= max(self._fewest, _FEWEST) else Extent.PART
        return Extent.PART

    def joined(self, before: str, new: str) -> tuple[str, ...]:
        together = tuple(self._alike(before + new))
        return (*together, new) if before else (new,)

    def final(self, value: str) -> str:
        return value

    def groups(self, value: str) -> tuple[str, ...]:
        runs = re.findall(r"\d+|\D+", value)
        return tuple(
            group for run in runs for group in ([run] if len(run) <= _LONGEST_GROUP else groups_of(run, self.sizes))
        )

    def said(self, value: str, *, is_spelled: bool) -> str:
        return ", ".join(self._said(sign) for group in self.groups(value) for sign in _runs(group))

    def _said(self, run: str) -> str:
        if run.isdecimal():
            return " ".join(run)
        return self._dictation.words.letters_said.get(run.lower(), run)

    def _signs(self, text: str) -> Iterator[str]:
        signs = self._dictation.signs(text, with_letters=self._has_letters)
        for at, sign in enumerate(signs):
            if sign.kind in (Kind.DIGIT, Kind.LETTER) or (self._has_letters and self._is_run(signs, at)):
                yield plain_letter(sign.text).upper()

    def _is_run(self, signs: list[Sign], at: int) -> bool:
        """Return whether a word is letters that were written as one: "AB 1234", "ab1234"."""
        sign = signs[at]
        if sign.kind is not Kind.WORD or not sign.text.isalpha() or len(sign.text) > _LONGEST_WORD:
            return False
        is_joined = sign.is_joined and at > 0 and signs[at - 1].kind is Kind.DIGIT
        is_joined = is_joined or (at + 1 < len(signs) and signs[at + 1].is_joined and signs[at + 1].kind is Kind.DIGIT)
        return is_joined or (sign.text.isupper() and len(sign.text) > 1)

    def _alike(self, value: str) -> Iterator[str]:
        """The value, and where the slot wants it otherwise with signs that are said alike in their place."""
        yield value
        places = [at for at, sign in enumerate(value) if sign in _ALIKE][:_MOST_ALIKE]
        if not places or self._pattern is None or self._pattern.fullmatch(value):
            return
        for signs in product(*(_ALIKE[value[at]] for at in places)):
            other = list(value)
            for at, sign in zip(places, signs, strict=True):
                other[at] = sign
            if self._pattern.fullmatch("".join(other)):
                yield "".join(other)


def _runs(group: str) -> list[str]:
    """Digits together, each letter by itself."""
    return re.findall(r"\d+|\D", group)
