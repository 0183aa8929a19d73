"""Days that are named beside one another: "tomorrow or Friday". Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from services.language.calendar_words import calendar_words
from services.language.script import script_of
from services.language.value import Kind, Reading
from services.language.values import read_values
from services.nlu.agent.graph.counting import spans_of
from services.nlu.agent.graph.slots import SlotFinder, Slots
from services.nlu.agent.graph.when import When

_DAYS = (Kind.DAY, Kind.DATE, Kind.WEEKDAYS)
_OF_DAYS = (  # lists of words that belong to a day: "next" of "tomorrow or next Friday"
    *("this_words", "next_words", "this_behind", "next_behind", "week_words", "day_openings", "time_openings"),
    *("articles", "month_words"),
)


def days_apart(text: str, slots: Slots, finder: SlotFinder, now: datetime) -> tuple[When, ...]:
    """Each of the days that a word of choice or of joining stands between, with the time that is said once for all of
    them; empty where one day is named, or weekdays only, which the slots hold together.
    """
    if slots.when.last_date or slots.when.trouble or not slots.when.has_day:
        return ()
    reading = read_values(text, finder.language_code)
    bounds = [0, *_cuts(reading, finder), len(reading.texts)]
    space = " " if script_of(finder.language_code).is_spaced else ""
    whens = [finder.find(space.join(reading.texts[a:b]), now).when for a, b in pairwise(bounds)]
    if len(whens) < 2 or not all(when.has_day for when in whens):
        return ()
    timed = next((when for when in whens if when.times), When())
    part = next((when.part for when in whens if when.part), "")
    return tuple(
        replace(when, times=when.times or timed.times, relation=when.relation or timed.relation, part=when.part or part)
        for when in whens
    )


def _cuts(reading: Reading, finder: SlotFinder) -> Iterator[int]:
    """The places behind the words that join two days, where no other words stand between these."""
    days = [value for value in reading.values if value.kind in _DAYS]
    if all(value.kind is Kind.WEEKDAYS for value in days):
        return
    joints = {end for _, end in spans_of(reading.texts, (*finder.words.choices, *finder.words.joins))}
    values = {at for value in reading.values for at in range(value.start, value.end)}
    calendar = calendar_words(finder.language_code)
    for first, second in pairwise(days):
        ends = [at for at in range(first.end + 1, second.start + 1) if at in joints]
        others = [at for at in range(first.end, second.start) if at + 1 not in joints and at not in values]
        if ends and all(any(calendar.length(name, reading.texts, at) for name in _OF_DAYS) for at in others):
            yield ends[-1]
