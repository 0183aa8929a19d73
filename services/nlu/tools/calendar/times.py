"""Moments and days of events, in a tenant's time zone. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MAX_SPAN = timedelta(days=62)


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment until before another one; both aware. `days` are set for an event of whole days, the last one is
    not among them.
    """

    starts: datetime
    ends: datetime
    days: tuple[date, date] | None = None


def read_moment(text: str, zone: ZoneInfo) -> datetime:
    """ISO 8601; without an offset by the zone's clock. Raises ValueError: none, or a time that the clock leaves out."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return moment.astimezone(zone)
    local = moment.replace(tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        raise ValueError(f"{text}: the clock of {zone.key} is put forward over this time")
    return local  # of a time that comes twice the first


def read_span(starts: str, ends: str, zone: ZoneInfo) -> Span:
    """Two moments, or two days of which the last is part of it. Raises ValueError."""
    if _is_day(starts) != _is_day(ends):
        raise ValueError("write two times, or two days")
    if _is_day(starts):
        first, last = date.fromisoformat(starts), date.fromisoformat(ends)
        return _checked(Span(day_begins(first, zone), day_begins(last + timedelta(days=1), zone), (first, _next(last))))
    return _checked(Span(read_moment(starts, zone), read_moment(ends, zone)))


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """Midnight by the zone's clock, or the first time of a day that has no midnight."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC).astimezone(zone)


def merged(busy: Iterable[tuple[datetime, datetime]], within: Span) -> list[tuple[datetime, datetime]]:
    """Without overlaps, in order, and no more than is asked about."""
    found: list[tuple[datetime, datetime]] = []
    for starts, ends in sorted(busy):
        first, last = max(starts, within.starts), min(ends, within.ends)
        if first >= last:
            continue
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _is_day(text: str) -> bool:
    return len(text) == len("2026-12-01")


def _next(day: date) -> date:
    return day + timedelta(days=1)


def _checked(span: Span) -> Span:
    if span.ends <= span.starts:
        raise ValueError("the end is not behind the beginning")
    if span.ends - span.starts > MAX_SPAN:
        raise ValueError(f"longer than {MAX_SPAN.days} days")
    return span
