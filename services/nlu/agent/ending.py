"""Whether the conversation is over. Sans-IO.

Lists of phrases decide, not the model: a small model hangs up on people who
ask something, or never does. A farewell counts when it is what the turn is
about: the phrases of a farewell cover the turn from one end to the other, or
stand apart at its end behind words that ask for nothing. Nobody is hung up on
in doubt; they are asked. The agent's own goodbye is judged by the same lists.
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
_SENTENCES = re.compile(r"[.;!?…。；！？]+")
_BREAKS = re.compile(r"[.,;!:…—。，；！：、]")
_LONGEST_LEAD = 12  # words before a farewell that stands apart; more say something that wants an answer
_LONGEST_ADDRESS = 3  # words behind the agent's goodbye: "Goodbye, Mr Lee"
_LEAST_OVERLAP = 3  # words of the agent's question that the caller must have heard before they broke in
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
    negators: tuple[_Words, ...]  # what negates the goodbye right behind it: "don't say"
    endings: tuple[_Words, ...]  # "hang up", "finished": negated, the call goes on
    sayings: tuple[_Words, ...]
    offers: tuple[_Words, ...]
    offer_words: frozenset[str]  # of which such a question is made

    def is_wanted(self, words: _Words) -> bool:
        """Whether something is asked for. "I don't need it" is no request."""
        wanted = (at for request in self.requests for at in _starts(words, request))
        return any(not _ends_with(words[:at], self.negations) for at in wanted)

    def goes_on(self, words: _Words) -> bool:
        """Whether the words say that the call is not over: "don't hang up", "I'm not done"."""
        first = min((at for negation in self.negations for at in _starts(words, negation)), default=len(words))
        return _has(words[first:], self.endings)


def caller_ends(
    text: str,
    *,
    last_heard: str,
    language_code: str,
    confidence: float | None = None,
    has_spoken: bool = True,
    question: str = "",
) -> Ending:
    """Whether the caller wants to end the call: a goodbye, or a no to "is there anything else?".

    `last_heard` is what the caller heard of the agent's last reply; `confidence` that of the text, 0 to 1, None where
    it is not known; `has_spoken` whether the caller had said something before in this call; `question` the agent's own
    text for "is there anything else?".
    """
    if _asks(text):
        return Ending.NONE
    lists = _lists(language_code)
    offered = _offered(last_heard, lists, question=question)
    is_asked = _asks(last_heard) and not offered
    ending = _judge(text, lists, offered=offered, is_asked=is_asked, has_spoken=has_spoken)
    if ending is Ending.FAREWELL and confidence is not None and confidence < _LEAST_CONFIDENCE:
        return Ending.IN_DOUBT
    return ending


def was_offered(last_heard: str, *, language_code: str, question: str = "") -> bool:
    """Whether the caller was just asked if there is anything else. `question`: the agent's own text of it."""
    return _offered(last_heard, _lists(language_code), question=question)


def offer(language_code: str) -> str:
    """The question whether there is anything else; empty where the language has no words of its own."""
    language = data.primary(language_code)
    return data.words(language, FILE, "anything_else")[0] if _has_file(language) else ""


def agent_ends(reply: str, *, language_code: str) -> bool:
    """Whether a reply itself says goodbye: the model's wish to hang up counts only then."""
    lists = _lists(language_code)
    if _asks(reply):
        return False
    sentences = [words for sentence in _SENTENCES.split(reply) if (words := normalise(sentence))]
    return any(_is_goodbye(sentence, lists, language_code) for sentence in sentences[-2:]) and not any(
        lists.goes_on(sentence) for sentence in sentences[-2:]
    )


def _is_goodbye(sentence: _Words, lists: _Lists, language_code: str) -> bool:
    """Whether a sentence of the agent's has a goodbye near its end that is not negated, wished for or reported."""
    kinds = _Kind.FAREWELL | _Kind.GREETING | _Kind.MEETING
    for at in range(len(sentence)):
        for n in range(min(lists.longest, len(sentence) - at), 0, -1):
            if not lists.kinds.get(sentence[at : at + n], _NOTHING) & kinds:
                continue
            lead, behind = sentence[:at], sentence[at + n :]
            n_left, found = _cover(behind, lists, breaks=set())
            is_last = not n_left or (len(behind) <= _LONGEST_ADDRESS and not found & kinds)
            is_meant = not (_has(lead, lists.negations) or _has(lead, lists.sayings) or _has(behind, lists.negations))
            if is_last and is_meant:
                return True
    return False


def _offered(last_heard: str, lists: _Lists, *, question: str) -> bool:
    """A question is an offer when it is made of nothing else: "anything else" stands in "Does anything else hurt?" too.

    `question`: the agent's own; its first words are enough, as the caller may have broken in.
    """
    heard, asked = normalise(last_heard), normalise(question)
    least = min(_LEAST_OVERLAP, len(asked))
    if asked and any(heard[-n:] == asked[:n] for n in range(least, len(asked) + 1)):
        return True
    last = _last_sentence(last_heard)
    return _has(last, lists.offers) and lists.offer_words.issuperset(last)


def _last_sentence(text: str) -> _Words:
    return next((words for part in reversed(_SENTENCES.split(text)) if (words := normalise(part))), ())


def _judge(text: str, lists: _Lists, *, offered: bool, is_asked: bool, has_spoken: bool) -> Ending:
    """`offered`: the agent asked whether there is anything else; `is_asked`: it asked something else."""
    words = normalise(text)
    n_lead, kinds = _cover(words, lists, breaks=_places(_BREAKS, text))
    is_bye = bool(kinds & (_Kind.FAREWELL | _Kind.MEETING))
    if n_lead:
        is_bye = is_bye or (_Kind.GREETING in kinds and bool(kinds & (_Kind.THANKS | _Kind.FINISHED | _Kind.LEAVING)))
        return _judge_behind_lead(words[:n_lead], text, lists, kinds, is_asked=is_asked) if is_bye else Ending.NONE
    is_unclear = (is_asked and bool(kinds & _Kind.AFFIRMATION)) or (
        _Kind.MOMENT in kinds and _Kind.MEETING not in kinds
    )
    if is_bye:
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
    return Ending.IN_DOUBT if kinds & (_Kind.FINISHED | _Kind.LEAVING) else Ending.NONE


def _judge_behind_lead(lead: _Words, text: str, lists: _Lists, kinds: _Kind, *, is_asked: bool) -> Ending:
    """`lead`: the words before a farewell at the end; `is_asked`: they may answer a question of the agent's."""
    if len(lead) > _LONGEST_LEAD or lists.is_wanted(lead) or lists.goes_on(lead):
        return Ending.NONE
    if len(lead) not in _places(_SENTENCE_ENDS, text) and _ends_with(lead, lists.negators):
        return Ending.NONE
    is_short = len(lead) <= (_LONGEST_CLAUSE if lists.is_spaced else 2 * _LONGEST_CLAUSE)
    is_apart = len(lead) in _places(_BREAKS if is_short else _SENTENCE_ENDS, text)
    is_reported = _has(lead, lists.sayings)
    if not is_apart and (is_reported or _has(lead, lists.negations) or _Kind.FAREWELL not in kinds):
        return Ending.NONE
    is_sure = is_apart or _Kind.THANKS in kinds
    return Ending.IN_DOUBT if is_asked or is_reported or not is_sure else Ending.FAREWELL


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
    return any(_starts(words, phrase) for phrase in phrases)


def _ends_with(words: _Words, phrases: Sequence[_Words]) -> bool:
    return any(words[-len(phrase) :] == phrase for phrase in phrases)


def _starts(words: _Words, phrase: _Words) -> list[int]:
    return [at for at in range(len(words)) if words[at : at + len(phrase)] == phrase]


def _has_file(language: str) -> bool:
    return language in data.languages() and (data.folder_of(language) / f"{FILE}.toml").is_file()


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
    offers = tuple(map(normalise, shared.offers))
    negations = tuple(map(normalise, shared.negations))
    verbs = tuple(map(normalise, shared.negated_verbs))
    refusals = (*map(normalise, shared.refusals), *listed("refusals"))
    noes = {*refusals, *map(normalise, shared.noes)}  # answers by themselves: "không, tạm biệt"
    found = {
        _Kind.MOMENT: listed("moments"),
        _Kind.MEETING: listed("meetings"),
        _Kind.FILLER: (*map(normalise, shared.fillers), *listed("fillers")),
        _Kind.THANKS: tuple(map(normalise, shared.thanks)),
        _Kind.LEAVING: listed("leavings"),
        _Kind.AFFIRMATION: listed("affirmations"),
        _Kind.REFUSAL: refusals,
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
        negations=negations,
        negators=(
            *(negation for negation in negations if negation not in noes),
            *(negation + verb for negation in negations for verb in verbs),
        ),
        endings=listed("endings"),
        sayings=listed("sayings"),
        offers=offers,
        offer_words=frozenset(word for phrase in (*offers, *listed("offer_words")) for word in phrase),
    )
