"""Unknown people and things in a sentence: names that stand in no file of the agent. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from services.language.script import script_of
from services.language.values import read_values
from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.counting import has_any, spans_of
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained

_LONGEST_WANTED = 4  # words of "wisdom tooth removal", and an article


def names_a_stranger(text: str, slots: Slots, titles: Sequence[Words], language_code: str) -> bool:
    """Return whether a title and a name stand in a text that are those of none of the agent's people."""
    if slots.people:
        return False
    if not script_of(language_code).is_spaced:  # the title stands behind the name
        return has_any(slots.words, titles)
    written = re.findall(r"[^\W\d_]+", text)
    pairs = pairwise(written)
    return any((title.lower(),) in titles and name[:1].isupper() for title, name in pairs)


def asks_whether_there_is(slots: Slots, finder: SlotFinder, known: frozenset[str] = frozenset()) -> bool:
    """Return whether words ask if there is a thing that the agent's file does not name: "is there a pool?". `known`:
    words of other questions, which are no such thing.
    """
    named = (*slots.services, *slots.people, *slots.topics)
    strange = unexplained(slots, named, finder.words.common | known)
    ends = {end for _, end in spans_of(slots.words, finder.words.exists)}
    return any(place in strange for end in ends for place in (end, *_behind(end, slots, finder)))


def _behind(end: int, slots: Slots, finder: SlotFinder) -> tuple[int, ...]:
    """The place behind a small word: "is there a pool"."""
    return (end + 1,) if slots.words[end : end + 1] and slots.words[end] in finder.words.articles else ()


def names_anything(slots: Slots) -> bool:
    return bool(slots.services or slots.people or slots.topics)


def names_unknown_staff(text: str, slots: Slots, finder: SlotFinder) -> bool:
    """Return whether somebody of the staff is named who stands not in the file: "is Doctor Smith in on Tuesday". A
    caller who gives a name of their own with a title is none.
    """
    if slots.people or not script_of(finder.language_code).is_spaced:
        return False
    written = re.findall(r"[^\W\d_]+", text)
    plain = tuple(word.lower() for word in written)
    for start, end in spans_of(plain, finder.words.of_staff):
        is_named = end < len(written) and written[end][:1].isupper()
        is_own = any(plain[:start][-len(lead) :] == lead for lead in finder.words.name_leads)
        if is_named and not is_own and not read_values(written[end], finder.language_code).values:
            return True
    return False


def wants_what_is_unknown(text: str, slots: Slots, finder: SlotFinder, known: frozenset[str]) -> bool:
    """Return whether a wish is for a thing that the agent's file does not name: "book a wisdom tooth removal". `known`:
    words of questions and requests, which are no such thing.
    """
    if slots.services or slots.topics or slots.when.trouble or slots.when.holiday:
        return False
    lists, words = finder.words.wanted, slots.words
    if not finder.lets_rooms and has_any(words, lists["animals"]):
        return True  # "an appointment for my dog"
    strange = unexplained(slots, slots.people, finder.words.common | known)
    heads = {word for phrase in (*lists["heads"], *lists["persons"]) for word in phrase}
    names = _names_in(text)
    for kind in ("before", "named"):
        for _, start in spans_of(words, lists[kind]):
            places = _places_of_thing(start, slots, finder)
            is_name = kind == "named" and any(words[at] in names for at in places)
            if strange.intersection(places) and heads.isdisjoint(words[at] for at in places) and not is_name:
                return True
    return False


def _places_of_thing(start: int, slots: Slots, finder: SlotFinder) -> list[int]:
    """Places of the words that a thing may be called by, from `start` on. A part of the day behind an article is one of
    them: "a night guard".
    """
    lists, words = finder.words.wanted, slots.words
    skips, stops = ({word for phrase in lists[name] for word in phrase} for name in ("skips", "stops"))
    is_led = words[start - 1] in skips if start else False
    while start < len(words) and (words[start] in skips or (is_led and start in slots.value_words)):
        is_led = is_led or words[start] in skips
        start += 1
    places = []
    for at in range(start, min(start + _LONGEST_WANTED, len(words))):
        if at in slots.value_words or words[at] in stops:
            break
        places.append(at)
    return places


def begins_with_unknown(text: str, slots: Slots, finder: SlotFinder, known: frozenset[str]) -> bool:
    """Return whether a wish without any word of wanting begins with such a thing: "a table for four tonight"."""
    if slots.services or slots.topics or slots.people or slots.when.trouble or slots.when.holiday:
        return False
    lists, words = finder.words.wanted, slots.words
    openings = {word for phrase in lists["openings"] for word in phrase}
    may_lead = slots.value_words if not script_of(finder.language_code).is_spaced else frozenset()  # "明天的一日游"
    start = next((at for at, word in enumerate(words) if word not in openings and at not in may_lead), len(words))
    said = [words[at] for at in _places_of_thing(start, slots, finder)]
    known = known.union(finder.words.common, *lists["heads"], *lists["persons"], _names_in(text))
    first = said if script_of(finder.language_code).is_spaced else said[:1]  # a sign may be a word of its own
    return bool(first) and known.isdisjoint(first)


def _names_in(text: str) -> set[str]:
    """The words behind the first that are written as names are."""
    return {word.lower() for word in re.findall(r"[^\W\d_]+", text)[1:] if word[:1].isupper()}


def wants_unknown_room(slots: Slots, finder: SlotFinder, known: frozenset[str]) -> bool:
    """Return whether a room is asked for of a kind that the agent's file does not name: "a family room"."""
    if not finder.lets_rooms or slots.services:
        return False
    lists, words = finder.words.wanted, slots.words
    strange = unexplained(slots, (), finder.words.common | known)
    kinds = [start for start, _ in spans_of(words, lists["kinds"])]
    headed = [start for start, _ in spans_of(words, lists["headed"])]
    rooms = [at for at, word in enumerate(words) if finder.is_shared(word)]
    return any(
        near in strange or near in kinds for at in rooms for near in (at - 1, *((at + 1,) if at in headed else ()))
    )
