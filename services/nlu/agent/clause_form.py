"""The form of a clause: a question, an answer of ignorance, a bare yes. Sans-IO."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.language.clauses import unfinished_by_a_dot
from services.language.phrases import PhraseSet
from services.language.value import Reading
from services.nlu.agent.grounds import Grounds

_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’)]*(?=\s|$)|[。！？\n]")
_LAST_WORD = re.compile(r"[\w.]*\w$")
_QUESTION = ("?", "？")


@dataclass(frozen=True, slots=True)
class ClauseForm:
    """How something is said."""

    is_question: bool = False
    is_ignorance: bool = False  # "I don't know", "I can't"
    is_echo: bool = False  # it says again what the caller said
    affirms: bool = False  # nothing but "yes"
    asks_yes_or_no: bool = False
    ends_sentence: bool = False
    is_claim_of_caller: bool = False  # what the caller asked, taken as a claim


def unit_of(reply: str, clause: str, language_code: str) -> str:
    """The sentence that a clause belongs to, as far as it is written: what a clause leaves out stands before it."""
    start, abbreviations = 0, unfinished_by_a_dot(language_code)
    for end in _SENTENCE_END.finditer(reply):
        word = _LAST_WORD.search(reply[: end.start()])
        if word is None or end.group()[0] != "." or word.group().lower() not in abbreviations:
            start = end.end()
    return (reply[start:] + " " + clause if reply[start:].strip() else clause).strip()


def form_of(unit: str, reading: Reading, grounds: Grounds) -> ClauseForm:
    """The form of a sentence, or of its beginning."""
    lists, texts = grounds.words.lists, _without_stops(reading)
    ends = unit.rstrip().rstrip("\"'”’)")
    ends_sentence = ends.endswith((".", "!", "?", "…", "。", "！", "？"))
    body = texts[_leading(texts, lists["yes"], lists["assents"]) :]
    affirms = bool(texts) and not body and (_has(lists["yes"], texts) or ends_sentence)
    opens_question = lists["asks_openings"].length(body, 0) > 0
    is_question = ends.endswith(_QUESTION) or opens_question or _ends_with(lists["asks_endings"], texts)
    return ClauseForm(
        is_question=is_question,
        is_ignorance=_has(lists["ignorance"], texts),
        is_echo=_has(lists["echo"], texts),
        affirms=affirms,
        asks_yes_or_no=_asks_yes_or_no(reading, grounds),
        ends_sentence=ends_sentence,
    )


def _asks_yes_or_no(reading: Reading, grounds: Grounds) -> bool:
    lists = grounds.words.lists
    texts = _without_stops(reading)
    begins = [0, *(at + 1 for at, token in enumerate(reading.tokens) if token.kind == "stop")]
    if any(lists["question_openings"].length(reading.texts, at) for at in begins):
        return True
    body_start = _leading(texts, lists["assents"], lists["name_is_asked"])
    return lists["question_openings"].length(texts, body_start) > 0 or _ends_with(lists["yes_no_endings"], texts)


def _without_stops(reading: Reading) -> tuple[str, ...]:
    return tuple(token.text for token in reading.tokens if token.kind != "stop")


def _leading(texts: tuple[str, ...], *lists: PhraseSet) -> int:
    """How many tokens at the beginning belong to phrases of the lists."""
    at = 0
    while at < len(texts) and (length := max(phrases.length(texts, at) for phrases in lists)):
        at += length
    return at


def _has(phrases: PhraseSet, texts: tuple[str, ...]) -> bool:
    return phrases.are_in(texts)


def _ends_with(phrases: PhraseSet, texts: tuple[str, ...]) -> bool:
    return any(phrases.length(texts, at) == len(texts) - at for at in range(max(0, len(texts) - 4), len(texts)))
