"""The choice of the language to answer in. Sans-IO.

A short utterance is easily recognised as another language, and an answer in
a language the caller does not speak is worse than one in the last language: so
what was detected counts only when the letters agree with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.language.data import primary
from services.language.script import script_of, scripts

_LATIN = re.compile("[a-z]", re.IGNORECASE)
_CERTAIN_WORDS = 2  # a single word without letters of its own does not change the language


class CallLanguage:
    """The language a call is in."""

    def __init__(self, spoken: Sequence[str], before: str) -> None:
        """`spoken` by the agent here, likeliest first; `before`: of the last reply on another stream, if any."""
        self._spoken = spoken
        self.current = before if before in spoken else spoken[0]  # of the last reply
        self._switched_to = self.current  # that the call was last switched to

    def of(self, text: str, *, detected: str) -> str:
        """The language to answer a text in."""
        return reply_language(text, detected=detected, current=self.current, spoken=self._spoken)

    def wants_switch(self, code: str) -> bool:
        """Return whether the STT stage should switch to the language of a turn. It does not at the first turn in that
        language: after a switch by mistake it would recognise no other language.
        """
        return code == self.current != self._switched_to

    def switch(self, code: str) -> None:
        """The call goes over to a language."""
        self._switched_to = code
        self.current = find_language(code, self._spoken) or self.current


def find_language(code: str, spoken: Sequence[str]) -> str | None:
    """The one of `spoken` that a BCP-47 tag means, "en-US" being "en" where there is no nearer one. None: none is."""
    wanted = code.lower()
    for tag in spoken:
        if tag.lower() == wanted:
            return tag
    language = primary(wanted)
    return next((tag for tag in spoken if primary(tag) == language), None)


def reply_language(text: str, *, detected: str, current: str, spoken: Sequence[str]) -> str:
    """The language to answer a text in: one of `spoken`. `detected` and `text` may be empty."""
    heard = find_language(detected, spoken) if detected else None
    if heard and (heard == current or _is_plausible(text, heard)):
        return heard
    for script in scripts():
        if script.letters and script.letters.search(text):
            return find_language(script.language, spoken) or current
    return current


def _is_plausible(text: str, code: str) -> bool:
    """Return whether a text says enough to be taken for the language, and says nothing against it."""
    own = script_of(code)
    if own.letters is not None:
        return any(letters and letters.search(text) for letters in (own.letters, own.likely_letters))
    is_foreign = any(script.letters and script.letters.search(text) for script in scripts())
    return not is_foreign and bool(_LATIN.search(text)) and len(text.split()) >= _CERTAIN_WORDS
