"""Events as iCalendar (RFC 5545): made, moved, and read for busy times. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rruleset, rrulestr
from icalendar import Calendar, Component, Event

from services.nlu.tools.calendar.provider import NewEvent
from services.nlu.tools.calendar.times import Span, day_begins

_MAX_REPEATS = 1000
_MAX_STEPS = 50_000  # of a rule from its beginning on: of a daily one 136 years
_MAX_VALUES = 62  # of one part of a rule: each day that it may fall on is held against them all
_PERIODS = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
"""An event that repeats within the hour is not a real appointment, and from a beginning long ago it takes forever to
reckon.
"""


class TooManyEvents(Exception):
    """There are more events than can be read in the time."""


def event_text(event: NewEvent) -> bytes:
    """A calendar with this one event. Times are in UTC, days are days."""
    calendar, made = Calendar(), Event()
    calendar.add("prodid", "-//Tong Dai//EN")
    calendar.add("version", "2.0")
    made.add("uid", f"{event.key}@tong-dai")
    made.add("dtstamp", datetime.now(UTC))
    made.add("summary", event.title)
    if event.text:
        made.add("description", event.text)
    if event.place:
        made.add("location", event.place)
    _put_times(made, event.span)
    calendar.add_component(made)
    return bytes(calendar.to_ical())


def moved_event(text: bytes, span: Span) -> bytes | None:
    """The same calendar with other times; None: it has them. Raises ValueError."""
    calendar = Calendar.from_ical(text)
    events = [each for each in calendar.walk("VEVENT") if "RECURRENCE-ID" not in each]
    if len(events) != 1 or "RRULE" in events[0]:
        raise ValueError("not one event, or one that repeats")
    event = events[0]
    before = (event.get("dtstart").dt, event.get("dtend").dt if event.get("dtend") else None)
    for name in ("DTSTART", "DTEND", "DURATION"):
        event.pop(name, None)
    _put_times(event, span)
    if (event.get("dtstart").dt, event.get("dtend").dt) == before:
        return None
    sequence = int(event.get("sequence", 0)) + 1
    event.pop("SEQUENCE", None)
    event.add("sequence", sequence)
    return bytes(calendar.to_ical())


def busy_in(
    text: str, span: Span, zone: ZoneInfo, *, is_late: Callable[[], bool] = lambda: False
) -> list[tuple[datetime, datetime]]:
    """Return when its events keep somebody busy. Times without a zone are by `zone`. Raises ValueError, and what the
    libraries raise for what is no event; TooManyEvents once `is_late` says so, which is asked before each event.
    """
    if is_late():
        raise TooManyEvents
    calendar = Calendar.from_ical(text)
    events = list(calendar.walk("VEVENT"))
    changed = {_aware(each.get("recurrence-id").dt, zone) for each in events if each.get("recurrence-id")}
    busy: list[tuple[datetime, datetime]] = []
    for event in events:
        if is_late():  # a rule that never comes true, as on the 30th of February, is followed to the year 9999
            raise TooManyEvents
        if str(event.get("transp", "")).upper() == "TRANSPARENT" or str(event.get("status", "")).upper() == "CANCELLED":
            continue
        if not event.get("dtstart"):
            raise ValueError("an event without a beginning")
        starts = event.get("dtstart").dt
        lasts = _length(event, starts, zone)
        for each in _repeats(event, starts, span, lasts, zone):
            first = _aware(each, zone)
            if "RECURRENCE-ID" not in event and first in changed:
                continue  # another event stands in its place
            last = _aware(each + lasts, zone)
            if first < span.ends and last > span.starts:
                busy.append((first, last))
    return busy


def _put_times(event: Component, span: Span) -> None:
    starts, ends = span.days or (span.starts.astimezone(UTC), span.ends.astimezone(UTC))
    event.add("dtstart", starts)
    event.add("dtend", ends)


def _length(event: Component, starts: date, zone: ZoneInfo) -> timedelta:
    """The length of an event by the clock, so that one that repeats ends at the same time of day."""
    if event.get("dtend"):
        ends = event.get("dtend").dt
        return _naive(ends, zone) - _naive(starts, zone)
    if event.get("duration"):
        return timedelta(seconds=event.get("duration").dt.total_seconds())
    return timedelta() if isinstance(starts, datetime) else timedelta(days=1)


def _repeats(event: Component, starts: date, span: Span, lasts: timedelta, zone: ZoneInfo) -> list[datetime | date]:
    """Return the event's beginnings: one, or those of its rule within the span, by the clock of its zone."""
    rule = event.get("rrule")
    if not rule:
        return [starts]
    own = starts.tzinfo if isinstance(starts, datetime) else None
    first = _naive(starts, own or zone)
    written = rule.to_ical().decode()
    _check_rule(written)
    text = ";".join(_local_until(part, own or zone) for part in written.split(";"))
    repeats = rruleset()
    repeats.rrule(rrulestr(text, dtstart=first))
    for left_out in _dates(event, "exdate"):
        repeats.exdate(_naive(left_out, own or zone))
    after = _naive(span.starts, own or zone) - lasts - timedelta(days=1)
    before = _naive(span.ends, own or zone) + timedelta(days=1)
    found: list[datetime] = []
    for n_steps, each in enumerate(repeats):
        if n_steps >= _MAX_STEPS:
            raise ValueError("a rule with too many repeats")
        if each > before or len(found) >= _MAX_REPEATS:
            break
        if each >= after:
            found.append(each)
    if not isinstance(starts, datetime):
        return [each.date() for each in found]
    return [each.replace(tzinfo=own) for each in found]


def _check_rule(written: str) -> None:
    """Raises ValueError for a rule that steps in less than days, or not at all, and for a part with too many values."""
    parts = {name.upper(): value.upper() for name, _, value in (part.partition("=") for part in written.split(";"))}
    if parts.get("FREQ") not in _PERIODS or int(parts.get("INTERVAL", "1")) < 1:
        raise ValueError("a rule with no period of days")
    if any(value.count(",") >= _MAX_VALUES for value in parts.values()):
        raise ValueError("a rule with too many values")


def _local_until(part: str, zone: object) -> str:
    """UNTIL stands in UTC where the beginning has a zone; the rule is reckoned by the clock."""
    name, _, value = part.partition("=")
    if name.upper() != "UNTIL" or not value.endswith("Z"):
        return part
    moment = datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return f"UNTIL={moment.astimezone(zone):%Y%m%dT%H%M%S}"  # type: ignore[arg-type] # a tzinfo


def _dates(event: Component, name: str) -> list[date]:
    given = event.get(name) or []
    return [each.dt for one in (given if isinstance(given, list) else [given]) for each in one.dts]


def _naive(moment: date, zone: object) -> datetime:
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time())
    return (moment.astimezone(zone) if moment.tzinfo else moment).replace(tzinfo=None)  # type: ignore[arg-type] # a tzinfo


def _aware(moment: date, zone: ZoneInfo) -> datetime:
    if not isinstance(moment, datetime):
        return day_begins(moment, zone)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
