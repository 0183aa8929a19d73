"""The phrases that a farewell is made of, by language. Sans-IO, save for reading the lists once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from functools import reduce
from operator import or_

from services.language import data
from services.language.words import normalise
from services.nlu.agent.phrases import phrases_of

FILE = "farewells"

_NEGATED = 3  # words after a negation among which what it negates begins


class Kind(Flag):
    """The role of a phrase in a farewell."""

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


NOTHING = Kind(0)
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lists:
    """Phrases of one language, each a tuple of words."""

    is_spaced: bool
    kinds: dict[Words, Kind]
    patterns: Mapping[int, Sequence[tuple[Words, Kind]]]  # by length: any word where `*` stands, "have a * day"
    longest: int  # words in a phrase
    closing: frozenset[Words]  # with these alone a no to the offer stays a no
    requests: tuple[Words, ...]
    leavings: tuple[Words, ...]  # call off what was asked, or say why the caller must go
    finished: tuple[Words, ...]
    negations: tuple[Words, ...]
    whole_negations: tuple[Words, ...]  # listed phrases with a negation of their own: "no more questions"
    noes: frozenset[Words]  # first in a turn they answer, and negate no more than what is right behind: "no hanging up"
    negators: tuple[Words, ...]  # what negates the goodbye right behind it: "don't say"
    endings: tuple[Words, ...]  # "hang up", "finished": negated, the call goes on
    sayings: tuple[Words, ...]
    offers: tuple[Words, ...]
    offer_words: frozenset[str]  # of which such a question is made

    def kind_of(self, words: Words) -> Kind:
        """Return what the words do as one phrase; nothing where they are none."""
        found = self.kinds.get(words)
        if found is None:
            found = next(
                (kind for pattern, kind in self.patterns.get(len(words), ()) if _matches(words, pattern)), NOTHING
            )
        return found

    def is_leaving(self, words: Words) -> bool:
        return has(words, self.leavings)

    def left_to_do(self, words: Words) -> Words:
        """The words without what says that nothing more is wanted: "I have to go" asks for nothing to be had."""
        return _without(words, self.leavings + self.finished)

    def is_wanted(self, words: Words) -> bool:
        """Return whether something is asked for. "I don't need it" is no request."""
        wanted = (at for request in self.requests for at in _starts(words, request))
        return any(not ends_with(words[:at], self.negations) for at in wanted)

    def goes_on(self, words: Words) -> bool:
        """Return whether the words say that the call is not over: "don't hang up", "I'm not done". "Not today" is
        whole.
        """
        said = _without(words, self.whole_negations)
        n_noes = next((at for at, word in enumerate(said) if word != said[0]), len(said))  # "no, no, ..."
        return any(
            begins_with(said[at + len(negation) + between :], self.endings)
            for negation in self.negations
            for at in _starts(said, negation)
            for between in range(_NEGATED)
            if at >= n_noes or negation not in self.noes or begins_with(said[len(negation) :], self.endings)
        )


def cover(words: Words, lists: Lists, *, breaks: set[int], is_answer: bool = False) -> tuple[int, Kind]:
    """Return how many words are left at the beginning when as many as can be at the end are covered by whole phrases,
    and the kinds of those phrases, the longest ones first. A cover that begins behind one of `breaks` goes before a
    longer one.

    `is_answer`: the closing words of an answer to the offer count as fillers.
    """

    def kind_of(at: int, n: int) -> Kind:
        phrase = words[at : at + n]
        return lists.kind_of(phrase) or (Kind.FILLER if is_answer and phrase in lists.closing else NOTHING)

    reachable = {len(words)}
    for start in range(len(words) - 1, -1, -1):
        if any(start + n in reachable and kind_of(start, n) for n in range(1, lists.longest + 1)):
            reachable.add(start)
    begun = reachable - {len(words)}
    at = n_lead = 0 if 0 in begun else min(begun & breaks or reachable)
    kinds = []
    while at < len(words):
        n = next(n for n in range(lists.longest, 0, -1) if at + n in reachable and kind_of(at, n))
        kinds.append(kind_of(at, n))
        at += n
    return n_lead, reduce(or_, kinds, NOTHING)


def _matches(words: Words, pattern: Words) -> bool:
    return all(part in ("*", word) for word, part in zip(words, pattern, strict=True))


def has(words: Words, phrases: Sequence[Words]) -> bool:
    return any(_starts(words, phrase) for phrase in phrases)


def ends_with(words: Words, phrases: Sequence[Words]) -> bool:
    return any(words[-len(phrase) :] == phrase for phrase in phrases)


def begins_with(words: Words, phrases: Sequence[Words]) -> bool:
    return any(words[: len(phrase)] == phrase for phrase in phrases)


def _without(words: Words, phrases: Sequence[Words]) -> Words:
    """The words with nothing where one of the phrases is, the longest ones first."""
    kept = list(words)
    for phrase in sorted(phrases, key=len, reverse=True):
        for at in _starts(tuple(kept), phrase):
            kept[at : at + len(phrase)] = [""] * len(phrase)
    return tuple(kept)


def _starts(words: Words, phrase: Words) -> list[int]:
    return [at for at in range(len(words)) if words[at : at + len(phrase)] == phrase]


def has_file(language: str) -> bool:
    return language in data.languages()


def load_farewells() -> None:
    """Read the lists of every language, so that no call waits for it. Raises LanguageDataError."""
    for language in data.languages():
        _read(language)
        data.first(language, FILE, "anything_else")


def lists_of(language_code: str) -> Lists:
    primary = data.primary(language_code)
    return _read(primary if primary in data.languages() else "en")


def _phrase(text: str) -> Words:
    return tuple(word for part in re.split(r"([*])", text) for word in (normalise(part) if part != "*" else ("*",)))


def _by_length(patterns: Mapping[Words, Kind]) -> dict[int, list[tuple[Words, Kind]]]:
    found: dict[int, list[tuple[Words, Kind]]] = {}
    for pattern, kind in patterns.items():
        found.setdefault(len(pattern), []).append((pattern, kind))
    return found


@data.cached
def _read(language: str) -> Lists:
    shared = phrases_of(language)

    def listed(key: str) -> tuple[Words, ...]:
        return tuple(map(_phrase, data.phrases(language, FILE, key))) if has_file(language) else ()

    greetings = listed("greetings")
    offers = tuple(map(normalise, shared.offers))
    negations = tuple(map(normalise, shared.negations))
    verbs = tuple(map(normalise, shared.negated_verbs))
    refusals = (*map(normalise, shared.refusals), *listed("refusals"))
    noes = frozenset((*refusals, *map(normalise, shared.noes)))  # answers by themselves: "không, tạm biệt"
    found = {
        Kind.MOMENT: listed("moments"),
        Kind.FILLER: (*map(normalise, shared.fillers), *listed("fillers")),
        Kind.THANKS: tuple(map(normalise, shared.thanks)),
        Kind.LEAVING: listed("leavings"),
        Kind.AFFIRMATION: listed("affirmations"),
        Kind.REFUSAL: refusals,
        Kind.FINISHED: listed("finished"),
        Kind.FAREWELL: (*map(normalise, shared.farewells), *listed("farewells")),
        Kind.MEETING: listed("meetings"),
        Kind.GREETING: greetings,
    }
    kinds = {phrase: kind for kind, phrases in found.items() for phrase in phrases}
    closing = frozenset(listed("closing_words"))
    return Lists(
        is_spaced=shared.is_spaced,
        kinds=kinds,
        patterns=_by_length({phrase: kind for phrase, kind in kinds.items() if "*" in phrase}),
        longest=max(map(len, (*kinds, *closing))),
        closing=closing,
        requests=listed("requests"),
        leavings=listed("leavings"),
        finished=listed("finished"),
        negations=negations,
        whole_negations=tuple(phrase for phrase in kinds if len(phrase) > 1 and has(phrase, negations)),
        noes=noes,
        negators=(
            *(negation for negation in negations if negation not in noes),
            *(negation + verb for negation in negations for verb in verbs),
        ),
        endings=listed("endings"),
        sayings=listed("sayings"),
        offers=offers,
        offer_words=frozenset(word for phrase in (*offers, *listed("offer_words")) for word in phrase),
    )
