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
    strange = unexplained(slots, slots.people, finder.words.common | known)
    stops = {word for phrase in lists["stops"] for word in phrase}
    heads = {word for phrase in lists["heads"] for word in phrase}
    names = {word.lower() for word in re.findall(r"[^\W\d_]+", text)[1:] if word[:1].isupper()}
    for kind in ("before", "named"):
        for _, start in spans_of(words, lists[kind]):
            places = []
            for at in range(start, min(start + _LONGEST_WANTED, len(words))):
                if at in slots.value_words or words[at] in stops:
                    break
                places.append(at)
            is_name = kind == "named" and any(words[at] in names for at in places)
            if strange.intersection(places) and heads.isdisjoint(words[at] for at in places) and not is_name:
                return True
    return False
