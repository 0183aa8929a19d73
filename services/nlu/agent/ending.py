"""Whether the conversation is over. Sans-IO.

Lists of phrases decide, not the model: a small model hangs up on people who
ask something, or never does. A farewell counts when it is what the turn is
about: the phrases of a farewell cover the turn from one end to the other, or
stand apart at its end behind words that ask for nothing. Nobody is hung up on
in doubt; they are asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from functools import reduce
from operator import or_

from services.language import data
from services.language.words import normalise
from services.nlu.agent.wording import phrases_of

FILE = "farewells"

_LEAST_CONFIDENCE = 0.5  # of 0 to 1; Whisper's score of what it makes of noise is mostly lower
_QUESTION_MARKS = "?？"
_SENTENCE_ENDS = re.compile(r"[.;!…。；！]")
_BREAKS = re.compile(r"[.,;!:…—。，；！：、]")
_LONGEST_LEAD = 12  # words before a farewell that stands apart; more say something that wants an answer
_LONGEST_CLAUSE = 4  # of those words, where only a comma sets the farewell apart: a recogniser guesses commas


class Ending(Enum):
    """What a turn of the caller says about the end of the call."""

    NONE = "none"
    FAREWELL = "farewell"
    IN_DOUBT = "in_doubt"  # they may want to end it


class _Kind(Flag):
    """What a phrase does in a farewell."""

    FAREWELL = auto()
    GREETING = auto()  # a hello or a goodbye
    FINISHED = auto()
    REFUSAL = auto()
    THANKS = auto()
    FILLER = auto()
    AFFIRMATION = auto()
    LEAVING = auto()  # "I'll call again"
    MEETING = auto()  # "see you"
    MOMENT = auto()  # "on Tuesday"


_NOTHING = _Kind(0)
_Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Lists:
    """Phrases of one language, each a tuple of words."""

    is_spaced: bool
    kinds: dict[_Words, _Kind]
    longest: int  # words in a phrase
    requests: tuple[_Words, ...]
    negations: tuple[_Words, ...]
    sayings: tuple[_Words, ...]
    offers: tuple[_Words, ...]


def caller_ends(
    text: str, *, last_heard: str, language_code: str, confidence: float | None = None, has_spoken: bool = True
) -> Ending:
    """Whether the caller wants to end the call: a goodbye, or a no to "is there anything else?".

    `last_heard` is what the caller heard of the agent's last reply; `confidence` that of the text, 0 to 1, None where
    it is not known; `has_spoken` whether the caller had said something before in this call.
    """
    if _asks(text):
        return Ending.NONE
    lists = _lists(language_code)
    ending = _judge(text, lists, last_heard=last_heard, has_spoken=has_spoken)
    if ending is Ending.FAREWELL and confidence is not None and confidence < _LEAST_CONFIDENCE:
        return Ending.IN_DOUBT
    return ending


def was_offered(last_heard: str, *, language_code: str) -> bool:
    """Whether the caller was just asked if there is anything else."""
    return _has(normalise(last_heard), _lists(language_code).offers)


def offer(language_code: str) -> str:
    """The question whether there is anything else; empty where the language has no words of its own."""
    language = data.primary(language_code)
    return data.words(language, FILE, "anything_else")[0] if _has_file(language) else ""


def agent_ends(reply: str, *, language_code: str) -> bool:
    """Whether a reply itself says goodbye: the model's wish to hang up counts only then."""
    phrases = phrases_of(language_code)
    return phrases.means(phrases.plain(reply), phrases.farewells)


def _judge(text: str, lists: _Lists, *, last_heard: str, has_spoken: bool) -> Ending:
    words = normalise(text)
    n_lead, kinds = _cover(words, lists, breaks=_places(_BREAKS, text))
    offered = _has(normalise(last_heard), lists.offers)
    is_asked = _asks(last_heard) and not offered
    if n_lead:
        is_bye = bool(kinds & (_Kind.FAREWELL | _Kind.MEETING))
        is_free = not _asks(last_heard)
        return _judge_behind_lead(words[:n_lead], text, lists, kinds, is_free=is_free) if is_bye else Ending.NONE
    is_unclear = (is_asked and bool(kinds & _Kind.AFFIRMATION)) or (
        _Kind.MOMENT in kinds and _Kind.MEETING not in kinds
    )
    if kinds & (_Kind.FAREWELL | _Kind.MEETING):
        return Ending.IN_DOUBT if is_unclear else Ending.FAREWELL
    if is_unclear:
        return Ending.NONE
    if offered:
        return _judge_answer_to_offer(kinds)
    return _judge_hint(kinds, is_asked=is_asked) if has_spoken else Ending.NONE


def _judge_answer_to_offer(kinds: _Kind) -> Ending:
    """Of a turn that is made up of such phrases and has no goodbye in it."""
    if _Kind.AFFIRMATION in kinds and _Kind.GREETING not in kinds:
        return Ending.NONE
    is_no = bool(kinds & (_Kind.GREETING | _Kind.FINISHED | _Kind.REFUSAL | _Kind.THANKS))
    return Ending.FAREWELL if is_no else Ending.NONE


def _judge_hint(kinds: _Kind, *, is_asked: bool) -> Ending:
    """The same where nothing was offered; `is_asked`: the agent had asked something else."""
    if _Kind.GREETING in kinds:
        if kinds & (_Kind.THANKS | _Kind.FINISHED | _Kind.LEAVING):
            return Ending.FAREWELL
        return Ending.NONE if is_asked else Ending.IN_DOUBT
    return Ending.IN_DOUBT if _Kind.FINISHED in kinds else Ending.NONE


def _judge_behind_lead(lead: _Words, text: str, lists: _Lists, kinds: _Kind, *, is_free: bool) -> Ending:
    """`lead`: the words before a farewell at the end; `is_free`: they are no answer to a question of the agent's."""
    if len(lead) > _LONGEST_LEAD or _has(lead, lists.requests) or _has(lead, lists.negations):
        return Ending.NONE
    is_short = len(lead) <= (_LONGEST_CLAUSE if lists.is_spaced else 2 * _LONGEST_CLAUSE)
    if len(lead) not in _places(_BREAKS if is_short else _SENTENCE_ENDS, text):
        return Ending.IN_DOUBT if _Kind.FAREWELL in kinds and not _has(lead, lists.sayings) else Ending.NONE
    return Ending.FAREWELL if is_free and not _has(lead, lists.sayings) else Ending.IN_DOUBT


def _cover(words: _Words, lists: _Lists, *, breaks: set[int]) -> tuple[int, _Kind]:
    """How many words are left at the beginning when as many as can be at the end are covered by whole phrases, and the
    kinds of those phrases, the longest ones first. A cover that begins behind one of `breaks` goes before a longer one.
    """
    reachable = {len(words)}
    for start in range(len(words) - 1, -1, -1):
        if any(start + n in reachable and words[start : start + n] in lists.kinds for n in range(1, lists.longest + 1)):
            reachable.add(start)
    begun = reachable - {len(words)}
    at = n_lead = 0 if 0 in begun else min(begun & breaks or reachable)
    kinds = []
    while at < len(words):
        n = next(n for n in range(lists.longest, 0, -1) if at + n in reachable and words[at : at + n] in lists.kinds)
        kinds.append(lists.kinds[words[at : at + n]])
        at += n
    return n_lead, reduce(or_, kinds, _NOTHING)


def _places(breaks: re.Pattern[str], text: str) -> set[int]:
    """After how many words of the text there is one of the marks."""
    return {len(normalise(text[: found.start()])) for found in breaks.finditer(text)}


def _asks(text: str) -> bool:
    return any(mark in text for mark in _QUESTION_MARKS)


def _has(words: _Words, phrases: Sequence[_Words]) -> bool:
    return any(words[at : at + len(phrase)] == phrase for phrase in phrases for at in range(len(words)))


def _has_file(language: str) -> bool:
    return language in data.languages()


def load_farewells() -> None:
    """Read the lists of every language, so that no call waits for it. Raises LanguageDataError."""
    for language in data.languages():
        _read(language)


def _lists(language_code: str) -> _Lists:
    primary = data.primary(language_code)
    return _read(primary if primary in data.languages() else "en")


@data.cached
def _read(language: str) -> _Lists:
    shared = phrases_of(language)

    def listed(key: str) -> tuple[_Words, ...]:
        return tuple(map(normalise, data.words(language, FILE, key))) if _has_file(language) else ()

    greetings = listed("greetings")
    found = {
        _Kind.MOMENT: listed("moments"),
        _Kind.MEETING: listed("meetings"),
        _Kind.FILLER: (*map(normalise, shared.fillers), *listed("fillers")),
        _Kind.THANKS: tuple(map(normalise, shared.thanks)),
        _Kind.LEAVING: listed("leavings"),
        _Kind.AFFIRMATION: listed("affirmations"),
        _Kind.REFUSAL: (*map(normalise, shared.refusals), *listed("refusals")),
        _Kind.FINISHED: listed("finished"),
        _Kind.FAREWELL: (*map(normalise, shared.farewells), *listed("farewells")),
        _Kind.GREETING: greetings,
    }
    kinds = {phrase: kind for kind, phrases in found.items() for phrase in phrases}
    return _Lists(
        is_spaced=shared.is_spaced,
        kinds=kinds,
        longest=max(map(len, kinds)),
        requests=listed("requests"),
        negations=listed("negations"),
        sayings=listed("sayings"),
        offers=tuple(map(normalise, shared.offers)),
    )
