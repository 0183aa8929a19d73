"""Bound on the length of a line as it is read: a clause that takes longer to say is spoken as several. Sans-IO.

A clause is bounded in characters as sent, but 240 digits are read in 1,300 letters, a minute and a half of speech. An
engine draws the prosody of a whole line before its first sound, so that sound would come late.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from services.language.reading.spoken import Spoken
from services.language.words import has_vowel, is_sign
from services.tts.sentences import Clause, is_speakable

LETTERS_A_SECOND, SIGNS_A_SECOND = 15.0, 4.7
"""Speaking rates: of English and Vietnamese, and of a script with a sign for a syllable or a word, as Chinese."""
SPELLED_LETTERS = 4
"""A letter that is said by its name takes as long as so many others."""
LONGEST_WORD = 40
"""Letters of a word that voices still try to pronounce; of a longer one they may say each letter."""
LONGEST_ABBREVIATION = 3
LONGEST_LINE_S = 18.0
"""A clause of 240 letters takes 16 s. Piper plans it in 0.2 s of processor time, one of 1,280 letters in 4.2 s."""

_JOINTS = (re.compile(r"[,;:.!?)\u2013\u2014]\s+|[\u3001\uff0c\uff1b\uff1a\u3002]"), re.compile(r"\s+"))
"""Places where a text is best cut, the better ones first."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_JOINERS = "\u200c\u200d"


def lines_of(clause: Clause, read: Callable[[Clause], Spoken]) -> list[tuple[Clause, Spoken]]:
    """Return the parts of a clause, each with its reading: itself, where it is read in less than `LONGEST_LINE_S`.

    A clause whose sounds are given is spoken in one go, however long.
    """
    spoken = read(clause)
    if clause.parameters.ipa or spoken_s(spoken.text) <= LONGEST_LINE_S:
        return [(clause, spoken)]
    middle = _middle(clause.text)
    if middle is None:
        return [(clause, spoken)]
    first = replace(clause, text=clause.text[:middle])
    second = replace(clause, text=clause.text[middle:], start_offset=first.end_offset, pause_ms=None)
    return [*lines_of(first, read), *lines_of(second, read)]


def spoken_s(text: str) -> float:
    """Return for about how many seconds a text is spoken, at rate 1.0. Words in capitals may be said letter by letter,
    which their sounds alone would tell; of a text without small letters, only those that are short or have no vowel.
    """
    n_signs = 0 if text.isascii() else sum(map(is_sign, text))
    is_shouted = text.isupper()
    words = [word for word in _WORD.findall(text) if not is_sign(word)]
    spelled = [
        word for word in words if len(word) > LONGEST_WORD or (word.isupper() and not (is_shouted and _is_word(word)))
    ]
    n_spelled = sum(map(len, spelled))
    n_letters = len(text) - n_signs + (SPELLED_LETTERS - 1) * n_spelled
    return n_signs / SIGNS_A_SECOND + n_letters / LETTERS_A_SECOND


def _is_word(capitals: str) -> bool:
    """Return whether capitals are a word rather than an abbreviation, as "MONDAY" is and "USA" is not."""
    return len(capitals) > LONGEST_ABBREVIATION and has_vowel(capitals)


def _middle(text: str) -> int | None:
    """Return where a text is cut in two that can both be spoken: behind a mark or between words in its middle half,
    else near its middle. None: nowhere.
    """
    half = len(text) / 2
    for joint in _JOINTS:
        ends = [found.end() for found in joint.finditer(text) if abs(found.end() - half) <= half / 2]
        if ends and (cut := min(ends, key=lambda end: abs(end - half))) and _parts_well(text, cut):
            return cut
    inner = [at for at in range(1, len(text)) if abs(at - half) <= half / 2 and not _is_inside_character(text, at)]
    apart = [at for at in inner if not _is_inside_run(text, at)]
    nearest = min(apart or inner, key=lambda at: abs(at - half), default=None)
    return nearest if nearest is not None and _parts_well(text, nearest) else None


def _parts_well(text: str, cut: int) -> bool:
    return is_speakable(text[:cut]) and is_speakable(text[cut:])


def _is_inside_run(text: str, at: int) -> bool:
    """Return whether a number goes on there, or a mark stands on either side: "12|500", "anna|@"."""
    before, behind = text[at - 1], text[at]
    has_mark = not all(one.isalnum() or one.isspace() for one in (before, behind))
    return has_mark or (before.isdigit() and behind.isdigit())


def _is_inside_character(text: str, cut: int) -> bool:
    """Return whether the character behind the place belongs to the one before it."""
    is_mark = unicodedata.category(text[cut]).startswith("M")
    return is_mark or text[cut] in _JOINERS or text[cut - 1] in _JOINERS
