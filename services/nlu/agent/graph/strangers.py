"""Unknown people and things in a sentence: names that stand in no file of the agent. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from services.language.script import script_of
from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.counting import has_any, spans_of
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained


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
