"""Choice among offered times: by a place ("the first one") or by a bare hour ("eleven"). Sans-IO."""

from __future__ import annotations

from datetime import time

from services.language.calendar_words import calendar_words
from services.language.capture_words import capture_words, has_capture
from services.language.value import Kind
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.graph.counting import has_any

_HOURS_IN_DAY = 24
_HALF_DAY = 720  # minutes
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


def bare_hours(text: str, language_code: str) -> tuple[time, ...]:
    """The times of day that a number without any word for hours may be, as an answer to a question for a time."""
    numbers = [value.number for value in read_values(text, language_code).values if value.kind is Kind.NUMBER]
    if len(numbers) != 1 or not 1 <= numbers[0] < _HOURS_IN_DAY or (numbers[0] * 2) % 1:
        return ()
    minutes = int(numbers[0] * 60)
    every = {minutes, minutes + _HALF_DAY} if minutes < _HALF_DAY + 60 else {minutes}
    return tuple(time(one // 60 % _HOURS_IN_DAY, one % 60) for one in sorted(every))
