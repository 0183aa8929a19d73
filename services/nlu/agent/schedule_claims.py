"""Claims of a clause about days and times, held against opening hours and free times. Sans-IO.

A clause is cut into parts of one day, or set of days, each with its times and its verb: "open Monday to Friday from 8
to 6 and closed on Sunday" has two. What a part leaves out comes from the part before, then from the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import Enum

from services.language.calendar_words import calendar_words
from services.language.value import Kind, Reading, Value
from services.nlu.agent.evidence import Evidence
from services.nlu.agent.grounds import Grounds
from services.nlu.agent.opening_hours import MINUTES_IN_DAY
from services.nlu.agent.schedule import Days

_LONGEST_INABILITY = 2  # words before the verb
_NEGATION_REACH = 4  # tokens before a verb
_CLOCK_TOLERANCE_MIN = 1
_MONTHS_IN_YEAR = 12


class Verb(Enum):
    """The verb of a claim about a time; the names are those of the lists in claims.toml."""

    OPEN = "open"
    CLOSED = "closed"
    CLOSE = "close"
    FREE = "free"
    TAKEN = "taken"
    COME = "come"


@dataclass(frozen=True, slots=True)
class DayClaim:
    """One day, or set of days, with what is said of it."""

    days: Days | None = None
    times: tuple[Value, ...] = ()
    day_parts: tuple[str, ...] = ()
    verb: Verb | None = None
    is_negated: bool = False
    has_own_verb: bool = False
    words: tuple[Value, ...] = field(default_factory=tuple)


def parts_of(reading: Reading, grounds: Grounds, evidence: Evidence) -> list[DayClaim]:
    """The parts of a text, in order."""
    found: list[DayClaim] = []
    part = DayClaim()
    inherited: dict[int, Days | None] = {}  # days of the part that another follows from
    reading = _with_holidays(reading, grounds)
    values = {value.start: value for value in reading.values}
    silent = _inside_values(reading, grounds)
    for at in range(len(reading.texts)):
        if _begins_part(part, reading, at, grounds):
            found.append(part)
            follows = grounds.words.lists["so"].length(reading.texts, at) > 0
            inherited |= {len(found): part.days} if follows else {}
            part = DayClaim() if follows else _opposite(part)
            continue
        value = values.get(at)
        if value is not None and (days := days_of(value, reading, grounds, evidence)) is not None:
            is_named_twice = len(part.words) > 0 and _names_same_day(part.words[-1], value, reading, grounds)
            part = _with_days(found, part, days, value, is_named_twice=is_named_twice)
        elif value is not None and value.kind is Kind.TIME:
            if (
                part.times
                and part.days is None
                and part.has_own_verb
                and not _joined(part.times[-1], value, reading, grounds)
            ):
                found.append(part)
                part = DayClaim(verb=part.verb, is_negated=part.is_negated)
            part = replace(part, times=(*part.times, value), words=(*part.words, value))
        elif value is not None and value.kind is Kind.PART:
            part = replace(part, day_parts=(*part.day_parts, value.part), words=(*part.words, value))
        elif at not in silent and (verb := _verb_at(reading.texts, at, values, grounds)) is not None:
            is_negated = _is_negated(reading, at, grounds)
            if part.days is not None and _days_follow(reading, at, grounds):
                found.append(part)
                part = DayClaim(verb=verb, is_negated=is_negated, has_own_verb=True)
            else:
                part = _with_verb(found, part, verb, is_negated=is_negated)
    if part != DayClaim():
        found.append(part)
    for at, days in inherited.items():
        if at < len(found) and found[at].days is None and (found[at].times or found[at].has_own_verb):
            found[at] = replace(found[at], days=days)
    return found


def _begins_part(part: DayClaim, reading: Reading, at: int, grounds: Grounds) -> bool:
    """Return whether a word behind a stop begins another part: "closed on Sunday, so Monday at 8"."""
    is_behind_stop = at > 0 and reading.tokens[at - 1].kind == "stop" and part != DayClaim()
    if not is_behind_stop:
        return False
    lists, texts = grounds.words.lists, reading.texts
    if lists["so"].length(texts, at):
        return True
    length = lists["but"].length(texts, at)
    says_open = part.verb is Verb.OPEN and not part.is_negated
    return length > 0 and (not says_open or lists["negations"].length(texts, at + length) > 0)


def _opposite(part: DayClaim) -> DayClaim:
    """The claim behind "but", where it has no verb of its own: free, where the part before is taken."""
    is_so = part.verb in (Verb.OPEN, Verb.FREE) and not part.is_negated
    opposites = {Verb.FREE: (Verb.FREE, Verb.TAKEN), Verb.TAKEN: (Verb.FREE, Verb.TAKEN)}
    opposites |= {Verb.OPEN: (Verb.OPEN, Verb.CLOSED), Verb.CLOSED: (Verb.OPEN, Verb.CLOSED)}
    if part.verb not in opposites:
        return DayClaim()
    is_denied_taken = part.verb in (Verb.TAKEN, Verb.CLOSED) and part.is_negated
    return DayClaim(verb=opposites[part.verb][1 if is_so or is_denied_taken else 0])


def _with_holidays(reading: Reading, grounds: Grounds) -> Reading:
    """The reading with each holiday of the facts as its date: "Lunar New Year" is no New Year's Day."""
    found = [
        Value(Kind.DATE, start, end, date=(day.year, day.month, day.day))
        for start, end, day in grounds.holidays.find(reading.texts)
    ]
    taken = {place for value in found for place in range(value.start, value.end)}
    kept = [value for value in reading.values if not taken & set(range(value.start, value.end))]
    return replace(reading, values=tuple(sorted((*kept, *found), key=lambda value: value.start))) if found else reading


def _inside_values(reading: Reading, grounds: Grounds) -> frozenset[int]:
    """Tokens of values, and words between the ends of a range: no verb stands there."""
    words = calendar_words(grounds.language_code)
    found: set[int] = set()
    for value in reading.values:
        found |= set(range(value.start, value.end))
        found |= set(range(value.end, value.end + words.length("range_words", reading.texts, value.end)))
    return frozenset(found)


def days_of(value: Value, reading: Reading, grounds: Grounds, evidence: Evidence) -> Days | None:
    """The days that a value names; None: it names none."""
    if value.kind is Kind.WEEKDAYS:
        return Days(weekdays=value.days)
    if value.kind is Kind.DAY:
        if evidence.now is None:
            return Days(is_unknown=True)
        return Days(dates=(evidence.now.date() + timedelta(days=int(value.number)),))
    if value.kind is Kind.DATE:
        found = _date_of(value, evidence)
        holiday = grounds.holidays.at(reading.texts, value.start)
        if found is None and holiday is not None:
            return Days(dates=(holiday[1],))
        return Days(dates=(found,)) if found else Days(is_unknown=True)
    return None


def _date_of(value: Value, evidence: Evidence) -> date | None:
    year, month, day = value.date
    if day is None or evidence.now is None:
        return None
    today = evidence.now.date()
    if month is None:
        return _next_day(day, today)
    for candidate in (year,) if year else (today.year, today.year + 1):
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        if year or found >= today:
            return found
    return None


def _next_day(day: int, today: date) -> date | None:
    """The next date with this day of the month, today's included; None: no month has such a day."""
    for n in range(_MONTHS_IN_YEAR):
        years, months = divmod(today.month - 1 + n, _MONTHS_IN_YEAR)
        try:
            found = date(today.year + years, months + 1, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return None


def _names_same_day(first: Value, second: Value, reading: Reading, grounds: Grounds) -> bool:
    """Return whether two values beside each other name one day: "tomorrow, Monday", "the 4th is a Friday"."""
    length = grounds.words.lists["same_day"].length(reading.texts, first.end)
    return first.end + 1 >= second.start or (length > 0 and first.end + length == second.start)


def _with_days(found: list[DayClaim], part: DayClaim, days: Days, value: Value, *, is_named_twice: bool) -> DayClaim:
    if part.days is None:
        return replace(part, days=days, words=(*part.words, value))
    if is_named_twice and not part.times and (merged := _same_day(part.days, days)):
        return replace(part, days=merged, words=(*part.words, value))
    if not part.times and not part.day_parts:
        merged = Days(
            part.days.weekdays | days.weekdays,
            part.days.dates + days.dates,
            part.days.is_unknown or days.is_unknown,
        )
        return replace(part, days=merged, words=(*part.words, value))
    found.append(part)
    return DayClaim(days=days, verb=part.verb, is_negated=part.is_negated, words=(value,))


def _same_day(first: Days, second: Days) -> Days | None:
    """One day named twice, as "tomorrow, Monday"; None: they are two."""
    for dated, named in ((first, second), (second, first)):
        if len(dated.dates) == 1 and not dated.weekdays and len(named.weekdays) == 1 and not named.dates:
            fits = dated.dates[0].weekday() in named.weekdays
            return dated if fits else Days(is_unknown=True)
    if len(first.dates) == len(second.dates) == 1 and not (first.weekdays or second.weekdays):
        return first if first.dates == second.dates else Days(is_unknown=True)
    return None


def _with_verb(found: list[DayClaim], part: DayClaim, verb: Verb, *, is_negated: bool) -> DayClaim:
    is_of_coming = part.verb is Verb.COME and not part.times  # "come when you like, we are free"
    if part.has_own_verb and part.days is not None and part.verb is not verb and not is_of_coming:
        found.append(part)
        return DayClaim(verb=verb, is_negated=is_negated, has_own_verb=True)
    is_opposite = {part.verb, verb} in ({Verb.CLOSE, Verb.OPEN}, {Verb.CLOSED, Verb.OPEN})
    if part.has_own_verb and part.times and is_opposite:  # "closes at 11 p.m. and opens again at 6 a.m."
        found.append(part)
        return DayClaim(verb=verb, is_negated=is_negated, has_own_verb=True)
    is_less_exact = verb is Verb.COME or (part.verb is not Verb.COME and verb is Verb.OPEN)
    if part.has_own_verb and part.days is None and not part.times and is_less_exact:
        return part  # "closed, come tomorrow": the first counts
    return replace(part, verb=verb, is_negated=is_negated, has_own_verb=True)


def _verb_at(texts: tuple[str, ...], at: int, values: Mapping[int, Value], grounds: Grounds) -> Verb | None:
    if _is_until(texts, at, values, grounds):
        return None
    unable = grounds.words.lists["inability"]
    if any(unable.length(texts, start) > at - start for start in range(max(0, at - _LONGEST_INABILITY), at + 1)):
        return None  # "that I cannot do" is no word about the hours
    hit = grounds.words.time_verbs.at(texts, at)
    return Verb(hit[1]) if hit and not _is_inability(texts, at, at + hit[0], grounds) else None


def _is_inability(texts: tuple[str, ...], at: int, end: int, grounds: Grounds) -> bool:
    """Return whether a verb says what the agent cannot do: "em không làm vậy được"."""
    lists = grounds.words.lists
    reach = range(end, min(len(texts), end + _LONGEST_INABILITY + 1))
    is_denied = any(lists["negations"].length(texts, before) for before in range(max(0, at - _NEGATION_REACH), end))
    return is_denied and any(lists["inability_ends"].length(texts, behind) for behind in reach)


def _is_negated(reading: Reading, at: int, grounds: Grounds) -> bool:
    negations = grounds.words.lists["negations"]
    for before in range(at - 1, max(-1, at - _NEGATION_REACH - 1), -1):
        if reading.tokens[before].kind == "stop":  # "No, we are closed" denies nothing of that
            return False
        if negations.length(reading.texts, before):
            return True
    return False


def _days_follow(reading: Reading, at: int, grounds: Grounds) -> bool:
    """Return whether days are the next thing named behind a verb: it is theirs then, unless another part begins with
    them.
    """
    behind = next((value for value in reading.values if value.start > at), None)
    if behind is None or behind.kind not in (Kind.WEEKDAYS, Kind.DAY, Kind.DATE):
        return False
    stops = [one for one in range(at, behind.start) if reading.tokens[one].kind == "stop"]
    begins = (grounds.words.lists[name].length(reading.texts, stop + 1) for stop in stops for name in ("but", "so"))
    return not any(begins)


def _is_until(texts: tuple[str, ...], at: int, values: Mapping[int, Value], grounds: Grounds) -> bool:
    """Return whether the word leads to a time: "làm việc đến 6 giờ", where it means to come elsewhere."""
    length = grounds.words.lists["until"].length(texts, at)
    behind = values.get(at + length)
    return length > 0 and behind is not None and behind.kind is Kind.TIME


def _joined(first: Value, second: Value, reading: Reading, grounds: Grounds) -> bool:
    """Return whether two times are the ends of one stretch."""
    length = calendar_words(grounds.language_code).length("range_words", reading.texts, first.end)
    return length > 0 and first.end + length == second.start


def intervals_of(part: DayClaim, reading: Reading, grounds: Grounds) -> tuple[list[tuple[Value, Value]], list[Value]]:
    """The stretches of a part, and the times that stand alone."""
    stretches: list[tuple[Value, Value]] = []
    alone: list[Value] = []
    at = 0
    times = part.times
    while at < len(times):
        if at + 1 < len(times) and _joined(times[at], times[at + 1], reading, grounds):
            stretches.append((times[at], times[at + 1]))
            at += 2
        else:
            alone.append(times[at])
            at += 1
    return stretches, alone


def is_now(time: Value, evidence: Evidence) -> bool:
    """Return whether it is the time of the tenant's clock."""
    if evidence.now is None:
        return False
    minute = evidence.now.hour * 60 + evidence.now.minute
    return any(abs(minute - said % MINUTES_IN_DAY) <= _CLOCK_TOLERANCE_MIN for said in time.minutes)


def said_times(readings: Iterable[Reading]) -> frozenset[int]:
    """The minutes of the day that were said, in either half of it."""
    return frozenset(
        minute
        for reading in readings
        for value in reading.values
        if value.kind is Kind.TIME
        for minute in value.minutes
    )
