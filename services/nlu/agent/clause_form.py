"""The form of a clause: a question, an answer of ignorance, a bare yes. Sans-IO."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from services.language.calendar_words import calendar_words
from services.language.clauses import unfinished_by_a_dot
from services.language.phrases import PhraseSet, words_of
from services.language.value import Reading
from services.language.words import is_sign
from services.nlu.agent.grounds import Grounds, read

_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’)]*(?=\s|$)|[。！？\n]")
_INNER_STOP = re.compile(r"[,;:，；：]\s*")
_STOP = re.compile(r"[,;:?!，；：？！。]+\s*|\.\s+")
_LAST_WORD = re.compile(r"[\w.]*\w$")
_LONGEST_DEED = 5  # words between a negation and the end of what cannot be done
_LONGEST_WORD = 40  # characters looked at before and behind the end of a sentence
_MOST_PARTS = 6  # of a sentence that are looked at apart
_KNOWING_REACH = 6  # words from a negation to what is not known
_SIGN_REACH = 16  # the same in Han characters
_QUESTION = ("?", "？")


@dataclass(frozen=True, slots=True)
class ClauseForm:
    """The form of a clause: question, negation, wish and the like."""

    is_question: bool = False
    is_ignorance: bool = False  # "I don't know", "I can't"
    is_echo: bool = False  # it says again what the caller said
    affirms: bool = False  # only "yes"
    asks_yes_or_no: bool = False
    ends_sentence: bool = False
    is_claim_of_caller: bool = False  # what the caller asked, taken as a claim


def sentences_of(text: str, language_code: str) -> list[str]:
    """A text in its sentences. "2 p.m." ends one where a word in a capital follows that is no day or month."""
    found, start = [], 0
    for end in _sentence_ends(text, language_code):
        found.append(text[start:end])
        start = end
    return [sentence.strip() for sentence in (*found, text[start:]) if sentence.strip()]


def _sentence_ends(text: str, language_code: str) -> list[int]:
    abbreviations, words = unfinished_by_a_dot(language_code), calendar_words(language_code)
    ends = []
    for end in _SENTENCE_END.finditer(text):
        word = _LAST_WORD.search(text[max(0, end.start() - _LONGEST_WORD) : end.start()])
        if word is not None and end.group()[0] == "." and word.group().lower() in abbreviations:
            behind = words_of(text[end.end() : end.end() + _LONGEST_WORD])
            is_month = words.months.at(behind, 0) and not words.length("doubtful_months", behind, 0)
            is_day = bool(words.weekdays.at(behind, 0) or is_month)
            if "." not in word.group() or not text[end.end() :].lstrip()[:1].isupper() or is_day:
                continue
        ends.append(end.end())
    return ends


def hedged_parts(sentence: str, grounds: Grounds) -> list[str]:
    """The parts of a sentence, each of which says that something is unknown, or claims something: "I'm not sure," "but
    we do"; "I don't know that," "we have a pool"; "we have a pool," "but I don't know its hours".
    """
    lists = grounds.words.lists
    ends = [*(stop.end() for stop in _INNER_STOP.finditer(sentence)), len(sentence)]
    openings = [words_of(sentence[start : start + _LONGEST_WORD]) for start in ends[:-1]]
    if not any(lists[name].length(opening, 0) for opening in openings for name in ("but", "of_house")):
        return [sentence]
    parts, begun, is_unknown = list[str](), 0, False  # a part has begun, and says that something is not known
    for start, end in pairwise((0, *ends)):
        piece = words_of(sentence[start:end])
        turns = lists["but"].length(piece, 0) > 0
        ignores = _says_unknown(sentence[start:end], grounds)
        claims = turns or (lists["of_house"].length(piece, 0) > 0 and not ignores)
        is_cut = (is_unknown and claims) or (turns and ignores and start > begun)
        if is_cut and len(parts) < _MOST_PARTS:
            parts.append(sentence[begun:start].strip())
            begun, is_unknown = start, False
        is_unknown = is_unknown or ignores
    return [part for part in (*parts, sentence[begun:].strip()) if part]


def _says_unknown(text: str, grounds: Grounds) -> bool:
    reading = read(text, grounds.language_code)
    return grounds.words.lists["ignorance"].are_in(without_stops(reading)) or _does_not_know(reading, grounds)


def pieces_of(text: str) -> list[str]:
    """A text in the pieces between its stops, each with its own."""
    ends = [stop.end() for stop in _STOP.finditer(text)]
    return [piece for start, end in pairwise((0, *ends, len(text))) if (piece := text[start:end].strip())]


def unit_of(reply: str, clause: str, language_code: str) -> str:
    """The sentence that a clause belongs to, as far as it is written: what a clause leaves out stands before it."""
    ends = _sentence_ends(reply, language_code)
    start = ends[-1] if ends else 0
    return (reply[start:] + " " + clause if reply[start:].strip() else clause).strip()


def form_of(unit: str, reading: Reading, grounds: Grounds, *, called: frozenset[int] = frozenset()) -> ClauseForm:
    """The form of a sentence, or of its beginning. `called`: places of a name by which the caller is called."""
    lists, texts = grounds.words.lists, without_stops(reading)
    ends = unit.rstrip().rstrip("\"'”’)")
    ends_sentence = ends.endswith((".", "!", "?", "…", "。", "！", "？"))
    uncalled = tuple(t.text for at, t in enumerate(reading.tokens) if t.kind != "stop" and at not in called)
    body = uncalled[_leading(uncalled, lists["yes"], lists["assents"], lists["titles" if called else "yes"]) :]
    affirms = bool(uncalled) and not body and (_has(lists["yes"], texts) or ends_sentence)
    opens_question = lists["asks_openings"].length(body, 0) > 0
    denies = _ends_with(lists["denial_endings"], texts) and _has(lists["negations"], texts)
    ends_question = _ends_with(lists["asks_endings"], texts) and not denies
    is_relative = ends.endswith(".") and lists["relative_openings"].length(body, 0) > 0  # "what you get is"
    is_question = ends.endswith(_QUESTION) or (opens_question and not is_relative) or ends_question
    return ClauseForm(
        is_question=is_question,
        is_ignorance=_has(lists["ignorance"], texts)
        or _does_not_know(reading, grounds)
        or _is_own_inability(texts, grounds),
        is_echo=_has(lists["echo"], texts),
        affirms=affirms,
        asks_yes_or_no=_asks_yes_or_no(reading, grounds)
        or (ends.endswith(_QUESTION) and _has_no_word_of_asking(reading, grounds)),
        ends_sentence=ends_sentence,
    )


def _does_not_know(reading: Reading, grounds: Grounds) -> bool:
    """Return whether the agent says of itself, in whatever words, that it does not know: "I haven't been told anything
    about that".
    """
    lists, texts = grounds.words.lists, reading.texts
    for at in range(1, len(texts)):
        length = lists["negations"].length(texts, at)
        if not length or not any(lists["knowers"].length(texts, at - n) == n for n in range(1, 5) if at >= n):
            continue
        stops = (one for one in range(at, len(texts)) if reading.tokens[one].kind == "stop")
        reach = _SIGN_REACH if is_sign(texts[at][0]) else _KNOWING_REACH
        behind = range(at + length, min(next(stops, len(texts)), at + length + reach))
        if any(lists["knowing"].length(texts, one) for one in behind):
            return True
    return False


def _is_own_inability(texts: tuple[str, ...], grounds: Grounds) -> bool:
    """Return whether the agent says what it cannot do, around a verb: "em không giảm giá được". Of the house it is a
    claim.
    """
    lists, selves = grounds.words.lists, grounds.words.deed_lists["selves"]
    for at in range(1, len(texts)):
        length = lists["negations"].length(texts, at)
        is_own = any(selves.length(texts, at - n) == n for n in (1, 2) if at >= n)
        if not (length and is_own) or lists["claiming"].length(texts, at - 2) == 2:
            continue
        behind = range(at + length, min(len(texts), at + length + _LONGEST_DEED))
        if any(lists["inability_ends"].length(texts, end) for end in behind):
            return True
    return False


def _asks_yes_or_no(reading: Reading, grounds: Grounds) -> bool:
    lists = grounds.words.lists
    texts = without_stops(reading)
    begins = [0, *(at + 1 for at, token in enumerate(reading.tokens) if token.kind == "stop")]
    if any(lists["question_openings"].length(reading.texts, at) for at in begins):
        return True
    body_start = _leading(texts, lists["assents"], lists["name_is_asked"])
    return lists["question_openings"].length(texts, body_start) > 0 or _ends_with(lists["yes_no_endings"], texts)


def _has_no_word_of_asking(reading: Reading, grounds: Grounds) -> bool:
    """Return whether a question asks by its tone alone, and so for a yes: "Собаку можно?"."""
    lists = grounds.words.lists
    return not any(lists[name].are_in(reading.texts) for name in ("asks_openings", "asks_endings"))


def without_stops(reading: Reading) -> tuple[str, ...]:
    return tuple(token.text for token in reading.tokens if token.kind != "stop")


def consists_of(phrases: PhraseSet, texts: tuple[str, ...]) -> bool:
    """Return whether a text has nothing but phrases of a list."""
    return bool(texts) and _leading(texts, phrases) == len(texts)


def _leading(texts: tuple[str, ...], *lists: PhraseSet) -> int:
    """Return how many tokens at the beginning belong to phrases of the lists."""
    at = 0
    while at < len(texts) and (length := max(phrases.length(texts, at) for phrases in lists)):
        at += length
    return at


def _has(phrases: PhraseSet, texts: tuple[str, ...]) -> bool:
    return phrases.are_in(texts)


def _ends_with(phrases: PhraseSet, texts: tuple[str, ...]) -> bool:
    return any(phrases.length(texts, at) == len(texts) - at for at in range(max(0, len(texts) - 4), len(texts)))
