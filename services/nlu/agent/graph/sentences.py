"""A turn of the caller's cut up: into sentences, and where a sentence may hold two questions. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from services.language.clauses import is_abbreviated
from services.language.script import script_of
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.graph.asking import Asking, Words
from services.nlu.agent.graph.counting import has_any

_MAX_BARE_SPLITS = 3
_LEAST_PART_WORDS = 2
_LEAST_PART_SIGNS = 4  # of a script without spaces
_LEAST_ASKED = 3  # words that are left behind a preamble
_LONGEST_PREAMBLE = 8
_SENTENCE_END = re.compile(r"[?!…]+\s*|[。？！]+|(?<=(\w))\.+(?:\s+|$)")
_CLAUSE_END = re.compile("[,，]")
_COMMA = re.compile(r",\s+")
_LAST_WORD = re.compile(r"[\w.]*\w$")


def without_preamble(text: str, preambles: Sequence[Words], language_code: str) -> str:
    """Return what is asked behind "I'd like to know": words by which callers begin anything."""
    words, space = _words(text, language_code)
    at = 0
    while True:
        plain = tuple(space.join(normalise(word)) for word in words[at : at + _LONGEST_PREAMBLE])
        lead = next((phrase for phrase in preambles if plain[: len(phrase)] == phrase), ())
        if not lead:
            break
        at += len(lead)
    return space.join(words[at:]) if len(words) - at >= _LEAST_ASKED else text


def without_time_clause(text: str, asking: Asking, language_code: str) -> str:
    """Return what is asked beside a clause that only says when: "can we leave our bags" of "after we check out, can we
    leave our bags"; empty where there is no such clause, or too little is left.
    """
    opening = phrase_pattern(asking.evidence["time_clauses"], language_code).search(text)
    behind = phrase_pattern(asking.evidence["time_clauses_behind"], language_code).search(text)
    rest = ""
    if opening and normalise(text[: opening.start()]):
        rest = text[: opening.start()]
    elif opening and (comma := _CLAUSE_END.search(text, opening.end())):
        rest = text[comma.end() :]
    elif behind and normalise(text[: behind.start()]):
        rest = text[behind.end() :]
    least = _LEAST_ASKED if script_of(language_code).is_spaced else _LEAST_PART_SIGNS
    return rest.strip() if len(normalise(rest)) >= least else ""


def tells_only_when(left: str, sentence: str, asking: Asking, language_code: str) -> bool:
    """Return whether the beginning of a sentence asks nothing and stands before a word that closes a clause of time."""
    closing = phrase_pattern(asking.evidence["time_clauses_behind"], language_code).match(sentence, len(left))
    words = normalise(left)
    asks = any(words[at : at + len(cue)] == cue for cue in asking.question_words for at in range(len(words)))
    return closing is not None and not asks


def without_oaths(text: str, oaths: Sequence[Words], language_code: str) -> str:
    """Return a text without its swear words, which change no question; the text itself where nothing is left."""
    plain = phrase_pattern(oaths, language_code).sub(" ", text).strip()
    return plain if len(normalise(plain)) >= _LEAST_ASKED else text


def sentences_of(text: str) -> list[str]:
    found, start = [], 0
    for end in _SENTENCE_END.finditer(text):
        word = _LAST_WORD.search(text[: end.start()])
        after = text[end.end() :]
        if end.group().startswith(".") and word and (is_abbreviated(word.group(), after) or len(word.group()) == 1):
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if normalise(sentence)] or [text]


def splits(sentence: str, asking: Asking, language_code: str) -> list[tuple[str, str]]:
    """The ways to cut a sentence at a joining word or a comma; at no word of what is still there: "còn chỗ không"."""
    joints = asking.joints
    is_spaced = script_of(language_code).is_spaced
    pattern = "|".join(re.escape((" " if is_spaced else "").join(joint)) for joint in joints)
    joint = rf"\b(?:{pattern})\s+" if is_spaced else f"(?:{pattern})"
    cuts = re.compile(rf"\s*[,，;；、]?\s*{joint}|[，；、]", re.IGNORECASE)
    still = [
        found.span()
        for found in phrase_pattern(asking.stills, language_code).finditer(sentence)
        if normalise(found.group())[:1] not in joints  # "vẫn còn" can be nothing else
        or not has_any(normalise(sentence[found.end() :]), asking.joins_still)
    ]
    halves = [
        (sentence[: cut.start()], sentence[cut.end() :])
        for cut in cuts.finditer(sentence)
        if not any(start < cut.end() and cut.start() < end and normalise(cut.group()) for start, end in still)
        and not _is_still_there(sentence, cut, asking, language_code)
    ]
    least = _LEAST_PART_WORDS if is_spaced else _LEAST_PART_SIGNS
    return [half for half in halves if all(len(normalise(text)) >= least for text in half)]


def _is_still_there(sentence: str, cut: re.Match[str], asking: Asking, language_code: str) -> bool:
    """Return whether a joint right behind a day says what is still there then: "hôm nay còn bác sĩ không"."""
    joint, behind = normalise(cut.group()), sentence[cut.end() :]
    if not any(phrase[: len(joint)] == joint for phrase in asking.stills if joint) or not cut.group()[0].isspace():
        return False
    reading = read_values(sentence[: cut.start()], language_code)
    is_behind_day = any(value.end == len(reading.texts) for value in reading.values)
    return is_behind_day and not has_any(normalise(behind), asking.joins_still)


@lru_cache(maxsize=32)
def phrase_pattern(phrases: Sequence[Words], language_code: str) -> re.Pattern[str]:
    """Finds any of the phrases as they are written, with the commas around them."""
    border = r"\b" if script_of(language_code).is_spaced else ""
    gap = r"\s*,?\s+" if border else ""
    texts = "|".join(gap.join(map(re.escape, phrase)) for phrase in phrases)
    return re.compile(rf"[,，]?\s*{border}(?:{texts}){border}\s*[,，]?\s*" if texts else r"(?!)", re.IGNORECASE)


def bare_splits(sentence: str, cues: Sequence[Words], language_code: str) -> list[tuple[str, str]]:
    """The ways to cut a sentence at a comma, or between two words that ask, where none joins them: as a recogniser
    writes it down.
    """
    halves = [(sentence[: cut.start()], sentence[cut.end() :]) for cut in _COMMA.finditer(sentence)]
    words, space = _words(sentence, language_code)
    spans: list[tuple[int, int]] = []
    at = 0
    plain = [space.join(normalise(word)) for word in words]
    while at < len(words):
        cue = next((cue for cue in cues if tuple(plain[at : at + len(cue)]) == cue), ())
        if cue:
            spans.append((at, at + len(cue)))
        at += len(cue) or 1
    for (_, end), (start, _) in pairwise(spans):
        halves += [(space.join(words[:at]), space.join(words[at:])) for at in dict.fromkeys((start, end, end + 1))]
    fitting = [half for half in halves if all(len(normalise(text)) >= _LEAST_PART_WORDS for text in half)]
    return list(dict.fromkeys(fitting))[:_MAX_BARE_SPLITS]


def _words(text: str, language_code: str) -> tuple[list[str], str]:
    """The words as they are written, or the signs of a script without spaces, and what stands between them."""
    return (text.split(), " ") if script_of(language_code).is_spaced else (list(text), "")
