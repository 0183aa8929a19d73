"""Names in the words of a sentence: equal, of one stem, nearly equal as a recogniser writes them. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from services.language.words import is_sign, normalise, without_marks
from services.nlu.agent.facts import Names, names_in
from services.nlu.agent.graph.asking import Asking, Words

_LEAST_STEM = 4  # letters that words of one stem share
_STEM_SHARE = 0.6  # of the longer word
_LEAST_FUZZY = 5  # letters of a word that may be written otherwise
_LEAST_LIKE = 0.88  # difflib's ratio: "whitning" is whitening, "sealing" is not scaling
_LEAST_LIKE_BESIDE = 0.8  # beside a word of the same name that is equal: "teeth whiting"
_ALIKE = {"tr": "ch", "s": "x", "gi": "d", "gh": "g", "ngh": "ng", "k": "c", "qu": "w"}
_ALIKE_AT_END = {"ng": "n", "nh": "n", "ch": "t", "c": "t", "y": "i"}
_BEGINS_ALIKE = re.compile("^(?:ngh|tr|gi|gh|qu|s|k(?!h))")
_ENDS_ALIKE = re.compile("(?:ng|nh|ch|c|y)$")
LONGEST_GAP = 2  # common words inside a name
_LONGEST_GAP_OF_SMALL = 4  # where the name's own small words are among them
_FEWEST_BEARING = 2  # words of a name that are not small
_LONG_SIGNS = 4  # of a name whose last one may be missing


@dataclass(frozen=True, slots=True)
class Found:
    """A thing of the agent's that was named, and where."""

    id: str
    start: int  # words
    end: int
    count: int = 1  # how many of it were named: "two fillings"


def merged(found: Sequence[Found], words: Words, small: frozenset[str]) -> list[Found]:
    """Things named, in the order of their words, with two names of one thing as one where no more than a small word
    stands between: "an implant, a dental implant".
    """
    kept: list[Found] = []
    for one in found:
        is_again = bool(kept) and kept[-1].id == one.id and small.issuperset(words[kept[-1].end : one.start])
        if is_again:
            kept[-1] = replace(kept[-1], end=one.end)
        else:
            kept.append(one)
    return kept


def as_heard(words: Words) -> Words:
    """Words without their marks, and with one letter for those that sound alike in most mouths of Vietnam."""
    return tuple(_ENDS_ALIKE.sub(_ending, _BEGINS_ALIKE.sub(_beginning, without_marks(word))) for word in words)


def _beginning(found: re.Match[str]) -> str:
    return _ALIKE[found.group()]


def _ending(found: re.Match[str]) -> str:
    return _ALIKE_AT_END[found.group()]


def forms_of(names: Names, language_code: str) -> tuple[Words, ...]:
    """The names as words; one with a hyphen also as one word: "check-up" is "checkup"."""
    texts = names_in(names, language_code)
    joined = [text.replace("-", "") for text in texts if "-" in text]
    return tuple(dict.fromkeys(words for words in map(normalise, (*texts, *joined)) if words))


def forms_in_all(names: Names, language_code: str) -> tuple[Words, ...]:
    """The names in the caller's language and in the agent's others, which callers mix: "how much is cạo vôi?"."""
    return tuple(dict.fromkeys(form for code in (language_code, *names) for form in forms_of(names, code)))


def is_other_word(words: Words, start: int, end: int, form: Words, asking: Asking) -> bool:
    """Return whether what is like a name is another word: a verb of many uses ("could you check if you are open" names
    no check-up, though "a check" does), or the first half of a compound ("grand" of "grandson").
    """
    if end - start > 1 or words[start:end] == form:
        return False
    if words[start] in asking.verbs and (not start or words[start - 1] not in asking.articles):
        return True
    rest = form[0].removeprefix(words[start])
    return rest != form[0] and any((rest,) in phrases for phrases in asking.people.values())


def places_of(words: Words, form: Words, common: frozenset[str]) -> list[tuple[int, int]]:
    found = []
    for start in range(len(words)):
        if words[start][0] != form[0][0]:
            continue  # most names: this is asked of every word of every sentence
        end = _match(words, start, form, common)
        if end:
            found.append((start, end))
    return found


def _match(words: Words, start: int, form: Words, common: frozenset[str]) -> int:
    """Return where a name that begins at a word ends; 0: it does not stand there. Small words inside a long name may be
    others ("pick me up at the airport" of "pick us up from the airport"), and a script without spaces may leave the end
    out.
    """
    if end := _matched(words, start, form, common, LONGEST_GAP):
        return end
    if len(form) >= _LONG_SIGNS and all(map(is_sign, form)):
        return _matched(words, start, form[:-1], common, 0)
    bearing = tuple(word for number, word in enumerate(form) if not number or word not in common)
    if len(bearing) < _FEWEST_BEARING or len(bearing) == len(form):
        return 0
    return _matched(words, start, bearing, common, _LONGEST_GAP_OF_SMALL)


def _matched(words: Words, start: int, form: Words, common: frozenset[str], longest_gap: int) -> int:
    at = start
    n_equal = sum(word in words[start : start + len(form) + LONGEST_GAP] for word in form)
    least = _LEAST_LIKE_BESIDE if n_equal else _LEAST_LIKE
    for number, wanted in enumerate(form):
        gap = 0
        while number and at < len(words) and gap < longest_gap and not _length_of(wanted, words, at, least):
            if words[at] not in common:
                return 0
            at, gap = at + 1, gap + 1
        if not (length := _length_of(wanted, words, at, least)):
            return 0
        at += length
    return at


def _length_of(wanted: str, words: Words, at: int, least: float) -> int:
    """Return how many words say a word of a name here: two where it is said in two ("pick-up" of "pickup"); 0: none."""
    if at >= len(words):
        return 0
    if _is_like(words[at], wanted, least):
        return 1
    is_cut = len(words[at]) > 1 and wanted.startswith(words[at]) and at + 1 < len(words) and not is_sign(wanted[0])
    return 2 * (is_cut and f"{words[at]}{words[at + 1]}" in (wanted, f"{wanted}s"))


def _is_like(word: str, wanted: str, least: float) -> bool:
    word = word.removesuffix("'s")
    if word == wanted or (f"{word}s" == wanted and len(word) > 2) or word == f"{wanted}s":
        return True
    longer = max(len(word), len(wanted))
    if min(len(word), len(wanted)) < _LEAST_FUZZY or word[0] != wanted[0] or not word.isalpha():
        return False
    shared = next((i for i, (one, other) in enumerate(zip(word, wanted, strict=False)) if one != other), None)
    stem = min(len(word), len(wanted)) if shared is None else shared
    if stem >= max(_LEAST_STEM, _STEM_SHARE * longer):
        return True
    return SequenceMatcher(None, word, wanted, autojunk=False).ratio() >= least
