"""Opening hours against a caller's wish: why a time is refused, and the nearest open times. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import Enum

from services.language.calendar_words import PARTS
from services.language.moment import Moment, Trouble
from services.nlu.agent.opening_hours import OpeningHours

_LAST_HOUR = 23


class Refusal(Enum):
    """The reason why a wish cannot be had."""

    NO_SUCH_DATE = "no_such_date"
    PAST = "past"
    LUNAR = "lunar"
    CONTRADICTION = "contradiction"
    TOO_FAR = "too_far"
    HOLIDAY = "holiday"  # an exception of the hours, closed that day
    CLOSED_DAY = "closed_day"
    CLOSED_HOUR = "closed_hour"


_OF_TROUBLE = {trouble: Refusal(trouble.value) for trouble in Trouble}


@dataclass(frozen=True, slots=True)
class Weighed:
    """A wish against the hours. `nearest` are open moments beside one that is refused, the earlier first."""

    refusal: Refusal | None = None
    nearest: tuple[datetime, ...] = ()
    holiday_names: tuple[str, ...] = ()  # of a HOLIDAY, in the language asked for


def weigh(wanted: Moment, hours: OpeningHours, *, now: datetime, language_code: str = "") -> Weighed:
    """Return whether it is open when the caller wants to come. `now` is by the tenant's clock; a time alone is today's,
    or tomorrow's where it is past.
    """
    if wanted.trouble is not None:
        first = hours.next_open(now)
        return Weighed(_OF_TROUBLE[wanted.trouble], (first,) if first else ())
    if wanted.day is None:
        return _weigh_time(wanted, hours, now=now)
    at = datetime.combine(wanted.day, wanted.at or _begin_of(wanted))
    if wanted.last_day is not None:
        days = (wanted.last_day - wanted.day).days + 1
        is_any_open = any(hours.on(wanted.day + timedelta(days=n)) for n in range(days))
        return Weighed() if is_any_open else Weighed(Refusal.CLOSED_DAY, _nearest(hours, at, now))
    if not hours.on(wanted.day):
        exception = hours.exceptions.get(wanted.day)
        names = exception.names.get(language_code, ()) if exception else ()
        return Weighed(Refusal.HOLIDAY if exception else Refusal.CLOSED_DAY, _nearest(hours, at, now), names)
    is_open = hours.is_open(at) if wanted.at is not None else _is_open_in(hours, wanted)
    return Weighed() if is_open else Weighed(Refusal.CLOSED_HOUR, _nearest(hours, at, now))


def _weigh_time(wanted: Moment, hours: OpeningHours, *, now: datetime) -> Weighed:
    if wanted.at is None:
        return Weighed()
    at = datetime.combine(now.date(), wanted.at)
    if at <= now.replace(tzinfo=None):
        at += timedelta(days=1)
    return Weighed() if hours.is_open(at) else Weighed(Refusal.CLOSED_HOUR, _nearest(hours, at, now))


def _nearest(hours: OpeningHours, at: datetime, now: datetime) -> tuple[datetime, ...]:
    """Openings on both sides, in the tenant's zone."""
    return tuple(moment.replace(tzinfo=now.tzinfo) for moment in hours.around(at, after=now.replace(tzinfo=None)))


def _is_open_in(hours: OpeningHours, wanted: Moment) -> bool:
    if not wanted.part or wanted.day is None:
        return True
    begin, end = (hour * 60 for hour in PARTS[wanted.part])
    return any(each.opens_min < end and each.closes_min > begin for each in hours.on(wanted.day))


def _begin_of(wanted: Moment) -> time:
    """A time that stands for a part of the day, or for the whole."""
    return time(min(PARTS[wanted.part][0], _LAST_HOUR) if wanted.part else 12)
