"""The place of a thing among those that were offered, by what a caller says: "the first one", "the last". Sans-IO."""

from __future__ import annotations

from services.language.calendar_words import calendar_words
from services.language.capture_words import capture_words, has_capture
from services.language.words import normalise
from services.nlu.agent.graph.counting import has_any

_LONGEST_PLACE = 6  # words of "I would take the first one"


def place_in(text: str, language_code: str) -> int:
    """The place that a few words name, from 1, or from the end, -1 being the last; 0: none, or more than a place."""
    words = normalise(text)
    if len(words) > _LONGEST_PLACE:
        return 0
    ordinals = calendar_words(language_code).ordinals
    found = {int(hit[1]) for at in range(len(words)) if (hit := ordinals.at(words, at))}
    if has_capture(language_code):
        positions = capture_words(language_code).positions
        found |= {position for phrase, position in positions if phrase and has_any(words, (tuple(phrase),))}
    return found.pop() if len(found) == 1 else 0
