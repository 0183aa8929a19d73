"""Wishes are weighed against the opening hours; a refusal comes with the nearest open times."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.language.dates import read_moment
from services.nlu.agent.appointments import Refusal, Weighed, weigh
from services.nlu.agent.profile import read_agents
from services.nlu.settings import NluSettings

SAIGON = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2026, 11, 29, 23, 30, tzinfo=ZoneInfo("UTC")).astimezone(SAIGON)  # Monday, half past six there
HOURS = read_agents(NluSettings().agents_dir)["clinic"].facts.hours


def wish(said: str, now: datetime = NOW) -> Weighed:
    moment = read_moment(said, "en", now=now)
    assert moment is not None
    assert HOURS is not None
    return weigh(moment, HOURS, now=now, language_code="en")


@pytest.mark.parametrize(
    "said", ["tomorrow at nine", "Saturday morning", "Saturday at 12:30", "next week", "on Friday", "at ten", "today"]
)
def test_open_times_are_not_refused(said: str):
    assert wish(said).refusal is None


@pytest.mark.parametrize(
    ("said", "refusal", "nearest"),
    [
        ("Sunday at noon", Refusal.CLOSED_DAY, ["2026-12-05T09:00", "2026-12-07T08:00"]),
        ("Christmas Day", Refusal.HOLIDAY, ["2026-12-24T08:00", "2026-12-26T09:00"]),
        ("New Year's Day at ten", Refusal.HOLIDAY, ["2026-12-31T08:00", "2027-01-02T09:00"]),
        ("Saturday afternoon at three", Refusal.CLOSED_HOUR, ["2026-12-05T09:00", "2026-12-07T08:00"]),
        ("Saturday evening", Refusal.CLOSED_HOUR, ["2026-12-05T09:00", "2026-12-07T08:00"]),
        ("today at seven in the morning", Refusal.CLOSED_HOUR, ["2026-11-30T08:00"]),
        ("tomorrow at eight in the evening", Refusal.CLOSED_HOUR, ["2026-12-01T08:00", "2026-12-02T08:00"]),
        ("yesterday", Refusal.PAST, ["2026-11-30T08:00"]),
        ("February 30", Refusal.NO_SUCH_DATE, ["2026-11-30T08:00"]),
        ("Monday the 1st of December", Refusal.CONTRADICTION, ["2026-11-30T08:00"]),
    ],
)
def test_what_cannot_be_is_refused_with_the_nearest_open_times(said: str, refusal: Refusal, nearest: list[str]):
    weighed = wish(said)
    assert weighed.refusal is refusal
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in weighed.nearest] == nearest
    assert all(moment.tzinfo is SAIGON for moment in weighed.nearest)


def test_a_holiday_is_named():
    assert wish("Christmas Day").holiday_names[0] == "Christmas Day"


def test_a_time_alone_that_is_past_today_is_tomorrows():
    saturday = datetime(2026, 12, 5, 12, 0, tzinfo=SAIGON)
    assert wish("at ten", saturday).refusal is Refusal.CLOSED_HOUR  # tomorrow is Sunday
