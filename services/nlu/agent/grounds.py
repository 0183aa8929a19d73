"""The facts of an agent in one language, made ready to hold clauses against them. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from services.language.calendar_words import calendar_words
from services.language.claims import ClaimWords, claim_words
from services.language.phrases import PhraseTable, tokens_of, words_of
from services.language.value import Kind, Reading, Value
from services.language.values import read_values
from services.language.words import is_sign
from services.nlu.agent.facts import Facts, Person, Service, Topic, names_in, price_in, text_in
from services.nlu.agent.facts import Money as Price
from services.nlu.agent.told_times import ToldTimes

_ISO_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})")
_KEPT_WORDS = 4096
_KEPT_READINGS = 128  # of texts, which a turn's clauses are held against again and again
_LEAST_ASKED = 3  # examples of a text that have a word of it
_SHORT = 2  # letters: a word of no more is none by itself
_COUNTED_NIGHTS = 2  # tokens: a number and the word for nights
_STEM = 4  # letters that two words must share to be one word in two forms


@dataclass(frozen=True, slots=True)
class BookableTime:
    """A time that can be booked."""

    weekday: int
    minute: int  # of the day
    date: date | None = None  # None: of any week


@dataclass(frozen=True, slots=True)
class Authored:
    """A text that its author wrote to be said: its words, and where a clause of it may begin."""

    texts: tuple[str, ...]
    beginnings: frozenset[int]


class Grounds:
    """The grounds of an agent's claims in one language."""

    def __init__(self, facts: Facts, language_code: str, *, texts: Iterable[str] = (), prose: str = "") -> None:
        """`texts` are said as they stand: greeting, farewell, prompts. `prose` is what an agent without facts knows."""
        self.facts, self.language_code = facts, language_code
        self.words: ClaimWords = claim_words(language_code)
        self.hours = facts.hours
        self.services: PhraseTable[Service] = PhraseTable(
            {
                form: each
                for each in facts.services
                for name in names_in(each.names, language_code)
                for form in self._numbers_of(name)
            }
        )
        done: tuple[Service | Topic, ...] = (*facts.services, *facts.topics)
        self.doable: PhraseTable[Service | Topic] = PhraseTable(
            {
                form: each
                for each in done
                for name in names_in(each.names, language_code)
                for form in self._numbers_of(name)
            }
        )
        self.people: PhraseTable[Person] = PhraseTable(
            {name: each for each in facts.people for name in _forms(names_in(each.names, language_code), self.words)}
        )
        spoken = [text_in(each.spoken, language_code) for each in facts.addresses]
        said = [text_in(each.say, language_code) for each in facts.texts]
        self._told_times = ToldTimes([read(text, language_code) for text in said if text], self.words, language_code)
        self._texts = tuple(texts)
        self.addresses = tuple(text for text in spoken if text)
        self.authored = tuple(_authored(text) for text in (*said, *spoken, *self._texts) if text)
        self.fragments = tuple(words_of(text) for text in (*said, *spoken, *self._texts, prose) if text)
        self.address_words = frozenset(word for text in spoken for word in words_of(text))
        self.prose = words_of(prose)
        self.vocabulary = self._vocabulary()
        every = {code for each in facts.texts for code in each.say}
        texts_of = [*self.fragments, *map(words_of, _names_of_things(facts, language_code))]
        texts_of += [words_of(text) for code in every for text in said_in(facts, code)]
        self.pairs = frozenset(pair for text in texts_of for pair in pairwise(text))  # of neighbouring words
        self._keys = self._text_keys()
        self._denied = self._denied_words()
        self._looked_at: dict[str, bool] = {}  # words, and whether they are denied
        self.phones = frozenset("".join(c for c in each.number if c.isdecimal()) for each in facts.phones)
        self.slots = tuple(
            BookableTime(free.date.weekday() if free.date else free.weekday or 0, _minute(free.time), free.date)
            for free in facts.free_times
        )
        self.holidays: PhraseTable[date] = PhraseTable(
            {
                name: each.date
                for each in (facts.hours.exceptions.values() if facts.hours else ())
                for name in names_in(each.names, language_code)
            }
        )

    def _numbers_of(self, name: str) -> tuple[str, ...]:
        """A name with the plural that the language makes by an ending, and in its cases."""
        plurals = (f"{name}{ending}" for ending in self.words.plural_endings if name[-1:].isalpha())
        return (*plurals, *self.words.cases_of(name), name)

    def is_key(self, word: str) -> bool:
        """Return whether a text of the facts affirms what a word names: it stands in the text and in its examples."""
        return any(word == key or (len(key) >= _STEM and word[:_STEM] == key[:_STEM]) for key in self._keys)

    def with_nights(self, reading: Reading) -> Reading:
        """The reading with nights of a stay as numbers, where rooms are let by the night:
        "two nights" never means two in the morning.
        """
        if not any(each.per == "night" for each in self.facts.services):
            return reading
        words = calendar_words(self.language_code)
        kept = []
        for value in reading.values:
            inside = range(value.start, value.end)
            has_hour = any(words.length("hour_words", reading.texts, at) for at in inside)
            is_told = any(
                words.length("sure_openings", reading.texts, value.start - n) == n for n in (1, 2) if value.start >= n
            )
            is_night = value.kind is Kind.TIME and value.part == "night" and value.end - value.start == _COUNTED_NIGHTS
            if is_night and not has_hour and not is_told and value.minutes:
                minute = min(value.minutes)
                value = Value(  # noqa: PLW2901 - the same words, as what they count
                    Kind.NUMBER, value.start, value.start + 1, number=Decimal(minute // 60 % 12 or 12)
                )
            kept.append(value)
        return replace(reading, values=tuple(kept))

    def tells_time(self, time: Value, reading: Reading, *, is_asked: bool = False) -> bool:
        """Return whether a text of the facts gives this time for what the clause speaks of: "check-out is by noon", or
        lets one come or stay at a time that the caller asks about.
        """
        if self._told_times.give(time, reading) or (is_asked and self._told_times.hold(time, reading)):
            return True
        return not self.services.find(reading.texts) and self._told_times.give_way(time, reading)

    def _text_keys(self) -> frozenset[str]:
        keys: set[str] = set()
        for each in self.facts.texts:
            said = words_of(text_in(each.say, self.language_code))
            if self.words.lists["negations"].are_in(said):
                continue  # it denies something itself
            asked = [words_of(question) for question in each.examples.get(self.language_code, ())]
            for word in said:
                n_asked = sum(any(_is_form(word, other) for other in question) for question in asked)
                if n_asked >= _LEAST_ASKED and len(word) > _SHORT and word not in self.words.common:
                    keys.add(word)
        return frozenset(keys)

    def is_denied(self, word: str) -> bool:
        """Return whether a text that denies something is asked for by a word: "pets are not allowed", "my dog"."""
        if (known := self._looked_at.get(word)) is not None:
            return known
        found = self._is_denied_in_a_form(word)
        if len(self._looked_at) < _KEPT_WORDS:
            self._looked_at[word] = found
        return found

    def _is_denied_in_a_form(self, word: str) -> bool:
        short = f"{word[:-2]}{word[-1]}" if word.endswith(self.words.fleeting) else word  # "кошек" of "кошка"
        if any(case in self._denied for case in self.words.cases_of(word)):
            return True
        return any(_is_form(one, other) for one in {word, short} for other in self._denied)

    def _denied_words(self) -> frozenset[str]:
        """The words of the texts that deny something, and of what is asked for them, that no other fact has."""
        code, negations = self.language_code, self.words.lists["negations"]
        denying, others = set[str](), set[str]()
        for each in self.facts.texts:
            said = words_of(text_in(each.say, code))
            asked = (word for text in each.examples.get(code, ()) for word in words_of(text))
            (denying if negations.are_in(said) else others).update(said, asked)
        others.update(word for name in _names_of_things(self.facts, code) for word in words_of(name))
        small = self.words.common | self.words.listed | self.words.frame
        return frozenset(
            word
            for word in denying - others - small
            if len(word) > _SHORT or (is_sign(word[0]) and not word.isdecimal())
        )

    def is_stated(self, word: str) -> bool:
        """Return whether a word stands in a name, or in a text that was written to be said."""
        return word in self._stated

    @property
    def has_unbroken_hours(self) -> bool:
        """Return whether every day that is open is so in one stretch."""
        days = self.hours.weekdays.values() if self.hours else ()
        return bool(days) and all(len(spans) <= 1 for spans in days)

    def price(self, service: Service) -> Price | None:
        return price_in(service, self.language_code)

    def staff_in(self, texts: tuple[str, ...], callers: Iterable[str]) -> list[tuple[int, int, Person]]:
        """The people of the facts that a clause names: not by a word of a caller's own name, "Marcus Lee"."""
        found = self.people.find(texts)
        names = [words_of(name) for name in callers] if found else []
        own = [
            (at, at + len(name))
            for name in names
            for at in range(len(texts))
            if tuple(texts[at : at + len(name)]) == tuple(name)
        ]
        return [hit for hit in found if not any(start <= hit[0] and hit[1] <= end for start, end in own)]

    def without_names(self, reading: Reading) -> Reading:
        """The reading without values that are names of people: "Mai" is tomorrow too, in Vietnamese."""
        names = self.people.find(reading.texts)
        if not names:
            return reading
        kept = [v for v in reading.values if not any(start <= v.start and v.end <= end for start, end, _ in names)]
        return replace(reading, values=tuple(kept))

    def without_given(self, reading: Reading, caller: Sequence[Reading]) -> Reading:
        """The reading without values that are a part of a name which the caller gave: the number of "Ngô Văn Tám". Both
        the word and one beside it, which is no value, are in capitals, and the two stand so in what the caller said.
        """
        kept = [value for value in reading.values if not self._is_given(value, reading, caller)]
        return reading if len(kept) == len(reading.values) else replace(reading, values=tuple(kept))

    def _is_given(self, value: Value, reading: Reading, caller: Sequence[Reading]) -> bool:
        at, taken = value.start, {place for one in reading.values for place in range(one.start, one.end)}
        is_word = value.end - at == 1 and reading.tokens[at].is_capital and reading.tokens[at].kind == "word"
        if not is_word or value.kind not in (Kind.NUMBER, Kind.DAY):
            return False
        beside = [place for place in (at - 1, at + 1) if 0 < place < len(reading.tokens) and place not in taken]
        names = [place for place in beside if reading.tokens[place].is_capital and reading.tokens[place].kind == "word"]
        pairs = [reading.texts[min(at, place) : max(at, place) + 1] for place in names]
        return any(pair == said.texts[n : n + 2] for pair in pairs for said in caller for n in range(len(said.texts)))

    def knows(self, word: str) -> bool:
        """Return whether a word is the language's, or the facts' in any of its forms."""
        words = self.words
        if any(form in words.common or form in words.listed or form in words.frame for form in words.forms(word)):
            return True
        singulars = (word.removesuffix(ending) for ending in self.words.plural_endings)
        if word in self.vocabulary or any(one in self.vocabulary for one in singulars):
            return True
        stem = word[: max(_STEM, len(word) - 3)]
        return len(word) > _STEM and stem in self._stems

    def _vocabulary(self) -> frozenset[str]:
        facts, code = self.facts, self.language_code
        found = [
            *_names_of_things(facts, code),
            *(name for fact in facts.phones for name in names_in(fact.names, code)),
        ]
        exceptions = facts.hours.exceptions.values() if facts.hours else ()
        found += [name for each in exceptions for name in names_in(each.names, code)]
        found += names_in(facts.hours.of, code) if facts.hours else ()
        words = {word for name in found for word in words_of(name)}
        others = {other for each in facts.texts for other in each.say}
        words.update(capitals_in(text for other in others for text in said_in(facts, other)))  # "Wi-Fi" in any language
        self._stated = frozenset(
            words.union(self.prose, *map(words_of, (*said_in(facts, code), *capitals_in(self._texts))))
        )
        words |= {word for fragment in self.fragments for word in fragment}
        words |= {word for each in facts.texts for text in each.examples.get(code, ()) for word in words_of(text)}
        inflected = words | self.words.common if self.words.declensions else words
        self._stems = frozenset(
            word[:n] for word in inflected if len(word) > _STEM for n in range(_STEM, len(word) + 1)
        )
        return frozenset(words)


@lru_cache(maxsize=_KEPT_READINGS)
def read(text: str, language_code: str) -> Reading:
    """The values of a text."""
    return read_values(text, language_code)


def _names_of_things(facts: Facts, code: str) -> Iterator[str]:
    """The names of services, topics and people."""
    named = [each.names for each in facts.services] + [each.names for each in facts.topics]
    named += [each.names for each in facts.people]
    return (name for names in named for name in names_in(names, code))


def said_in(facts: Facts, code: str) -> Iterator[str]:
    """The texts of the facts that are written to be said."""
    yield from (text_in(each.spoken, code) for each in facts.addresses)
    yield from (text_in(each.say, code) for each in facts.texts)


def capitals_in(texts: Iterable[str]) -> Iterator[str]:
    """The names in texts: words in a capital."""
    yield from (token.text for text in texts for token in tokens_of(text) if token.is_capital)


def slots_in(results: Iterable[str]) -> tuple[BookableTime, ...]:
    """The moments in results of tools."""
    found = []
    for result in results:
        for day, clock in _ISO_MOMENT.findall(result):
            try:
                moment = datetime.fromisoformat(f"{day}T{clock}")
            except ValueError:
                continue
            found.append(BookableTime(moment.weekday(), moment.hour * 60 + moment.minute, moment.date()))
    return tuple(found)


def _authored(text: str) -> Authored:
    texts: list[str] = []
    beginnings = {0}
    for token in tokens_of(text):
        if token.kind == "stop":
            beginnings.add(len(texts))
        else:
            texts.append(token.text)
    return Authored(tuple(texts), frozenset(beginnings))


def _forms(names: Iterable[str], words: ClaimWords) -> Iterable[str]:
    """Names, and each without the title before it, and its last word behind every title: "Doctor Mai", "Dr. Mai"."""
    for name in names:
        yield name
        yield f"{name}'s"
        parts = words_of(name)
        titles = next((n for n in range(1, len(parts)) if words.lists["persons"].length(parts, 0) == n), 0)
        is_other_word = len(parts) == titles + 1 and parts[-1] in words.common  # "Mai" is tomorrow too
        if titles and len(parts) > titles and not is_other_word:
            yield " ".join(parts[titles:])


def _is_form(one: str, other: str) -> bool:
    """Return whether two words may be one in two forms."""
    return one == other or (len(one) >= _STEM and one[:_STEM] == other[:_STEM])


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute
