"""Which language to answer in. Sans-IO.

A short utterance is easily taken for another language by ear, and an answer in
a language the caller does not speak is worse than one in the last language: so
what was detected counts only when the letters agree with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LETTERS = {  # that a text of the language has; tried in this order, Japanese before Chinese
    "vi": re.compile("[ăđơưạảằẳẵắặẩẫấậẻẽẹếềểễệỉĩịọỏồổỗốộờởỡớợủũụừửữứựỳỷỹỵ]", re.IGNORECASE),
    "ja": re.compile("[\u3040-\u30ff]"),
    "ko": re.compile("[\uac00-\ud7a3]"),
    "zh": re.compile("[\u3400-\u9fff]"),
    "ru": re.compile("[а-яё]", re.IGNORECASE),
}
_LATIN = re.compile("[a-z]", re.IGNORECASE)
_LATIN_MARKS = re.compile("[àáâãèéêìíòóôõùúý]", re.IGNORECASE)  # Vietnamese has them, and so have others
_CERTAIN_WORDS = 2  # a single word without letters of its own does not change the language


class CallLanguage:
    """The language a call is in."""

    def __init__(self, spoken: Sequence[str], before: str) -> None:
        """`spoken` by the agent here, likeliest first; `before`: of the last reply on another stream, if any."""
        self._spoken = spoken
        self.current = before if before in spoken else spoken[0]  # of the last reply
        self._ear = self.current  # that the call was last switched to

    def of(self, text: str, *, detected: str) -> str:
        """The language to answer a text in."""
        return reply_language(text, detected=detected, current=self.current, spoken=self._spoken)

    def wants_switch(self, code: str) -> bool:
        """Whether the whole call should go over to the language of a turn.

        Not at the first turn in it: an ear that is switched by mistake hears
        nothing else any more.
        """
        return code == self.current != self._ear

    def switch(self, code: str) -> None:
        """The call goes over to a language."""
        self._ear = code
        self.current = find_language(code, self._spoken) or self.current


def find_language(code: str, spoken: Sequence[str]) -> str | None:
    """The one of `spoken` that a BCP-47 tag means, "en-US" being "en" where there is no nearer one. None: none is."""
    wanted = code.lower()
    for tag in spoken:
        if tag.lower() == wanted:
            return tag
    primary = _primary(wanted)
    return next((tag for tag in spoken if _primary(tag) == primary), None)


def reply_language(text: str, *, detected: str, current: str, spoken: Sequence[str]) -> str:
    """The language to answer a text in: one of `spoken`. `detected` and `text` may be empty."""
    heard = find_language(detected, spoken) if detected else None
    if heard and (heard == current or _is_plausible(text, heard)):
        return heard
    for primary, letters in _LETTERS.items():
        if letters.search(text):
            return find_language(primary, spoken) or current
    return current


def _is_plausible(text: str, code: str) -> bool:
    """Whether a text says enough to be taken for the language, and says nothing against it."""
    primary = _primary(code)
    own = _LETTERS.get(primary)
    if own is not None:
        return bool(own.search(text)) or (primary == "vi" and bool(_LATIN_MARKS.search(text)))
    is_foreign = any(letters.search(text) for letters in _LETTERS.values())
    return not is_foreign and bool(_LATIN.search(text)) and len(text.split()) >= _CERTAIN_WORDS


def _primary(tag: str) -> str:
    return tag.lower().partition("-")[0]
