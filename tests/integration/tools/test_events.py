"""Events read for when somebody is busy: repeats, exceptions, summer time, whole days."""

from zoneinfo import ZoneInfo

import pytest

from services.nlu.tools.calendar.events import busy_in, moved_event
from services.nlu.tools.calendar.times import day_begins, merged, read_moment, read_span

BERLIN, HO_CHI_MINH = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Ho_Chi_Minh")


def calendar(*events: str) -> str:
    lines = [f"BEGIN:VEVENT\nUID:{n}\nDTSTAMP:20260101T000000Z\n{each}\nEND:VEVENT" for n, each in enumerate(events)]
    return "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *lines, "END:VCALENDAR"])


def busy(text: str, starts: str, ends: str, zone: ZoneInfo) -> list[str]:
    span = read_span(starts, ends, zone)
    return [f"{first.astimezone(zone):%m-%d %H:%M}" for first, _ in sorted(busy_in(text, span, zone))]


def test_a_weekly_event_keeps_its_time_of_day_over_the_end_of_summer_time() -> None:
    weekly = "DTSTART;TZID=Europe/Berlin:20261013T090000\nDTEND;TZID=Europe/Berlin:20261013T100000\nRRULE:FREQ=WEEKLY"
    assert busy(calendar(weekly), "2026-10-20", "2026-11-04", BERLIN) == ["10-20 09:00", "10-27 09:00", "11-03 09:00"]


def test_left_out_and_moved_repeats_are_not_busy_at_their_old_time() -> None:
    weekly = "DTSTART:20261103T020000Z\nDTEND:20261103T030000Z\nRRULE:FREQ=WEEKLY;UNTIL=20261124T020000Z"
    moved = "RECURRENCE-ID:20261117T020000Z\nDTSTART:20261118T020000Z\nDTEND:20261118T030000Z"
    text = calendar(f"{weekly}\nEXDATE:20261110T020000Z", moved).replace("UID:1", "UID:0")
    found = busy(text, "2026-11-01", "2026-12-31", HO_CHI_MINH)
    assert found == ["11-03 09:00", "11-18 09:00", "11-24 09:00"]


def test_an_event_of_whole_days_is_busy_by_the_tenants_midnight() -> None:
    text = calendar("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227")
    span = read_span("2026-12-01", "2026-12-31", HO_CHI_MINH)
    ((starts, ends),) = busy_in(text, span, HO_CHI_MINH)
    assert (starts.isoformat(), ends.isoformat()) == ("2026-12-24T00:00:00+07:00", "2026-12-27T00:00:00+07:00")


def test_a_time_without_a_zone_is_by_the_tenants_clock_and_cancelled_ones_are_free() -> None:
    text = calendar("DTSTART:20261201T100000\nDURATION:PT30M", "DTSTART:20261201T120000Z\nSTATUS:CANCELLED")
    assert busy(text, "2026-12-01", "2026-12-01", HO_CHI_MINH) == ["12-01 10:00"]


def test_a_day_without_midnight_begins_when_its_clock_does() -> None:
    beirut = ZoneInfo("Asia/Beirut")  # summer time begins at midnight
    days = [read_moment(f"2026-03-{day:02}T12:00", beirut).date() for day in range(25, 32)]
    assert all(day_begins(day, beirut).date() == day for day in days)


def test_a_time_that_comes_twice_is_the_first() -> None:
    assert read_moment("2026-10-25T02:30", BERLIN).isoformat() == "2026-10-25T02:30:00+02:00"


def test_busy_times_that_touch_are_one() -> None:
    span = read_span("2026-12-01T08:00", "2026-12-01T12:00", HO_CHI_MINH)
    hours = [read_moment(f"2026-12-01T{hour:02}:00", HO_CHI_MINH) for hour in (7, 9, 10, 11, 13)]
    assert merged([(hours[1], hours[2]), (hours[0], hours[1]), (hours[3], hours[4])], span) == [
        (span.starts, hours[2]),
        (hours[3], span.ends),
    ]


@pytest.mark.parametrize("rule", ["RRULE:FREQ=WEEKLY", "DTEND:20261201T110000Z\nRRULE:FREQ=DAILY;COUNT=2"])
def test_an_event_that_repeats_is_not_moved(rule: str) -> None:
    text = calendar(f"DTSTART:20261201T100000Z\n{rule}").encode()
    with pytest.raises(ValueError, match="repeats"):
        moved_event(text, read_span("2026-12-02T10:00", "2026-12-02T11:00", HO_CHI_MINH))
